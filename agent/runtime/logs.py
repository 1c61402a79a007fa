"""How the agent logs: one line per event, as text for people or as JSON for collectors."""

import logging
import sys
import time
from typing import Literal

import msgspec

from agent.model.text import plain

MAX = 4000  # characters of a message; a device cannot flood a line
_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def setup(level: str, form: Literal["auto", "text", "json"]) -> None:
    """Send the logs to stderr: `auto` is text on a terminal and JSON elsewhere."""
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("floorgate").setLevel(level.upper())


def fields(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _KNOWN}


def safe(text: str) -> str:
    """Text from elsewhere on one line: control and direction characters are spelled out, the length is bounded."""
    return plain(text[:MAX])


class JsonLines(logging.Formatter):
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


class TextLines(logging.Formatter):
    """`2026-01-31T08:00:00Z WARNING message key=value`"""

    def format(self, record: logging.LogRecord) -> str:
        extra = "".join(f" {key}={safe(str(value))}" for key, value in fields(record).items())
        text = f"{_stamp(record)} {record.levelname:7} {safe(record.getMessage())}{extra}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def _stamp(record: logging.LogRecord) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{whole}.{int(record.msecs):03d}Z"
