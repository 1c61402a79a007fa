"""A file of an older version that may not be changed, read as if it were of the newest."""

import sqlite3

_VIEWS_OF_V1 = (
    "CREATE TEMP VIEW sink AS SELECT *, '[]' AS aside, NULL AS crc FROM main.sink",
    "CREATE TEMP VIEW schema AS SELECT *, NULL AS crc, 0 AS made FROM main.schema",
    "CREATE TEMP VIEW epoch AS SELECT *, NULL AS crc FROM main.epoch",
    "CREATE TEMP TABLE refusal (sink, seq, error, tries, at)",
    "CREATE TEMP TABLE clock (id, boot_id, mono, before, after, synced, reported)",
    "CREATE TEMP TABLE snapshot (id, at, body)",
)
_VIEWS_OF_V2 = ("CREATE TEMP VIEW schema AS SELECT *, 0 AS made FROM main.schema",)
_VIEWS = {1: _VIEWS_OF_V1, 2: _VIEWS_OF_V2}


def look_like_newest(connection: sqlite3.Connection, version: int) -> None:
    """Let an older file that may not be changed be read as if it were of the newest version."""
    for statement in _VIEWS.get(version, ()):
        connection.execute(statement)
