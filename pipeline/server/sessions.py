"""Sessions: their files on the disk, their timeline, what was said, and when they are too old."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avpipe import jsonform
from avpipe.errors import FileTooLargeError, SessionGoneError, UnsupportedFileError
from avpipe.media import Alignment, MediaInfo
from avpipe.server.accounts import DAY_S, Now, User
from avpipe.server.database import Database
from avpipe.settings import ServerSettings

KINDS = {
    **dict.fromkeys(("mp4", "mov", "avi", "webm", "mkv", "m4v", "ts", "3gp"), "video"),
    **dict.fromkeys(("jpg", "jpeg", "png", "gif", "webp"), "image"),
    **dict.fromkeys(("mp3", "wav", "m4a", "aac"), "audio"),
    **dict.fromkeys(("flac", "ogg", "opus", "aif", "aiff", "caf"), "audio"),
}
"""What a file is by the end of its name; nothing else is taken. More than the cloud's: recorders
write FLAC."""
MOST_FILES = 200
"""In one session."""
MOST_SESSIONS = 1000
"""Of one user."""
TOO_MUCH = "file too large: it is more than you may keep here"
_LOOKED_AGAIN_S = 3600.0
"""How often it is kept that somebody looked."""
_UNDO_STEPS = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """One project of one user."""

    session_id: str
    task_id: str
    user_id: str
    task_name: str
    language: str | None
    draft: Mapping[str, Any]
    """The timeline in the API's form."""
    version: int
    """Rises with each change of the timeline."""
    history: tuple[Mapping[str, Any], ...]
    """The timelines before, the newest last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A file of a session."""

    file_id: str
    session_id: str
    name: str
    """As the user calls it; it names nothing on the disk."""
    kind: str
    path: Path
    size_bytes: int
    sha256: str
    facts: MediaInfo


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """A line of the conversation."""

    role: str
    """`user` or `agent`."""
    text: str
    at_s: float


