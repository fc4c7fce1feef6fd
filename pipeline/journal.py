"""What must survive a crash: sessions, uploads, messages and jobs, on disk before they cost.

One SQLite file (WAL) in the state folder. Tokens are never in it. Every method is one transaction
that is on the disk when it returns; several processes may use it at once, and what only one of
them may do is done under `claim`. docs/cloud.md has the tables and the states.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from avpipe.errors import AvpipeError, RequestError
from avpipe.settings import JOURNAL_NAME
from avpipe.sqlite_file import create_tables, open_durable, transaction

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

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


class JobState(StrEnum):
    """How far a job is; each is written before the step that follows it begins."""

    PREPARED = "prepared"
    """What is to be done is known; nothing was sent."""
    UPLOADED = "uploaded"
    """The session has the files."""
    SUBMITTED = "submitted"
    """The render's id is chosen; the request for it may have been sent."""
    RENDERING = "rendering"
    """The service has taken the render."""
    DOWNLOADING = "downloading"
    """The render is finished at the service."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionRow:
    """A session that was made here."""

    session_id: str
    api_url: str
    task_id: str | None
    user_id: str | None
    replaced_by: str | None
    """The session that took its place when the service had lost it."""
    created_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadRow:
    """A file that was sent, or was about to be, to one session."""

    session_id: str
    fingerprint: str
    name: str
    """What it is called at the service."""
    path: str
    size_bytes: int
    before: str
    """The names of the files that the session had before, as JSON."""
    remote: str | None
    """What the service made of it, as JSON; None where no answer came yet."""
    created_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageRow:
    """A message that was sent to the agent, or was about to be."""

    id: int
    session_id: str
    job_id: str | None
    text: str
    before: str
    """The fingerprint of the session's state before it."""
    answered: bool
    created_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRow:
    """A file that is to come out of the cloud."""

    id: str
    kind: str
    key: str
    """What tells that another request is for the same."""
    api_url: str
    session_id: str | None
    render_id: str | None
    state: JobState
    output: str
    """The path asked for."""
    overwrite: bool
    spec: str
    """What is to be done, as JSON."""
    made: str | None
    """The finished file just before it got its name: device, inode and size."""
    error: str | None
    created_at: str


