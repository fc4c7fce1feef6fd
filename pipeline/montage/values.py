"""An edit as a value: tracks of clips on a canvas, in exact seconds.

What is drawn later lies over what is drawn before: a track over those listed before it, texts over
all pictures. Where two neighbours of a track overlap, the first is cross-faded to the second.
`avpipe.timeline` is what becomes of the merge of one camera and its recorders; this is what people
and agents edit, and what the cloud's draft says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Any

ZERO, ONE = Fraction(0), Fraction(1)


class TrackKind(StrEnum):
    """What a track holds."""

    VIDEO = "video"
    """Pictures, and the sound that belongs to them."""
    AUDIO = "audio"
    TEXT = "text"
    OTHER = "other"
    """Something of another program: kept as it is, and not rendered."""


class Role(StrEnum):
    """What a track's sound is there for."""

    MUSIC = "music"
    SPEECH = "speech"


class Fitting(StrEnum):
    """How a picture goes into a canvas of another aspect."""

    LETTERBOX = "letterbox"
    """Whole, with the background beside it."""
    BLUR = "blur"
    """Whole, with a blurred copy of itself beside it."""
    CROP = "crop"
    """Filling the canvas; what is over is cut off."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Crop:
    """What is cut off a picture, in shares of its width and height."""

    left: float = 0.0
    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a picture stands on the canvas."""

    x: float = 0.5
    """Of its middle, in canvas widths from the left."""
    y: float = 0.5
    """Of its middle, in canvas heights from the top."""
    scale: float = 1.0
    """1 is as large as it goes whole into the canvas."""
    crop: Crop = Crop()


@dataclass(frozen=True, kw_only=True, slots=True)
class TextStyle:
    """How a text looks."""

    font: str | None = None
    """A family's name, or the path of a font file; None is the font that comes with avpipe."""
    bold: bool = True
    size: float = 0.08
    """Of a line, in canvas heights."""
    colour: str = "#ffffff"
    """#rrggbb, or #rrggbbaa with the opacity."""
    outline: str | None = "#000000"
    """The colour of its edge; None is no edge."""
    box: str | None = None
    """The colour of a box behind it; None is no box."""
    x: float = 0.5
    """Of its middle, in canvas widths from the left."""
    y: float = 0.5
    """Of its middle, in canvas heights from the top."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clip:
    """A stretch of one source, or a text, placed in time."""

    name: str = ""
    """What people call it; on a text track the text itself, with its line breaks."""
    source: str | None = None
    """The id of the file that it is taken from; None for a text."""
    start: Fraction = ZERO
    """Where it begins on the timeline, in seconds."""
    source_in: Fraction = ZERO
    """Where it begins in the source, in seconds from the first frame shown, or of a file without
    picture from the first sample. Pictures and texts have no time of their own: 0."""
    source_out: Fraction
    """Where it ends in the source. A video's first frame is held before its file begins, the last
    one after it ends."""
    speed: Fraction = ONE
    """Seconds of the source in a second of the timeline. Its sound keeps its pitch."""
    clock: Fraction = ONE
    """Seconds of the recorder's clock in a true one: the sound is resampled by it."""
    volume: float = 1.0
    """Of its sound, linear, 1 as recorded."""
    fade_in: Fraction = ZERO
    """How long its sound rises from silence, in seconds of the timeline."""
    fade_out: Fraction = ZERO
    appear: Fraction = ZERO
    """How long its picture or text takes to become opaque."""
    vanish: Fraction = ZERO
    place: Place = Place()
    fitting: Fitting | None = None
    """None is that of the canvas."""
    style: TextStyle = TextStyle()
    """Of a text."""
    kept: dict[str, Any] | None = field(default=None, hash=False)
    """The form that it was read from, with what avpipe does not know; None where it is new."""

    @property
    def duration(self) -> Fraction:
        """How long it lasts on the timeline, in seconds."""
        return (self.source_out - self.source_in) / (self.speed * self.clock)

    @property
    def end(self) -> Fraction:
        """Where it ends on the timeline, in seconds."""
        return self.start + self.duration


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """Clips of one kind, in the order of time."""

    kind: TrackKind
    clips: tuple[Clip, ...] = ()
    role: Role | None = None
    ducked: bool = False
    """Whether its sound is lowered while that of other tracks is heard."""
    kept: dict[str, Any] | None = field(default=None, hash=False)
    """As that of a clip."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Canvas:
    """What is drawn on."""

    width: int | None = None
    """In pixels; None is as the first picture and the aspect make it."""
    height: int | None = None
    aspect: Fraction | None = None
    """Width over height; None is that of the size, or of the first picture."""
    frame_rate: Fraction | None = None
    """Frames a second; None is that of the first video."""
    background: str = "#000000"
    fitting: Fitting = Fitting.LETTERBOX


@dataclass(frozen=True, kw_only=True, slots=True)
class Montage:
    """An edit: everything that is needed to draw and sound it, but the files."""

    tracks: tuple[Track, ...] = ()
    canvas: Canvas = Canvas()
    title: str = ""
    loudness_lufs: float | None = None
    """What its sound is brought to (EBU R128); None leaves it."""
    max_bytes: int | None = None
    """What the file that is made of it stays under."""
    kept: dict[str, Any] | None = field(default=None, hash=False)
    """As that of a clip."""

    @property
    def duration(self) -> Fraction:
        """Where the last clip ends, in seconds; tracks of unknown kinds do not count."""
        known = (track for track in self.tracks if track.kind is not TrackKind.OTHER)
        return max((clip.end for track in known for clip in track.clips), default=ZERO)

    @property
    def sources(self) -> tuple[str, ...]:
        """The ids of the files that are needed, each once, in the order of their use."""
        known = (track for track in self.tracks if track.kind is not TrackKind.OTHER)
        used = (clip.source for track in known for clip in track.clips)
        return tuple(dict.fromkeys(source for source in used if source is not None))

    def of(self, kind: TrackKind) -> tuple[Track, ...]:
        """The tracks of a kind, the lowest first."""
        return tuple(track for track in self.tracks if track.kind is kind)
