"""What the journal keeps, as values: sessions, uploads, messages and jobs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