class Journal:
    """The open journal of one state folder. Raises AvpipeError where it cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._turn = threading.RLock()
            self._db = open_durable(folder / JOURNAL_NAME)
            create_tables(self._db, _TABLES, VERSION)
        except (OSError, sqlite3.Error) as error:
            raise AvpipeError(
                f"the journal in {folder} cannot be used: {error}",
                hint="AVPIPE_STATE_DIR names another folder",
            ) from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._turn:  # an upload that nobody waits for any more may be reading
            self._db.close()

    @contextlib.contextmanager
    def claim(self, name: str, *, wait: bool = True) -> Iterator[bool]:
        """Do something that only one process may do at a time; it ends with the process.

        Yields False, at once, where another one is at it and `wait` is false.
        """
        folder = self._folder / "claims"
        folder.mkdir(exist_ok=True, mode=0o700)
        path = folder / hashlib.sha256(name.encode()).hexdigest()[:32]
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield _lock(handle, wait=wait)
        finally:
            os.close(handle)

    def add_session(
        self, session_id: str, *, api_url: str, task_id: str | None, user_id: str | None
    ) -> None:
        """Keep a session that was just made; it is the newest."""
        self._put(
            "sessions",
            session_id=session_id,
            api_url=api_url,
            task_id=task_id,
            user_id=user_id,
            created_at=_now(),
        )

    def session(self, session_id: str) -> SessionRow | None:
        """A session by its id."""
        return self._one(SessionRow, "session_id = ?", session_id)

    def newest_session(self, api_url: str) -> SessionRow | None:
        """The session made last at a service, that the service still had when last seen."""
        return self._one(
            SessionRow, "api_url = ? AND replaced_by IS NULL ORDER BY rowid DESC", api_url
        )

    def replace_session(self, session_id: str, by: str) -> None:
        """Keep that the service has lost a session, and which one stands in for it.

        Jobs that rendered nothing yet go on with the new one.
        """
        with self._transaction():
            self._db.execute(
                "UPDATE sessions SET replaced_by = ? WHERE session_id = ?", (by, session_id)
            )
            self._db.execute(
                "UPDATE jobs SET session_id = ? WHERE session_id = ? AND state IN (?, ?)",
                (by, session_id, JobState.PREPARED, JobState.UPLOADED),
            )

    def begin_upload(
        self,
        session_id: str,
        fingerprint: str,
        *,
        name: str,
        path: str,
        size_bytes: int,
        before: Sequence[str],
    ) -> None:
        """Keep that a file is about to be sent."""
        self._put(
            "uploads",
            session_id=session_id,
            fingerprint=fingerprint,
            name=name,
            path=path,
            size_bytes=size_bytes,
            before=json.dumps(list(before)),
            created_at=_now(),
        )

    def end_upload(self, session_id: str, fingerprint: str, remote: Mapping[str, Any]) -> None:
        """Keep that the session has the file."""
        self._run(
            "UPDATE uploads SET remote = ? WHERE session_id = ? AND fingerprint = ?",
            json.dumps(remote),
            session_id,
            fingerprint,
        )

    def upload(self, session_id: str, fingerprint: str) -> UploadRow | None:
        """What is known of a file in a session."""
        return self._one(UploadRow, "session_id = ? AND fingerprint = ?", session_id, fingerprint)

    def uploads(self, session_id: str) -> tuple[UploadRow, ...]:
        """The files of a session, in the order in which they were sent."""
        return self._all(UploadRow, "session_id = ? ORDER BY rowid", session_id)

    def begin_message(self, session_id: str, text: str, *, before: str, job_id: str | None) -> int:
        """Keep that a message is about to be sent; gives its number."""
        with self._transaction():
            made = self._db.execute(
                "INSERT INTO messages (session_id, job_id, text, before, created_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (session_id, job_id, text, before, _now()),
            )
            return int(made.lastrowid or 0)

    def end_message(self, number: int) -> None:
        """Keep that a message had its effect, or was refused and can have none."""
        self._run("UPDATE messages SET answered = 1 WHERE id = ?", number)

    def message(self, job_id: str, session_id: str) -> MessageRow | None:
        """The message of a job in a session."""
        return self._one(
            MessageRow, "job_id = ? AND session_id = ? ORDER BY id DESC", job_id, session_id
        )

    def was_edited(self, session_id: str, *, besides: str) -> bool:
        """Whether a session was told anything by somebody else than one job."""
        rows = self._all(MessageRow, "session_id = ?", session_id)
        return any(row.job_id != besides for row in rows)

    def add_job(
        self,
        *,
        kind: str,
        key: str,
        api_url: str,
        session_id: str | None,
        state: JobState,
        output: str,
        overwrite: bool,
        spec: Mapping[str, Any],
    ) -> JobRow:
        """Keep a new job."""
        name = uuid.uuid4().hex[:8]
        self._put(
            "jobs",
            id=name,
            kind=kind,
            key=key,
            api_url=api_url,
            session_id=session_id,
            state=state,
            output=output,
            overwrite=overwrite,
            spec=json.dumps(spec),
            created_at=_now(),
        )
        return self.job(name)

    def job(self, name: str) -> JobRow:
        """A job by its own id or its render's. Raises RequestError where there is none."""
        row = self._one(JobRow, "id = ? OR render_id = ? ORDER BY rowid DESC", name, name)
        if row is None:
            raise RequestError(f"there is no job {name}", hint="avpipe cloud jobs lists them")
        return row

    def jobs(self) -> tuple[JobRow, ...]:
        """Every job, the newest first."""
        return self._all(JobRow, "1 ORDER BY rowid DESC")

    def unfinished(self, *, api_url: str, key: str | None = None) -> tuple[JobRow, ...]:
        """The jobs at a service that have not ended, the oldest first; those of one key alone."""
        rows = self._all(JobRow, "api_url = ? ORDER BY rowid", api_url)
        return tuple(row for row in rows if row.state not in ENDED and key in (None, row.key))

    def update_job(self, name: str, **values: Any) -> JobRow:
        """Change columns of a job; gives it as it is now."""
        columns = ", ".join(f"{column} = ?" for column in values)
        self._run(f"UPDATE jobs SET {columns} WHERE id = ?", *values.values(), name)  # noqa: S608
        return self.job(name)

    def advance(self, name: str, state: JobState, **values: Any) -> JobRow:
        """Bring a job to a state, unless it was cancelled meanwhile; gives it as it is now."""
        columns = "".join(f", {column} = ?" for column in values)
        self._run(
            f"UPDATE jobs SET state = ?{columns} WHERE id = ? AND state != ?",  # noqa: S608
            state,
            *values.values(),
            name,
            JobState.CANCELLED,
        )
        return self.job(name)

    def note_reach(self, api_url: str, *, failed_at: float | None) -> None:
        """Keep that a service could not be reached at a time (seconds since 1970), or could."""
        self._run(
            "INSERT INTO reach (api_url, failed_at) VALUES (?1, ?2)"
            " ON CONFLICT (api_url) DO UPDATE SET failed_at = ?2",
            api_url,
            failed_at,
        )

    def failed_at(self, api_url: str) -> float | None:
        """When a service could not be reached, where that was what happened last."""
        return self._figure("failed_at", api_url)

    def note_uplink(self, api_url: str, bytes_s: float) -> None:
        """Keep how fast an upload went."""
        self._run(
            "INSERT INTO reach (api_url, uplink_bytes_s) VALUES (?1, ?2)"
            " ON CONFLICT (api_url) DO UPDATE SET uplink_bytes_s = ?2",
            api_url,
            bytes_s,
        )

    def uplink_bytes_s(self, api_url: str) -> float | None:
        """How fast the last upload went, in bytes a second."""
        return self._figure("uplink_bytes_s", api_url)

    def _figure(self, column: str, api_url: str) -> float | None:
        with self._turn:
            found = self._db.execute(f"SELECT {column} FROM reach WHERE api_url = ?", (api_url,))  # noqa: S608
            row = found.fetchone()
        return None if row is None else row[0]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._turn, transaction(self._db):
            yield

    def _run(self, statement: str, *values: Any) -> None:
        with self._transaction():
            self._db.execute(statement, tuple(map(_bound, values)))

    def _put(self, table: str, **values: Any) -> None:
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        self._run(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", *values.values())  # noqa: S608

    def _one(self, kind: type[Row], where: str, *values: Any) -> Row | None:
        return next(iter(self._all(kind, where, *values)), None)

    def _all(self, kind: type[Row], where: str, *values: Any) -> tuple[Row, ...]:
        (table, build) = _ROWS[kind]
        columns = ", ".join(field.name for field in fields(kind))  # type: ignore[arg-type]
        with self._turn:
            found = self._db.execute(f"SELECT {columns} FROM {table} WHERE {where}", values)  # noqa: S608
            names = [column[0] for column in found.description]
            rows = [map(_unbound, row) for row in found.fetchall()]
        return tuple(build(dict(zip(names, row, strict=True))) for row in rows)


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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _lock(handle: int, *, wait: bool) -> bool:
    """Lock a file until its handle is closed, or its process ends."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        if wait:
            raise
        return False
    return True
