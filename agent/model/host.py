"""What depends on the operating system; whatever else we do is the same on Linux and on Windows.

The Windows half is typed and read, not run: nobody has had a Windows to try it on. `tests/unit/test_portable.py` runs
the other half of the product without what Windows lacks.
"""

import ctypes
import errno
import math
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    import asyncio
    import socket

RAW = getattr(os, "O_BINARY", 0)  # for each os.open: Windows would make two bytes of each line end
NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
TERMINAL: tuple[type[Exception], ...] = ()  # what pyserial lets through for a setting that the port does not know
if sys.platform != "win32":
    import termios

    TERMINAL = (termios.error,)
STOPS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name))
_HIDDEN = 0x7FFF_0000  # of a file, in bytes: no reader comes there, and Windows keeps readers from what is locked
_PR_SET_PDEATHSIG = 1  # prctl(2)


def unix_socket(*, stream: bool) -> "socket.socket | None":
    """One of this machine alone, by the path of a file, which never waits; None where there are none."""
    if sys.platform == "win32":
        return None
    import socket  # noqa: PLC0415  # most commands need none

    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
    made.setblocking(False)
    return made


# Who runs


def user_id() -> int | None:
    """None where users have no number."""
    if sys.platform == "win32":
        return None
    return os.geteuid()


def is_root() -> bool:
    """Whether this process may do everything here."""
    if sys.platform == "win32":
        return bool(ctypes.windll.shell32.IsUserAnAdmin())
    return os.geteuid() == 0


def login() -> tuple[str, int]:
    """The name and number of who runs this process; the number is -1 where there is none."""
    if sys.platform == "win32":
        return os.environ.get("USERNAME", "-1"), -1
    import pwd  # noqa: PLC0415  # one command in ten asks

    number = os.getuid()
    with suppress(KeyError):
        return pwd.getpwuid(number).pw_name, number
    return os.environ.get("USERNAME", str(number)), number


def group() -> str:
    """The name of the group that this process runs as, or its number; nothing where users have no groups."""
    if sys.platform == "win32":
        return ""
    import grp  # noqa: PLC0415  # who asks has failed already

    with suppress(KeyError):
        return grp.getgrgid(os.getegid()).gr_name
    return str(os.getegid())


def terminal() -> str:
    """What a person sits at, or nothing."""
    if sys.platform != "win32":
        for number in (0, 1, 2):
            with suppress(OSError):
                return os.ttyname(number)
    return ""


def data_dir(environ: Mapping[str, str], *, root: bool, windows: bool = sys.platform == "win32") -> Path:
    """Where the data are if nobody says where.

    `/var/lib/floorgate` for root, the user's state directory otherwise (XDG base directories); on Windows
    `%PROGRAMDATA%` for administrators, `%LOCALAPPDATA%` otherwise.
    """
    if windows:
        name = "PROGRAMDATA" if root else "LOCALAPPDATA"
        return Path(environ.get(name) or Path.home() / "AppData" / "Local") / "floorgate"
    if root:
        return Path("/var/lib/floorgate")
    return Path(environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "floorgate"


# The loop, and who asks it to end


def new_loop() -> "asyncio.AbstractEventLoop":
    """For the agent: uvloop where it is installed.

    At 100,000 samples/s the agent costs a tenth to a fifth less CPU with it. On Windows the one that can watch sockets,
    which paho needs and the usual one there cannot.
    """
    import asyncio  # noqa: PLC0415  # the store asks for locks alone

    if sys.platform != "win32":
        with suppress(ImportError):  # an optional extra
            import uvloop  # noqa: PLC0415

            return uvloop.new_event_loop()
    return asyncio.SelectorEventLoop()


def on_stop(loop: "asyncio.AbstractEventLoop", call: Callable[[], object], *, hangup: bool = False) -> None:
    """Have it called when this process is asked to end: by SIGTERM, Ctrl-C, on Windows Ctrl-Break.

    With `hangup` also when its terminal goes.
    """
    for number in STOPS:
        _on(number, loop, call)
    if hangup:
        on_reload(loop, call)


def on_reload(loop: "asyncio.AbstractEventLoop", call: Callable[[], object]) -> None:
    """Have it called on SIGHUP; Windows has none."""
    if hasattr(signal, "SIGHUP"):
        _on(signal.SIGHUP, loop, call)


def _on(number: int, loop: "asyncio.AbstractEventLoop", call: Callable[[], object]) -> None:
    if sys.platform != "win32":
        loop.add_signal_handler(number, call)
        return
    signal.signal(number, lambda *_: loop.call_soon_threadsafe(call))
    _waken(loop)


def _waken(loop: "asyncio.AbstractEventLoop") -> None:
    """Have the loop look up when a signal comes: select(2) of Windows waits on, and nothing is called meanwhile."""
    import socket  # noqa: PLC0415  # as asyncio above

    before = signal.set_wakeup_fd(-1)
    if before >= 0:  # it looks up already
        signal.set_wakeup_fd(before)
        return
    pair = socket.socketpair()
    for end in pair:
        end.setblocking(False)
    signal.set_wakeup_fd(pair[1].fileno(), warn_on_full_buffer=False)
    loop.add_reader(pair[0].fileno(), lambda: pair[0].recv(4096))


# Files


def sync_folder(folder: Path) -> None:
    """What was made, renamed or removed in the folder stays so after a power cut (not on Windows). Raises OSError."""
    if sys.platform != "win32":
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def sync_file(path: Path) -> None:
    """What others have written into it is on the disk when this returns. Raises OSError."""
    fd = os.open(path, os.O_RDWR | RAW)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def lock(fd: int, *, wait: bool = True) -> bool:
    """Lock a file for this process until it is closed; False where another has it and this one does not `wait`.

    Raises OSError; on Windows also after ten seconds.
    """
    if sys.platform == "win32":
        if not wait:
            return lock_bytes(fd, 1, _HIDDEN)
        os.lseek(fd, _HIDDEN, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_LOCK, 1)
    else:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
    return True


@contextmanager
def alone(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """One process after the other; False where another is here and this one does not `wait`. Raises OSError."""
    if sys.platform == "win32":  # folders cannot be opened there
        fd = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | RAW, 0o600)
    else:
        fd = os.open(folder, os.O_RDONLY)
    try:
        yield lock(fd, wait=wait)
    finally:
        os.close(fd)  # which lets go of it


def lock_bytes(fd: int, length: int, start: int) -> bool:
    """Lock some bytes of a file until it is closed; False where another process has locked one. Raises OSError.

    SQLite locks in the same way. On Linux such a lock goes when this process closes any descriptor of the file.
    """
    try:
        if sys.platform == "win32":
            os.lseek(fd, start, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, length)
        else:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
    except (BlockingIOError, PermissionError):
        return False
    return True


def pread(fd: int, size: int, start: int) -> bytes:
    """Raises OSError."""
    if sys.platform == "win32":
        os.lseek(fd, start, os.SEEK_SET)
        return os.read(fd, size)
    return os.pread(fd, size, start)


def pwrite(fd: int, data: bytes, start: int) -> int:
    """Raises OSError."""
    if sys.platform == "win32":
        os.lseek(fd, start, os.SEEK_SET)
        return os.write(fd, data)
    return os.pwrite(fd, data, start)


def free(folder: Path) -> int:
    """Bytes that this process may still write there. Raises OSError."""
    return shutil.disk_usage(folder).free


def read_only(path: Path) -> bool:
    """Whether its file system takes no writes, whoever asks. Raises OSError."""
    if sys.platform == "win32":
        return False
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def give_blocks(fd: int, start: int, size: int) -> None:
    """Let a file grow from `start` by blocks of the disk, so that writing there finds room. Raises OSError."""
    if sys.platform != "win32" and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, start, size)
    else:
        os.ftruncate(fd, start + size)  # NTFS takes the clusters at once


