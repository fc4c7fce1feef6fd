"""An SQLite file: opened for its owner alone, given its tables, and written in transactions."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

BUSY_S = 30.0
"""How long one process waits for another one's transaction."""


def open_durable(path: Path) -> sqlite3.Connection:
    """Open a file, made where there is none; a transaction is on the disk when it ends.

    Threads may share the connection where they take turns. Raises OSError or sqlite3.Error.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    return db


def create_tables(db: sqlite3.Connection, tables: str, version: int) -> None:
    """Make a new file's tables. Raises sqlite3.DatabaseError where a newer avpipe made them."""
    if _version(db) == version:
        return
    with transaction(db):
        found = _version(db)  # another process may have been faster
        if found > version:
            raise sqlite3.DatabaseError("a newer avpipe wrote it")
        if found == 0:
            for statement in tables.split(";")[:-1]:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {version}")


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of it is kept, or nothing: of a commit that fails too, as on a full disk."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _version(db: sqlite3.Connection) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)
