"""Edits of how fast it runs: all of it, or a stretch. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from avpipe.edits.files import SessionFile
from avpipe.edits.reshape import Stretch, Told, fit_music, part_of, rejoined, stretch_of
from avpipe.edits.tracks import is_music, length_of, main_track, with_tracks
from avpipe.edits.values import WHOLE, Speed
from avpipe.errors import EditRefusedError
from avpipe.montage.summary import in_order, seconds
from avpipe.montage.values import Clip, Montage, Track, TrackKind


def speed(montage: Montage, edit: Speed, files: Sequence[SessionFile]) -> Told:
    """Let everything but the music run faster or slower, or a stretch of it."""
    (before, factor) = (length_of(montage), edit.factor)
    stretch = stretch_of(edit.span, before)
    whole = stretch == (Fraction(0), before)
    main = main_track(montage)
    if not whole and _overlaps(main):
        raise EditRefusedError("the clips are cross-faded: only all of it can change its speed")

    def paced(track: Track) -> Track:
        if is_music(track) or track.kind is TrackKind.OTHER:
            return track
        if whole:
            return replace(
                track, clips=tuple(_quicker(clip, factor, track.kind) for clip in track.clips)
            )
        clips = tuple(_paced(track, stretch, factor))
        return replace(track, clips=clips if track is main else tuple(rejoined(clips)))

    made = with_tracks(montage, tuple(map(paced, montage.tracks)))
    (start, end) = stretch
    made = fit_music(made, before, before - (end - start) * (1 - 1 / factor), files)
    where = "" if edit.span == WHOLE else f" from {seconds(start)} to {seconds(end)} s"
    return made, f"speed {float(factor):g}x{where}; it lasts {seconds(length_of(made))} s now"


def _overlaps(track: Track | None) -> bool:
    clips = () if track is None else in_order(track)
    return any(one.end > other.start for one, other in pairwise(clips))


def _paced(track: Track, stretch: Stretch, factor: Fraction) -> Iterator[Clip]:
    """The clips of a track, cut where the stretch begins and ends; what follows it moves."""
    (start, end) = stretch
    moved = (end - start) * (1 / factor - 1)
    for clip in in_order(track):
        if clip.start < start:
            yield part_of(clip, clip.start, min(start, clip.end), track.kind)
        if clip.start < end and clip.end > start:
            inside = part_of(clip, max(start, clip.start), min(end, clip.end), track.kind)
            inside = _quicker(replace(inside, start=inside.start - start), factor, track.kind)
            yield replace(inside, start=inside.start + start)
        if clip.end > end:
            after = part_of(clip, max(end, clip.start), clip.end, track.kind)
            yield replace(after, start=after.start + moved)


def _quicker(clip: Clip, factor: Fraction, kind: TrackKind) -> Clip:
    """A clip with all its times shorter; a text has no speed of its own."""
    start = clip.start / factor
    if kind is TrackKind.TEXT:
        return replace(clip, start=start, source_out=clip.source_out / factor)
    return replace(
        clip,
        start=start,
        speed=clip.speed * factor,
        fade_in=clip.fade_in / factor,
        fade_out=clip.fade_out / factor,
        appear=clip.appear / factor,
        vanish=clip.vanish / factor,
    )
