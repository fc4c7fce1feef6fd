"""What a media file is, and where a sound belongs in a picture.

Facts are frozen, exact (ticks of a time base, `Fraction`) and may have holes: a figure that the
file does not tell is None. Seconds as floats appear in the JSON form only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import ClassVar

Metadata = dict[str, str]


class Severity(StrEnum):
    """How much a problem matters to a merge."""

    ERROR = "error"
    """The file cannot be used."""
    WARNING = "warning"
    """The file can be used; the result may not be what its maker meant."""
    INFO = "info"
    """Worth knowing."""


class Hdr(StrEnum):
    """The kinds of high dynamic range that are told apart."""

    PQ = "pq"
    HLG = "hlg"
    DOLBY_VISION = "dolby_vision"


class PictureKind(StrEnum):
    """Pictures that are given as a video."""

    STILL = "still"
    """Shown as long as the audio lasts."""
    ANIMATION = "animation"
    """Repeated as long as the audio lasts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something about a file that its user should know."""

    code: str
    severity: Severity
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoStream:
    """One picture stream, as it is shown: edit lists are counted, discarded frames are not."""

    JSON_DERIVED: ClassVar[tuple[str, ...]] = ("duration_s", "start_s")

    index: int
    """The stream's number in the file."""
    codec: str | None
    """ffmpeg's name of the codec, None where it is unknown."""
    profile: str | None
    pixel_format: str | None
    width: int
    """As coded, in pixels, before rotation and pixel shape."""
    height: int
    rotation_deg: int
    """0, 90, 180 or 270, clockwise, to be shown upright."""
    sample_aspect_ratio: Fraction | None
    frame_rate: Fraction | None
    """Frames a second: the constant rate, or the average of a variable one."""
    variable_frame_rate: bool | None
    interlaced: bool | None
    hdr: Hdr | None
    color_primaries: str | None
    """ffmpeg's names of the colour properties, None where the file does not tell."""
    color_transfer: str | None
    color_matrix: str | None
    color_range: str | None
    bit_rate: int | None
    time_base: Fraction
    """Seconds a tick of `start_pts` and `duration_ts`."""
    start_pts: int | None
    """The PTS of the first frame shown."""
    duration_ts: int | None
    """From the first frame shown to the end of the last one, in ticks."""
    packets: int | None
    """How many packets the stream has, where an index or a full scan told."""
    last_frame_ts: int | None
    """How long the frame shown last stands, in ticks."""
    dts_rises: bool | None
    """Whether every packet has a PTS and the DTS always rise; None where not all were seen."""

    @property
    def start(self) -> Fraction | None:
        """The time of the first frame shown, in seconds."""
        return None if self.start_pts is None else self.start_pts * self.time_base

    @property
    def duration(self) -> Fraction | None:
        """From the first frame shown to the end of the last one, in seconds."""
        return None if self.duration_ts is None else self.duration_ts * self.time_base

    @property
    def start_s(self) -> float | None:
        """`start` for the JSON form."""
        return None if self.start is None else float(self.start)

    @property
    def duration_s(self) -> float | None:
        """`duration` for the JSON form."""
        return None if self.duration is None else float(self.duration)

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height in square pixels, as shown upright, not yet rounded to even."""
        ratio = self.sample_aspect_ratio or Fraction(1)
        width, height = self.width, self.height
        if ratio > 1:
            width = round(width * ratio)
        elif ratio < 1:
            height = round(height / ratio)
        return (height, width) if self.rotation_deg in (90, 270) else (width, height)


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioStream:
    """One sound stream; priming and padding that the file declares are not counted."""

    JSON_DERIVED: ClassVar[tuple[str, ...]] = ("duration_s", "start_s")

    index: int
    codec: str | None
    profile: str | None
    sample_rate: int
    """In Hz."""
    channels: int
    layout: str | None
    """ffmpeg's name of the channel layout, None where the file gives no order."""
    bit_rate: int | None
    time_base: Fraction
    start_pts: int | None
    """The PTS of the first sample that is heard."""
    duration_ts: int | None
    """From the first sample to the end of the last one, in ticks."""
    packets: int | None
    gaps: bool | None = None
    """Whether the PTS leave holes between packets; None where not all were seen."""

    @property
    def start(self) -> Fraction | None:
        """The time of the first sample, in seconds."""
        return None if self.start_pts is None else self.start_pts * self.time_base

    @property
    def duration(self) -> Fraction | None:
        """From the first sample to the end of the last one, in seconds."""
        return None if self.duration_ts is None else self.duration_ts * self.time_base

    @property
    def start_s(self) -> float | None:
        """`start` for the JSON form."""
        return None if self.start is None else float(self.start)

    @property
    def duration_s(self) -> float | None:
        """`duration` for the JSON form."""
        return None if self.duration is None else float(self.duration)