class Sessions:
    """The sessions of all users."""

    def __init__(
        self, database: Database, folder: Path, settings: ServerSettings, now: Now
    ) -> None:
        self._db = database
        self._settings = settings
        self._now = now
        self.folder = folder

    def create(self, user: User, task_name: str, language: str | None) -> Session:
        """A new, empty session."""
        now = self._now()
        session_id = str(5 * 10**18 + secrets.randbelow(4 * 10**18))
        with self._db.writing() as db:
            (count,) = db.execute(
                "SELECT count(*) FROM sessions WHERE user_id = ?", (user.user_id,)
            ).fetchone()
            if count >= MOST_SESSIONS:
                raise FileTooLargeError(f"a user has {MOST_SESSIONS} sessions at most")
            db.execute(
                "INSERT INTO sessions (session_id, task_id, user_id, task_name, language, draft,"
                " history, created_s, touched_s) VALUES (?, ?, ?, ?, ?, '{}', '[]', ?, ?)",
                (
                    *(session_id, f"task_{uuid.uuid4().hex}", user.user_id),
                    *(task_name, language, now, now),
                ),
            )
        (self.folder / session_id).mkdir(mode=0o700)
        return self.of(user, session_id)

    def of(self, user: User, session_id: str) -> Session:
        """A session of this user. Raises SessionGoneError, of another's session too."""
        row = self._db.row(
            "SELECT * FROM sessions WHERE session_id = ? AND user_id = ?",
            session_id,
            user.user_id,
        )
        if row is None or user.only_session not in (None, session_id):
            raise SessionGoneError("session not found")
        if self._now() - row["touched_s"] > _LOOKED_AGAIN_S:
            self._db.write(
                "UPDATE sessions SET touched_s = ? WHERE session_id = ?", self._now(), session_id
            )
        return Session(
            session_id=row["session_id"],
            task_id=row["task_id"],
            user_id=row["user_id"],
            task_name=row["task_name"],
            language=row["language"],
            draft=json.loads(row["draft"]),
            version=row["version"],
            history=tuple(json.loads(row["history"])),
        )

    def set_draft(
        self,
        session: Session,
        draft: Mapping[str, Any],
        history: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Keep another timeline. The history is told, or grows by the timeline before."""
        before = (*session.history, session.draft) if history is None else history
        self._db.write(
            "UPDATE sessions SET draft = ?, history = ?, version = version + 1, touched_s = ?"
            " WHERE session_id = ?",
            json.dumps(draft),
            json.dumps(list(before)[-_UNDO_STEPS:]),
            self._now(),
            session.session_id,
        )

    def say(self, session_id: str, role: str, text: str) -> None:
        """Keep a line of the conversation."""
        self._db.write(
            "INSERT INTO messages (session_id, role, text, at_s) VALUES (?, ?, ?, ?)",
            *(session_id, role, text, self._now()),
        )

    def said(self, session_id: str) -> tuple[Said, ...]:
        """The last lines of the conversation."""
        rows = self._db.rows(
            "SELECT * FROM messages WHERE session_id = ? ORDER BY id DESC LIMIT 200", session_id
        )
        return tuple(
            Said(role=row["role"], text=row["text"], at_s=row["at_s"]) for row in reversed(rows)
        )

    def files(self, session_id: str) -> tuple[File, ...]:
        """The files of a session, in the order in which they came."""
        rows = self._db.rows("SELECT * FROM files WHERE session_id = ? ORDER BY rowid", session_id)
        return tuple(
            File(
                file_id=row["file_id"],
                session_id=row["session_id"],
                name=row["name"],
                kind=row["kind"],
                path=self.folder / session_id / row["place"],
                size_bytes=row["size_bytes"],
                sha256=row["hash"],
                facts=jsonform.decode(MediaInfo, json.loads(row["facts"])),
            )
            for row in rows
        )

    def file(self, session_id: str, file_id: str) -> File:
        """One file of a session. Raises SessionGoneError."""
        for file in self.files(session_id):
            if file.file_id == file_id:
                return file
        raise SessionGoneError("the session has no such file")

    def add_file(
        self, session_id: str, name: str, path: Path, facts: MediaInfo, sha256: str
    ) -> File:
        """Keep a file that lies in the session's folder. Raises FileTooLargeError."""
        file_id = f"file_{secrets.token_hex(8)}"
        form = json.dumps(jsonform.encode(facts))
        size = path.stat().st_size
        with self._db.writing() as db:
            (count,) = db.execute(
                "SELECT count(*) FROM files WHERE session_id = ?", (session_id,)
            ).fetchone()
            if count >= MOST_FILES:
                raise FileTooLargeError(f"a session has {MOST_FILES} files at most")
            (user_id,) = db.execute(
                "SELECT user_id FROM sessions WHERE session_id = ?", (session_id,)
            ).fetchone()
            if self.used_bytes(user_id) + size > self._settings.user_quota:
                raise FileTooLargeError(TOO_MUCH)  # more came in at once
            row = (file_id, session_id, name, kind_of(name), path.name, size, sha256, form)
            db.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, self._now()))
            db.execute(
                "UPDATE sessions SET touched_s = ? WHERE session_id = ?",
                (self._now(), session_id),
            )
        return self.file(session_id, file_id)

    def used_bytes(self, user_id: str) -> int:
        """How much a user keeps."""
        row = self._db.row(
            "SELECT (SELECT coalesce(sum(size_bytes), 0) FROM files JOIN sessions"
            " USING (session_id) WHERE user_id = ?1)"
            " + (SELECT coalesce(sum(size_bytes), 0) FROM renders WHERE user_id = ?1) AS used",
            user_id,
        )
        assert row is not None
        return int(row["used"])

    def room_bytes(self, user: User) -> int:
        """How much more a user may keep."""
        return max(self._settings.user_quota - self.used_bytes(user.user_id), 0)

    def alignment(self, video_id: str, audio_id: str) -> Alignment | None:
        """How two files line up, where it is known."""
        row = self._db.row(
            "SELECT form FROM alignments WHERE video_id = ? AND audio_id = ?", video_id, audio_id
        )
        return None if row is None else jsonform.decode(Alignment, json.loads(row["form"]))

    def keep_alignment(self, video_id: str, audio_id: str, alignment: Alignment) -> None:
        """Keep how two files line up."""
        self._db.write(
            "INSERT OR REPLACE INTO alignments VALUES (?, ?, ?)",
            *(video_id, audio_id, json.dumps(jsonform.encode(alignment))),
        )

    def postpone(self, by_s: float) -> None:
        """Take a time out of what counts against the sessions; negative where the clock went back.

        Their age stays what it was before.
        """
        self._db.write("UPDATE sessions SET touched_s = touched_s + ?", by_s)

    def forget_old(self) -> int:
        """Remove the sessions that nobody looked at for too long; gives their number."""
        before = self._now() - self._settings.retention_days * DAY_S
        rows = self._db.rows(
            "SELECT session_id FROM sessions WHERE touched_s < ? AND NOT EXISTS (SELECT 1 FROM"
            " renders WHERE renders.session_id = sessions.session_id AND state IN"
            " ('pending', 'processing'))",
            before,
        )
        for row in rows:
            self._db.write("DELETE FROM sessions WHERE session_id = ?", row["session_id"])
            shutil.rmtree(self.folder / row["session_id"], ignore_errors=True)
        return len(rows)

    def remove_strays(self) -> None:
        """Remove what a run that was killed left on the disk and nobody knows any more."""
        known = {row["session_id"] for row in self._db.rows("SELECT session_id FROM sessions")}
        for folder in self.folder.iterdir():
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            self._remove_strays_of(folder)

    def _remove_strays_of(self, folder: Path) -> None:
        kept = {
            row["place"]
            for table in ("files", "renders")
            for row in self._db.rows(
                f"SELECT place FROM {table} WHERE session_id = ?",  # noqa: S608
                folder.name,
            )
        }
        for path in folder.iterdir():
            made_of = path.name.partition(".heard")[0]
            if path.name in kept or any(str(place).startswith(made_of) for place in kept):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def shown_name(told: str) -> str:
    """What a file is called, of what a client says: no path, nothing that cannot be printed."""
    name = re.split(r"[/\\]", told)[-1]
    name = "".join(character for character in name if character.isprintable()).strip()
    return name[-200:] or "file"


def suffix_of(name: str) -> str:
    """The end of a file's name, as the table of formats has it. Raises UnsupportedFileError."""
    suffix = name.rpartition(".")[2].lower() if "." in name else ""
    if suffix not in KINDS:
        raise UnsupportedFileError(f"unsupported file type; supported are {', '.join(KINDS)}")
    return suffix


def kind_of(name: str) -> str:
    """`video`, `audio` or `image`. Raises UnsupportedFileError."""
    return KINDS[suffix_of(name)]


def found_by_name(files: Sequence[File], name: str) -> File | None:
    """The newest file of that name."""
    return next((file for file in reversed(files) if file.name == name), None)
