"""Log lines with fields for the journal of systemd: its native protocol, one datagram for each line.

https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
"""

import errno
import logging
import os
import re
import select
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TextIO

from agent.model import host

SOCKET = "/run/systemd/journal/socket"
STREAM = "JOURNAL_STREAM"
IDENTIFIER = "floorgate"
LONGEST, LONG = 48 << 10, 4 << 10  # bytes of the message, and of each field of ours; a datagram holds about 200 KB
MOST = 32  # of these
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_FULL = (errno.EAGAIN, errno.ENOBUFS, errno.EMSGSIZE)


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether what is written there ends in the journal, whose device and inode systemd tells (systemd.exec(5))."""
    try:
        device, inode = map(int, environ.get(STREAM, "").split(":"))
        found = os.fstat(stream.fileno())
    except (ValueError, OSError):
        return False
    return (found.st_dev, found.st_ino) == (device, inode)


def takes(stream: TextIO) -> bool:
    """Whether it takes a line at once: who writes to a pipe that nobody reads waits for ever, and so does who writes to
    a journal that stands still and keeps the other end."""
    try:
        return bool(select.select([], [stream], [], 0)[1])
    except (OSError, ValueError):  # no file of the system, or one of a number that select does not know
        return True


def priority(level: int) -> int:
    """As syslog(3) has it."""
    return next((number for least, number in _PRIORITIES if level >= least), 7)


def datagram(fields: Mapping[str, str]) -> bytes:
    """`KEY=value` and a newline each; a value of several lines goes with its length."""
    return b"".join(_field(key, value) for key, value in fields.items())


def _field(key: str, value: str) -> bytes:
    data = _cut(value, LONGEST)
    if b"\n" in data:
        return key.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
    return key.encode() + b"=" + data + b"\n"


def _cut(text: str, most: int) -> bytes:
    """At most so many bytes, and no half character: for a value that is no UTF-8 the journal shows its size alone."""
    return text[:most].encode("utf-8", "replace")[:most].decode("utf-8", "ignore").encode()


def named(fields: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Fields of ours under names that the journal takes: FLOORGATE_DEVICE."""
    for key, value in list(fields.items())[:MOST]:
        yield "FLOORGATE_" + re.sub(r"[^A-Z0-9_]", "_", key.upper())[:50], _cut(str(value), LONG).decode()


class Journal(logging.Handler):
    """Never waits: what a full journal does not take is counted, and told with the next line (`lost_before`). Where
    there is no journal (a container), lines go to `stream`, with their priority in front as sd-daemon(3) has it; they
    are counted, too, while nobody reads there.

    `text` makes the message, `fields` what goes with it under names of its own.
    """

    def __init__(
        self,
        text: logging.Formatter,
        fields: Callable[[logging.LogRecord], Mapping[str, object]],
        stream: TextIO,
        path: str = SOCKET,
    ) -> None:
        super().__init__()
        self.setFormatter(text)
        self._fields, self._stream, self._path = fields, stream, path
        self._end = host.unix_socket(stream=False)
        self.dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        text, level = self.format(record), str(priority(record.levelno))
        said = {"MESSAGE": text, "PRIORITY": level, "SYSLOG_IDENTIFIER": IDENTIFIER}
        if self.dropped:
            said["MESSAGE"] += f" lost_before={self.dropped}"
        try:
            if self._end is None:
                raise FileNotFoundError(self._path)
            self._end.sendto(datagram({**said, **dict(named(self._fields(record)))}), self._path)
            self.dropped = 0
        except OSError as error:
            if error.errno in _FULL or not takes(self._stream):
                self.dropped += 1
            else:
                with suppress(OSError, ValueError):
                    self._stream.write(f"<{level}>" + said["MESSAGE"].replace("\n", f"\n<{level}>") + "\n")
                    self._stream.flush()
                    self.dropped = 0

    def close(self) -> None:
        if self._end is not None:
            self._end.close()
        super().close()
