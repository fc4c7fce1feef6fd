"""How a timeline becomes a file: for each stream copied or encoded, and with which settings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from avpipe.media import Hdr, MediaInfo
from avpipe.timeline import Timeline, TrackKind

CAMERA, RECORDER = 0, 1
"""The numbers of a merge's inputs, as the segments of its timeline name them; further recorders
count on from there."""
AUDIO_RATE = 48_000
MOST_CHANNELS = 64
"""ffmpeg's filters take no sound of more."""
FEWER_CHANNELS_HINT = "write the channels that matter to a file of their own"
"""The sample rate of encoded sound, in Hz."""
AUDIO_BIT_RATE = 192_000
"""Of each encoded audio track, in bits a second."""
AAC_FRAME = 1024
"""How many samples an AAC frame holds."""


class Action(StrEnum):
    """What happens to a stream."""

    COPY = "copy"
    ENCODE = "encode"


class Quality(StrEnum):
    """How much work an encode does for its size."""

    STANDARD = "standard"
    DRAFT = "draft"
    HIGH = "high"


class Method(StrEnum):
    """How a file comes under a size."""

    COPY = "copy"
    """Its picture fits as it is."""
    CRF = "crf"
    """The quality that is wanted fits: one pass at that."""
    TWO_PASS = "two_pass"  # noqa: S105
    """The size is what binds: two passes that spend it."""


class Frame(StrEnum):
    """How a picture goes into a frame of another aspect: letterboxed or cropped."""

    FIT = "fit"
    FILL = "fill"


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureEncode:
    """How the picture is encoded, where it is."""

    encoder: str
    """ffmpeg's name of the encoder."""
    quality: Quality
    scaled_width: int
    """Of the picture, upright, before it is put into the frame."""
    scaled_height: int
    frame: Frame | None
    """How it is put into the frame, where that has another aspect."""
    deinterlace: bool
    tone_map: Hdr | None
    transfer: str | None
    """The transfer function of the source, ffmpeg's name."""
    matrix: str
    """The colour matrix of the source, ffmpeg's name."""
    time_base: Fraction
    """The encoder's and the track's, one over a whole number."""
    frame_ticks: int | None
    """How long each frame lasts, in ticks, where the frame rate is constant."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SizeFit:
    """How a file is held under a size."""

    limit_bytes: int
    method: Method
    sound_rate: int
    """Of each encoded audio track, in bits a second."""
    crf: float | None
    """Of the picture; of two passes what it will be about."""
    first_crf: float | None = None
    """Of the first of two passes; None where that is held to the rate."""
    predicted_bytes: int
    """Of the whole file."""
    predicted_vmaf: float | None
    """Of the picture beside one of the source, 0 to 100; None where it was not measured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """Everything that is needed to make a merge's output, but its name."""

    camera: MediaInfo
    """The file with the picture."""
    recorders: tuple[MediaInfo, ...]
    """The files with the sound."""
    timeline: Timeline
    video: Action
    audio: Action
    encode: PictureEncode | None
    """Set where the video is encoded."""
    loudness_lufs: float | None = None
    """What each audio track is brought to; None leaves it."""
    fit: SizeFit | None = None
    """Set where the file has to stay under a size."""

    @property
    def has_picture(self) -> bool:
        """Whether the output has a picture."""
        return any(track.kind is TrackKind.VIDEO for track in self.timeline.tracks)

    @property
    def audio_bit_rate(self) -> int:
        """Of each encoded audio track, in bits a second."""
        return AUDIO_BIT_RATE if self.fit is None else self.fit.sound_rate

    @property
    def audio_samples(self) -> int:
        """How many samples each encoded audio track has."""
        return round(self.timeline.duration * AUDIO_RATE)

    @property
    def audio_tracks(self) -> int:
        """How many audio tracks the output has."""
        return 1 if self.timeline.mix else len(self.timeline.audio_tracks)

    def source(self, number: int) -> MediaInfo:
        """The input of that number."""
        return self.camera if number == CAMERA else self.recorders[number - RECORDER]

    @property
    def held_s(self) -> Fraction:
        """How long the last frame is held after its own time, in seconds."""
        return max(Fraction(0), self.timeline.duration - self.timeline.video.end)
