"""Whether a file that holds a secret is kept from others: a secret that anybody can read, or swap, is none."""

import os
import stat
from pathlib import Path
from shlex import quote

from agent.config.files import Unreadable
from agent.model import host

GROUP_READS = stat.S_IRGRP
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def guarded(path: Path, status: os.stat_result, *, by_systemd: bool = False) -> None:
    """Raises Unreadable, with what to type, when somebody else can read or write the file at `path`, or swap it.

    `status` is that of the open file, so of what a link leads to. One `by_systemd` may be 0440, which is how an access
    list for the service's user looks. Windows has other rights: nothing is judged there.
    """
    ours = host.user_id()
    if ours is None:
        return
    shared = stat.S_IMODE(status.st_mode) & OTHERS & ~(GROUP_READS if by_systemd else 0)
    if shared:
        who = "others" if shared & stat.S_IRWXO else "its group"
        can = "write" if shared & (stat.S_IWGRP | stat.S_IWOTH) else "read"
        mode = stat.S_IMODE(status.st_mode)
        raise Unreadable(f"{who} can {can} it (mode {mode:04o})", hint=f"chmod 600 {_typed(path)}")
    if ours and status.st_uid not in (0, ours):  # root may check what a service's user owns
        raise Unreadable(f"it belongs to another user ({status.st_uid})", hint=f"chown {ours} {_typed(path)}")
    for folder in {path.parent, path.resolve().parent}:
        mode = folder.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise Unreadable("everybody can write to its folder, and so swap it", hint=f"chmod o-w {_typed(folder)}")


def _typed(path: Path) -> str:
    return quote(str(path))
