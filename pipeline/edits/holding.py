"""A frame that stands still: outside of a video's time its first or last frame is seen. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from avpipe.edits.files import SessionFile
from avpipe.edits.reshape import Told, fit_music, is_still
from avpipe.edits.tracks import is_music, length_of, main_clips, main_track, with_clips
from avpipe.edits.values import Hold
from avpipe.errors import EditRefusedError
from avpipe.montage.summary import seconds
from avpipe.montage.values import Clip, Montage, Track, TrackKind

_CUT = "only a frame at which the video's file begins or ends can be held"
_NEAR_S = Fraction(1, 100)
"""How far before the end of its file a clip may end."""


def hold(montage: Montage, edit: Hold, files: Sequence[SessionFile]) -> Told:
    """Let the first or the last frame stand still for a time more; music ends with the picture.

    Titles and recorded sound stay with the picture that they are on.
    """
    if main_track(montage) is None or edit.length_s <= 0:
        raise EditRefusedError("there is no video in the timeline yet", hint="give a video file")
    before = length_of(montage)
    made = _held_first(montage, edit, files) if edit.first else _held_last(montage, edit, files)
    after = length_of(made)
    made = fit_music(made, before, after, files)
    which = "first" if edit.first else "last"
    words = f"the {which} frame is held for {seconds(edit.length_s)} s"
    return made, f"{words}; it lasts {seconds(after)} s now"


def _held_last(montage: Montage, edit: Hold, files: Sequence[SessionFile]) -> Montage:
    last = main_clips(montage)[-1]
    _require_at_end(last, files)
    longer = replace(last, source_out=last.source_out + edit.length_s * last.speed * last.clock)
    return _with(montage, last, longer)


def _held_first(montage: Montage, edit: Hold, files: Sequence[SessionFile]) -> Montage:
    first = main_clips(montage)[0]
    length = edit.length_s * first.speed * first.clock
    if is_still(first, files):
        longer = replace(first, source_out=first.source_out + length)
    elif first.source_in > 0:
        raise EditRefusedError(_CUT)
    else:
        longer = replace(first, source_in=first.source_in - length)

    def later(track: Track) -> Track:
        if is_music(track) or track.kind is TrackKind.OTHER:
            return track
        moved = (replace(clip, start=clip.start + edit.length_s) for clip in track.clips)
        return replace(track, clips=tuple(moved))

    moved = replace(first, start=first.start + edit.length_s)
    begun = replace(montage, tracks=tuple(map(later, montage.tracks)))
    return _with(begun, moved, longer)


def _require_at_end(clip: Clip, files: Sequence[SessionFile]) -> None:
    """Raise where the file goes on after a clip: that would be seen, and not its last frame."""
    lengths = [file.length for file in files if file.source == clip.source]
    if not is_still(clip, files) and lengths and clip.source_out < lengths[0] - _NEAR_S:
        raise EditRefusedError(_CUT)


def _with(montage: Montage, clip: Clip, other: Clip) -> Montage:
    track = main_track(montage)
    assert track is not None
    clips = tuple(other if one == clip else one for one in track.clips)
    return with_clips(montage, track, clips)
