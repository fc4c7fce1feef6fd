"""What a user asks of a merge; the defaults of the command line live here."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from avpipe.errors import RequestError
from avpipe.recipe import Frame, Quality


class Sync(StrEnum):
    """How the sound is lined up with the picture."""

    AUTO = "auto"
    """By content; by the starts where that is not certain."""
    REQUIRE = "require"
    """By content, or not at all."""
    START = "start"
    NONE = "none"


class Fit(StrEnum):
    """Whose extent the output has."""

    VIDEO = "video"
    AUDIO = "audio"
    SHORTEST = "shortest"
    LONGEST = "longest"


class Fill(StrEnum):
    """What is heard where the audio does not cover the output."""

    CAMERA = "camera"
    """The camera's own sound, at the level of the audio."""
    SILENCE = "silence"


class AudioMode(StrEnum):
    """What becomes of the camera's own sound."""

    REPLACE = "replace"
    MIX = "mix"
    ADD = "add"


class VideoMode(StrEnum):
    """Whether the video may be copied, must be, or must not."""

    AUTO = "auto"
    COPY = "copy"
    ENCODE = "encode"


class RouteChoice(StrEnum):
    """Where the merge may be made."""

    AUTO = "auto"
    """In the cloud where one is connected and the video has to be rendered."""
    LOCAL = "local"
    CLOUD = "cloud"


ASPECTS = {
    "16:9": Fraction(16, 9),
    "9:16": Fraction(9, 16),
    "1:1": Fraction(1),
    "4:5": Fraction(4, 5),
}
"""The aspects that can be asked for, width over height."""


USUAL_RESOLUTION = "1080p"
DRIFT_AUTO, DRIFT_OFF = "auto", "off"
MOST_DRIFT_PPM = 100_000.0
"""Beyond what any clock does: a mislabelled sample rate is 88,000."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One merge, as asked for."""

    video: str
    """Absolute path."""
    audio: str
    """Absolute path."""
    output: str
    """Absolute path."""
    more_audio: tuple[str, ...] = ()
    """Absolute paths of further recordings."""
    sync: Sync = Sync.AUTO
    offset_s: float | None = None
    """Where the audio's first sample belongs on the video's time line; None: as `sync` says."""
    drift: str = "auto"
    """`auto`, `off` or how much too long the audio runs, in ppm."""
    camera_distance_m: float = 0.0
    """How far the camera stood from what is heard, in meters."""
    later_s: float = 0.0
    """How much later than where it belongs a recording is heard: it was moved by hand."""
    fit: Fit = Fit.VIDEO
    fill: Fill = Fill.CAMERA
    audio_mode: AudioMode = AudioMode.REPLACE
    camera_gain_db: float = 0.0
    loudness_lufs: float | None = None
    """What the sound is brought to (EBU R128); None leaves it."""
    video_mode: VideoMode = VideoMode.AUTO
    quality: Quality = Quality.STANDARD
    resolution: str = USUAL_RESOLUTION
    """`1080p`, `720p`, `source` or `WxH`."""
    aspect: str | None = None
    frame: Frame = Frame.FIT
    max_bytes: int | None = None
    """What the output may take."""
    route: RouteChoice = RouteChoice.AUTO
    fallback: bool = True
    """Whether it is made here where the cloud does not make it."""

    @property
    def recordings(self) -> tuple[str, ...]:
        """Every audio file, the first one first."""
        return (self.audio, *self.more_audio)

    @property
    def listens(self) -> bool:
        """Whether what both heard may be compared."""
        measured = self.offset_s is None or self.drift == DRIFT_AUTO
        return self.sync in (Sync.AUTO, Sync.REQUIRE) and measured


NAMED_RESOLUTIONS = {"1080p": (1920, 1080), "720p": (1280, 720), "source": None}


def resolution_bound(text: str) -> tuple[int, int] | None:
    """The longer and the shorter side that a resolution allows; None where it bounds nothing.

    Raises RequestError where the text is no resolution.
    """
    if text in NAMED_RESOLUTIONS:
        return NAMED_RESOLUTIONS[text]
    match = re.fullmatch(r"(\d{2,5})x(\d{2,5})", text)
    if match is None:
        raise RequestError(
            f"not a resolution: {text}", hint="use 1080p, 720p, source or WxH such as 1280x720"
        )
    sides = sorted((int(match[1]), int(match[2])), reverse=True)
    if sides[1] < 16 or sides[0] > 16384:
        raise RequestError(
            f"a resolution of {text} cannot be made", hint="16 to 16384 pixels a side"
        )
    return sides[0], sides[1]


def known_drift_ppm(text: str) -> float | None:
    """The drift that was asked for, in ppm; None where it is to be found.

    Raises RequestError where the text is no drift.
    """
    if text == DRIFT_AUTO:
        return None
    if text == DRIFT_OFF:
        return 0.0
    try:
        drift_ppm = float(text)
    except ValueError:
        drift_ppm = math.nan
    if not abs(drift_ppm) <= MOST_DRIFT_PPM:
        raise RequestError(
            f"not a drift: {text}", hint="use auto, off or a number in ppm such as -12.5"
        )
    return drift_ppm
