"""Sessions that are kept on this machine: their files, their timeline, and what it was before.

One SQLite file (WAL) in the state folder; each method is one transaction that is on the disk when
it returns. A change of the timeline names the revision that it was made from: where another process
was faster it is refused, and made again from what is there then.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePath

from avpipe import jsonform
from avpipe.errors import AvpipeError, RequestError
from avpipe.media import MediaInfo
from avpipe.montage.values import Montage
from avpipe.sqlite_file import create_tables, open_durable, transaction

VERSION = 1
_TABLES = """
CREATE TABLE projects (
    id TEXT PRIMARY KEY,
    revision INTEGER NOT NULL DEFAULT 0,
    states TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE files (
    project_id TEXT NOT NULL,
    source TEXT NOT NULL,
    facts TEXT NOT NULL,
    PRIMARY KEY (project_id, source)
);
"""


class OutdatedError(AvpipeError):
    """Somebody else has changed the session meanwhile."""

    code = "outdated"
    retryable = True


@dataclass(frozen=True, kw_only=True, slots=True)
class States:
    """A timeline, and what it was before."""

    montage: Montage = field(default_factory=Montage)
    history: tuple[Montage, ...] = ()
    """The oldest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectFile:
    """A file of a session."""

    source: str
    """Its id in the timeline: its name, made different where another file has it."""
    info: MediaInfo


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A session as it was read."""

    id: str
    revision: int
    states: States
    files: tuple[ProjectFile, ...]
    """In the order in which they came."""


class Projects:
    """The open store of one state folder. Raises AvpipeError where it cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._turn = threading.RLock()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = open_durable(folder / "projects.sqlite3")
            create_tables(self._db, _TABLES, VERSION)
        except (OSError, sqlite3.Error) as error:
            raise AvpipeError(
                f"the sessions in {folder} cannot be used: {error}",
                hint="AVPIPE_STATE_DIR names another folder",
            ) from error

    def __enter__(self) -> Projects:
        return self

    def __exit__(self, *_: object) -> None:
        with self._turn:
            self._db.close()

    def create(self) -> str:
        """Make an empty session, the newest; gives its id."""
        name = f"local-{uuid.uuid4().hex[:8]}"
        self._run(
            "INSERT INTO projects (id, states, created_at) VALUES (?, ?, ?)",
            name,
            _text(States()),
            datetime.now(UTC).isoformat(timespec="seconds"),
        )
        return name

    def in_use(self, named: str | None = None) -> str:
        """The session of that id, else the newest, else a new one.

        Raises RequestError where there is none of that id.
        """
        with self._turn:
            found = self._db.execute(
                "SELECT id FROM projects WHERE ?1 IS NULL OR id = ?1 ORDER BY rowid DESC", (named,)
            ).fetchone()
        if found is not None:
            return str(found[0])
        if named is not None:
            raise RequestError(f"there is no session {named} on this machine")
        return self.create()

    def load(self, name: str) -> Project:
        """A session as it is now."""
        with self._transaction():
            (revision, states) = self._db.execute(
                "SELECT revision, states FROM projects WHERE id = ?", (name,)
            ).fetchone()
            rows = self._db.execute(
                "SELECT source, facts FROM files WHERE project_id = ? ORDER BY rowid", (name,)
            ).fetchall()
        files = tuple(
            ProjectFile(source=source, info=jsonform.loads(MediaInfo, facts))
            for source, facts in rows
        )
        return Project(
            id=name,
            revision=revision,
            states=jsonform.loads(States, states),
            files=files,
        )

    def save(self, project: Project, states: States) -> Project:
        """Keep another timeline in the place of the one that was read.

        Raises OutdatedError where another process has changed it since.
        """
        with self._transaction():
            changed = self._db.execute(
                "UPDATE projects SET states = ?, revision = revision + 1"
                " WHERE id = ? AND revision = ?",
                (_text(states), project.id, project.revision),
            )
        if changed.rowcount != 1:
            raise OutdatedError(f"the session {project.id} was changed by another process")
        return self.load(project.id)

    def add_files(self, name: str, infos: Sequence[MediaInfo]) -> Project:
        """Keep files in a session; one that is there already has its facts renewed."""
        with self._transaction():
            for info in infos:
                self._add_file(name, info)
        return self.load(name)

    def _add_file(self, name: str, info: MediaInfo) -> None:
        rows = self._db.execute(
            "SELECT source, facts FROM files WHERE project_id = ?", (name,)
        ).fetchall()
        known = {jsonform.loads(MediaInfo, facts).path: source for source, facts in rows}
        source = known.get(info.path) or _free_name(info.path, {source for source, _ in rows})
        self._db.execute(
            "INSERT INTO files (project_id, source, facts) VALUES (?1, ?2, ?3)"
            " ON CONFLICT (project_id, source) DO UPDATE SET facts = ?3",
            (name, source, jsonform.dumps(info)),
        )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._turn, transaction(self._db):
            yield

    def _run(self, statement: str, *values: object) -> None:
        with self._transaction():
            self._db.execute(statement, values)


def _text(states: States) -> str:
    return jsonform.dumps(states)


def _free_name(path: str, taken: set[str]) -> str:
    """The file's name, with a number where another file of the session has it."""
    pure = PurePath(path.encode("utf-8", "replace").decode())
    names = (f"{pure.stem} ({number}){pure.suffix}" for number in range(2, len(taken) + 3))
    return next(name for name in (pure.name, *names) if name not in taken)
