"""What the fake cloud keeps, and what a test makes go wrong in it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request as it came in."""

    at: str
    method: str
    path: str
    headers: dict[str, str]
    form: Any = None


@dataclass(kw_only=True)
class Fault:
    """Something that goes wrong at one place, some times."""

    at: str
    times: int = 1
    skip: int = 0
    """How many requests go well before."""
    code: int | None = None
    """An error of the API's table, or an HTTP status."""
    after: bool = False
    """The request has its effect before it goes wrong."""
    drop: bool = False
    """The connection is reset instead of an answer."""
    byte: int | None = None
    """The connection is reset after so many bytes of an upload, a stream or a download."""
    garbage: bool = False
    stall: bool = False
    """Nothing comes any more."""
    lie: int = 0
    """So many bytes are told more (or less) than there are."""
    says: str = ""
    """All that a message's stream says; nothing is done."""
    page: bool = False
    """A web page comes instead of the file."""


@dataclass
class Session:
    user_id: str
    task_id: str
    files: list[dict[str, Any]] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    """What the last file of each type holds, kept for a renderer."""
    draft: dict[str, Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class RenderJob:
    session_id: str
    draft: Any
    polls: int = 0
    cancelled: bool = False
