"""What the render of an edit would do: a value to be shown. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from avpipe.plan.splice import FrameRun
from avpipe.recipe import Action
from avpipe.updates import Note

SCHEMA = "avpipe.edit_plan/1"
_MOST_NAMED = 5
"""How many stretches are named to people."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameSpan:
    """Neighbouring frames of the output."""

    first: int
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class EditOutput:
    """The file that the render would make."""

    path: str
    duration_s: float
    width: int
    height: int
    frames: int


@dataclass(frozen=True, kw_only=True, slots=True)
class EditPlan:
    """What the render of an edit would do.

    Where the joints of copied and encoded frames turn out not to decode, all frames are encoded.
    """

    schema: str = SCHEMA
    inputs: tuple[str, ...]
    """The paths of the files that are used."""
    summary: str
    """The tracks, in one line."""
    video: Action
    """A copy where no frame is encoded."""
    audio: Action
    encoded: tuple[FrameSpan, ...]
    notes: tuple[Note, ...]
    output: EditOutput

    @property
    def words(self) -> str:
        """What is encoded, for people."""
        count = sum(span.count for span in self.encoded)
        if count == self.output.frames and self.audio is Action.ENCODE:
            return f"all {count} frames and the sound are encoded"
        return encoded_words(self.encoded, self.output.frames, self.audio)


def encoded_spans(runs: Sequence[FrameRun]) -> tuple[FrameSpan, ...]:
    """The frames that are not copied."""
    return tuple(
        FrameSpan(first=run.first, count=run.count) for run in runs if run.source_first is None
    )


def encoded_words(spans: Sequence[FrameSpan], frames: int, audio: Action) -> str:
    """Which frames are encoded where the others are copied, for people."""
    named = ", ".join(f"{span.first}-{span.first + span.count - 1}" for span in spans[:_MOST_NAMED])
    rest = len(spans) - _MOST_NAMED
    more = f" and {rest} more stretches" if rest > 0 else ""
    told = f"frames {named}{more}" if spans else "no frames"
    copied = "the others are copied" if audio is Action.ENCODE else "all else is copied"
    return f"{told} of {frames} are encoded, {copied}"
