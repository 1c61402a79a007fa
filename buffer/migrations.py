"""The file format, one additive step per version; all steps that a file needs are one transaction.

A step only adds tables and columns. Frames are never rewritten: their codec byte says how each one is written.
"""

import sqlite3

from sqlite_utils import Database, Migrations

steps = Migrations("floorgate.store")

_V1 = """
CREATE TABLE meta (k TEXT PRIMARY KEY, v) WITHOUT ROWID;

CREATE TABLE state (k TEXT PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE epoch (
    id INTEGER PRIMARY KEY, eid BLOB NOT NULL, boot_id TEXT NOT NULL, started INTEGER NOT NULL
);

CREATE TABLE schema (
    id INTEGER PRIMARY KEY, device TEXT NOT NULL, grp TEXT NOT NULL, tags TEXT NOT NULL, interval REAL NOT NULL
);

CREATE TABLE frame (
    seq INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, schema INTEGER NOT NULL, ts INTEGER NOT NULL,
    mono INTEGER NOT NULL, n INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL
);

CREATE TABLE sink (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, since INTEGER NOT NULL, active INTEGER NOT NULL,
    acked INTEGER NOT NULL, debt TEXT NOT NULL
);

CREATE TABLE loss (
    id INTEGER PRIMARY KEY, sink INTEGER NOT NULL, from_seq INTEGER NOT NULL, to_seq INTEGER NOT NULL,
    frames INTEGER NOT NULL, samples INTEGER NOT NULL, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL,
    reason TEXT NOT NULL, at INTEGER NOT NULL, reported INTEGER
);

CREATE TABLE ledger (
    sink INTEGER NOT NULL, device TEXT NOT NULL, what TEXT NOT NULL, reason TEXT NOT NULL, samples INTEGER NOT NULL,
    PRIMARY KEY (sink, device, what, reason)
) WITHOUT ROWID;

PRAGMA user_version = 1
"""


_V2 = """
ALTER TABLE sink ADD COLUMN aside TEXT NOT NULL DEFAULT '[]';

ALTER TABLE sink ADD COLUMN crc INTEGER;

ALTER TABLE schema ADD COLUMN crc INTEGER;

ALTER TABLE epoch ADD COLUMN crc INTEGER;

CREATE TABLE refusal (
    sink INTEGER NOT NULL, seq INTEGER NOT NULL, error TEXT NOT NULL, tries INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (sink, seq)
) WITHOUT ROWID;

CREATE TABLE clock (
    id INTEGER PRIMARY KEY, boot_id TEXT NOT NULL, mono INTEGER NOT NULL, before INTEGER NOT NULL,
    after INTEGER NOT NULL, synced INTEGER NOT NULL, reported INTEGER
);

CREATE TABLE snapshot (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, body BLOB NOT NULL);

PRAGMA user_version = 2
"""


_V3 = """
ALTER TABLE schema ADD COLUMN made INTEGER NOT NULL DEFAULT 0;

PRAGMA user_version = 3
"""


@steps()
def v1(db: Database) -> None:
    _run(db, _V1)


@steps()
def v2(db: Database) -> None:
    """Set-aside frames, checksums of the small tables, clock events, and the ledger as it was."""
    _run(db, _V2)


@steps()
def v3(db: Database) -> None:
    """Schemas whose tags are made here and not read."""
    _run(db, _V3)


def _run(db: Database, script: str) -> None:
    for statement in script.split(";"):
        db.execute(statement)


def migrate(connection: sqlite3.Connection, version: int = 0) -> None:
    """Bring the file to the newest version, or only to `version`: all of the way or not at all."""
    db = Database(connection, recursive_triggers=False, execute_plugins=False)
    with db.atomic():
        steps.apply(db, stop_before=f"v{version + 1}" if version else None)
