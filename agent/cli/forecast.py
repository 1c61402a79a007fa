"""How much a site will store, and whether this machine has the room for it."""

import shutil
from pathlib import Path

from agent.config import Report, Site
from agent.config.sections import MAX_SIZE
from agent.model.text import duration_text, size_text
from drivers.api import scan_groups

FRAME, SAMPLE = 60, 5.0  # bytes in the store, as measured (tests/bench): of a frame, and of each of its values
_DAY = 86400


def per_day(site: Site) -> float:
    """Bytes that the store gets in a day, where every value of every scan is told."""
    total = 0.0
    for device in site.devices:
        for (_, interval), tags in scan_groups(device, getattr(device, "tags", ())).items():
            total += (FRAME + SAMPLE * len(tags)) / interval
    return total * _DAY


def warn(site: Site, data: Path, report: Report) -> None:
    """Where `keep` is more than `max_size` or the disk will ever hold."""
    disk = _disk(data)
    said = site.buffer.max_size
    most = said or min(MAX_SIZE, disk[0] // 4 if disk else MAX_SIZE)
    rate = per_day(site)
    held = most / rate if rate else float("inf")
    wanted = site.buffer.keep / _DAY
    mark = report.places["buffer"]
    if held < wanted:
        limit = f"max_size: {size_text(most)}" if said else f"{size_text(most)}, which is the size where none is said,"
        what = f"buffer: {limit} holds {_days(held)} of an outage, and keep says {_days(wanted)}"
        report.warn(
            mark, what, f"max_size: {size_text(round(rate * wanted * 1.1))}, a longer interval, or a shorter keep"
        )
    if disk and said and said + site.buffer.reserve > disk[1] + _taken(data):
        reserve = size_text(site.buffer.reserve)
        what = f"buffer: max_size {size_text(said)} and reserve {reserve} are more than the disk has"
        report.warn(mark, what, f"{size_text(disk[1])} are free at {data}")


def _disk(data: Path) -> tuple[int, int] | None:
    """(all, free) bytes where the data directory is or will be; None where nobody can tell."""
    for folder in (data, *data.absolute().parents):
        try:
            usage = shutil.disk_usage(folder)
        except FileNotFoundError:
            continue
        except OSError:  # it may be another user's
            return None
        return usage.total, usage.free
    return None


def _taken(data: Path) -> int:
    """What the store has of the disk already."""
    try:
        return sum(file.stat().st_size for file in data.glob("store.db*"))
    except OSError:
        return 0


def _days(days: float) -> str:
    return duration_text(round(days * _DAY / 3600) * 3600) if days < 3 else f"{days:.0f}d"
