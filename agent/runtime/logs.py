"""How the agent logs: one line per event, as text for people, as JSON for collectors, with fields for the journal."""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Mapping
from textwrap import indent
from typing import Any, Literal, TextIO

import msgspec

from agent.model.text import plain
from agent.runtime.flood import EVERY, PASSES, Flood
from agent.runtime.journal import Journal, is_journal, takes
from agent.runtime.loglevel import Level

MAX = 4000  # characters of a message; a device cannot flood a line
TRACE = 16_000  # characters of a traceback: its end says what happened
MARGIN = "  "
Form = Literal["auto", "text", "json", "journal"]
_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "about", PASSES}
log = logging.getLogger("floorgate")


class Logs:
    """Where the logs go, and how much; one for the process, as there is one root of all loggers."""

    def __init__(self) -> None:
        self.level = Level()
        self._flood = Flood()

    def setup(self, level: str, form: Form, environ: Mapping[str, str] = os.environ) -> None:
        """To stderr: `auto` is the journal where stderr ends in it, text on a terminal, and JSON elsewhere."""
        root = logging.getLogger()
        handler = _handler(form, environ)
        handler.addFilter(self._flood)
        before, root.handlers[:] = root.handlers[:], [handler]
        for each in before:
            if isinstance(each, Journal):
                each.close()
        root.setLevel(logging.WARNING)
        self.level.set(level)

    async def account(self) -> None:
        """Tell what was left out; for ever, and at the end."""
        try:
            while True:
                await asyncio.sleep(EVERY)
                self._tell()
        finally:
            self._tell()

    def _tell(self) -> None:
        told, rest, seconds = self._flood.tell()
        for level, newest, count in told:
            log.log(level, "%s (%d more of these in %.0f s)", newest, count, seconds, extra={PASSES: True})
        if rest:
            log.warning("%d more lines in %.0f s", rest, seconds, extra={PASSES: True})


def _handler(form: Form, environ: Mapping[str, str]) -> logging.Handler:
    if form == "journal" or (form == "auto" and is_journal(sys.stderr, environ)):
        return Journal(Lines(), fields, sys.stderr)
    handler = Stream(sys.stderr)
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    handler.setFormatter(JsonLines() if as_json else TextLines())
    return handler


class Stream(logging.StreamHandler[TextIO]):
    """Never waits: what a stream does not take that nobody reads is counted, and told with the next line."""

    dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        if not takes(self.stream):
            self.dropped += 1
            return
        if self.dropped:
            record.lost_before, self.dropped = self.dropped, 0
        super().emit(record)


def fields(record: logging.LogRecord) -> dict[str, object]:
    """Of the event; first what it is about, as `device: meter-3`."""
    about: tuple[str, str] | None = getattr(record, "about", None)
    return {**({about[0]: about[1]} if about else {}), **_more(record)}


def _more(record: logging.LogRecord) -> dict[str, object]:
    """What the message does not say."""
    return {key: value for key, value in vars(record).items() if key not in _KNOWN}


def safe(text: str) -> str:
    """Text from elsewhere on one line: control and direction characters are spelled out, the length is bounded."""
    return plain(text[:MAX])


class Traced(logging.Formatter):
    """A traceback as text that is safe: what an exception says may come from a device."""

    def formatException(self, ei: Any) -> str:  # noqa: N802  # the name is that of the library
        lines = super().formatException(ei)[-TRACE:].split("\n")
        return "\n".join(map(plain, lines))


class JsonLines(Traced):
    """One JSON object per line: ts, level, logger, message, the event's fields, and a traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": _stamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": safe(record.getMessage()),
            **{key: safe(value) if isinstance(value, str) else value for key, value in fields(record).items()},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


class Lines(Traced):
    """`message key=value`, and a traceback set in, so that none of its lines is taken for one of the log"""

    def format(self, record: logging.LogRecord) -> str:
        extra = "".join(f" {key}={safe(str(value))}" for key, value in _more(record).items())
        text = f"{safe(record.getMessage())}{extra}"
        return f"{text}\n{indent(self.formatException(record.exc_info), MARGIN)}" if record.exc_info else text


class TextLines(Lines):
    """`2026-01-31T08:00:00Z WARNING message key=value`"""

    def format(self, record: logging.LogRecord) -> str:
        return f"{_stamp(record)} {record.levelname:7} {super().format(record)}"


def _stamp(record: logging.LogRecord) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{whole}.{int(record.msecs):03d}Z"
