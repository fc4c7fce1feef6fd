"""What is asked in a conversation, and what is answered."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from avpipe.cloud.values import RemoteFile, TimelineEntry
from avpipe.files import free_path
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
    numbered: bool = False
    """Whether a name that was not given gets a number where it is taken."""
    fallback: bool = True
    """Whether an export that the cloud does not make is made here."""

    def output_or(self, default: str) -> str:
        """The path of an export; `default` where none was given."""
        if self.output is None and self.numbered:
            return str(free_path(Path(default).absolute()))
        return os.path.abspath(self.output or default)  # noqa: PTH100


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
