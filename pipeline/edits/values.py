"""What a sentence can ask for: each edit is a value, and says nothing of a timeline yet."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """A time that is counted from the start, from the end, or as a share of the whole."""

    share: Fraction = Fraction(0)
    """Of the whole duration: 0 is the start, 1 the end."""
    offset_s: Fraction = Fraction(0)
    """Added to it, in seconds."""

    def at(self, duration_s: Fraction) -> Fraction:
        """The time on a timeline of that duration."""
        return self.share * duration_s + self.offset_s


START = Moment()
END = Moment(share=Fraction(1))


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """From one moment to another."""

    start: Moment = START
    end: Moment = END


WHOLE = Span()


class Part(StrEnum):
    """What of the timeline is meant."""

    ALL = "everything"
    PICTURE = "the picture"
    VIDEO_SOUND = "the video's sound"
    """What the camera recorded itself."""
    AUDIO = "the audio"
    """Sound that was put in the place of the video's, or beside it."""
    SPEECH = "the voices"
    """Recorded sound where there is any, else what the video has itself."""
    MUSIC = "the music"
    TITLE = "the title"


class Shape(StrEnum):
    """How a picture goes into a frame of another shape."""

    FIT = "fit"
    """With bars."""
    FILL = "fill"
    """Cropped."""
    BLUR = "blur"
    """Before a blurred copy of itself."""


class Place(StrEnum):
    """Where a title stands."""

    TOP = "top"
    BOTTOM = "bottom"
    CENTER = "center"
    LEFT = "left"
    RIGHT = "right"
    TOP_LEFT = "top-left"
    TOP_RIGHT = "top-right"
    BOTTOM_LEFT = "bottom-left"
    BOTTOM_RIGHT = "bottom-right"


class TextSize(StrEnum):
    """How large a title is."""

    SMALL = "small"
    LARGE = "large"


@dataclass(frozen=True, kw_only=True, slots=True)
class FileRef:
    """A file as the sentence names it; None for the one that is obviously meant."""

    name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipRef:
    """A clip of the picture: by its number from 1, from the end (-1 is the last), or its file."""

    number: int | None = None
    name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Merge:
    """Put the recorded sound in the place of the video's, where it belongs by content."""

    files: tuple[FileRef, ...] = ()
    """Those that the sentence names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """Take stretches out; what follows moves up."""

    spans: tuple[Span, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Keep:
    """Leave these stretches alone, one after another, and take the rest out."""

    spans: tuple[Span, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Make two clips of the one that is there at that time."""

    at: Moment


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """Take a clip from its place in the order to another."""

    clip: ClipRef
    to: int | None = None
    """Which one it is then, from 1; -1 is the last."""
    before: ClipRef | None = None
    after: ClipRef | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Swap:
    """Let two clips change places."""

    one: ClipRef
    other: ClipRef


@dataclass(frozen=True, kw_only=True, slots=True)
class ReverseOrder:
    """Let the last clip come first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Join:
    """Show files one after another, after what is there."""

    files: tuple[FileRef, ...] = ()
    """Empty for all that are not shown yet."""
    first: bool = False
    """Before what is there, not after it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """Let it run faster or slower."""

    factor: Fraction
    """2 is twice as fast."""
    span: Span = WHOLE


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """Let the first or the last frame stand still for a time more."""

    length_s: Fraction
    first: bool = False
    """The first frame, not the last one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Volume:
    """Make something louder or quieter."""

    part: Part
    gain: float
    """Linear: 1 as recorded, 0.5 is 50 %."""
    relative: bool = False
    """Whether it multiplies the volume that is there."""
    span: Span = WHOLE


@dataclass(frozen=True, kw_only=True, slots=True)
class Mute:
    """Silence something."""

    part: Part
    span: Span = WHOLE


@dataclass(frozen=True, kw_only=True, slots=True)
class Unmute:
    """Let something be heard as it was recorded."""

    part: Part


@dataclass(frozen=True, kw_only=True, slots=True)
class Fade:
    """Let something come up from nothing at its start, go down to nothing at its end, or both."""

    part: Part
    in_s: Fraction | None = None
    """None to leave it as it is."""
    out_s: Fraction | None = None
    seen: bool = True
    """Whether of everything the picture fades too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CrossFade:
    """Let each clip fade into the next."""

    length_s: Fraction = Fraction(1)


@dataclass(frozen=True, kw_only=True, slots=True)
class AddMusic:
    """Put music under everything, until the end."""

    file: FileRef = FileRef()
    gain: float | None = None
    """Linear; None for the usual level."""
    fade_in_s: Fraction | None = None
    fade_out_s: Fraction | None = None
    duck: bool = False
    span: Span = WHOLE


@dataclass(frozen=True, kw_only=True, slots=True)
class AddAudio:
    """Let a sound be heard beside what is there."""

    file: FileRef = FileRef()
    at: Moment = START
    gain: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplaceAudio:
    """Put a sound in the place of what is heard, from the start."""

    file: FileRef = FileRef()


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplaceMusic:
    """Put other music in the place of the one that is there, at the same level."""

    file: FileRef = FileRef()


@dataclass(frozen=True, kw_only=True, slots=True)
class Remove:
    """Take something out."""

    part: Part


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveClip:
    """Take a clip out; what follows moves up."""

    clip: ClipRef


@dataclass(frozen=True, kw_only=True, slots=True)
class TitleLook:
    """How a title looks and when it is there; None is as it is, or as usual."""

    span: Span | None = None
    length_s: Fraction | None = None
    """How long it stands, where no end is said."""
    place: Place | None = None
    color: str | None = None
    """`#rrggbb`."""
    size: TextSize | None = None
    fade_s: Fraction | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AddTitle:
    """Write something over the picture."""

    text: str
    look: TitleLook = TitleLook()


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeTitle:
    """Change the title that was added last, or the one with that text."""

    text: str | None = None
    """The new text."""
    which: str | None = None
    look: TitleLook = TitleLook()


@dataclass(frozen=True, kw_only=True, slots=True)
class Aspect:
    """Give the frame another shape."""

    width: int
    """In proportion to the height: 9 of 9:16."""
    height: int
    shape: Shape | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Framing:
    """Put the picture into the frame in another way."""

    shape: Shape


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolution:
    """Give the frame another size."""

    short_side: int | None = None
    """1080 of 1080p: the height of a wide frame, the width of a tall one."""
    size: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Loudness:
    """Bring the whole to a loudness."""

    lufs: float = -14.0


@dataclass(frozen=True, kw_only=True, slots=True)
class FileSize:
    """Keep the file that is made under a size."""

    max_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Duck:
    """Lower the music while somebody speaks, or no longer."""

    on: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Undo:
    """Take back what was done last."""

    steps: int = 1


Edit = (
    Merge
    | Cut
    | Keep
    | Split
    | Move
    | Swap
    | ReverseOrder
    | Join
    | Speed
    | Hold
    | Volume
    | Mute
    | Unmute
    | Fade
    | CrossFade
    | AddMusic
    | AddAudio
    | ReplaceAudio
    | ReplaceMusic
    | Remove
    | RemoveClip
    | AddTitle
    | ChangeTitle
    | Aspect
    | Framing
    | Resolution
    | Loudness
    | FileSize
    | Duck
    | Undo
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What a whole sentence asks for."""

    edits: tuple[Edit, ...]
    export: bool = False
    """Whether the file is to be made afterwards."""
