"""Edits of what is heard: volumes, fades, music and further sounds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from avpipe.edits.files import SessionFile, sound_meant
from avpipe.edits.reshape import Stretch, Told, is_still, lay_music, part_of, stretch_of
from avpipe.edits.tracks import (
    Change,
    change_clips,
    is_music,
    is_speech,
    length_of,
    main_clips,
    main_track,
    tracks_of,
    with_clips,
    with_tracks,
)
from avpipe.edits.values import (
    WHOLE,
    AddAudio,
    AddMusic,
    Duck,
    Fade,
    Mute,
    Part,
    Remove,
    ReplaceMusic,
    Span,
    Unmute,
    Volume,
)
from avpipe.errors import EditRefusedError
from avpipe.montage.summary import in_order, percent, seconds
from avpipe.montage.values import Clip, Montage, Role, Track, TrackKind

MUSIC_GAIN = 0.35
"""Of music where no level is said: under a voice."""


def volume(montage: Montage, edit: Volume) -> Told:
    """Make a part louder or quieter; of everything, what is silent stays so."""
    heard = any(clip.volume for track in tracks_of(montage, edit.part) for clip in track.clips)

    def louder(clip: Clip) -> Clip:
        if edit.relative:
            return replace(clip, volume=round(clip.volume * edit.gain, 6))
        silent = edit.part is Part.ALL and heard and not clip.volume
        return clip if silent else replace(clip, volume=edit.gain)

    if edit.relative and not heard:
        raise EditRefusedError(f"{edit.part.value} is muted", hint="unmute it, or say a volume")
    words = f"{percent(edit.gain)} of what it was" if edit.relative else percent(edit.gain)
    (made, where) = _changed_within(montage, edit.part, edit.span, louder)
    return made, f"volume of {edit.part.value}{where}: {words}"


def mute(montage: Montage, edit: Mute) -> Told:
    """Silence a part, or a stretch of it."""

    def silent(clip: Clip) -> Clip:
        return replace(clip, volume=0.0)

    (made, where) = _changed_within(montage, edit.part, edit.span, silent)
    return made, f"{edit.part.value} muted{where}"


def _changed_within(
    montage: Montage, part: Part, span: Span, change: Change
) -> tuple[Montage, str]:
    """The timeline with the clips of a part changed, or what of them lies in a stretch; and when.

    Raises EditRefusedError where nothing of the part lies in it.
    """
    if span == WHOLE:
        return change_clips(montage, part, change), ""
    meant = tracks_of(montage, part)
    (start, end) = stretch_of(span, length_of(montage))
    where = f" from {seconds(start)} to {seconds(end)} s"
    clips = [clip for track in meant for clip in track.clips]
    if not any(clip.start < end and clip.end > start for clip in clips):
        raise EditRefusedError(f"there is nothing of {part.value}{where}")
    tracks = (
        replace(track, clips=_within(track, (start, end), change)) if track in meant else track
        for track in montage.tracks
    )
    return with_tracks(montage, tracks), where


def _within(track: Track, stretch: Stretch, change: Change) -> tuple[Clip, ...]:
    """The clips cut where a stretch begins and ends, and changed within it."""
    (start, end) = stretch
    made: list[Clip] = []
    for clip in in_order(track):
        edges = sorted({clip.start, clip.end, *(t for t in stretch if clip.start < t < clip.end)})
        for low, high in pairwise(edges):
            part = part_of(clip, low, high, track.kind)
            made.append(change(part) if low >= start and high <= end else part)
    return tuple(made)


def unmute(montage: Montage, edit: Unmute) -> Told:
    """Let a part be heard again, as it was recorded."""

    def heard(clip: Clip) -> Clip:
        return clip if clip.volume else replace(clip, volume=1.0)

    return change_clips(montage, edit.part, heard), f"{edit.part.value} is heard again"


def fade(montage: Montage, edit: Fade) -> Told:
    """Let the first clips of a part rise and the last ones fall."""
    meant = tracks_of(montage, edit.part)
    length = length_of(montage)
    tracks = tuple(
        replace(track, clips=_faded(track, edit, length)) if track in meant else track
        for track in montage.tracks
    )
    if edit.part is Part.ALL and not _reaches(meant, edit, length):
        raise EditRefusedError("there is nothing at the end to fade")
    said = [
        f"fades {way} for {seconds(time)} s"
        for way, time in (("in", edit.in_s), ("out", edit.out_s))
        if time is not None
    ]
    part = edit.part.value if edit.seen or edit.part is not Part.ALL else "the sound"
    return with_tracks(montage, tracks), f"{part} {' and '.join(said)}"


def _reaches(tracks: Sequence[Track], edit: Fade, length: Fraction) -> bool:
    """Whether something of the tracks is there where everything begins or ends."""
    clips = [clip for track in tracks for clip in track.clips]
    begins = edit.in_s is None or any(clip.start == 0 for clip in clips)
    return begins and (edit.out_s is None or any(clip.end >= length for clip in clips))


def _faded(track: Track, edit: Fade, length: Fraction) -> tuple[Clip, ...]:
    clips = list(in_order(track))
    if track.kind is TrackKind.TEXT:
        return tuple(_seen_fading(clip, edit) for clip in clips)
    everything = edit.part is Part.ALL
    if edit.in_s is not None and (clips[0].start == 0 or not everything):
        clips[0] = replace(clips[0], fade_in=edit.in_s)
        if everything and edit.seen and track.kind is TrackKind.VIDEO:
            clips[0] = replace(clips[0], appear=edit.in_s)
    if edit.out_s is not None and (clips[-1].end >= length or not everything):
        clips[-1] = replace(clips[-1], fade_out=edit.out_s)
        if everything and edit.seen and track.kind is TrackKind.VIDEO:
            clips[-1] = replace(clips[-1], vanish=edit.out_s)
    return tuple(clips)


def _seen_fading(clip: Clip, edit: Fade) -> Clip:
    return replace(
        clip,
        appear=clip.appear if edit.in_s is None else edit.in_s,
        vanish=clip.vanish if edit.out_s is None else edit.out_s,
    )


def add_music(montage: Montage, edit: AddMusic, files: Sequence[SessionFile]) -> Told:
    """Put music under everything, until the picture ends."""
    file = sound_meant(edit.file, files, montage, what="the music")
    if not montage.duration:
        raise EditRefusedError("the timeline is empty", hint="give a video file")
    (start, end) = stretch_of(edit.span, length_of(montage))
    gain = MUSIC_GAIN if edit.gain is None else edit.gain
    first = Clip(
        name=file.stem,
        source=file.source,
        start=start,
        source_out=file.length,
        volume=gain,
        fade_in=edit.fade_in_s or Fraction(0),
    )
    clips = lay_music(first, edit.fade_out_s or Fraction(0), end, files)
    track = Track(kind=TrackKind.AUDIO, role=Role.MUSIC, clips=clips, ducked=edit.duck)
    words = f"music {file.name} from {seconds(start)} to {seconds(end)} s at {percent(gain)}"
    made = replace(montage, tracks=(*_before_texts(montage), track, *_texts(montage)))
    return made, words + (", lowered under speech" if edit.duck else "")


def replace_music(montage: Montage, edit: ReplaceMusic, files: Sequence[SessionFile]) -> Told:
    """Put other music in the place of the one that is there, at its level."""
    (track, *_) = tracks_of(montage, Part.MUSIC)
    file = sound_meant(edit.file, files, montage, what="the music")
    clips = in_order(track)
    first = replace(
        clips[0],
        name=file.stem,
        source=file.source,
        source_in=Fraction(0),
        source_out=file.length,
        speed=Fraction(1),
        clock=Fraction(1),
        kept={},
    )
    made = lay_music(first, clips[-1].fade_out, clips[-1].end, files)
    return with_clips(montage, track, made), f"the music is {file.name} now"


def add_audio(montage: Montage, edit: AddAudio, files: Sequence[SessionFile]) -> Told:
    """Let a sound be heard beside what is there, until it or the picture ends."""
    file = sound_meant(edit.file, files, montage, what="the audio")
    at = edit.at.at(length_of(montage)) if montage.duration else Fraction(0)
    clip = Clip(
        name=file.stem, source=file.source, start=at, source_out=file.length, volume=edit.gain
    )
    made = with_sound(montage, (clip,), files)
    return made, f"audio {file.name} added at {seconds(at)} s"


def with_sound(montage: Montage, clips: Sequence[Clip], files: Sequence[SessionFile]) -> Montage:
    """The timeline with a track of recorded sound that ends where the picture does.

    A still picture that is all there is lasts as long as the sound.
    """
    montage = _still_held(montage, max(clip.end for clip in clips), files)
    end = length_of(montage) if montage.duration else None
    fitting = tuple(
        part_of(clip, clip.start, min(clip.end, end or clip.end), TrackKind.AUDIO)
        for clip in clips
        if end is None or clip.start < end
    )
    if not fitting:
        raise EditRefusedError("the sound would begin after the end of the video")
    track = Track(kind=TrackKind.AUDIO, role=Role.SPEECH, clips=fitting)
    others = _before_texts(montage)
    spoken = sum(track.kind is TrackKind.VIDEO or is_speech(track) for track in others)
    tracks = (*others[:spoken], track, *others[spoken:], *_texts(montage))
    return replace(montage, tracks=tracks)


def _still_held(montage: Montage, end: Fraction, files: Sequence[SessionFile]) -> Montage:
    """A single still picture shown until a time."""
    track = main_track(montage)
    if track is None or len(track.clips) != 1 or not is_still(track.clips[0], files):
        return montage
    (clip,) = main_clips(montage)
    return with_clips(montage, track, (replace(clip, source_out=end),))


def _before_texts(montage: Montage) -> tuple[Track, ...]:
    return tuple(track for track in montage.tracks if track.kind is not TrackKind.TEXT)


def _texts(montage: Montage) -> tuple[Track, ...]:
    return montage.of(TrackKind.TEXT)


def remove(montage: Montage, edit: Remove) -> Told:
    """Take every clip of a part out. Without recorded sound, the video's own is heard again."""
    meant = tracks_of(montage, edit.part)
    if edit.part in (Part.ALL, Part.PICTURE, Part.VIDEO_SOUND):
        raise EditRefusedError(f"{edit.part.value} cannot be removed", hint="mute it instead")
    recorded = any(map(is_speech, meant))
    count = sum(len(track.clips) for track in meant)
    made = with_tracks(montage, tuple(track for track in montage.tracks if track not in meant))
    words = f"{edit.part.value} removed" if count == 1 else f"{edit.part.value} removed ({count})"
    if recorded and main_track(made) and not any(map(is_speech, made.tracks)):
        made = change_clips(made, Part.VIDEO_SOUND, lambda clip: replace(clip, volume=1.0))
        words += "; the video's own sound is heard"
    return made, words


def duck(montage: Montage, edit: Duck) -> Told:
    """Lower the music while something else is heard, or no longer."""
    tracks_of(montage, Part.MUSIC)
    tracks = tuple(
        replace(track, ducked=edit.on) if is_music(track) else track for track in montage.tracks
    )
    words = "is lowered under speech" if edit.on else "is no longer lowered under speech"
    return with_tracks(montage, tracks), f"the music {words}"
