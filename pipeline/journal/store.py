"""What must survive a crash: sessions, uploads, messages and jobs, on disk before they cost.

One SQLite file (WAL) in the state folder. Tokens are never in it. Every method is one transaction
that is on the disk when it returns; several processes may use it at once, and what only one of
them may do is done under `claim`. docs/cloud.md has the tables and the states.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from avpipe.errors import AvpipeError, RequestError
from avpipe.journal.claims import claimed
from avpipe.journal.rows import ENDED, JobRow, JobState, MessageRow, SessionRow, UploadRow
from avpipe.journal.tables import Tables
from avpipe.settings import JOURNAL_NAME


class Journal:
    """The open journal of one state folder. Raises AvpipeError where it cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._tables = Tables(folder / JOURNAL_NAME)
        except (OSError, sqlite3.Error) as error:
            raise AvpipeError(
                f"the journal in {folder} cannot be used: {error}",
                hint="AVPIPE_STATE_DIR names another folder",
            ) from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._tables.close()

    def claim(self, name: str, *, wait: bool = True) -> AbstractContextManager[bool]:
        """Do something that only one process may do at a time; it ends with the process.

        Yields False, at once, where another one is at it and `wait` is false.
        """
        return claimed(self._folder / "claims", name, wait=wait)

    def add_session(
        self, session_id: str, *, api_url: str, task_id: str | None, user_id: str | None
    ) -> None:
        """Keep a session that was just made; it is the newest."""
        self._tables.put(
            "sessions",
            session_id=session_id,
            api_url=api_url,
            task_id=task_id,
            user_id=user_id,
            created_at=_now(),
        )

    def session(self, session_id: str) -> SessionRow | None:
        """A session by its id."""
        return self._tables.one(SessionRow, "session_id = ?", session_id)

    def newest_session(self, api_url: str) -> SessionRow | None:
        """The session made last at a service, that the service still had when last seen."""
        return self._tables.one(
            SessionRow, "api_url = ? AND replaced_by IS NULL ORDER BY rowid DESC", api_url
        )

    def replace_session(self, session_id: str, by: str) -> None:
        """Keep that the service has lost a session, and which one stands in for it.

        Jobs that rendered nothing yet go on with the new one.
        """
        with self._tables.transaction():
            self._tables.database.execute(
                "UPDATE sessions SET replaced_by = ? WHERE session_id = ?", (by, session_id)
            )
            self._tables.database.execute(
                "UPDATE jobs SET session_id = ? WHERE session_id = ? AND state IN (?, ?)",
                (by, session_id, JobState.PREPARED, JobState.UPLOADED),
            )

    def lost_before(self, session_id: str) -> tuple[str, ...]:
        """The sessions that one stands in for, the first one first."""
        rows = self._tables.all(SessionRow, "replaced_by = ? ORDER BY rowid", session_id)
        return tuple(
            name for row in rows for name in (*self.lost_before(row.session_id), row.session_id)
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
        self._tables.put(
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
        self._tables.run(
            "UPDATE uploads SET remote = ? WHERE session_id = ? AND fingerprint = ?",
            json.dumps(remote),
            session_id,
            fingerprint,
        )

    def upload(self, session_id: str, fingerprint: str) -> UploadRow | None:
        """What is known of a file in a session."""
        return self._tables.one(
            UploadRow, "session_id = ? AND fingerprint = ?", session_id, fingerprint
        )

    def uploads(self, session_id: str) -> tuple[UploadRow, ...]:
        """The files of a session, in the order in which they were sent."""
        return self._tables.all(UploadRow, "session_id = ? ORDER BY rowid", session_id)

    def begin_message(self, session_id: str, text: str, *, before: str, job_id: str | None) -> int:
        """Keep that a message is about to be sent; gives its number."""
        return self._tables.run(
            "INSERT INTO messages (session_id, job_id, text, before, created_at)"
            " VALUES (?, ?, ?, ?, ?)",
            session_id,
            job_id,
            text,
            before,
            _now(),
        )

    def end_message(self, number: int) -> None:
        """Keep that a message had its effect, or was refused and can have none."""
        self._tables.run("UPDATE messages SET answered = 1 WHERE id = ?", number)

    def message(self, job_id: str, session_id: str) -> MessageRow | None:
        """The message of a job in a session."""
        return self._tables.one(
            MessageRow, "job_id = ? AND session_id = ? ORDER BY id DESC", job_id, session_id
        )

    def was_edited(self, session_id: str, *, besides: str) -> bool:
        """Whether a session was told anything by somebody else than one job."""
        rows = self._tables.all(MessageRow, "session_id = ?", session_id)
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
        self._tables.put(
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
        row = self._tables.one(JobRow, "id = ? OR render_id = ? ORDER BY rowid DESC", name, name)
        if row is None:
            raise RequestError(f"there is no job {name}", hint="avpipe cloud jobs lists them")
        return row

    def jobs(self) -> tuple[JobRow, ...]:
        """Every job, the newest first."""
        return self._tables.all(JobRow, "1 ORDER BY rowid DESC")

    def unfinished(self, *, api_url: str, key: str | None = None) -> tuple[JobRow, ...]:
        """The jobs at a service that have not ended, the oldest first; those of one key alone."""
        rows = self._tables.all(JobRow, "api_url = ? ORDER BY rowid", api_url)
        return tuple(row for row in rows if row.state not in ENDED and key in (None, row.key))

    def update_job(self, name: str, **values: Any) -> JobRow:
        """Change columns of a job; gives it as it is now."""
        columns = ", ".join(f"{column} = ?" for column in values)
        self._tables.run(f"UPDATE jobs SET {columns} WHERE id = ?", *values.values(), name)  # noqa: S608
        return self.job(name)

    def advance(self, name: str, state: JobState, **values: Any) -> JobRow:
        """Bring a job to a state, unless it was cancelled meanwhile; gives it as it is now."""
        columns = "".join(f", {column} = ?" for column in values)
        self._tables.run(
            f"UPDATE jobs SET state = ?{columns} WHERE id = ? AND state != ?",  # noqa: S608
            state,
            *values.values(),
            name,
            JobState.CANCELLED,
        )
        return self.job(name)

    def note_reach(self, api_url: str, *, failed_at: float | None) -> None:
        """Keep that a service could not be reached at a time (seconds since 1970), or could."""
        self._tables.run(
            "INSERT INTO reach (api_url, failed_at) VALUES (?1, ?2)"
            " ON CONFLICT (api_url) DO UPDATE SET failed_at = ?2",
            api_url,
            failed_at,
        )

    def failed_at(self, api_url: str) -> float | None:
        """When a service could not be reached, where that was what happened last."""
        return self._reach("failed_at", api_url)

    def note_uplink(self, api_url: str, bytes_s: float) -> None:
        """Keep how fast an upload went."""
        self._tables.run(
            "INSERT INTO reach (api_url, uplink_bytes_s) VALUES (?1, ?2)"
            " ON CONFLICT (api_url) DO UPDATE SET uplink_bytes_s = ?2",
            api_url,
            bytes_s,
        )

    def uplink_bytes_s(self, api_url: str) -> float | None:
        """How fast the last upload went, in bytes a second."""
        return self._reach("uplink_bytes_s", api_url)

    def _reach(self, column: str, api_url: str) -> float | None:
        found: float | None = self._tables.figure("reach", column, "api_url = ?", api_url)
        return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
