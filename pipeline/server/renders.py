"""The queue of renders: on the disk before it is told, taken in order, completed once.

A render that is taken up has an attempt's number. Whoever finishes it must name that number, so
that what an attempt makes that was given up meanwhile does not count.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from avpipe.errors import DuplicateRenderError, RateLimitedError, UnknownRenderError
from avpipe.server.accounts import Now, User
from avpipe.server.database import Database
from avpipe.server.sessions import Session

MOST_ATTEMPTS = 3
"""A render that took its worker down so often is at fault itself."""
MOST_WAITING = 50
"""Of one user."""


class RenderState(StrEnum):
    """How far a render is."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Render:
    """A file that is to be made of a timeline."""

    number: int
    """Its place in the order of all renders."""
    user_id: str
    render_id: str
    """As the client calls it."""
    session_id: str
    draft: Mapping[str, Any]
    output: Mapping[str, Any]
    """What the client asked for."""
    state: RenderState
    attempt: int
    progress: float
    """From 0 to 1."""
    error: str | None
    place: str | None
    """The finished file's name in the session's folder."""
    size_bytes: int | None
    duration_s: float | None
    created_s: float
    ended_s: float | None


class Renders:
    """The renders of all users."""

    def __init__(self, database: Database, folder: Path, now: Now) -> None:
        self._db = database
        self._now = now
        self._folder = folder

    def submit(
        self,
        user: User,
        session: Session,
        render_id: str,
        draft: Mapping[str, Any],
        output: Mapping[str, Any],
    ) -> Render:
        """Take a render; it is on the disk when this returns. Raises DuplicateRenderError."""
        with self._db.writing() as db:
            if db.execute(
                "SELECT 1 FROM renders WHERE user_id = ? AND render_id = ?",
                (user.user_id, render_id),
            ).fetchone():
                raise DuplicateRenderError("duplicate id")
            (waiting,) = db.execute(
                "SELECT count(*) FROM renders WHERE user_id = ? AND state = 'pending'",
                (user.user_id,),
            ).fetchone()
            if waiting >= MOST_WAITING:
                raise RateLimitedError("too many renders are waiting")
            db.execute(
                "INSERT INTO renders (user_id, render_id, session_id, draft, output, state,"
                " created_s) VALUES (?, ?, ?, ?, ?, 'pending', ?)",
                (
                    *(user.user_id, render_id, session.session_id),
                    *(json.dumps(draft), json.dumps(output), self._now()),
                ),
            )
        return self.of(user, render_id)

    def of(self, user: User, render_id: str) -> Render:
        """A render of this user. Raises UnknownRenderError."""
        row = self._db.row(
            "SELECT * FROM renders WHERE user_id = ? AND render_id = ?", user.user_id, render_id
        )
        if row is None or user.only_session not in (None, row["session_id"]):
            raise UnknownRenderError("render not found")
        return _render(row)

    def of_session(self, session_id: str) -> tuple[Render, ...]:
        """The renders of a session, the oldest first."""
        rows = self._db.rows(
            "SELECT * FROM renders WHERE session_id = ? ORDER BY number", session_id
        )
        return tuple(map(_render, rows))

    def numbered(self, number: int) -> Render:
        """A render by its number. Raises UnknownRenderError."""
        row = self._db.row("SELECT * FROM renders WHERE number = ?", number)
        if row is None:
            raise UnknownRenderError("render not found")
        return _render(row)

    def path(self, render: Render) -> Path:
        """The finished file. Raises UnknownRenderError where there is none."""
        if render.state is not RenderState.COMPLETED or render.place is None:
            raise UnknownRenderError("the render is not finished")
        return self._folder / render.session_id / render.place

    def ahead_of(self, render: Render) -> int:
        """How many renders are taken up before this one."""
        row = self._db.row(
            "SELECT count(*) AS count FROM renders WHERE state = 'pending' AND number < ?",
            render.number,
        )
        assert row is not None
        return int(row["count"])

    def counts(self) -> dict[str, int]:
        """How many renders wait, and how many are worked on."""
        rows = self._db.rows(
            "SELECT state, count(*) AS count FROM renders"
            " WHERE state IN ('pending', 'processing') GROUP BY state"
        )
        found = {row["state"]: row["count"] for row in rows}
        return {state: found.get(state, 0) for state in ("pending", "processing")}

    def take(self) -> Render | None:
        """Take up the oldest render that waits; None where none does."""
        with self._db.writing() as db:
            row = db.execute(
                "SELECT * FROM renders WHERE state = 'pending' ORDER BY number LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            (number, attempt) = (row["number"], row["attempt"] + 1)
            db.execute(
                "UPDATE renders SET state = 'processing', attempt = ?, progress = 0"
                " WHERE number = ?",
                (attempt, number),
            )
            db.execute(
                "INSERT INTO attempts (number, attempt, began_s) VALUES (?, ?, ?)",
                (number, attempt, self._now()),
            )
        return self.numbered(number)

    def note_progress(self, render: Render, done: float) -> bool:
        """Keep how far an attempt is; False where it was given up."""
        return bool(
            self._db.write(
                "UPDATE renders SET progress = ? WHERE number = ? AND attempt = ?"
                " AND state = 'processing'",
                *(done, render.number, render.attempt),
            )
        )

    def complete(self, render: Render, path: Path, duration_s: float) -> bool:
        """Keep what an attempt made; False where it was given up."""
        return self._end(
            render,
            "completed",
            place=path.name,
            size_bytes=path.stat().st_size,
            duration_s=duration_s,
            progress=1.0,
        )

    def fail(self, render: Render, error: str) -> bool:
        """Keep that a render cannot be made."""
        return self._end(render, "failed", error=error)

    def give_back(self, render: Render, why: str) -> bool:
        """Let a render be taken up again whose worker is gone; one too often is a failure."""
        if render.attempt >= MOST_ATTEMPTS:
            return self.fail(render, f"the render ended its worker {MOST_ATTEMPTS} times: {why}")
        return self._end(render, "pending", outcome=why)

    def put_back(self, render: Render) -> None:
        """Let a render be taken up again that the server itself stopped."""
        with self._db.writing() as db:
            self._end_attempt(db, render, "stopped")
            db.execute(
                "UPDATE renders SET state = 'pending', progress = 0, attempt = attempt - 1"
                " WHERE number = ? AND attempt = ? AND state = 'processing'",
                (render.number, render.attempt),
            )
            db.execute(
                "DELETE FROM attempts WHERE number = ? AND attempt = ?",
                (render.number, render.attempt),
            )

    def recover(self) -> int:
        """Give back what a server that is gone had taken up; gives the number of renders."""
        rows = self._db.rows("SELECT * FROM renders WHERE state = 'processing'")
        return sum(self.give_back(_render(row), "the server ended") for row in rows)

    def cancel(self, user: User, render_id: str) -> Render:
        """End a render that is not finished."""
        render = self.of(user, render_id)
        self._db.write(
            "UPDATE renders SET state = 'failed', error = 'cancelled', ended_s = ?"
            " WHERE number = ? AND state IN ('pending', 'processing')",
            *(self._now(), render.number),
        )
        return self.of(user, render_id)

    def _end(self, render: Render, state: str, *, outcome: str = "", **values: Any) -> bool:
        names = ", ".join(f"{name} = ?" for name in values)
        ended_s = None if state == "pending" else self._now()
        with self._db.writing() as db:
            changed = db.execute(
                "UPDATE renders SET state = ?, ended_s = ?"  # noqa: S608 - names of our own
                f"{', ' if names else ''}{names}"
                " WHERE number = ? AND attempt = ? AND state = 'processing'",
                (state, ended_s, *values.values(), render.number, render.attempt),
            ).rowcount
            self._end_attempt(db, render, outcome or state if changed else "given up")
        return bool(changed)

    def _end_attempt(self, db: Any, render: Render, outcome: str) -> None:
        db.execute(
            "UPDATE attempts SET ended_s = ?, outcome = ? WHERE number = ? AND attempt = ?",
            (self._now(), outcome, render.number, render.attempt),
        )


def _render(row: Any) -> Render:
    return Render(
        number=row["number"],
        user_id=row["user_id"],
        render_id=row["render_id"],
        session_id=row["session_id"],
        draft=json.loads(row["draft"]),
        output=json.loads(row["output"]),
        state=RenderState(row["state"]),
        attempt=row["attempt"],
        progress=row["progress"],
        error=row["error"],
        place=row["place"],
        size_bytes=row["size_bytes"],
        duration_s=row["duration_s"],
        created_s=row["created_s"],
        ended_s=row["ended_s"],
    )
