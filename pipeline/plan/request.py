"""What a user asks of a merge; the defaults of the command line live here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from avpipe.errors import RequestError
from avpipe.recipe import Frame, Quality


class Sync(StrEnum):
    """How the sound is lined up with the picture."""

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
    LOCAL = "local"


ASPECTS = {
    "16:9": Fraction(16, 9),
    "9:16": Fraction(9, 16),
    "1:1": Fraction(1),
    "4:5": Fraction(4, 5),
}
"""The aspects that can be asked for, width over height."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One merge, as asked for."""

    video: str
    """Absolute path."""
    audio: str
    """Absolute path."""
    output: str
    """Absolute path."""
    sync: Sync = Sync.START
    offset_s: float | None = None
    """Where the audio's first sample belongs on the video's time line; None: at its start."""
    fit: Fit = Fit.VIDEO
    fill: Fill = Fill.SILENCE
    audio_mode: AudioMode = AudioMode.REPLACE
    camera_gain_db: float = 0.0
    video_mode: VideoMode = VideoMode.AUTO
    quality: Quality = Quality.STANDARD
    resolution: str = "1080p"
    """`1080p`, `720p`, `source` or `WxH`."""
    aspect: str | None = None
    frame: Frame = Frame.FIT
    route: RouteChoice = RouteChoice.AUTO


def resolution_bound(text: str) -> tuple[int, int] | None:
    """The longer and the shorter side that a resolution allows; None where it bounds nothing.

    Raises RequestError where the text is no resolution.
    """
    named = {"1080p": (1920, 1080), "720p": (1280, 720), "source": None}
    if text in named:
        return named[text]
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
