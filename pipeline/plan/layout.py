"""Where picture and sound lie in the output: extents, offset and fit become a timeline."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from avpipe.errors import RequestError
from avpipe.plan.request import Fit
from avpipe.recipe import AUDIO_RATE

SAMPLE_S = Fraction(1, AUDIO_RATE)
"""The least that picture and sound may share: the output's duration is rounded to it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """A source in the output: the stretch of it that is used, and where that begins."""

    start: Fraction
    """In the output."""
    source_in: Fraction
    source_out: Fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The output's duration and where both sources lie in it."""

    duration: Fraction
    origin: Fraction
    """Where the output begins on the video's own time line."""
    video: Placement
    audio: Placement


def lay_out(*, video: Fraction | None, audio: Fraction, offset: Fraction, fit: Fit) -> Layout:
    """The layout of a video and an audio of these durations in seconds.

    `video` is None for a picture, which lasts as long as the audio. Raises RequestError where
    nothing of the two comes together.
    """
    sound = (offset, offset + audio)
    if video is None:
        return _cut(sound, sound, sound)
    picture = (Fraction(0), video)
    if min(sound[1], picture[1]) - max(sound[0], picture[0]) < SAMPLE_S:
        raise RequestError(
            f"with an offset of {float(offset):g} s the audio lies wholly outside the video",
            hint=f"the video lasts {float(video):.3f} s, the audio {float(audio):.3f} s",
        )
    span = {
        Fit.VIDEO: picture,
        Fit.AUDIO: sound,
        Fit.SHORTEST: (max(sound[0], picture[0]), min(sound[1], picture[1])),
        Fit.LONGEST: (min(sound[0], picture[0]), max(sound[1], picture[1])),
    }[fit]
    return _cut(span, picture, sound)


Span = tuple[Fraction, Fraction]


def _cut(span: Span, picture: Span, sound: Span) -> Layout:
    duration = Fraction(round((span[1] - span[0]) * AUDIO_RATE), AUDIO_RATE)
    if duration <= 0:
        raise RequestError("the output would have no length")
    return Layout(
        duration=duration,
        origin=span[0],
        video=_place(picture, span[0], duration),
        audio=_place(sound, span[0], duration),
    )


def _place(own: Span, origin: Fraction, duration: Fraction) -> Placement:
    first = max(own[0], origin)
    last = min(own[1], origin + duration)
    return Placement(start=first - origin, source_in=first - own[0], source_out=last - own[0])
