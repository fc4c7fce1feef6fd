"""Whether what will be heard of an output is speech and nothing else."""

from __future__ import annotations

from avpipe.codecs.excerpts import EXCERPT_RATE, Samples, read_excerpts
from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.recipe import Recipe
from avpipe.speech import is_speech

EXCERPT_S, MOST_EXCERPTS = 4.0, 8


def hears_speech_alone(recipe: Recipe, ffmpeg: Ffmpeg) -> bool:
    """Whether all sound of a recipe is speech, by excerpts that lie evenly over it.

    What is too short to tell is not. Raises ChildFailedError or StalledError.
    """
    parts = recipe.timeline.audio
    return bool(parts) and all(
        is_speech(_excerpts(recipe, number, ffmpeg), EXCERPT_RATE) for number in range(len(parts))
    )


def _excerpts(recipe: Recipe, number: int, ffmpeg: Ffmpeg) -> Samples:
    part = recipe.timeline.audio[number]
    info = recipe.source(part.source)
    stream = next(stream for stream in info.audio if stream.index == part.stream)
    length_s = float(part.source_out - part.source_in)
    count = min(MOST_EXCERPTS, int(length_s / EXCERPT_S))
    starts = [
        float(part.source_in) + length_s / count * (place + 0.5) - EXCERPT_S / 2
        for place in range(count)
    ]
    return read_excerpts(ffmpeg, info, stream, starts, EXCERPT_S)
