"""What a batch works with and what it tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from avpipe.media import Alignment
from avpipe.pairing.values import Pair, PairBy, Unpaired
from avpipe.plan.request import Request
from avpipe.updates import Done, Failure, Progress

SCHEMA = "avpipe.batch/1"
DEFAULT_TEMPLATE = "{stem}.merged.mp4"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a user asks of a batch."""

    folder: str
    """Absolute, or an address."""
    outdir: str
    request: Request
    """The options of every merge; its files stand for none."""
    pair: PairBy = PairBy.AUTO
    manifest: str | None = None
    recursive: bool = False
    template: str = DEFAULT_TEMPLATE
    overwrite: bool = False
    jobs: int | None = None
    """How many merges at once; None for as many as fit."""
    pause_s: float = 5.0
    """Between two looks at a disk that is full."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of a manifest."""

    line: int
    """Counted from 1."""
    request: Request
    """With absolute paths; its output is empty where none is given."""


class State(StrEnum):
    """How far an item is."""

    RUNNING = "running"
    MADE = "made"
    """The file is whole and has yet to get its name."""
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One output to make."""

    number: int
    """In the order of the batch, from 1."""
    pair: Pair
    request: Request
    key: str
    """Of the inputs, the options and the version: what was made under it need not be made again."""
    size_bytes: int
    """Of the inputs."""
    duration_s: float
    """Of the video, or of the sound where that is a picture."""

    @property
    def form(self) -> dict[str, Any]:
        """As events tell it."""
        form: dict[str, Any] = {
            "video": self.request.video,
            "audio": self.request.audio,
            "output": self.request.output,
        }
        if self.request.more_audio:
            form["more_audio"] = list(self.request.more_audio)
        return form


@dataclass(frozen=True, kw_only=True, slots=True)
class Surveyed:
    """The pairs are known, and nothing is made yet."""

    items: tuple[Item, ...]
    skipped: tuple[Item, ...]
    """Done already, and unchanged."""
    unpaired: tuple[Unpaired, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Looking:
    """How far the pairing is."""

    stage: str
    """`probe`, `listen`, `rank`, `compare` or, at the end, `report`."""
    done: int
    total: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemStarted:
    """An item is being made."""

    EVENT: ClassVar[str] = "item_started"
    item: Item


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemProgress:
    """How far an item is."""

    item: Item
    progress: Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemNote:
    """Something that was said of an item."""

    item: Item
    code: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemDone:
    """An item has its name."""

    EVENT: ClassVar[str] = "item_done"
    item: Item
    done: Done


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemFailed:
    """An item could not be made; the others go on."""

    EVENT: ClassVar[str] = "item_failed"
    item: Item
    error: Failure


@dataclass(frozen=True, kw_only=True, slots=True)
class Paused:
    """The disk has no room for the next item."""

    needed_bytes: int
    free_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Resumed:
    """There is room again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The end of a batch."""

    EVENT: ClassVar[str] = "summary"

    schema: str = SCHEMA
    total: int
    """How many pairs there are."""
    done: int
    skipped: int
    failed: int
    unpaired: tuple[Mapping[str, str], ...]
    elapsed_s: float
    report: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What is kept of an item."""

    item: Mapping[str, Any]
    """Its files, as events tell them."""
    state: State
    key: str
    basis: str
    why: str
    found: tuple[Alignment, ...] = ()
    """Where each audio file belongs, where that was found before it was made."""
    done: Done | None = None
    error: Failure | None = None
    notes: tuple[str, ...] = ()
    skipped: bool = False
    """Whether it was made by an earlier run."""


BatchUpdate = (
    Looking
    | Surveyed
    | ItemStarted
    | ItemProgress
    | ItemNote
    | ItemDone
    | ItemFailed
    | Paused
    | Resumed
    | Summary
)
