"""The plan and its parts. Everything that runs, runs one of these."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from avpipe.media import Alignment, MediaInfo
from avpipe.recipe import Action, PictureEncode, Recipe
from avpipe.timeline import Timeline

SCHEMA = "avpipe.plan/1"


class StepKind(StrEnum):
    """The kinds of steps."""

    RENDER = "render"
    VERIFY = "verify"


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What a plan needs to know of the machine that will carry it out."""

    cores: int
    encoders: tuple[str, ...] = ()
    """The hardware encoders that passed a trial encode, the preferred one first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why the plan is as it is."""

    code: str
    message: str
    note: bool = False
    """Whether the user should be told when the plan is carried out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing that is done."""

    kind: StepKind
    why: str
    estimate_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedOutput:
    """What will come out."""

    path: str
    duration_s: float
    width: int
    height: int
    estimated_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """The facts of the files."""

    video: MediaInfo
    audio: MediaInfo
    more_audio: tuple[MediaInfo, ...] = ()
    """Further recordings."""

    @property
    def recorders(self) -> tuple[MediaInfo, ...]:
        """Every recording, the first one first."""
        return (self.audio, *self.more_audio)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A merge that is decided: it can be printed, saved, read back and carried out."""

    schema: str = SCHEMA
    inputs: Inputs
    alignment: Alignment
    """Of the first recording."""
    more_alignments: tuple[Alignment, ...] = ()
    """Of the further ones, in order."""
    moved_s: float | None = 0.0
    """How much later than its content says the audio is placed, because that was asked for; None
    where its drift was given and so not one figure says it."""
    route: str
    video: Action
    audio: Action
    encode: PictureEncode | None
    """Set where the video is encoded."""
    timeline: Timeline
    steps: tuple[Step, ...]
    fallback: tuple[Step, ...]
    reasons: tuple[Reason, ...]
    output: PlannedOutput

    @property
    def recipe(self) -> Recipe:
        """The part of the plan that says how the file is made."""
        return Recipe(
            camera=self.inputs.video,
            recorders=self.inputs.recorders,
            timeline=self.timeline,
            video=self.video,
            audio=self.audio,
            encode=self.encode,
        )
