"""The journal's tables, and how rows get in and out of them."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from avpipe.journal.rows import JobRow, JobState, MessageRow, SessionRow, UploadRow
from avpipe.sqlite_file import create_tables, open_durable, transaction

Row = TypeVar("Row")

VERSION = 1
_TABLES = """
CREATE TABLE sessions (
    session_id TEXT PRIMARY KEY,
    api_url TEXT NOT NULL,
    task_id TEXT,
    user_id TEXT,
    replaced_by TEXT,
    created_at TEXT NOT NULL
);
CREATE TABLE uploads (
    session_id TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    before TEXT NOT NULL,
    remote TEXT,
    created_at TEXT NOT NULL,
    PRIMARY KEY (session_id, fingerprint)
);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL,
    job_id TEXT,
    text TEXT NOT NULL,
    before TEXT NOT NULL,
    answered INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL
);
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    api_url TEXT NOT NULL,
    session_id TEXT,
    render_id TEXT,
    state TEXT NOT NULL,
    output TEXT NOT NULL,
    overwrite INTEGER NOT NULL,
    spec TEXT NOT NULL,
    made TEXT,
    error TEXT,
    created_at TEXT NOT NULL
);
CREATE INDEX jobs_by_key ON jobs (key, state);
CREATE TABLE reach (
    api_url TEXT PRIMARY KEY,
    failed_at REAL,
    uplink_bytes_s REAL
);
"""


class Tables:
    """The open file. Each method is one transaction that is on the disk when it returns."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises OSError or sqlite3.Error."""
        self._turn = threading.RLock()
        self.database = open_durable(path)
        create_tables(self.database, _TABLES, VERSION)

    def close(self) -> None:
        """Close the file, when nobody is reading it."""
        with self._turn:  # an upload that nobody waits for any more may be reading
            self.database.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Several statements that all have their effect, or none has."""
        with self._turn, transaction(self.database):
            yield

    def run(self, statement: str, *values: Any) -> int:
        """Carry out one statement; gives the number of the row that it added, if it did."""
        with self.transaction():
            made = self.database.execute(statement, tuple(map(_bound, values)))
            return int(made.lastrowid or 0)

    def put(self, table: str, **values: Any) -> None:
        """Add a row, or replace the one of the same key."""
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        self.run(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", *values.values())  # noqa: S608

    def one(self, kind: type[Row], where: str, *values: Any) -> Row | None:
        """The first row of a kind that a condition holds for."""
        return next(iter(self.all(kind, where, *values)), None)

    def all(self, kind: type[Row], where: str, *values: Any) -> tuple[Row, ...]:
        """The rows of a kind that a condition holds for."""
        (table, build) = _ROWS[kind]
        columns = ", ".join(field.name for field in fields(kind))  # type: ignore[arg-type]
        with self._turn:
            found = self.database.execute(f"SELECT {columns} FROM {table} WHERE {where}", values)  # noqa: S608
            names = [column[0] for column in found.description]
            rows = [map(_unbound, row) for row in found.fetchall()]
        return tuple(build(dict(zip(names, row, strict=True))) for row in rows)

    def figure(self, table: str, column: str, where: str, value: str) -> Any:
        """One column of the row that a condition holds for; None where there is none."""
        with self._turn:
            found = self.database.execute(f"SELECT {column} FROM {table} WHERE {where}", (value,))  # noqa: S608
            row = found.fetchone()
        return None if row is None else row[0]


def _bound(value: Any) -> Any:
    """A value as SQLite takes it: its texts are Unicode, and a path need not be."""
    if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        return os.fsencode(value)
    return value


def _unbound(value: Any) -> Any:
    return os.fsdecode(value) if isinstance(value, bytes) else value


def _session_row(row: dict[str, Any]) -> SessionRow:
    return SessionRow(**row)


def _upload_row(row: dict[str, Any]) -> UploadRow:
    return UploadRow(**row)


def _message_row(row: dict[str, Any]) -> MessageRow:
    return MessageRow(**{**row, "answered": bool(row["answered"])})


def _job_row(row: dict[str, Any]) -> JobRow:
    return JobRow(**{**row, "state": JobState(row["state"]), "overwrite": bool(row["overwrite"])})


_ROWS: dict[type[Any], tuple[str, Any]] = {
    SessionRow: ("sessions", _session_row),
    UploadRow: ("uploads", _upload_row),
    MessageRow: ("messages", _message_row),
    JobRow: ("jobs", _job_row),
}
