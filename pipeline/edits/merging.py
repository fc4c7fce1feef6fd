"""A recorded sound in the place of the video's, where it belongs by what both heard. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from avpipe.edits.beside import Alignments, is_certain, laid, lies_of
from avpipe.edits.files import SessionFile, file_of, named_file, sound_meant
from avpipe.edits.reshape import Told, part_of, rejoined
from avpipe.edits.sound import with_sound
from avpipe.edits.tracks import change_clips, is_speech, main_clips, main_track, with_tracks
from avpipe.edits.values import FileRef, Merge, Part, ReplaceAudio
from avpipe.errors import EditRefusedError
from avpipe.media import Alignment, Verdict
from avpipe.montage.values import Clip, Montage, Track, TrackKind

LEAST_GAP_S = Fraction(1, 10)
"""A shorter hole in a recording is left silent."""


def merged_files(
    edit: Merge | ReplaceAudio, montage: Montage, files: Sequence[SessionFile]
) -> tuple[tuple[SessionFile, ...], SessionFile]:
    """The pictures that are meant, in the order in which they are shown, and the sound."""
    clips = main_clips(montage) if main_track(montage) else ()
    found = (file_of(source, files) for source in dict.fromkeys(clip.source for clip in clips))
    shown = tuple(file for file in found if file is not None)
    if isinstance(edit, ReplaceAudio):
        return shown, sound_meant(edit.file, files, montage, what="the audio")
    named = [named_file(ref, files) for ref in edit.files]
    others = [file for file in named if file not in shown]
    if len(others) > 1:
        raise EditRefusedError("one sound is merged at a time", hint="say them one after another")
    ref = FileRef(name=others[0].name) if others else FileRef()
    pictures = tuple(file for file in shown if file in named) or shown
    return pictures, sound_meant(ref, files, montage, what="the audio")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Merged:
    """What a sound is merged with."""

    sound: SessionFile
    videos: tuple[SessionFile, ...]
    """Those whose sound it takes the place of."""
    found: dict[str, Alignment | None]
    """How it lines up with each picture that was meant."""

    def knows(self, video: SessionFile) -> bool:
        """Whether it is certain where it belongs in a video."""
        return is_certain(self.found[video.source])


def merge(
    montage: Montage,
    edit: Merge | ReplaceAudio,
    files: Sequence[SessionFile],
    alignments: Alignments,
) -> Told:
    """Put a recorded sound in the place of the one that is heard; music stays.

    Of several videos each gets what belongs to it, and one to which nothing does keeps its own
    sound. Where that is certain of none, the sound begins with the first.
    """
    (pictures, sound) = merged_files(edit, montage, files)
    if not pictures:
        raise EditRefusedError("there is no video in the timeline yet", hint="give a video file")
    found = {one.source: alignments.get((one.source, sound.source)) for one in pictures}
    certain = tuple(one for one in pictures if is_certain(found[one.source]))
    merged = _Merged(sound=sound, videos=certain or pictures, found=found)
    covered = {video.source for video in merged.videos}
    montage = _without_recordings(montage, covered)
    placed = _placed(montage, merged)
    if not placed:
        raise EditRefusedError(f"nothing of {sound.name} belongs to what is left of the video")

    def silenced(clip: Clip) -> Clip:
        return replace(clip, volume=0.0) if clip.source in covered else clip

    montage = change_clips(montage, Part.VIDEO_SOUND, silenced)
    made = with_sound(montage, placed, files)
    own = [
        part
        for video in merged.videos
        if _is_filled(merged, video, edit)
        for part in filling(made, video.source, placed)
    ]
    if own:
        made = with_sound(made, own, files)
    kept = (f"{one.name} keeps its own sound" for one in pictures if one not in merged.videos)
    return made, "; ".join((*_told(merged), *kept))


def _is_filled(merged: _Merged, video: SessionFile, edit: Merge | ReplaceAudio) -> bool:
    """Whether a video is heard where the recording is not.

    A merge is filled as `avpipe merge` fills it; what is replaced by a song stays replaced.
    """
    compared = isinstance(edit, Merge) and merged.found[video.source] is not None
    return video.has_sound and (merged.knows(video) or compared)


def _without_recordings(montage: Montage, covered: Collection[str]) -> Montage:
    """The timeline without recorded sounds beside some of its pictures."""
    others = [clip for clip in main_clips(montage) if clip.source not in covered]

    def kept(track: Track) -> Track:
        if not is_speech(track):
            return track
        return replace(track, clips=tuple(rejoined([*_beside(track.clips, others)])))

    return with_tracks(montage, tuple(map(kept, montage.tracks)))


def _beside(sounds: Sequence[Clip], pictures: Sequence[Clip]) -> Iterator[Clip]:
    """What of sounds is heard during pictures."""
    for sound in sounds:
        for picture in pictures:
            (start, end) = (max(sound.start, picture.start), min(sound.end, picture.end))
            if start < end:
                yield part_of(sound, start, end, TrackKind.AUDIO)


def _placed(montage: Montage, merged: _Merged) -> list[Clip]:
    """The sound beside each clip of the pictures that it was recorded with."""
    sound = merged.sound
    heard = Clip(name=sound.stem, source=sound.source, source_out=sound.length)
    (first, *more) = merged.videos
    if first.duration is None or (more and not merged.knows(first)):
        begin = min(c.start for c in main_clips(montage) if c.source == first.source)
        return [replace(heard, start=begin)]
    placed: list[Clip] = []
    for video in merged.videos:
        clips = [clip for clip in main_clips(montage) if clip.source == video.source]
        lies = lies_of(merged.found[video.source], sound.length)
        placed += laid(clips, lies, heard)
    return placed


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


def _told(merged: _Merged) -> Iterator[str]:
    """Where the sound was put, and how sure that is."""
    if not merged.knows(merged.videos[0]):
        (first, found) = (merged.videos[0], list(merged.found.values()))
        doubt = next((one for one in found if one is not None), None)
        yield f"{merged.sound.name} merged with {first.name}: {_how(doubt)}"
        return
    for video in merged.videos:
        yield f"{merged.sound.name} merged with {video.name}: {_how(merged.found[video.source])}"


def _how(found: Alignment | None) -> str:
    if found is None:
        return "the starts are lined up"
    sure = "" if found.confidence is None else f", {min(found.confidence, 0.999):.1%} sure"
    if found.verdict is not Verdict.MATCHED:
        why = found.reason.in_words if found.reason else "nothing was found"
        return f"the starts are lined up, since where it belongs is not certain: {why}"
    (offset_s, drift_ppm) = (round(found.offset_s or 0, 3), round(found.drift_ppm or 0, 1))
    return f"offset {offset_s + 0.0:.3f} s, drift {drift_ppm + 0.0:.1f} ppm{sure}"
