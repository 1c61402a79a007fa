"""Runs first in a bundle: OpenSSL is told where this machine has the certificates that it trusts.

The OpenSSL in the bundle looks where the machine that built it has them (Debian: /usr/lib/ssl), which may be elsewhere
here, or nowhere. SSL_CERT_FILE and SSL_CERT_DIR that somebody has set stay. (OpenSSL, SSL_CTX_load_verify_locations(3))
"""

import os
import sys

FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Red Hat, Rocky, Alma, Fedora, openEuler
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # as above, of those without the old name
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # OpenWrt
)
FOLDERS = ("/etc/ssl/certs", "/etc/pki/tls/certs")


def settings(environ: dict[str, str], root: str = "") -> dict[str, str]:
    """The variables to set, of those that are not: the first file and the first folder that are there."""
    found = {
        "SSL_CERT_FILE": next((name for name in FILES if os.path.isfile(root + name)), None),  # noqa: PTH113  # pathlib takes a tenth of a start
        "SSL_CERT_DIR": next((name for name in FOLDERS if os.path.isdir(root + name)), None),  # noqa: PTH112
    }
    return {name: value for name, value in found.items() if value and name not in environ}


if sys.platform == "linux" and hasattr(sys, "_MEIPASS"):
    os.environ.update(settings(dict(os.environ)))
