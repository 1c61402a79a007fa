"""A Python that lacks what Windows lacks, on Linux: loads all our modules, then is `floorgate` with these arguments.

What Windows has in place of it stands in here: `msvcrt` over fcntl, a socketpair over AF_UNIX. The standard library and
what is installed were loaded before, as the Linux that they run on needs it. Paths and SQLite stay those of Linux.
"""

import asyncio
import ctypes
import importlib
import os
import selectors
import shutil
import socket
import sys
import types
from functools import partial
from pathlib import Path

import aiohttp
import aiomqtt
import amqtt.broker
import asyncua
import click.testing
import cryptography.x509
import h11
import openpyxl
import prometheus_client
import pydantic
import pymodbus.client
import rich.progress
import serial.rs485
import sqlite_utils
import websockets.client
import yaml

from tests.house import ONE_SYSTEM

OURS = ("agent", "drivers", "buffer")
LOADED = (
    *(aiohttp, aiomqtt, amqtt.broker, asyncua, click.testing, cryptography.x509, h11, openpyxl, prometheus_client),
    *(pydantic, pymodbus.client, rich.progress, serial.rs485, sqlite_utils, websockets.client, yaml),
)


def become() -> None:
    """From here on it is as on Windows."""
    fcntl = importlib.import_module("fcntl")
    place = {2: fcntl.LOCK_EX | fcntl.LOCK_NB, 1: fcntl.LOCK_EX}
    msvcrt = types.ModuleType("msvcrt")
    msvcrt.LK_NBLCK, msvcrt.LK_LOCK = 2, 1
    msvcrt.locking = lambda fd, mode, size: fcntl.lockf(fd, place[mode], size, os.lseek(fd, 0, os.SEEK_CUR))
    space = shutil.disk_usage("/")
    shutil.disk_usage = lambda _: space
    socket.socketpair = partial(socket.socketpair, socket.AF_UNIX)
    ctypes.windll = types.SimpleNamespace(shell32=types.SimpleNamespace(IsUserAnAdmin=lambda: 0))
    selectors.DefaultSelector = selectors.SelectSelector
    asyncio.SelectorEventLoop.add_signal_handler = asyncio.AbstractEventLoop.add_signal_handler  # NotImplementedError
    for name in {*ONE_SYSTEM, "socket.AF_UNIX"}:
        owner, _, attribute = name.partition(".")
        if not attribute:
            sys.modules[name] = None
        elif hasattr(sys.modules[owner], attribute):
            delattr(sys.modules[owner], attribute)
    sys.modules["msvcrt"] = msvcrt
    sys.platform = "win32"


def load_all() -> int:
    root = Path(__file__).parents[2]
    paths = [path.relative_to(root) for part in OURS for path in sorted((root / part).rglob("*.py"))]
    names = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths]
    for name in names:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    return len(names)


if __name__ == "__main__":
    become()
    print(load_all(), "modules", flush=True)
    main = importlib.import_module("agent.__main__").main
    for command in " ".join(sys.argv[1:]).split(" then "):
        sys.argv[1:] = command.split()
        try:
            main()
        except SystemExit as error:
            print("ended with", error.code, flush=True)
