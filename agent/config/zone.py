"""The time zone of the gateway: the one that the file names, or the machine's own."""

import os
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, tzinfo
from pathlib import Path

from agent.config.problems import Mark, Scope
from agent.config.words import did_you_mean, shown

LOCALTIME = Path("/etc/localtime")
TIMEZONE = Path("/etc/timezone")  # Debian's
MOST = 64 << 10  # bytes of a zone's data
_NO_DATA = "install the package tzdata; until then only UTC is known"


def named_zone(name: str, mark: Mark, scope: Scope) -> tzinfo:
    """The zone of this name; UTC after a problem was reported."""
    found = _zone(name)
    if found is None:
        known = zoneinfo.available_timezones()
        hint = (did_you_mean(name, known) or "such as Asia/Shanghai or Europe/Berlin") if known else _NO_DATA
        what = (
            f"timezone: there is no time zone {shown(name)}" if known else "timezone: no time zone data on this machine"
        )
        scope.add(mark, what, hint)
    return found or UTC


def machine_zone(environ_tz: str | None = None, localtime: Path = LOCALTIME, timezone: Path = TIMEZONE) -> tzinfo:
    """What the machine's clock on the wall shows: `TZ`, else /etc/localtime, else UTC."""
    wanted = os.environ.get("TZ") if environ_tz is None else environ_tz
    named = (_zone(name) for name in _names((wanted or "").removeprefix(":"), localtime, timezone))
    return next((zone for zone in named if zone is not None), None) or _unnamed(localtime) or UTC


def _names(wanted: str, localtime: Path, timezone: Path) -> Iterator[str]:
    if wanted:
        yield wanted
    try:
        target = str(localtime.resolve())
        if "/zoneinfo/" in target:
            yield target.rpartition("/zoneinfo/")[2]
        with timezone.open("rb") as file:
            yield file.read(256).decode("ascii").strip()
    except (OSError, ValueError):
        return


def _unnamed(localtime: Path) -> tzinfo | None:
    """Some machines have a copy there, and no name for it."""
    try:
        with localtime.open("rb") as file:
            return zoneinfo.ZoneInfo.from_file(file, key="local")
    except (OSError, ValueError):
        return None


def _zone(name: str) -> tzinfo | None:
    if name in {"UTC", "Etc/UTC"}:
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):
        return None