def taken(path: Path) -> int:
    """Bytes that a file takes on the disk: a file with holes is larger than that."""
    if sys.platform == "win32":
        return path.stat().st_size
    return path.stat().st_blocks * 512


def owner_of(folder: Path) -> tuple[int, int] | None:
    """Whose a new file in it is to be: root works in the data directory of the user whom the agent runs as."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    found = folder.stat()
    return found.st_uid, found.st_gid


def owner_name(path: Path) -> str:
    """Whose it is; nothing where that is not told, as on Windows."""
    if sys.platform != "win32":
        with suppress(OSError, KeyError):
            return path.owner()
    return ""


def give(what: Path | int, owner: tuple[int, int]) -> None:
    """A file is theirs from now on, by its path or descriptor; what a link leads to stays whose it is. OSError."""
    if sys.platform != "win32":
        os.chown(what, *owner, follow_symlinks=isinstance(what, int))


def set_mode(fd: int, mode: int) -> None:
    """Who may read and write an open file; on Windows the folder says so. Raises OSError."""
    if sys.platform != "win32":
        os.fchmod(fd, mode)


# The process


def many_files() -> None:
    """As many sockets as the system allows at all: by default a process on Linux has some 1,000."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  # a simulated plant alone asks

        with suppress(OSError, ValueError):
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_files() -> float:
    """How many this process may have open."""
    if sys.platform == "win32":
        return math.inf
    import resource  # noqa: PLC0415  # as above

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return math.inf if soft == resource.RLIM_INFINITY else soft


def most_memory() -> float:
    """Bytes that this process may use: of the machine, of its address space, and of its control groups (cgroup v2)."""
    found = [math.inf]
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  # as above

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        found += [] if soft == resource.RLIM_INFINITY else [soft]
    with suppress(OSError, ValueError, IndexError):
        found.append(1024.0 * int(Path("/proc/meminfo").read_text("ascii").split()[1]))
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/cgroup").read_text("utf-8").splitlines()
        group = Path("/sys/fs/cgroup") / next(line[3:] for line in lines if line.startswith("0::")).lstrip("/")
        for folder in (group, *group.parents):
            with suppress(OSError, ValueError):  # `max`: no limit
                found.append(float(int((folder / "memory.max").read_text("ascii"))))
    return min(found)


def files_left(folder: Path) -> float:
    """How many more there may be on its disk (inodes). Raises OSError."""
    if sys.platform == "win32":
        return math.inf
    room = os.statvfs(folder)
    return room.f_favail if room.f_files else math.inf


def end_with_parent() -> bool:
    """Be killed when the process that started this one ends, however it ends; False where there is no such thing."""
    if sys.platform != "linux":
        return False
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return True


def kill_group(pid: int) -> None:
    """End a process that leads a session, and its children, without a last word."""
    if sys.platform == "win32":
        os.kill(pid, signal.SIGTERM)  # which Windows takes for just that
    else:
        os.killpg(pid, signal.SIGKILL)


def raw_terminal() -> tuple[int, int, str]:
    """A serial line without a wire: our end, the other, and by which name that is opened. OSError; none on Windows."""
    if sys.platform == "win32":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    import tty  # noqa: PLC0415  # a simulated plant alone asks

    ours, theirs = os.openpty()
    tty.setraw(theirs)
    os.set_blocking(ours, False)
    return ours, theirs, os.ttyname(theirs)
