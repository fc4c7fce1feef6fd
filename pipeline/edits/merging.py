"""A recorded sound in the place of the video's, where it belongs by what both heard. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from avpipe.edits.files import SessionFile, file_of, named_file, sound_meant
from avpipe.edits.reshape import Told, part_of
from avpipe.edits.sound import with_sound
from avpipe.edits.tracks import change_clips, is_speech, main_clips, main_track, with_tracks
from avpipe.edits.values import FileRef, Merge, Part, ReplaceAudio
from avpipe.errors import EditRefusedError
from avpipe.media import Alignment, Piece, Verdict
from avpipe.montage.values import Clip, Montage, TrackKind

Pair = tuple[str, str]
"""The sources of a picture and of a sound."""
Alignments = Mapping[Pair, Alignment]
LEAST_GAP_S = Fraction(1, 10)
"""A shorter hole in a recording is left silent."""
_TICK = 1_000_000_000


def pair_of(
    edit: Merge | ReplaceAudio, montage: Montage, files: Sequence[SessionFile]
) -> tuple[SessionFile | None, SessionFile]:
    """The picture that is shown, where one is, and the sound that is meant."""
    if isinstance(edit, ReplaceAudio):
        sound = sound_meant(edit.file, files, montage, what="the audio")
    else:
        sound = _sound_of_merge(edit.files, montage, files)
    if main_track(montage) is None:
        return None, sound
    return file_of(main_clips(montage)[0].source, files), sound


def _sound_of_merge(
    named: Sequence[FileRef], montage: Montage, files: Sequence[SessionFile]
) -> SessionFile:
    shown = {clip.source for clip in main_clips(montage)} if main_track(montage) else set()
    others = [ref for ref in named if named_file(ref, files).source not in shown]
    if len(others) > 1:
        raise EditRefusedError("one sound is merged at a time", hint="say them one after another")
    ref = others[0] if others else FileRef()
    return sound_meant(ref, files, montage, what="the audio")


def merge(
    montage: Montage,
    edit: Merge | ReplaceAudio,
    files: Sequence[SessionFile],
    alignments: Alignments,
) -> Told:
    """Put a recorded sound in the place of the one that is heard; music stays."""
    (video, sound) = pair_of(edit, montage, files)
    if video is None:
        raise EditRefusedError("there is no video in the timeline yet", hint="give a video file")
    found = alignments.get((video.source, sound.source))
    certain = found is not None and found.verdict is Verdict.MATCHED
    pieces = found.pieces if certain and found is not None else (_whole(sound),)
    montage = _without_recordings(montage)
    placed = list(_placed(montage, video, sound, pieces))
    if not placed:
        raise EditRefusedError(f"nothing of {sound.name} belongs to what is left of the video")
    montage = change_clips(montage, Part.VIDEO_SOUND, lambda clip: replace(clip, volume=0.0))
    made = with_sound(montage, placed, files)
    # A merge is filled as `avpipe merge` fills it; what is replaced by a song stays replaced.
    filled = video.has_sound and (certain or (isinstance(edit, Merge) and found is not None))
    if filled and (own := list(filling(made, video.source, placed))):
        made = with_sound(made, own, files)
    return made, f"{sound.name} merged with {video.name}: {_how(found)}"


def _whole(sound: SessionFile) -> Piece:
    return Piece(audio_start_s=0.0, audio_end_s=float(sound.length), offset_s=0.0, drift_ppm=0.0)


def _without_recordings(montage: Montage) -> Montage:
    return with_tracks(montage, tuple(t for t in montage.tracks if not is_speech(t)))


def _placed(
    montage: Montage, video: SessionFile, sound: SessionFile, pieces: Sequence[Piece]
) -> Iterator[Clip]:
    """The sound beside each clip of the picture that it was recorded with."""
    clips = main_clips(montage)
    if video.duration is None:
        yield Clip(name=sound.stem, source=sound.source, source_out=sound.length)
        return
    for clip in clips:
        if clip.source != video.source:
            continue
        for piece in pieces:
            yield from _beside(clip, piece, sound)


def _beside(clip: Clip, piece: Piece, sound: SessionFile) -> Iterator[Clip]:
    """What of a piece of the sound is heard during a clip."""
    clock = 1 + _exact(piece.drift_ppm) / 1_000_000
    offset = _exact(piece.offset_s)
    first = max(_exact(piece.audio_start_s), (clip.source_in - offset) * clock, Fraction(0))
    last = min(_exact(piece.audio_end_s), (clip.source_out - offset) * clock, sound.length)
    if first >= last:
        return
    start = clip.start + (offset + first / clock - clip.source_in) / clip.speed
    yield Clip(
        name=sound.stem,
        source=sound.source,
        start=start,
        source_in=first,
        source_out=last,
        speed=clip.speed,
        clock=clock,
    )


def filling(montage: Montage, camera: str | None, placed: Sequence[Clip]) -> Iterator[Clip]:
    """A silenced video's own sound where the recording was not running."""
    for clip in main_clips(montage):
        if clip.source != camera or clip.volume:
            continue
        at = clip.start + max(-clip.source_in, Fraction(0)) / (clip.speed * clip.clock)
        for sound in sorted(placed, key=lambda sound: sound.start):
            yield from _own_sound(clip, at, min(sound.start, clip.end))
            at = max(at, sound.end)
        yield from _own_sound(clip, at, clip.end)


def _own_sound(clip: Clip, start: Fraction, end: Fraction) -> Iterator[Clip]:
    if end - start >= LEAST_GAP_S and start >= clip.start:
        part = part_of(clip, start, end, TrackKind.VIDEO)
        nothing = Fraction(0)
        yield replace(part, volume=1.0, appear=nothing, vanish=nothing)


def _how(found: Alignment | None) -> str:
    """Where the sound was put, and how sure that is."""
    if found is None:
        return "the starts are lined up"
    sure = "" if found.confidence is None else f", {min(found.confidence, 0.999):.1%} sure"
    if found.verdict is not Verdict.MATCHED:
        why = found.reason.in_words if found.reason else "nothing was found"
        return f"the starts are lined up, since where it belongs is not certain: {why}"
    (offset_s, drift_ppm) = (round(found.offset_s or 0, 3), round(found.drift_ppm or 0, 1))
    return f"offset {offset_s + 0.0:.3f} s, drift {drift_ppm + 0.0:.1f} ppm{sure}"


def _exact(value: float) -> Fraction:
    return Fraction(round(value * _TICK), _TICK)
