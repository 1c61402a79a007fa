"""C libraries that were compiled into a wheel, or into Python, and are in no bill of materials there.

Most tell their version themselves.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any


def of(name: str) -> Iterator[tuple[str, str]]:
    """(library, version) of what lies in a distribution; the version is empty where nothing tells it."""
    for library, version in _TABLE.get(name, ()):
        yield library, version() if version else ""


def _said(module: str, attribute: str) -> Callable[[], str]:
    def version() -> str:
        said: Any = getattr(import_module(module), attribute)
        return str(said() if callable(said) else said)

    return version


def _libuv() -> str:
    number = int(_said("uvloop.loop", "libuv_get_version")())
    return f"{number >> 16}.{number >> 8 & 255}.{number & 255}"


def _expat() -> str:
    return _said("pyexpat", "EXPAT_VERSION")().removeprefix("expat_")


_TABLE: dict[str, tuple[tuple[str, Callable[[], str] | None], ...]] = {
    "aiohttp": (("llhttp", None),),
    "argon2-cffi-bindings": (("argon2", None),),
    "backports-zstd": (("zstd", _said("backports.zstd", "zstd_version")),),
    "cffi": (("libffi", None),),
    "python": (("expat", _expat), ("libmpdec", _said("_decimal", "__libmpdec_version__"))),
    "pyyaml": (("libyaml", _said("yaml._yaml", "get_version_string")),),
    "uvloop": (("libuv", _libuv),),
}
