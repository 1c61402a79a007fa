"""How the other side proves who it is, and how we do: TLS 1.2 or newer, chain and host name always verified."""

import ssl

from agent.model.errors import Denied


def context(where: str, ca: str, cert: str, key: str) -> ssl.SSLContext:
    """Reads files, so it belongs into a thread. Raises Denied when they cannot be used."""
    try:
        made = ssl.create_default_context(cafile=ca or None)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        if cert:
            made.load_cert_chain(cert, key, password="")  # an encrypted key fails instead of asking
    except (OSError, ValueError) as error:
        files = ", ".join(file for file in (ca, cert, key) if file)
        raise Denied(f"{where}: the certificates cannot be used: {error}", hint=f"look at {files}") from error
    return made
