"""What the server keeps: one SQLite file, its tables, and one way to read and to write it.

Readers have connections of their own (WAL), so that none waits for another one's write. A write is
one transaction that is on the disk when it returns. Tokens, client ids and claims are kept as
hashes. Times are seconds since 1970.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from avpipe.errors import DiskFullError, StoreError
from avpipe.sqlite_file import BUSY_S, transaction

VERSION = 1
_TABLES = """
CREATE TABLE users (
    user_id TEXT PRIMARY KEY,
    client TEXT UNIQUE,
    credits INTEGER NOT NULL,
    created_s REAL NOT NULL
);
CREATE TABLE tokens (
    hash TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    only_session TEXT,
    expires_s REAL NOT NULL
);
CREATE INDEX tokens_by_user ON tokens (user_id);
CREATE TABLE grants (address TEXT NOT NULL, at_s REAL NOT NULL);
CREATE INDEX grants_by_address ON grants (address, at_s);
CREATE TABLE claims (
    hash TEXT PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    expires_s REAL NOT NULL
);
CREATE TABLE holds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    amount INTEGER NOT NULL
);
CREATE TABLE sessions (
    session_id TEXT PRIMARY KEY,
    task_id TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    task_name TEXT NOT NULL,
    language TEXT,
    draft TEXT NOT NULL,
    history TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 0,
    created_s REAL NOT NULL,
    touched_s REAL NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id, created_s);
CREATE TABLE files (
    file_id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    place TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    hash TEXT NOT NULL,
    facts TEXT NOT NULL,
    created_s REAL NOT NULL
);
CREATE INDEX files_by_session ON files (session_id, created_s);
CREATE TABLE alignments (
    video_id TEXT NOT NULL REFERENCES files ON DELETE CASCADE,
    audio_id TEXT NOT NULL REFERENCES files ON DELETE CASCADE,
    form TEXT NOT NULL,
    PRIMARY KEY (video_id, audio_id)
);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    role TEXT NOT NULL,
    text TEXT NOT NULL,
    at_s REAL NOT NULL
);
CREATE INDEX messages_by_session ON messages (session_id, id);
CREATE TABLE renders (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    render_id TEXT NOT NULL,
    session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    draft TEXT NOT NULL,
    output TEXT NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    progress REAL NOT NULL DEFAULT 0,
    error TEXT,
    place TEXT,
    size_bytes INTEGER,
    duration_s REAL,
    created_s REAL NOT NULL,
    ended_s REAL,
    UNIQUE (user_id, render_id)
);
CREATE INDEX renders_by_state ON renders (state, number);
CREATE TABLE attempts (
    number INTEGER NOT NULL REFERENCES renders ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    began_s REAL NOT NULL,
    ended_s REAL,
    outcome TEXT,
    PRIMARY KEY (number, attempt)
);
"""
HINT = "move the file away to begin anew, or put a copy of it in its place"


class Database:
    """The open file. Raises StoreError where it cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.RLock()
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        with self._translated():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._writer = self._connect()
            self._prepare()

    def close(self) -> None:
        """Close every connection."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()
        with self._turn:
            self._writer.close()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for queries."""
        with self._translated():
            try:
                db = self._idle.get_nowait()
            except queue.Empty:
                db = self._connect()
            try:
                yield db
            finally:
                self._idle.put(db)

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it or nothing is kept."""
        with self._turn, self._translated(), transaction(self._writer):
            yield self._writer

    def row(self, query: str, *values: Any) -> sqlite3.Row | None:
        """The first row of a query."""
        with self.reading() as db:
            found: sqlite3.Row | None = db.execute(query, values).fetchone()
            return found

    def rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self.reading() as db:
            return db.execute(query, values).fetchall()

    def write(self, query: str, *values: Any) -> int:
        """One statement as a transaction; gives the number of rows that it changed."""
        with self.writing() as db:
            return db.execute(query, values).rowcount

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        return db

    def _prepare(self) -> None:
        found = [row[0] for row in self._writer.execute("PRAGMA quick_check(3)")]
        if found != ["ok"]:
            raise StoreError(f"the database {self._path} is damaged: {found[0]}", hint=HINT)
        self._writer.execute("PRAGMA journal_mode = WAL")
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise StoreError(f"the database {self._path} is of a newer avpipe")
        if version == VERSION:
            return
        tables = self._writer.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables[0]:
            raise StoreError(f"the database {self._path} is not one of avpipe", hint=HINT)
        self._writer.executescript(f"BEGIN;{_TABLES}PRAGMA user_version = {VERSION};COMMIT;")

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
                raise DiskFullError("the disk with the server's data is full") from error
            raise StoreError(
                f"the database {self._path} cannot be used: {error}", hint=HINT
            ) from error
        except OSError as error:
            raise StoreError(
                f"the database {self._path} cannot be used: {error.strerror}"
            ) from error
