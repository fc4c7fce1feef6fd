"""Edits of time: what is cut, kept, moved, repeated or run faster. Pure.

All but a split and a cross-fade are one thing: stretches of the old timeline laid one after another
in a new order. What belongs to the picture goes with it; music stays where it is, and ends with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from avpipe.edits.files import FileKind, SessionFile, file_of
from avpipe.edits.tracks import (
    clip_number,
    is_music,
    length_of,
    main_clips,
    main_track,
    with_clips,
    with_tracks,
)
from avpipe.edits.values import ClipRef, CrossFade, Join, Moment, Move, Span
from avpipe.errors import EditRefusedError
from avpipe.montage.summary import in_order, seconds
from avpipe.montage.values import Clip, Montage, Track, TrackKind

Stretch = tuple[Fraction, Fraction]
"""From and to, in seconds."""
Told = tuple[Montage, str]
"""The new timeline, and what was done."""


def stretch_of(span: Span, length: Fraction) -> Stretch:
    """A span on a timeline of that length. Raises EditRefusedError where it lies outside."""
    (start, end) = (span.start.at(length), span.end.at(length))
    if start < 0:  # "the last 5 seconds" of three are all of them
        start = Fraction(0)
    if not start < min(end, length):
        raise EditRefusedError(
            f"there is nothing from {_clock(start)} to {_clock(end)}: it lasts {seconds(length)} s"
        )
    return start, min(end, length)


def cut(montage: Montage, spans: Sequence[Span], files: Sequence[SessionFile]) -> Told:
    """Take stretches out."""
    length = length_of(montage)
    gone = _united([stretch_of(span, length) for span in spans])
    kept = _complement(gone, length)
    if not kept:
        raise EditRefusedError("that would cut everything")
    return _relaid(montage, kept, files, f"cut {_listed(gone)}")


def keep(montage: Montage, spans: Sequence[Span], files: Sequence[SessionFile]) -> Told:
    """Leave only stretches, in the order in which they were said."""
    length = length_of(montage)
    return _kept(montage, [stretch_of(span, length) for span in spans], files)


def _kept(montage: Montage, kept: list[Stretch], files: Sequence[SessionFile]) -> Told:
    return _relaid(montage, kept, files, f"kept {_listed(kept)}")


def _relaid(
    montage: Montage, kept: Sequence[Stretch], files: Sequence[SessionFile], done: str
) -> Told:
    made = lay_out(montage, kept, files)
    return made, f"{done}; it lasts {seconds(length_of(made))} s now"


def lay_out(
    montage: Montage, stretches: Sequence[Stretch], files: Sequence[SessionFile]
) -> Montage:
    """The timeline made of stretches of it, one after another."""
    main = main_track(montage)
    before = length_of(montage)

    def relaid(track: Track) -> Track:
        if is_music(track) or track.kind is TrackKind.OTHER:
            return track
        clips = tuple(_laid_clips(track, stretches))
        return replace(track, clips=clips if track is main else tuple(rejoined(clips)))

    made = with_tracks(montage, tuple(map(relaid, montage.tracks)))
    total = sum((end - start for start, end in stretches), Fraction(0))
    return fit_music(made, before, total, files)


def _laid_clips(track: Track, stretches: Sequence[Stretch]) -> Iterator[Clip]:
    at = Fraction(0)
    for start, end in stretches:
        for clip in in_order(track):
            if clip.start < end and clip.end > start:
                part = part_of(clip, max(start, clip.start), min(end, clip.end), track.kind)
                yield replace(part, start=part.start - start + at)
        at += end - start


def part_of(clip: Clip, start: Fraction, end: Fraction, kind: TrackKind) -> Clip:
    """What of a clip lies between two times; it fades only at ends that are its own."""
    rate = clip.speed * clip.clock
    (head, tail) = ((start - clip.start) * rate, (clip.end - end) * rate)
    if kind is TrackKind.TEXT or _has_no_time(clip):
        (source_in, source_out) = (clip.source_in, clip.source_out - head - tail)
    else:
        (source_in, source_out) = (clip.source_in + head, clip.source_out - tail)
    half = (end - start) / 2
    return replace(
        clip,
        start=start,
        source_in=source_in,
        source_out=source_out,
        fade_in=min(clip.fade_in, half) if not head else Fraction(0),
        fade_out=min(clip.fade_out, half) if not tail else Fraction(0),
        appear=min(clip.appear, half) if not head else Fraction(0),
        vanish=min(clip.vanish, half) if not tail else Fraction(0),
    )


def _has_no_time(clip: Clip) -> bool:
    return clip.source is None


def rejoined(clips: Sequence[Clip]) -> Iterator[Clip]:
    """The clips, with those put together again that follow each other as they did before."""
    held: Clip | None = None
    for clip in sorted(clips, key=lambda clip: clip.start):
        if held is not None and _follows(held, clip):
            held = replace(
                held,
                source_out=held.source_out + clip.source_out - clip.source_in,
                fade_out=clip.fade_out,
                vanish=clip.vanish,
            )
            continue
        if held is not None:
            yield held
        held = clip
    if held is not None:
        yield held


def _follows(first: Clip, second: Clip) -> bool:
    alike = replace(
        second,
        start=first.start,
        source_in=first.source_in,
        source_out=first.source_out,
        fade_in=first.fade_in,
        fade_out=first.fade_out,
        appear=first.appear,
        vanish=first.vanish,
    )
    goes_on = first.source is None or first.source_out == second.source_in
    return alike == first and first.end == second.start and goes_on and not second.fade_in


def fit_music(
    montage: Montage, before: Fraction, after: Fraction, files: Sequence[SessionFile]
) -> Montage:
    """Music that ended with the picture ends with it again; other music is cut where it ends."""

    def fitted(track: Track) -> Track:
        if not is_music(track) or not track.clips:
            return track
        clips = in_order(track)
        if clips[-1].end >= before:
            return replace(track, clips=lay_music(clips[0], clips[-1].fade_out, after, files))
        clips = tuple(
            part_of(clip, clip.start, min(clip.end, after), track.kind)
            for clip in clips
            if clip.start < after
        )
        return replace(track, clips=clips)

    return with_tracks(montage, tuple(map(fitted, montage.tracks)))


def lay_music(
    first: Clip, fade_out: Fraction, end: Fraction, files: Sequence[SessionFile]
) -> tuple[Clip, ...]:
    """A piece of music from where its first clip begins until a time, repeated where needed."""
    file = file_of(first.source, files)
    whole = (
        first.source_out if file is None else max(file.length, first.source_in + Fraction(1, 10))
    )
    clips: list[Clip] = []
    at = first.start
    while at < end:
        source_in = Fraction(0) if clips else first.source_in
        left = (end - at) * first.speed * first.clock
        clip = replace(
            first,
            start=at,
            source_in=source_in,
            source_out=min(whole, source_in + left),
            fade_in=Fraction(0) if clips else min(first.fade_in, (end - at) / 2),
            fade_out=Fraction(0),
        )
        clips.append(clip)
        at = clip.end
    if clips:
        last = clips[-1]
        clips[-1] = replace(last, fade_out=min(fade_out, last.duration - last.fade_in))
    return tuple(clips)


def split(montage: Montage, moment: Moment) -> Told:
    """Make two clips of one."""
    (track, clips) = (main_track(montage), main_clips(montage))
    at = moment.at(length_of(montage))
    found = next((clip for clip in clips if clip.start < at < clip.end), None)
    if track is None or found is None:
        raise EditRefusedError(f"there is no clip to split at {_clock(at)}")
    halves = (
        part_of(found, found.start, at, track.kind),
        part_of(found, at, found.end, track.kind),
    )
    made = tuple(half for clip in clips for half in (halves if clip is found else (clip,)))
    return with_clips(montage, track, made), f"split at {_clock(at)}; there are {len(made)} clips"


def _clip_stretches(montage: Montage) -> list[Stretch]:
    """When each clip of the picture is seen."""
    clips = main_clips(montage)
    starts = [*(clip.start for clip in clips), clips[-1].end]
    return list(pairwise(starts))


def move(montage: Montage, edit: Move, files: Sequence[SessionFile]) -> Told:
    """Take a clip to another place in the order."""
    clips = main_clips(montage)
    order = list(range(len(clips)))
    index = clip_number(edit.clip, clips)
    order.remove(index)
    order.insert(_goal(edit, clips, order), index)
    if order == sorted(order):
        raise EditRefusedError("the clip is there already")
    return _reordered(montage, order, files)


def _goal(edit: Move, clips: tuple[Clip, ...], order: list[int]) -> int:
    other = edit.before or edit.after
    if other is not None:
        index = clip_number(other, clips)
        if index not in order:
            raise EditRefusedError("a clip cannot be moved before or after itself")
        return order.index(index) + (edit.before is None)
    return 0 if edit.to == 1 else len(order)


def swap(montage: Montage, one: ClipRef, other: ClipRef, files: Sequence[SessionFile]) -> Told:
    """Let two clips change places."""
    clips = main_clips(montage)
    order = list(range(len(clips)))
    (first, second) = (clip_number(one, clips), clip_number(other, clips))
    (order[first], order[second]) = (order[second], order[first])
    return _reordered(montage, order, files)


def reverse_order(montage: Montage, files: Sequence[SessionFile]) -> Told:
    """Let the last clip come first."""
    clips = main_clips(montage)
    if len(clips) < 2:
        raise EditRefusedError("there is only one clip")
    return _reordered(montage, list(range(len(clips)))[::-1], files)


def _reordered(montage: Montage, order: list[int], files: Sequence[SessionFile]) -> Told:
    stretches = _clip_stretches(montage)
    made = lay_out(montage, [stretches[index] for index in order], files)
    names = ", ".join(clip.name for clip in main_clips(made))
    return made, f"the order is now {names}"


def remove_clip(montage: Montage, clip: ClipRef, files: Sequence[SessionFile]) -> Told:
    """Take a clip out of the picture."""
    clips = main_clips(montage)
    index = clip_number(clip, clips)
    if len(clips) == 1:
        raise EditRefusedError("it is the only clip: nothing would be left")
    kept = [stretch for n, stretch in enumerate(_clip_stretches(montage)) if n != index]
    return _relaid(montage, kept, files, f"clip {index + 1} ({clips[index].name}) removed")


def join(
    montage: Montage, edit: Join, shown: Sequence[SessionFile], files: Sequence[SessionFile]
) -> Told:
    """Show files before or after what is there."""
    made = [Clip(name=file.stem, source=file.source, source_out=file.length) for file in shown]
    total = sum((clip.duration for clip in made), Fraction(0))
    track = main_track(montage)
    before = length_of(montage) if montage.duration else Fraction(0)
    at = Fraction(0) if edit.first else before
    placed = []
    for clip in made:
        placed.append(replace(clip, start=at))
        at = placed[-1].end
    if track is None:
        new = Track(kind=TrackKind.VIDEO, clips=tuple(placed))
        return replace(montage, tracks=(new, *montage.tracks)), _joined_words(shown)
    if edit.first:
        montage = _shifted(montage, total)
        track = main_track(montage) or track
    clips = (*placed, *in_order(track)) if edit.first else (*in_order(track), *placed)
    montage = with_clips(montage, track, tuple(clips))
    return fit_music(montage, before, before + total, files), _joined_words(shown)


def _joined_words(shown: Sequence[SessionFile]) -> str:
    return f"added {', '.join(file.name for file in shown)} to the video"


def _shifted(montage: Montage, by: Fraction) -> Montage:
    """Everything but the music later."""
    return with_tracks(
        montage,
        tuple(
            track
            if is_music(track)
            else replace(track, clips=tuple(replace(c, start=c.start + by) for c in track.clips))
            for track in montage.tracks
        ),
    )


def cross_fade(montage: Montage, edit: CrossFade, files: Sequence[SessionFile]) -> Told:
    """Let each clip of the picture overlap the next."""
    (track, clips) = (main_track(montage), main_clips(montage))
    if track is None or len(clips) < 2:
        raise EditRefusedError("there is only one clip: nothing to cross-fade")
    if any(second.start < first.end for first, second in pairwise(clips)):
        raise EditRefusedError("the clips are cross-faded already")
    if any(clip.duration < 2 * edit.length_s for clip in clips):
        raise EditRefusedError(
            f"a clip is too short for a cross-fade of {seconds(edit.length_s)} s"
        )
    starts = [clip.start for clip in clips]
    before = length_of(montage)

    def earlier(clip: Clip) -> Clip:
        number = sum(start <= clip.start for start in starts) - 1
        return replace(clip, start=clip.start - max(number, 0) * edit.length_s)

    made = with_tracks(
        montage,
        tuple(
            t if is_music(t) else replace(t, clips=tuple(map(earlier, t.clips)))
            for t in montage.tracks
        ),
    )
    made = fit_music(made, before, before - (len(clips) - 1) * edit.length_s, files)
    return made, f"clips cross-faded over {seconds(edit.length_s)} s"


def is_still(clip: Clip, files: Sequence[SessionFile]) -> bool:
    """Whether a clip is a picture that has no time of its own."""
    file = file_of(clip.source, files)
    return file is not None and file.kind is FileKind.IMAGE


def _united(stretches: list[Stretch]) -> list[Stretch]:
    """The stretches in order, with those put together that touch."""
    made: list[Stretch] = []
    for start, end in sorted(stretches):
        if made and start <= made[-1][1]:
            made[-1] = (made[-1][0], max(end, made[-1][1]))
        else:
            made.append((start, end))
    return made


def _complement(gone: list[Stretch], length: Fraction) -> list[Stretch]:
    edges = [Fraction(0), *(edge for stretch in gone for edge in stretch), length]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [(start, end) for start, end in pairs if start < end]


def _listed(stretches: Sequence[Stretch]) -> str:
    return " and ".join(f"{seconds(start)}-{seconds(end)} s" for start, end in stretches)


def _clock(value: Fraction) -> str:
    return f"{seconds(value)} s"
