"""The times of packets and frames in ffmpeg's commands: where an output begins, holds and ends."""

from __future__ import annotations

import math
from fractions import Fraction

from avpipe.recipe import Recipe

TAIL_S = Fraction(1)
"""Packets this near to the last frame are told to last until the end of the output, at least.
Of all packets it would be as true, but ffmpeg's progress goes by it."""
CUT_SUBTITLES = "noise=drop=lt(pts\\,0)"
"""Of text that begins before 0 ffmpeg's demuxer takes the end for the start of the track, and all
that follows comes too early. (setts could keep it, but in ffmpeg 5 it loses the last text.)"""
NEAR_S = Fraction(1, 2000)
"""No two frames are this near to each other."""
UNTIMED = ("avi",)
"""Containers without presentation times: ffmpeg's own guess may be a frame late."""


def frame_timing(recipe: Recipe) -> str:
    """A bitstream filter that lets the last packets last until the output's end.

    That holds the picture where the sound lasts longer, and it is needed without: of a variable
    frame rate ffmpeg 5 copies a wrong length of the last frame, and an encoder may tell none.
    A copy that begins later than the output shows its first frame from the start.
    """
    part = recipe.timeline.video
    # In ticks of the track, to which ffmpeg 5 has rescaled the packets here, but not `TB`.
    time_base = track_time_base(recipe)
    (last, end) = (
        math.ceil(time / time_base) for time in (part.end - _tail(recipe), recipe.timeline.duration)
    )
    # PTS and DTS are named, since without them the filter sets the PTS to the DTS.
    expressions = {"pts": "PTS", "dts": "DTS"}
    if recipe.encode is None and part.start > 0:
        expressions |= _held_start(recipe, time_base)
    # The track's length is told in decoding times too, which begin before 0 where frames are
    # reordered; what that is too long by is cut by the edit list.
    rest = f"max({end}-PTS,{end}-DTS+STARTDTS)"
    frame = _frame_ticks(recipe, time_base)
    if frame is not None:
        # One that is shown before the last frame, but comes after it in the file, ends the track
        # where the output does: with more, others would read a lower rate than there is.
        before_last = f"gt({math.ceil(part.end / time_base)}-PTS,{int(frame * 3 / 2)})"
        rest = f"if({before_last},max({int(frame)},{end}-DTS+STARTDTS),{rest})"
    expressions["duration"] = f"if(gte(PTS,{last})*lt(PTS,{end}),{rest},DURATION)"
    parts = ":".join(f"{name}={_escape(text)}" for name, text in expressions.items())
    return f"setts={parts}"


def _frame_ticks(recipe: Recipe, time_base: Fraction) -> Fraction | None:
    """How long each frame of the video lasts; None where it is not one length."""
    facts = recipe.camera.video[0]
    if facts.frame_rate is None or facts.variable_frame_rate is not False:
        return None
    return 1 / facts.frame_rate / time_base


def _tail(recipe: Recipe) -> Fraction:
    """How long before the end the last packets may begin, where some frames stand for long."""
    facts = recipe.camera.video[0]
    ticks = facts.last_frame_ts or 0
    mean = 1 / facts.frame_rate if facts.frame_rate else Fraction(0)
    return max(TAIL_S, ticks * facts.time_base, 4 * mean)


def camera_shift(recipe: Recipe) -> tuple[Fraction, Fraction]:
    """What is added to the camera's times: whole ticks of its picture, and the rest."""
    (part, facts) = (recipe.timeline.video, recipe.camera.video[0])
    start = 0 if recipe.camera.container in UNTIMED else facts.start or 0
    shift = part.start - part.source_in - start
    ticks = round(shift / facts.time_base) * facts.time_base
    return ticks, shift - ticks


def _held_start(recipe: Recipe, time_base: Fraction) -> dict[str, str]:
    """Times with the first frame shown at 0, and those that were hidden before it still hidden."""
    facts = recipe.camera.video[0]
    late = round((camera_shift(recipe)[0] + (facts.start or 0)) / time_base)
    near = int(NEAR_S / time_base)
    return {
        "pts": f"if(lt(PTS,{late - near}),PTS-{late},if(lte(PTS,{late + near}),0,PTS))",
        "dts": f"if(lte(DTS,{late + near}),min(DTS-{late},0),DTS)",
    }


def track_time_base(recipe: Recipe) -> Fraction:
    """The time base of the output's video track: that of the packets that go into it."""
    return recipe.encode.time_base if recipe.encode else recipe.camera.video[0].time_base


def _escape(expression: str) -> str:
    return expression.replace(",", "\\,")
