"""The few spellings that every file shares: durations, sizes, names, and text that came from elsewhere."""

import re

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(B|KB|MB|GB)")
_BYTES = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
DURATION_PATTERN = f"^{_DURATION.pattern}$"
SIZE_PATTERN = f"^{_SIZE.pattern}$"
NAME_PATTERN = r"^[^\s/+#$\x00-\x1f\x7f][^\s/+#\x00-\x1f\x7f]*$"
LONGEST_NAME = 128  # characters; not part of the pattern, of which a bound made an automaton of 0.2 MB at each use


class Referenced(str):
    """Text that a file took from `${ENV}` or `file:` instead of spelling it out; only such text may be a secret."""

    __slots__ = ()

    file: str = ""  # where it stands alone, when that is a file


def plain(text: str) -> str:
    """Text from elsewhere for a terminal or a log: what would steer it, or turn the line around, is spelt out."""
    return text if text.isprintable() else "".join(c if c.isprintable() else escaped(c) for c in text)


def escaped(c: str) -> str:
    """`\\x1b`"""
    code = ord(c)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _short(value: object) -> str:
    said = repr(value[:60]) if isinstance(value, str) else repr(value)
    return said if len(said) <= 80 else f"{said[:79]}…"


def is_name(text: str) -> bool:
    return len(text) <= LONGEST_NAME and re.fullmatch(NAME_PATTERN, text) is not None


def duration(text: object) -> float:
    """Seconds from `250ms`, `1s`, `5m`, `2h`, `7d`. Raises ValueError."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{_short(text)} is not a duration: write a number and ms, s, m, h or d, such as 250ms or 5m")
    return round(float(match[1]) * _SECONDS[match[2]], 6)


def duration_text(seconds: float) -> str:
    """The canonical spelling: the largest unit in which the number is whole (`1000ms` becomes `1s`)."""
    ms = round(seconds * 1000)
    for unit, factor in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if ms and ms % factor == 0:
            return f"{ms // factor}{unit}"
    return f"{ms}ms"


def size(text: object) -> int:
    """Bytes from `64MB` and the like, in powers of 1024. Raises ValueError."""
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{_short(text)} is not a size: write a number and B, KB, MB or GB, such as 64MB")
    return int(float(match[1]) * _BYTES[match[2]])


def size_text(count: float) -> str:
    """For people: two digits or three, in the largest unit that leaves a number of 1 or more: `64MB`, `1.5GB`."""
    unit = next((unit for unit in ("GB", "MB", "KB") if count >= _BYTES[unit]), "B")
    number = count / _BYTES[unit]
    return f"{number:.1f}".removesuffix(".0") + unit if number < 10 else f"{number:.0f}{unit}"


def public(name: str) -> str:
    """An endpoint without a password that somebody put into it."""
    return re.sub(r"//[^/]*@", "//", name)
