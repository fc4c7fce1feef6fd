"""A recording moved by hand: cuts stay, and the video's own sound fills what is left. Pure."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from fractions import Fraction

from avpipe.edits.beside import Alignments, is_certain, lies_of
from avpipe.edits.files import SessionFile
from avpipe.edits.merging import filling
from avpipe.edits.relaying import Video, relaid
from avpipe.edits.sound import with_sound
from avpipe.edits.tracks import is_speech, main_clips, main_track, with_tracks
from avpipe.errors import RequestError
from avpipe.media import MediaInfo, Verdict
from avpipe.montage.values import ZERO, Clip, Montage, Track, TrackKind

_NEAR = Fraction(1, 200)
"""So near, in seconds, an end of a sound is at a cut of the picture."""


def longest_sound(info: MediaInfo) -> Fraction | None:
    """How long a file is heard; None where that is not known."""
    lengths = [sound.duration for sound in info.audio if sound.duration is not None]
    return max(lengths, default=None)


def move_sound(
    montage: Montage,
    source: str,
    shift: Fraction,
    files: Sequence[SessionFile],
    *,
    length: Fraction | None,
    known: Alignments,
) -> Montage:
    """The edit with all sounds of a file so much later; `length` is the file's, where it is known.

    A recording lies beside its pictures by what is known of their alignment: what of it was moved
    out of sight comes back. Another sound that begins or ends where a picture does goes on doing
    so, as far as its file has sound. The cuts stay where they are, and the film does not grow.
    Where a recording is not heard, the picture's own sound is, if that was so before, or if it may
    belong to one of the videos. Raises RequestError where the file is not heard, or would not be
    any more.
    """
    if source in _shown(montage):
        raise RequestError("the video's own sound lies where its picture does")
    moved = _moved(montage, source, shift, length, known)
    spoken = [clip for track in moved.tracks if is_speech(track) for clip in track.clips]
    own = [clip for clip in spoken if clip.source in _shown(montage)]
    recorded = [clip for clip in spoken if clip not in own]
    filled = any(found.verdict is not Verdict.UNRELATED for found in known.values())
    if not (own or filled) or all(clip.source != source for clip in recorded):
        return moved
    return _filled(moved, own, recorded, files)


def _shown(montage: Montage) -> Set[str | None]:
    """The sources of the main picture."""
    return {clip.source for clip in main_clips(montage)} if main_track(montage) else set()


def _moved(
    montage: Montage,
    source: str,
    shift: Fraction,
    length: Fraction | None,
    known: Alignments,
) -> Montage:
    pictures = [clip for track in montage.of(TrackKind.VIDEO) for clip in track.clips]
    cuts = {ZERO, *(clip.start for clip in pictures), *(clip.end for clip in pictures)}

    def later(clip: Clip) -> list[Clip]:
        return _later(clip, shift, cuts, length) if clip.source == source else [clip]

    def moved_on(track: Track) -> Track:
        mine = [clip for clip in track.clips if clip.source == source]
        if track.kind is not TrackKind.AUDIO or not mine:
            return track
        if is_speech(track) and (anew := _relaid(montage, mine, shift, length, known)) is not None:
            others = (clip for clip in track.clips if clip.source != source)
            return replace(track, clips=(*anew, *others))
        return replace(track, clips=tuple(kept for clip in track.clips for kept in later(clip)))

    if not _is_heard(montage, source):
        raise RequestError("that sound is not on the timeline")
    moved = replace(montage, tracks=tuple(map(moved_on, montage.tracks)))
    if not _is_heard(moved, source):
        raise RequestError("nothing of that sound would be heard there")
    return moved


def _relaid(
    montage: Montage,
    sounds: Sequence[Clip],
    shift: Fraction,
    length: Fraction | None,
    known: Alignments,
) -> list[Clip] | None:
    """The sounds by what is known of the alignment; None where that does not explain them."""
    if main_track(montage) is None:
        return None
    end = max(length or ZERO, *(clip.source_out for clip in sounds))
    found = {
        source: known.get((source, str(sounds[0].source)))
        for source in dict.fromkeys(clip.source for clip in main_clips(montage))
        if source is not None
    }
    videos = [
        Video(source=source, lies=lies_of(one, end), certain=is_certain(one))
        for source, one in found.items()
    ]
    return relaid(sounds, main_clips(montage), videos, shift)


def _is_heard(montage: Montage, source: str) -> bool:
    """Whether a file is on a track of sounds."""
    heard = (clip.source for track in montage.of(TrackKind.AUDIO) for clip in track.clips)
    return source in heard


def _later(clip: Clip, shift: Fraction, cuts: Set[Fraction], length: Fraction | None) -> list[Clip]:
    """A clip so much later, or nothing where none of it is left."""
    rate = clip.speed * clip.clock
    first = clip.start + shift - clip.source_in / rate
    """Where the file's own beginning would be heard."""
    last = first + max(clip.source_out, length or ZERO) / rate
    start = max(_held(clip.start, shift, cuts), first, ZERO)
    end = min(_held(clip.end, shift, cuts), last)
    if clip.end <= max(cuts) + _NEAR:
        end = min(end, max(cuts))
    if end <= start:
        return []
    (source_in, source_out) = ((time - first) * rate for time in (start, end))
    return [replace(clip, start=start, source_in=source_in, source_out=source_out)]


def _held(time: Fraction, shift: Fraction, cuts: Set[Fraction]) -> Fraction:
    """Where an end of a sound comes to be: at the cut at which it is, else it is moved."""
    return next((cut for cut in cuts if abs(cut - time) <= _NEAR), time + shift)


def _filled(
    montage: Montage, own: Sequence[Clip], recorded: Sequence[Clip], files: Sequence[SessionFile]
) -> Montage:
    """The edit with the picture's own sound where nothing recorded is heard, and only there.

    It is as loud there as the nearest of what was heard of it before.
    """
    bare = with_tracks(montage, tuple(_without(track, own) for track in montage.tracks))
    cameras = dict.fromkeys(clip.source for clip in own) or {main_clips(bare)[0].source: None}
    parts = tuple(
        _as_loud(part, own) for camera in cameras for part in filling(bare, camera, recorded)
    )
    return with_sound(bare, parts, files) if parts else bare


def _without(track: Track, clips: Sequence[Clip]) -> Track:
    if not is_speech(track):
        return track
    return replace(track, clips=tuple(clip for clip in track.clips if clip not in clips))


def _as_loud(part: Clip, own: Sequence[Clip]) -> Clip:
    nearest = min(own, key=lambda clip: abs(clip.start - part.start), default=part)
    return replace(part, volume=nearest.volume)
