"""A Debian machine with systemd as its first process. Its root stays as it is: what it writes lies over that.

It shares the network of this process, which has none but loopback, and it ends with this process whatever happens.
"""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from roots import unpacked
from tests.sim.mosquitto import wait_until

HERE = Path(__file__).parent
SERVICE = "floorgate.service"
USER = "floorgate"
_ENVIRON = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]
_NUMBERS = itertools.count(1)


class Machine:
    """`with Machine(folder) as machine:` has booted. `path` is its root as seen from here, `size` MB its disk, 0: any.

    The folder `held` of the run stands at /mnt. With `boots=False` nothing runs in it, as while an image is built.
    """

    def __init__(self, folder: Path, suite: str = "bookworm", *, size: int = 0, boots: bool = True) -> None:
        self._folder = folder / f"machine-{next(_NUMBERS)}"
        self._suite, self._size, self._boots = suite, size, boots
        self._process: subprocess.Popen[bytes] | None = None
        self._first = 0  # the process id of its first process, as seen from here
        self._group = Path(os.environ["TRY_CGROUP"]) / self._folder.name
        self.path = self._folder / "root"
        self.disk = self._folder / "disk"

    def __enter__(self) -> Self:
        self.path.mkdir(parents=True)
        self.disk.mkdir()
        _call("mount", "-t", "tmpfs", "-o", f"size={self._size}m", "machine", self.disk) if self._size else None
        for name in ("upper", "work"):
            (self.disk / name).mkdir(mode=0o755)
        parts = f"lowerdir={unpacked(self._suite)},upperdir={self.disk}/upper,workdir={self.disk}/work"
        _call("mount", "-t", "overlay", "-o", parts, "machine", self.path)
        self.boot()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error:
            self._tell()
        self.power_off()
        for path in (self.path, *([self.disk] if self._size else [])):
            subprocess.run(["umount", "--lazy", path], check=False, capture_output=True)
        subprocess.run(["rm", "-rf", "--one-file-system", self._folder], check=False)

    def boot(self) -> None:
        """Start its first process; with `boots=False` one that does nothing."""
        self._group.mkdir(exist_ok=True)
        flags = ["--mount", "--pid", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child"]
        script = ["sh", str(HERE / ("boot.sh" if self._boots else "idle.sh")), str(self.path), os.environ["TRY_HELD"]]
        command = ["sh", "-c", 'echo 0 >"$0/cgroup.procs"; exec unshare "$@"', str(self._group), *flags, *script]
        log = (self._folder / "boot.log").open("ab")
        with log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._is_up, f"the machine's start ({self._folder}/boot.log)", 30)

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "boot.log").read_text()
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self._first = int(children[0]) if children else 0
        name = Path(f"/proc/{self._first}/comm").read_text().strip() if self._first else ""
        if not self._boots:
            return name == "sleep"
        return name == "systemd" and self.run("systemctl", "is-system-running").stdout.strip() in {
            "running",
            "degraded",
        }

    def _tell(self) -> None:
        """Why a row may have broken down."""
        told = (self._folder / "boot.log").read_text() + (self.journal() if self._boots else "")
        print("", *told.splitlines()[-20:], sep="\n    | ", file=sys.stderr)

    def power_off(self) -> None:
        """All of its processes are gone at once, as when the power goes; what it has written stays."""
        process, self._process = self._process, None
        if process:
            process.kill()
            process.wait(10)
            (self._group / "cgroup.kill").write_text("1")
            wait_until(self._group_gone, f"the end of {self._group}", 20)

    def _group_gone(self) -> bool:
        for folder in sorted(self._group.rglob("*/"), reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()
        with contextlib.suppress(OSError):
            self._group.rmdir()
        return not self._group.exists()

    def _inside(self, user: str, environ: dict[str, str]) -> list[str]:
        enter = ["nsenter", "-t", str(self._first), "-m", "-p", "-u", "-i", "-C", "--"]
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"] if user else []
        words = {"HOME": f"/var/lib/{user}" if user else "/root", **environ}
        return [*enter, "env", "-i", *_ENVIRON, *(f"{key}={value}" for key, value in words.items()), *become]

    def start(self, *command: object, user: str = "", **environ: str) -> subprocess.Popen[str]:
        """A command that goes on; it leads a process group, which has what it starts."""
        return subprocess.Popen(
            [*self._inside(user, environ), *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd="/",
            start_new_session=True,
        )

    def run(
        self, *command: object, user: str = "", timeout: float = 120, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """A command to its end, with both streams in stdout. After `timeout` seconds it is killed: code -9."""
        process = self.start(*command, user=user, **environ)
        try:
            said, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, said)

    def must(self, *command: object, user: str = "", timeout: float = 120, **environ: str) -> str:
        """What a command says that has to succeed."""
        done = self.run(*command, user=user, timeout=timeout, **environ)
        assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def property(self, name: str, unit: str = SERVICE) -> str:
        """What `systemctl show` has under this name."""
        return self.must("systemctl", "show", "--value", "-p", name, unit).strip()

    def pid(self, unit: str = SERVICE) -> int:
        """The main process of a service as seen from inside; 0 when it does not run."""
        return int(self.property("MainPID", unit))

    def signal(self, name: str) -> None:
        """Send one to the service's main process."""
        self.must("systemctl", "kill", f"--signal=SIG{name}", "--kill-whom=main", SERVICE)

    def journal(self, unit: str = SERVICE) -> str:
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit).stdout

    @contextlib.contextmanager
    def drop_in(self, text: str, unit: str = SERVICE) -> Iterator[None]:
        """Further lines of a unit, as `systemctl edit --runtime` makes them, for a while."""
        path = f"/run/systemd/system/{unit}.d/try.conf"
        self.write(path, text)
        self.must("systemctl", "daemon-reload")
        try:
            yield
        finally:
            self.must("rm", path)
            self.must("systemctl", "daemon-reload")

    def write(self, path: str, text: str) -> None:
        """A file; where there is one, it keeps its owner and mode."""
        self.must("sh", "-c", 'mkdir -p "${1%/*}" && printf %s "$2" >"$1"', "write", path, text)

    def has(self, path: str) -> bool:
        return self.run("test", "-e", path).returncode == 0


def _call(*command: object) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr}"
