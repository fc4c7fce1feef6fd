"""What a batch remembers beside its outputs: facts of files, comparisons, what was made of what.

A hidden folder of the output folder. Each step is one transaction, so that whatever ends a run, the
next one knows how far it came. One batch at a time works in an output folder.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avpipe import jsonform
from avpipe.batch.values import Outcome, State
from avpipe.errors import RequestError
from avpipe.media import Alignment, MediaInfo
from avpipe.sqlite_file import create_tables, transaction
from avpipe.updates import Done, Failure

if sys.platform != "win32":
    import fcntl

FOLDER = ".avpipe.batch"
"""Not named as a workspace is: those that nobody holds are removed."""
VERSION = 1
_TABLES = """
CREATE TABLE files (path TEXT PRIMARY KEY, stamp TEXT, info TEXT);
CREATE TABLE compared (
    video TEXT, audio TEXT, stamp TEXT, score REAL, alignment TEXT, PRIMARY KEY (video, audio));
CREATE TABLE items (
    output TEXT PRIMARY KEY, key TEXT, state TEXT, stamp TEXT, made_stamp TEXT, item TEXT,
    basis TEXT, why TEXT, found TEXT, done TEXT, error TEXT, notes TEXT);
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What is remembered of an output."""

    outcome: Outcome
    stamp: str | None
    """Which file of ours stands under the name, if any: that of `places.stamp_of`."""
    made_stamp: str | None
    """Which file of ours is given the name."""

    def is_ours(self, stamp: str | None) -> bool:
        """Whether the file under the name is one that a batch wrote, and that nobody changed."""
        return stamp is not None and stamp in (self.stamp, self.made_stamp)


class BatchState:
    """The memory of one output folder; a context manager, and the lock on it."""

    def __init__(self, outdir: Path, *, made: str | None = None) -> None:
        """Open it. Raises RequestError where it cannot be used, or another batch works there."""
        self.folder = outdir / FOLDER
        self.made = made or str(self.folder / "made")
        """Where files are made before they get their names."""
        self.fingerprints = self.folder / "fingerprints"
        self._lock: int | None = None
        try:
            for folder in (self.folder, self.folder / "made", self.fingerprints):
                folder.mkdir(exist_ok=True)
            self._lock = _locked(self.folder / "lock", outdir)
            self._db = sqlite3.connect(self.folder / "state.sqlite", isolation_level=None)
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            self._let_go()
            raise RequestError(f"the output folder {outdir} cannot be used: {error}") from error

    def _prepare(self) -> None:
        # Nobody else opens it, so that a log needs no shared memory: network folders have none.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        create_tables(self._db, _TABLES, VERSION)

    def info(self, path: str, stamp: str) -> MediaInfo | None:
        """The facts of a file, where it is the one that was probed."""
        row = self._db.execute(
            "SELECT info FROM files WHERE path = ? AND stamp = ?", (_text(path), stamp)
        ).fetchone()
        return None if row is None else jsonform.loads(MediaInfo, row[0])

    def keep_infos(self, facts: list[tuple[str, MediaInfo]]) -> None:
        """Remember the facts of files by their stamps."""
        with transaction(self._db):
            self._db.executemany(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?)",
                [(_text(info.path), stamp, jsonform.dumps(info)) for stamp, info in facts],
            )

    def score(self, video: str, audio: str, stamp: str) -> float | None:
        """How well two fingerprints fit, where that is known."""
        row = self._compared("score", video, audio, stamp)
        return None if row is None else row[0]

    def alignment(self, video: str, audio: str, stamp: str) -> Alignment | None:
        """Where one belongs on the other, where that is known."""
        row = self._compared("alignment", video, audio, stamp)
        return None if row is None or row[0] is None else jsonform.loads(Alignment, row[0])

    def _compared(self, column: str, video: str, audio: str, stamp: str) -> Any:
        return self._db.execute(
            f"SELECT {column} FROM compared WHERE video = ? AND audio = ? AND stamp = ?",  # noqa: S608
            (_text(video), _text(audio), stamp),
        ).fetchone()

    def keep_scores(self, scores: list[tuple[str, str, str, float]]) -> None:
        """Remember (video, audio, stamp, score)."""
        with transaction(self._db):
            self._db.executemany(
                "INSERT INTO compared (video, audio, stamp, score) VALUES (?1, ?2, ?3, ?4)"
                " ON CONFLICT (video, audio) DO UPDATE SET score = ?4,"
                " alignment = iif(stamp = ?3, alignment, NULL), stamp = ?3",
                [
                    (_text(video), _text(audio), stamp, score)
                    for video, audio, stamp, score in scores
                ],
            )

    def keep_alignment(self, video: str, audio: str, stamp: str, found: Alignment) -> None:
        """Remember where an audio file belongs."""
        with transaction(self._db):
            self._db.execute(
                "INSERT INTO compared (video, audio, stamp, alignment) VALUES (?1, ?2, ?3, ?4)"
                " ON CONFLICT (video, audio) DO UPDATE SET alignment = ?4,"
                " score = iif(stamp = ?3, score, NULL), stamp = ?3",
                (_text(video), _text(audio), stamp, jsonform.dumps(found)),
            )

    def kept(self, output: str) -> Kept | None:
        """What is remembered of an output."""
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM items WHERE output = ?",  # noqa: S608
            (_text(output),),
        ).fetchone()
        return None if row is None else _kept(row)

    def all_kept(self) -> Iterator[tuple[str, Kept]]:
        """What is remembered of every output, by its path."""
        for output, *row in self._db.execute(f"SELECT output, {_COLUMNS} FROM items"):  # noqa: S608
            yield _path(output), _kept(row)

    def keep(
        self, output: str, outcome: Outcome, *, stamp: str | None, made_stamp: str | None = None
    ) -> None:
        """Remember what became of an output, or that it is being made."""
        with transaction(self._db):
            self._db.execute(
                "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(_text(output), outcome.key, outcome.state.value),
                    *(stamp, made_stamp),
                    *(json.dumps(dict(outcome.item)), outcome.basis, outcome.why),
                    jsonform.dumps(outcome.found),
                    *(None if outcome.done is None else jsonform.dumps(outcome.done),),
                    *(None if outcome.error is None else jsonform.dumps(outcome.error),),
                    json.dumps(outcome.notes),
                ),
            )

    def drop_left_over(self) -> None:
        """Remove what killed runs were making: nobody else works here."""
        for path in (self.folder / "made").iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def has_items(self) -> bool:
        """Whether an output was ever begun here."""
        return self._db.execute("SELECT 1 FROM items LIMIT 1").fetchone() is not None

    def forget(self) -> None:
        """Remove all of it; nothing but closing it may follow."""
        self._db.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Let go of it."""
        self._db.close()
        self._let_go()

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> BatchState:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_COLUMNS = "key, state, stamp, made_stamp, item, basis, why, found, done, error, notes"


def _kept(row: Any) -> Kept:
    (key, state, stamp, made_stamp, item, basis, why, found, done, error, notes) = row
    outcome = Outcome(
        item=json.loads(item),
        state=State(state),
        key=key,
        basis=basis,
        why=why,
        found=tuple(jsonform.decode(Alignment, one) for one in json.loads(found)),
        done=None if done is None else jsonform.loads(Done, done),
        error=None if error is None else jsonform.loads(Failure, error),
        notes=tuple(json.loads(notes)),
    )
    return Kept(outcome=outcome, stamp=stamp, made_stamp=made_stamp)


def _text(path: str) -> str:
    """A path as SQLite takes it: names need not be UTF-8."""
    return json.dumps(path)


def _path(text: str) -> str:
    path: str = json.loads(text)
    return path


def _locked(path: Path, outdir: Path) -> int | None:
    """A handle that holds the folder's lock until it is closed, or this process ends."""
    if sys.platform == "win32":
        return None
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise RequestError(
            f"another batch is at work in {outdir}", hint="wait for its end, or take another folder"
        ) from error
    except OSError:
        os.close(handle)
        return None  # a file system without locks
    return handle
