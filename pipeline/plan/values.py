"""The plan and its parts. Everything that runs, runs one of these."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from avpipe.media import Alignment, MediaInfo
from avpipe.recipe import Action, PictureEncode, Recipe, SizeFit
from avpipe.timeline import Timeline

SCHEMA = "avpipe.plan/1"


class StepKind(StrEnum):
    """The kinds of steps."""

    PREPARE_AUDIO = "prepare_audio"
    COMPRESS = "compress"
    UPLOAD = "upload"
    CLOUD_RENDER = "cloud_render"
    RENDER = "render"
    VERIFY = "verify"


class Route(StrEnum):
    """Where a merge is made."""

    LOCAL = "local"
    CLOUD = "cloud"


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudFacts:
    """What a plan needs to know of the cloud, without asking it anything."""

    connected: bool = False
    """Whether there is a token, given or kept."""
    uplink_bytes_s: float | None = None
    """How fast uploads go: as set, or as the last one was."""
    upload_limit: int | None = None
    """The largest file that it takes, in bytes."""
    compresses: bool = True
    """Whether a video that is larger can be brought under that."""
    formats: tuple[str, ...] | None = None
    """The suffixes of the files that it takes; None where nobody asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What a plan needs to know of the machine that will carry it out."""

    cores: int
    encoders: tuple[str, ...] = ()
    """The hardware encoders that passed a trial encode, the preferred one first."""
    cloud: CloudFacts = CloudFacts()


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
class RouteEstimate:
    """How long a merge would take on one route."""

    route: Route
    estimate_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudOrder:
    """What the cloud is asked for."""

    key: str
    """The same for every plan of the same files and options: tells that two jobs are one."""
    instruction: str
    """What its agent is told."""
    longer_side: int | None
    """The most that the picture may have, in pixels; None where nothing bounds it."""
    shorter_side: int | None
    resolution: str | None = None
    """The bound's name, where it has one."""


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
    route: Route
    cloud: CloudOrder | None = None
    """Set where the route is the cloud."""
    estimates: tuple[RouteEstimate, ...] = ()
    """Of each route that could be taken."""
    video: Action
    audio: Action
    encode: PictureEncode | None
    """Set where the video is encoded."""
    timeline: Timeline
    loudness_lufs: float | None = None
    """What the sound is brought to (EBU R128); None leaves it."""
    steps: tuple[Step, ...]
    fallback: tuple[Step, ...]
    """What is done here where the cloud does not make it; empty where that is an error."""
    reasons: tuple[Reason, ...]
    output: PlannedOutput
    fit: SizeFit | None = None
    """Set where the output has to stay under a size."""
    sent: Plan | None = None
    """How the video is compressed before the cloud gets it; None where it is sent as it is."""

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
            fit=self.fit,
            loudness_lufs=self.loudness_lufs,
        )