@dataclass(frozen=True, kw_only=True, slots=True)
class SubtitleStream:
    """One subtitle stream."""

    index: int
    codec: str | None
    language: str | None
    text: bool
    """Whether it is text, which mov_text can hold, and not bitmaps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaInfo:
    """What one file is."""

    JSON_DERIVED: ClassVar[tuple[str, ...]] = ("duration_s", "start_s")

    path: str
    """Absolute."""
    container: str | None
    """ffmpeg's short name of the format; of a picture `png`, `jpeg`, `gif` or `webp`."""
    size_bytes: int | None
    modified_ns: int | None
    """The file's modification time, to tell that it is still the same file."""
    duration: Fraction | None = None
    """From the earliest start to the latest end of its picture and sound, in seconds."""
    start: Fraction | None = None
    """The earliest start of its picture and sound, in seconds."""
    supported: bool = False
    picture: PictureKind | None = None
    """Set where the file is a picture."""
    video: tuple[VideoStream, ...] = ()
    """The best one first."""
    audio: tuple[AudioStream, ...] = ()
    """The best one first."""
    subtitles: tuple[SubtitleStream, ...] = ()
    chapters: int = 0
    metadata: Metadata = field(default_factory=dict)
    """The file's own tags, such as `title` and `creation_time`."""
    problems: tuple[Problem, ...] = ()

    @property
    def duration_s(self) -> float | None:
        """`duration` for the JSON form."""
        return None if self.duration is None else float(self.duration)

    @property
    def start_s(self) -> float | None:
        """`start` for the JSON form."""
        return None if self.start is None else float(self.start)

    def problem(self, code: str) -> Problem | None:
        """The problem of that code, where the file has it."""
        return next((problem for problem in self.problems if problem.code == code), None)


class AlignmentMethod(StrEnum):
    """How the place of the sound was decided."""

    CONTENT = "content"
    """What both heard was compared."""
    START = "start"
    """The starts were lined up: no content was compared, or the comparison decided nothing."""
    OFFSET = "offset"
    """The user gave it."""


class Verdict(StrEnum):
    """Whether the sound belongs to the picture."""

    MATCHED = "matched"
    UNCERTAIN = "uncertain"
    UNRELATED = "unrelated"


class Doubt(StrEnum):
    """Why a verdict is not `matched`."""

    UNRELATED = "unrelated"
    """Nothing of the one is found in the other."""
    AMBIGUOUS = "ambiguous"
    """More than one place fits."""
    TOO_SHORT = "too_short"
    """They share, or have, less than it takes to tell."""
    SILENT = "silent"
    """One of them holds nothing that can be heard."""
    NO_AUDIO = "no_audio"
    """The video has no sound stream."""
    OUT_OF_RANGE = "out_of_range"
    """The drift is beyond that of any clock."""
    BROKEN = "broken"
    """Parts fit, but no few pieces explain the whole."""

    @property
    def in_words(self) -> str:
        """What a user is told."""
        return _DOUBTS[self]


_DOUBTS = {
    Doubt.UNRELATED: "nothing of the one is heard in the other",
    Doubt.AMBIGUOUS: "more than one place fits",
    Doubt.TOO_SHORT: "they have too little in common to tell",
    Doubt.SILENT: "one of them holds nothing that can be heard",
    Doubt.NO_AUDIO: "the video has no sound",
    Doubt.OUT_OF_RANGE: "their clocks are too far apart",
    Doubt.BROKEN: "parts of them fit, and no few pieces explain the whole",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A stretch of the audio that lies on one line."""

    audio_start_s: float
    audio_end_s: float
    offset_s: float
    """As that of `Alignment`: counted from the start of the audio file."""
    drift_ppm: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """Another place that fits nearly as well."""

    offset_s: float
    drift_ppm: float
    confidence: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Alignment:
    """Where the audio's first sample belongs on the video's time line.

    A sample at `t` seconds of the audio belongs at `offset_s + t / (1 + drift_ppm / 1e6)`,
    where 0 is the first video frame shown.
    """

    method: AlignmentMethod
    verdict: Verdict | None = None
    """None where no content was compared."""
    offset_s: float | None = 0.0
    """The best guess where the verdict is uncertain; None where nothing was found."""
    drift_ppm: float | None = 0.0
    confidence: float | None = None
    """The probability that the place is right, 0 to 1."""
    offset_error_s: float | None = None
    """One sigma, of the estimator itself."""
    drift_error_ppm: float | None = None
    overlap_s: float | None = None
    reason: Doubt | None = None
    pieces: tuple[Piece, ...] = ()
    """The longest has the figures above; one for a continuous take."""
    candidates: tuple[Candidate, ...] = ()
    inverted: bool = False
    """Whether the audio's polarity is the opposite of the camera's."""
    elapsed_s: float | None = None
