"""What is asked in a conversation, and what is answered."""

from __future__ import annotations

from dataclasses import dataclass

from avpipe.cloud.values import RemoteFile, TimelineEntry
from avpipe.intent import Action
from avpipe.updates import Done


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One thing that a user says."""

    text: str
    paths: tuple[str, ...] = ()
    """Files and addresses that are added to the session first."""
    output: str | None = None
    """Where an export goes; None for a name in the current folder."""
    overwrite: bool = False
    fallback: bool = True
    """Whether an export that the cloud does not make is made here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came of it."""

    session_id: str | None
    action: Action
    text: str
    changes: tuple[str, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    summary: str = ""
    """The tracks in one line; empty where they are as they were."""
    files: tuple[RemoteFile, ...] = ()
    """What was added to the session."""
    done: Done | None = None
    """The file that was made."""
    understood: bool = True
    """Otherwise `text` says why, and what is possible; nothing was changed."""
    hint: str | None = None
