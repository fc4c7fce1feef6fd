"""Whether an edit is nothing but a merge, which copies what a render would encode. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from math import log10

from avpipe.media import MediaInfo
from avpipe.montage.values import Canvas, Clip, Fitting, Montage, Place, Role, Track, TrackKind
from avpipe.plan.request import ASPECTS, AudioMode, Fill, Request, RouteChoice, Sync
from avpipe.recipe import AAC_FRAME, AUDIO_RATE, Frame, Quality

NEAR = Fraction(AAC_FRAME, AUDIO_RATE)
"""How far an end may be from that of its file, in seconds."""
_FRAMES = {Fitting.LETTERBOX: Frame.FIT, Fitting.CROP: Frame.FILL}


def plain_merge(
    montage: Montage,
    files: Mapping[str, MediaInfo],
    output: str,
    *,
    quality: Quality,
    resolution: str,
) -> Request | None:
    """The merge that an edit is; None where it is more than that.

    It is one where a whole video, unchanged, gets one recording, wherever that lies.
    """
    tracks = [track for track in montage.tracks if track.clips]
    (video, audio) = (_only(tracks, kind) for kind in (TrackKind.VIDEO, TrackKind.AUDIO))
    if len(tracks) != 2 or video is None or audio is None or tracks[0].ducked or tracks[1].ducked:
        return None
    (camera, recorder) = (files[str(video.source)], files[str(audio.source)])
    if not (_is_whole(video, camera, audio) and _is_placed(audio, recorder, video.end)):
        return None
    if not camera.video or not recorder.audio or not _keeps(montage.canvas, camera):
        return None
    mixed = bool(camera.audio) and video.volume > 0
    return replace(
        _request(montage, (camera, recorder), output, quality, resolution),
        sync=Sync.NONE,
        offset_s=float(audio.start - audio.source_in / audio.clock),
        drift=repr(float((audio.clock - 1) * 10**6)),
        fill=Fill.SILENCE,
        audio_mode=AudioMode.MIX if mixed else AudioMode.REPLACE,
        camera_gain_db=20 * log10(video.volume) if mixed else 0.0,
    )


def merge_by_content(
    montage: Montage,
    files: Mapping[str, MediaInfo],
    output: str,
    *,
    quality: Quality,
    resolution: str,
) -> Request | None:
    """The merge that an edit may be, where one recording was lined up by its content.

    It may be one where a whole video is silent and one recording, in pieces or not, is heard
    beside it, and nothing but the video's own sound besides.
    """
    tracks = [track for track in montage.tracks if track.clips]
    video = _only(tracks, TrackKind.VIDEO)
    others = [track for track in tracks if track.kind is not TrackKind.VIDEO]
    if video is None or any(track.role is not Role.SPEECH or track.ducked for track in others):
        return None
    heard = [clip for track in others for clip in track.clips]
    recordings = [clip for clip in heard if clip.source != video.source]
    if len({clip.source for clip in recordings}) != 1 or video.volume:
        return None
    (camera, recorder) = (files[str(video.source)], files[str(recordings[0].source)])
    if camera.picture is not None or not camera.audio or not recorder.audio:
        return None
    if not _is_whole(video, camera, recordings[0]) or not _keeps(montage.canvas, camera):
        return None
    return _request(montage, (camera, recorder), output, quality, resolution)


def _request(
    montage: Montage,
    files: tuple[MediaInfo, MediaInfo],
    output: str,
    quality: Quality,
    resolution: str,
) -> Request:
    (camera, recorder) = files
    return Request(
        video=camera.path,
        audio=recorder.path,
        output=output,
        route=RouteChoice.LOCAL,
        loudness_lufs=montage.loudness_lufs,
        max_bytes=montage.max_bytes,
        quality=quality,
        resolution=resolution,
        aspect=_aspect(montage.canvas),
        frame=_FRAMES.get(montage.canvas.fitting, Frame.FIT),
    )


def _only(tracks: list[Track], kind: TrackKind) -> Clip | None:
    """The one clip of a kind."""
    clips = [clip for track in tracks if track.kind is kind for clip in track.clips]
    return clips[0] if len(clips) == 1 else None


def _is_whole(clip: Clip, info: MediaInfo, audio: Clip) -> bool:
    """Whether it is all of a video, or a picture that lasts as long as the sound."""
    plain = Clip(
        name=clip.name,
        source=clip.source,
        source_out=clip.source_out,
        volume=clip.volume,
        style=clip.style,
        kept=clip.kept,
    )
    if clip != plain or not info.video:
        return False
    if info.picture is not None:
        return audio.start == 0 and audio.source_in == 0 and abs(clip.end - audio.end) <= NEAR
    duration = info.video[0].duration
    return duration is not None and abs(clip.source_out - duration) <= NEAR


def _is_placed(clip: Clip, info: MediaInfo, end: Fraction) -> bool:
    """Whether it is all of a recording that lies within the video, and nothing else is done."""
    plain = replace(
        Clip(source=clip.source, source_out=clip.source_out),
        name=clip.name,
        start=clip.start,
        source_in=clip.source_in,
        clock=clip.clock,
        place=Place(),
        style=clip.style,
        kept=clip.kept,
    )
    length = info.audio[0].duration if info.audio else None
    if clip != plain or length is None:
        return False
    head = clip.source_in == 0 or clip.start <= NEAR
    return head and (clip.source_out >= length - NEAR or clip.end >= end - NEAR)


def _aspect(canvas: Canvas) -> str | None:
    named = {aspect: name for name, aspect in ASPECTS.items()}
    return None if canvas.aspect is None else named.get(canvas.aspect)


def _keeps(canvas: Canvas, camera: MediaInfo) -> bool:
    """Whether a merge can make such a canvas."""
    video = camera.video[0]
    if canvas.frame_rate is not None and canvas.frame_rate != video.frame_rate:
        return False
    if canvas.width is not None and (canvas.width, canvas.height) != video.upright_size:
        return False
    if canvas.aspect is None:
        return True
    if canvas.width is not None and Fraction(canvas.width, canvas.height or 1) == canvas.aspect:
        return True
    black = canvas.background[:7] == "#000000"
    return canvas.aspect in ASPECTS.values() and canvas.fitting in _FRAMES and black
