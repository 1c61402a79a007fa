"""Who this process runs as, what keeps it from a file, and what to type so that it does not."""

import os
from pathlib import Path
from shlex import quote

from agent.model import host


def reading(path: Path) -> str:
    """The next step for who may not read `path`: the folder on the way that cannot be entered, or the file itself."""
    who, group = host.login()[0], host.group()
    absolute = path.absolute()
    for part in (*reversed(absolute.parents), absolute):
        folder = part != absolute or part.is_dir()
        needed = os.X_OK if part != absolute else os.R_OK | (os.X_OK if folder else 0)
        if not os.access(part, needed):
            name = quote(str(part))
            if folder:
                return f"this runs as {who}, who may not enter {part}: chgrp {group} {name} && chmod g+rx {name}"
            return f"this runs as {who}, who may not read {part}: chgrp {group} {name} && chmod g+r {name}"
    return f"this runs as {who}: may that user read it?"


def owning(folder: Path) -> str:
    """The next step for who may not use a data directory."""
    who, name = host.login()[0], quote(str(folder))
    change = f"chown -R {who} {name}" if folder.exists() else f"install -d -m 700 -o {who} {name}"
    return f"this runs as {who}: {change}, or name another directory with --data"


def using(folder: Path) -> str:
    """The next step for who may not look into a data directory, which is its owner's alone."""
    who, owner = host.login()[0], host.owner_name(folder)
    if owner in ("", "root", who):
        return f"this runs as {who}: run it as root"
    return f"this runs as {who}: run it as root, or as {owner}, whose {folder} is"
