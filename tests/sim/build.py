"""Compile the C counterparts of the tests, once per source text, into the user's cache."""

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(home) / "floorgate-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def compiled(name: str, *libraries: str) -> Path:
    """The program of `tests/sim/NAME.c`. Several test processes may ask at once: the last rename wins."""
    source = HERE / f"{name}.c"
    program = cache() / f"{name}-{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}"
    if program.exists():
        return program
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        fresh = Path(folder) / name
        links = [f"-l{library}" for library in libraries]
        command = ["gcc", "-O2", "-Wall", "-I/usr/include/modbus", "-o", str(fresh), str(source), *links]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"apt-get install gcc libmodbus-dev?\n{done.stderr}"
        fresh.replace(program)
    return program
