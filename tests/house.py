"""The files of the project, and the rules that `test_architecture.py` holds them to.

A rule takes a path and its syntax tree and yields (line, what is wrong); it knows nothing of the disk, so that a
snippet can prove that it bites.
"""

import ast
import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
Fault = tuple[int, str]
Rule = Callable[[str, ast.Module], Iterator[Fault]]

# Which part may import which; agent/README.md has the same table for people. A driver and a sink are parts of their own
# ("drivers.modbus"); what drivers share is the part "drivers", what sinks share is "agent.northbound".
SHARED = {
    "drivers": {"api", "browsing", "finding", "placing", "rules", "section", "tapping", "tracing", "transport"},
    "agent.northbound": {"address", "api", "broker", "command", "encode", "gap", "house", "proxy", "shapes", "trust"},
}
SEAMS = {"agent.northbound", "drivers"}
MAY_IMPORT: dict[str, set[str]] = {
    "agent": set(),
    "agent.__main__": {"agent.cli"},
    "agent.cli": {"*"},
    "agent.demo": {"agent.model"},
    "agent.record": {"agent.model", "drivers"},
    "agent.replay": {"agent.config", "agent.record", "agent.registry", "agent.normalise", "agent.model", "drivers"},
    "agent.simulate": {
        "agent.config",
        "agent.registry",
        "agent.model",
        "drivers",
        "drivers.modbus",
        "drivers.opcua",
    },
    "agent.runtime": {
        "agent.status",
        "agent.health",
        "agent.config",
        "agent.registry",
        "agent.normalise",
        "agent.record",
        "agent.model",
        "buffer",
        *SEAMS,
    },
    "agent.status": {"agent.health", "agent.model"},
    "agent.health": {"agent.model"},
    "agent.lang": set(),
    "agent.config": {"agent.model", "agent.normalise", "agent.registry", "drivers"},
    "agent.imports": {"agent.config", "agent.model"},
    "agent.registry": {"agent.model", *SEAMS},
    "agent.northbound": {"agent.model"},
    "drivers": {"agent.model"},
    "buffer": {"agent.model"},
    "agent.normalise": {"agent.model"},
    "agent.model": set(),
}
PURE = (
    "agent/model/*",
    "agent/normalise/*",
    "agent/northbound/command.py",
    "agent/northbound/encode.py",
    "agent/northbound/gap.py",
    "agent/northbound/shapes/*",
    *(f"agent/northbound/sparkplug/{name}.py" for name in ("codec", "host", "metrics", "names", "session", "tree")),
    "buffer/store.py",
    "buffer/codec.py",
    "drivers/*/plan.py",
    "drivers/*/codec.py",
    "drivers/*/decode.py",
    "drivers/*/writing.py",
    "drivers/*/plausible.py",
    "drivers/*/identify.py",
    "agent/runtime/guard.py",
)
HOST = "agent/model/host.py"
ONE_SYSTEM = {  # modules, and names of modules
    *("fcntl", "grp", "msvcrt", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty", "uvloop", "winreg"),
    *("os.O_CLOEXEC", "os.O_DIRECTORY", "os.O_NOFOLLOW", "os.O_NONBLOCK", "os.O_BINARY", "os.chown", "os.fchmod"),
    *("os.fchown", "os.fdatasync", "os.fork", "os.getegid", "os.geteuid", "os.getgid", "os.getpgid", "os.getuid"),
    *("os.killpg", "os.lchown", "os.mkfifo", "os.openpty", "os.posix_fallocate", "os.pread", "os.pwrite"),
    *("os.set_blocking", "os.setsid", "os.statvfs", "os.ttyname", "os.uname", "shutil.chown"),
    *("signal.SIGHUP", "signal.SIGKILL", "signal.SIGUSR1", "signal.SIGUSR2", "time.tzset"),
}
LOOPS = {"asyncio", "uvloop", "anyio", "trio"}
SUPERVISOR = "agent/runtime/supervise.py"
RUNTIME = "agent/runtime/"
BIRTHPLACES = (RUNTIME, "agent/demo/", "agent/simulate/")
FOR_MACHINES = {  # files of the cli that print what is no text for people, or speak for all others
    *("agent/cli/__init__.py", "agent/cli/voice.py", "agent/cli/records.py", "agent/cli/schema.py"),
    *("agent/cli/version.py", "agent/cli/browse.py", "agent/cli/import_.py"),
}
TALKERS = ("agent/cli/", "agent/demo/")


def listed(*, tracked_only: bool = False) -> list[str]:
    """Paths from the root as git sees them, so no build output; without git, all that `.gitignore` does not name."""
    options = ["--cached"] if tracked_only else ["--cached", "--others", "--exclude-standard"]
    try:
        command = ["git", "-C", str(ROOT), "ls-files", "-z", *options]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return walked()
    return sorted(path for path in out.split("\0") if path and (ROOT / path).exists())


def walked() -> list[str]:
    return sorted(_walk(ROOT, [".git", *(ROOT / ".gitignore").read_text("utf-8").split()]))


def _walk(folder: Path, ignored: list[str]) -> Iterator[str]:
    for path in folder.iterdir():
        local = path.relative_to(ROOT).as_posix()
        if any(fnmatch(path.name, name.rstrip("/")) or name.strip("/") == local for name in ignored):
            continue
        if path.is_dir():
            yield from _walk(path, ignored)
        else:
            yield local


def sources(*folders: str) -> list[str]:
    return [path for path in listed() if path.endswith(".py") and path.startswith(tuple(f"{f}/" for f in folders))]


def faults(rule: Rule, paths: list[str]) -> list[str]:
    """`file:line: what is wrong` for everything that `rule` finds in these files."""
    return [f"{path}:{line}: {fault}" for path in paths for line, fault in rule(path, parsed(path))]


@cache
def parsed(path: str) -> ast.Module:
    """Each file is asked by many rules. A tree has no circles: to look for some takes longer than to make it."""
    gc.disable()
    try:
        return ast.parse((ROOT / path).read_text("utf-8"), path)
    finally:
        gc.freeze()
        gc.enable()


def part_of(module: str) -> str:
    """The part of the house that a dotted name belongs to, or the name's top when it is none of ours."""
    names = module.split(".")
    for base, shared in SHARED.items():
        depth = base.count(".") + 1
        if names[:depth] == base.split(".") and len(names) > depth and names[depth] not in shared | {"__init__"}:
            return f"{base}.{names[depth]}"
    if names[0] == "agent" and len(names) > 1 and names[1] not in {"__init__", "__version__"}:
        return f"agent.{names[1]}"
    return names[0]


def may_import(part: str) -> set[str] | None:
    """None: the part is not in the table."""
    for base in SHARED:
        if part.startswith(f"{base}."):
            return {"agent.model", base}
    return MAY_IMPORT.get(part)


def imported(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of each import, wherever it stands."""
    package = path.removesuffix(".py").split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def import_table(path: str, tree: ast.Module) -> Iterator[Fault]:
    part = part_of(path.removesuffix(".py").replace("/", "."))
    allowed = may_import(part)
    if allowed is None:
        yield 1, f"{part} is not in the import table: add it to MAY_IMPORT and to agent/README.md"
        return
    for line, name in imported(path, tree):
        other = part_of(name)
        ours = other.split(".")[0] in {"agent", "drivers", "buffer"}
        if ours and other not in {part, "agent"} and "*" not in allowed and other not in allowed:
            yield line, f"{part} may not import {name}"
        foreign = not ours and name.split(".")[0] not in sys.stdlib_module_names
        if part == "agent.model" and foreign and (path, name) != (HOST, "uvloop"):
            yield line, f"{part} may import the standard library only, not {name}"


def no_loop_in_pure_code(path: str, tree: ast.Module) -> Iterator[Fault]:
    if path != HOST and any(fnmatch(path, pattern) for pattern in PURE):
        for line, name in imported(path, tree):
            if name.split(".")[0] in LOOPS:
                yield line, f"decides without waiting, so it does not import {name}"


def asks_the_host(path: str, tree: ast.Module) -> Iterator[Fault]:
    """What only one operating system has is asked of agent/model/host.py; `mypy --platform win32` finds the rest."""
    if path == HOST:
        return
    for line, name in imported(path, tree):
        if name.split(".")[0] in ONE_SYSTEM:
            yield line, f"{name}: not every system has it, so {HOST} asks"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and f"{_name(node.value)}.{node.attr}" in ONE_SYSTEM:
            yield node.lineno, f"{_name(node.value)}.{node.attr}: not every system has it, so {HOST} asks"
    for call, owner, name in calls(tree):
        if name == "add_signal_handler":
            yield call.lineno, f"{name}: not every loop has it, so {HOST} asks"
        elif (owner, name) == ("os", "open") and not any(_name(node) == "RAW" for node in ast.walk(call)):
            yield call.lineno, "os.open without host.RAW: Windows would make two bytes of each line end"


def broad_excepts(path: str, tree: ast.Module) -> Iterator[Fault]:
    """Also those that come as `suppress(Exception)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and (node.type is None or _broad(node.type)):
            yield node.lineno, "catches everything"
        elif isinstance(node, ast.Call) and _name(node.func) == "suppress" and any(map(_broad, node.args)):
            yield node.lineno, "suppresses everything"


def _broad(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple):
        return any(map(_broad, node.elts))
    return _name(node) in {"Exception", "BaseException"}


def _name(node: ast.expr) -> str:
    """The last name of `a.b.c`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str, str]]:
    """Each call with what it is called on and by which name: `asyncio.sleep(1)` gives "asyncio", "sleep"."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            owner = _name(node.func.value) if isinstance(node.func, ast.Attribute) else ""
            yield node, owner, _name(node.func)


def tasks_from_a_group(path: str, tree: ast.Module) -> Iterator[Fault]:
    for call, owner, name in calls(tree):
        if name == "ensure_future" or (name == "create_task" and owner in {"", "asyncio", "loop", "get_running_loop"}):
            yield call.lineno, f"{name} outside a TaskGroup"
        elif name == "create_task" and not path.startswith(BIRTHPLACES):
            yield call.lineno, "tasks are born in agent/runtime"
        elif name == "create_task" and path.startswith(RUNTIME) and not any(k.arg == "name" for k in call.keywords):
            yield call.lineno, "a task without a name"


def no_blocking_sleep(path: str, tree: ast.Module) -> Iterator[Fault]:
    for line, name in imported(path, tree):
        if name == "time.sleep":
            yield line, "time.sleep stops the loop"
    for call, owner, name in calls(tree):
        if (owner, name) == ("time", "sleep"):
            yield call.lineno, "time.sleep stops the loop"


def no_print(path: str, tree: ast.Module) -> Iterator[Fault]:
    if not path.startswith(TALKERS):
        for call, owner, name in calls(tree):
            if (owner, name) == ("", "print"):
                yield call.lineno, "only a command prints"


def speaks_by_voice(path: str, tree: ast.Module) -> Iterator[Fault]:
    """What a command tells a person goes through the catalogues; what is JSON does not."""
    if path.startswith("agent/cli/") and path not in FOR_MACHINES:
        for call, owner, name in calls(tree):
            is_json = bool(call.args) and isinstance(call.args[0], ast.Call) and _name(call.args[0].func) == "dumps"
            if owner == "click" and name in {"echo", "secho", "prompt", "confirm"} and not is_json:
                yield call.lineno, f"click.{name}: what a person reads goes by agent.cli.voice"
            elif name in {"confirmation_option", "password_option"}:
                yield call.lineno, f"{name} asks in English: agent.cli.voice asks in the person's language"


def starts_with_a_sentence(path: str, tree: ast.Module) -> Iterator[Fault]:
    if not ast.get_docstring(tree):
        yield 1, "a module starts with one sentence that says what it is for"


def no_mock(path: str, tree: ast.Module) -> Iterator[Fault]:
    for line, name in imported(path, tree):
        if name.startswith(("unittest.mock", "mock.", "pytest_mock")) or name == "mock":
            yield line, f"{name}: fake the world at the seam"
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.arg == "mocker":
            yield node.lineno, "mocker: fake the world at the seam"
