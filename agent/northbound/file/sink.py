"""A file as a sink: one JSON envelope a line, on disk before it counts as confirmed."""

import asyncio
import errno
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import cast

from agent.model.errors import Denied, SinkError, Unavailable
from agent.northbound.api import Batch, Gateway, SinkConfig
from agent.northbound.encode import Encoder
from agent.northbound.file.config import Config
from agent.northbound.file.lines import LineFile

_DEADLINE = 10.0  # seconds: a disk or a network share that takes longer counts as away
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_MISPLACED = {errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOENT, errno.ENAMETOOLONG, errno.ELOOP}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def build(config: SinkConfig, gateway: Gateway) -> "FileSink":
    return FileSink(cast(Config, config), gateway)


class FileSink:
    """Writes in a thread. Raises Denied when the file may not be written, Unavailable when it cannot be just now.

    A send that fails leaves no line behind. One that was cancelled may still write its lines, and then they come twice.
    """

    ordered = True
    window = 1

    def __init__(self, config: Config, gateway: Gateway) -> None:
        self.limit = config.batch
        # A name becomes part of a path: it must not lead out of the folder.
        name = gateway.id.replace("/", "_").lstrip(".") or "_"
        self._path = Path(config.path.replace("{gateway}", name))
        self._file = LineFile(self._path, config.max_size, config.keep)
        self._encode = Encoder(gateway.id).encode
        self._house = gateway.house
        self._pool = ThreadPoolExecutor(1, "file")  # in turn: a call whose caller has gone may still be running

    async def open(self) -> None:
        await self._in_thread(self._file.open)

    async def send(self, batch: Batch) -> None:
        lines = b"".join([self._encode(entry) + b"\n" for entry in batch])
        await self._in_thread(partial(self._file.append, lines))
        self._house.sent(len(lines))

    async def close(self) -> None:
        await self._in_thread(self._file.close)

    async def _in_thread(self, work: Callable[[], None]) -> None:
        try:
            async with asyncio.timeout(_DEADLINE):
                await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except TimeoutError:
            raise Unavailable(f"file {self._path}: the disk did not answer within {_DEADLINE:g} s") from None
        except ValueError:
            raise Unavailable(f"file {self._path}: not open") from None
        except OSError as error:
            raise self._mapped(error) from error

    def _mapped(self, error: OSError) -> SinkError:
        text = f"file {self._path}: {error.strerror or error}"
        if error.errno in _FORBIDDEN:
            return Denied(text, hint="may this user write there?")
        if error.errno in _MISPLACED:
            return Denied(text, hint="does `path` name a file, in a folder that can be made?")
        return Unavailable(text, hint="make room, or lower `max_size` or `keep`" if error.errno in _FULL else "")
