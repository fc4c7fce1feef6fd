"""What the cloud's API gives, in one form, whichever of its own forms it came in."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from avpipe.montage.values import TrackKind
from avpipe.settings import Secret

SCHEMA = "avpipe.cloud/1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """Time, as an argument: tests have their own."""

    wall: Callable[[], float] = time.time
    """Seconds since 1970."""
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """What is sent to show who asks."""

    token: Secret
    user_id: str | None = None
    """None where the service has not told it yet."""
    expires_at: str | None = None
    """ISO 8601, None where it is not known."""
    given: bool = False
    """Whether it is the user's own, and not one that was asked for here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """One project at the service: its files and its timeline."""

    session_id: str
    task_id: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteFile:
    """A file that is in a session."""

    name: str
    type: str | None = None
    """`video`, `audio` or `image`."""
    url: str | None = None
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Credits:
    """What the account can still spend."""

    available: float
    frozen: float
    """Reserved for what is running."""
    total: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TimelineEntry:
    """One segment of the session's timeline."""

    kind: TrackKind
    name: str
    """Of a title, its text."""
    start_s: float
    end_s: float
    volume: float | None = None
    """Linear, 1 as recorded; None where nothing is heard."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionState:
    """What a session holds."""

    session_id: str
    user_id: str | None = None
    task_id: str | None = None
    draft: Mapping[str, Any] = field(default_factory=dict)
    """The timeline in the service's own form; `draft.py` reads it."""
    files: tuple[RemoteFile, ...] = ()
    media: tuple[str, ...] = ()
    """What the service made by itself, in its own form."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentReply:
    """What came of a message."""

    text: str
    """For people; made of the state where the service said nothing."""
    changes: tuple[str, ...]
    """What is different in the session."""
    state: SessionState


class RenderStatus(StrEnum):
    """How far the service is with a render."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Render:
    """One look at a render."""

    status: RenderStatus
    progress: float | None = None
    """From 0 to 1."""
    url: str | None = None
    duration_s: float | None = None
    size_bytes: int | None = None
    error: str | None = None
