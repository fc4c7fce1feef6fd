"""What pairing is decided from, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from avpipe.media import Alignment


class PairBy(StrEnum):
    """What a user wants pairs to be found by."""

    AUTO = "auto"
    """By name where that is unambiguous and the content does not speak against it."""
    NAME = "name"
    CONTENT = "content"


class Basis(StrEnum):
    """What a pair was found by."""

    NAME = "name"
    CONTENT = "content"
    MANIFEST = "manifest"


class NameRule(StrEnum):
    """How two names go together, the surest first."""

    STEM = "stem"
    """They differ in their endings alone."""
    SUFFIX = "suffix"
    """They are the same without words such as `_audio`, `-zoom` or `.mix`."""
    COUNTER = "counter"
    """A camera's and a recorder's counter stand at the same number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sound:
    """What is known of an audio file before it is heard."""

    path: str
    duration_s: float
    form: tuple[object, ...]
    """Container, codec, rate and channels: the same in all parts of one recording."""
    size_bytes: int
    began_s: float | None = None
    """When the recording began, by its tags or by when the file was closed."""
    within_s: float = 0.0
    """How far off that may be."""
    told: bool = False
    """Whether its tags say so: a file's own time is lost when it is copied without care."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Take:
    """One recording: a file, or several that a recorder made of it, in order."""

    parts: tuple[str, ...]
    why: str = ""
    """What says that the parts follow each other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NameMatch:
    """The recording that goes by a video's name."""

    take: Take
    rule: NameRule


@dataclass(frozen=True, kw_only=True, slots=True)
class NameDoubt:
    """Several recordings that go equally well by a video's name."""

    takes: tuple[Take, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """What the content says of a video and one audio file."""

    audio: str
    duration_s: float
    """Of the audio file."""
    alignment: Alignment

    def span(self, video_s: float) -> tuple[float, float]:
        """What it covers of a video of that length; begin and end are the same where nothing."""
        begin = self.alignment.offset_s or 0.0
        end = begin + self.duration_s / (1 + (self.alignment.drift_ppm or 0.0) * 1e-6)
        low = min(max(begin, 0.0), video_s)
        return low, max(min(end, video_s), low)

    def covers_s(self, video_s: float) -> float:
        """How much of the video it covers."""
        (begin, end) = self.span(video_s)
        return end - begin


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A video, the audio files that belong to it, and what says so."""

    video: str
    audio: tuple[str, ...]
    basis: Basis
    why: str
    """In one sentence, for people."""
    rule: NameRule | None = None
    """Where the names go together."""
    found: tuple[Alignment, ...] = ()
    """Where each audio file belongs, where the content was compared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unpaired:
    """A file that nothing is made of, and why."""

    path: str
    code: str
    reason: str
    """In one sentence, for people."""
