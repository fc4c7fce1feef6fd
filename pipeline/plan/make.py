"""Making the plan: every decision of a merge, in one pure function."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from avpipe.errors import MediaError, RequestError, TruncatedError, UnreadableError, WrongMediaError
from avpipe.media import (
    Alignment,
    AlignmentMethod,
    AudioStream,
    MediaInfo,
    PictureKind,
    Severity,
    VideoStream,
)
from avpipe.plan import estimate
from avpipe.plan.framing import Framing, frame_picture
from avpipe.plan.layout import Layout, lay_out
from avpipe.plan.request import AudioMode, Request, VideoMode
from avpipe.plan.streams import (
    reason_to_force_video,
    reasons_to_encode_audio,
    reasons_to_encode_video,
)
from avpipe.plan.values import Inputs, Machine, Plan, PlannedOutput, Reason, Step, StepKind
from avpipe.recipe import CAMERA, RECORDER, Action, PictureEncode, Quality
from avpipe.timeline import Segment, Timeline, Track, TrackKind

STILL_RATE = Fraction(25)
"""Frames a second of a still picture's video."""
LEAST_TICKS = 10_000
"""Ticks a second that a track has at least, so that sound and edits can be placed well."""
FINE_TIME_BASE = Fraction(1, 90_000)
"""For pictures whose frames do not come at a constant rate."""


def make_plan(request: Request, video: MediaInfo, audio: MediaInfo, machine: Machine) -> Plan:
    """The plan of a merge.

    Raises WrongMediaError, MediaError or RequestError where it cannot be made.
    """
    (picture, sound) = _usable_streams(video, audio)
    alignment = _alignment(request)
    layout = lay_out(
        video=None if video.picture is not None else _known(picture.duration, video),
        audio=_known(sound.duration, audio),
        offset=Fraction(alignment.offset_s or 0),
        fit=request.fit,
    )
    framing = frame_picture(picture, request)
    camera_sound = _camera_sound(video, request)
    (video_action, video_reasons) = _decide_video(picture, video, request, framing, layout)
    (audio_action, audio_reasons) = _decide_audio(sound, audio, request, layout, camera_sound)
    copied = video_action is Action.COPY
    size = _copied_size(picture) if copied else (framing.width, framing.height)
    encode = None if copied else _encode(picture, video, request, framing, layout, machine)
    segments = _segments(request, layout, picture, sound, camera_sound)
    timeline = Timeline(
        duration=layout.duration,
        width=size[0],
        height=size[1],
        tracks=segments,
        mix=request.audio_mode is AudioMode.MIX and camera_sound is not None,
    )
    cost = _cost(picture, video, request, timeline, copied, audio_action, machine)
    return Plan(
        inputs=Inputs(video=video, audio=audio),
        alignment=alignment,
        route="local",
        video=video_action,
        audio=audio_action,
        encode=encode,
        timeline=timeline,
        steps=_steps(video_action, audio_action, video_reasons, audio_reasons, cost),
        fallback=(),
        reasons=(
            *video_reasons,
            *audio_reasons,
            *_route_reasons(),
            *_notes(request, layout, picture, video, camera_sound, copied),
        ),
        output=PlannedOutput(
            path=request.output,
            duration_s=float(layout.duration),
            width=size[0],
            height=size[1],
            estimated_bytes=cost.size_bytes,
        ),
    )


def _usable_streams(video: MediaInfo, audio: MediaInfo) -> tuple[VideoStream, AudioStream]:
    for info in (video, audio):
        require_supported(info)
    if not video.video:
        raise WrongMediaError(
            f"{video.path} has no picture, so it cannot be the video",
            hint="give the video first and the audio second: avpipe merge VIDEO AUDIO",
        )
    if not audio.audio:
        raise WrongMediaError(
            f"{audio.path} has no sound, so it cannot be the audio",
            hint="give the video first and the audio second: avpipe merge VIDEO AUDIO",
        )
    return video.video[0], audio.audio[0]


def require_supported(info: MediaInfo) -> None:
    """Raise TruncatedError or UnreadableError where a file cannot be used."""
    if info.supported:
        return
    errors = [problem for problem in info.problems if problem.severity is Severity.ERROR]
    message = f"{info.path}: {errors[0].message if errors else 'not a file that can be used'}"
    if any(problem.code == "truncated" for problem in errors):
        raise TruncatedError(message)
    raise UnreadableError(message)


def _known(duration: Fraction | None, info: MediaInfo) -> Fraction:
    if duration is None or duration <= 0:
        raise MediaError(f"{info.path} does not tell how long it is")
    return duration


def _alignment(request: Request) -> Alignment:
    if request.offset_s is None:
        return Alignment(method=AlignmentMethod.START)
    return Alignment(method=AlignmentMethod.OFFSET, offset_s=request.offset_s)


def _camera_sound(video: MediaInfo, request: Request) -> AudioStream | None:
    if request.audio_mode is AudioMode.REPLACE or not video.audio:
        return None
    return video.audio[0]


def _decide_video(
    picture: VideoStream, info: MediaInfo, request: Request, framing: Framing, layout: Layout
) -> tuple[Action, tuple[Reason, ...]]:
    obstacles = reasons_to_encode_video(picture, info, request, framing, layout)
    if request.video_mode is VideoMode.COPY and obstacles:
        raise RequestError(
            f"the video cannot be copied: {obstacles[0].message}",
            hint="leave out --video copy, and it is encoded",
        )
    forced = reason_to_force_video(request)
    if forced is not None:
        return Action.ENCODE, (forced, *obstacles)
    if obstacles:
        return Action.ENCODE, obstacles
    return Action.COPY, (
        Reason(code="copy_video", message="the video already is what the output should be"),
    )


def _decide_audio(
    sound: AudioStream,
    info: MediaInfo,
    request: Request,
    layout: Layout,
    camera_sound: AudioStream | None,
) -> tuple[Action, tuple[Reason, ...]]:
    obstacles = reasons_to_encode_audio(sound, info, request, layout.duration, layout.audio)
    if camera_sound is not None and request.audio_mode is AudioMode.ADD and not obstacles:
        obstacles = (Reason(code="encode_audio_add", message="both tracks are made alike"),)
    if obstacles:
        return Action.ENCODE, obstacles
    return Action.COPY, (
        Reason(code="copy_audio", message="the audio already is AAC that needs no change"),
    )


def _copied_size(picture: VideoStream) -> tuple[int, int]:
    turned = picture.rotation_deg in (90, 270)
    return (picture.height, picture.width) if turned else (picture.width, picture.height)


def _encode(
    picture: VideoStream,
    info: MediaInfo,
    request: Request,
    framing: Framing,
    layout: Layout,
    machine: Machine,
) -> PictureEncode:
    (time_base, frame_ticks) = _frame_grid(picture, info, layout)
    hardware = request.quality is not Quality.HIGH and machine.encoders
    return PictureEncode(
        encoder=machine.encoders[0] if hardware else "libx264",
        quality=request.quality,
        scaled_width=framing.scaled_width,
        scaled_height=framing.scaled_height,
        frame=framing.frame,
        deinterlace=picture.interlaced is True,
        tone_map=picture.hdr,
        transfer=picture.color_transfer,
        matrix=picture.color_matrix
        or ("bt709" if min(picture.upright_size) > 576 else "smpte170m"),
        time_base=time_base,
        frame_ticks=frame_ticks,
    )


def _frame_grid(
    picture: VideoStream, info: MediaInfo, layout: Layout
) -> tuple[Fraction, int | None]:
    """The encoder's time base, and the ticks of a frame where all frames last the same."""
    still = info.picture is PictureKind.STILL
    rate = STILL_RATE if still else picture.frame_rate
    steady = still or picture.variable_frame_rate is False
    moved = layout.video.source_in > 0 or layout.video.start > 0
    if rate is None or moved or not steady:
        return FINE_TIME_BASE, None
    fine = -(-LEAST_TICKS // rate.numerator)
    return Fraction(1, rate.numerator * fine), rate.denominator * fine


def _segments(
    request: Request,
    layout: Layout,
    picture: VideoStream,
    sound: AudioStream,
    camera_sound: AudioStream | None,
) -> tuple[Track, ...]:
    recorder = Segment(
        source=RECORDER,
        stream=sound.index,
        start=layout.audio.start,
        source_in=layout.audio.source_in,
        source_out=layout.audio.source_out,
    )
    shown = Segment(
        source=CAMERA,
        stream=picture.index,
        start=layout.video.start,
        source_in=layout.video.source_in,
        source_out=layout.video.source_out,
    )
    tracks = [Track(kind=TrackKind.VIDEO, segments=(shown,))]
    if camera_sound is not None:
        heard = Segment(
            source=CAMERA,
            stream=camera_sound.index,
            start=layout.video.start,
            source_in=layout.video.source_in,
            source_out=layout.video.source_out,
            gain_db=request.camera_gain_db,
        )
        tracks.append(Track(kind=TrackKind.AUDIO, segments=(heard,)))
    tracks.append(Track(kind=TrackKind.AUDIO, segments=(recorder,)))
    return tuple(tracks)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cost:
    size_bytes: int
    render_s: float
    verify_s: float


def _cost(
    picture: VideoStream,
    info: MediaInfo,
    request: Request,
    timeline: Timeline,
    copied: bool,
    audio_action: Action,
    machine: Machine,
) -> _Cost:
    tracks = 1 if timeline.mix else len(timeline.audio)
    pixels = timeline.width * timeline.height
    frames = float(timeline.duration * (picture.frame_rate or STILL_RATE))
    sound_bytes = estimate.audio_bytes(timeline.duration, tracks)
    sound_s = estimate.audio_seconds(timeline.duration, tracks, machine.cores)
    if copied:
        whole = picture.duration or timeline.duration
        size = sound_bytes + estimate.copied_bytes(picture, info, timeline.video.duration / whole)
        render_s = estimate.copy_seconds(size) + (sound_s if audio_action is Action.ENCODE else 0)
    else:
        size = sound_bytes + estimate.encoded_bytes(pixels, frames, request.quality)
        render_s = sound_s + estimate.encode_seconds(pixels, frames, request.quality, machine.cores)
    return _Cost(size_bytes=size, render_s=render_s, verify_s=0.2 + size / 1e9)


def _steps(
    video_action: Action,
    audio_action: Action,
    video_reasons: tuple[Reason, ...],
    audio_reasons: tuple[Reason, ...],
    cost: _Cost,
) -> tuple[Step, ...]:
    why = (
        f"video: {video_action} ({'; '.join(reason.message for reason in video_reasons)}), "
        f"audio: {audio_action} ({'; '.join(reason.message for reason in audio_reasons)})"
    )
    return (
        Step(kind=StepKind.RENDER, why=why, estimate_s=round(cost.render_s, 2)),
        Step(
            kind=StepKind.VERIFY,
            why="the output gets its name only when it is what was planned",
            estimate_s=round(cost.verify_s, 2),
        ),
    )


def _route_reasons() -> tuple[Reason, ...]:
    return (Reason(code="route_local", message="no cloud is connected, so it is made here"),)


def _notes(
    request: Request,
    layout: Layout,
    picture: VideoStream,
    info: MediaInfo,
    camera_sound: AudioStream | None,
    copied: bool,
) -> tuple[Reason, ...]:
    found: list[tuple[str, str]] = []
    if request.audio_mode is not AudioMode.REPLACE and camera_sound is None:
        found.append(("no_camera_sound", "the video has no sound of its own to keep"))
    held = (layout.video.start, layout.duration - layout.video.start - _length(layout))
    for code, where, length in zip(
        ("held_first", "held_last"), ("first", "last"), held, strict=True
    ):
        if length > Fraction(1, 10) and info.picture is None:
            found.append(
                (code, f"the picture is held on its {where} frame for {float(length):.3f} s")
            )
    dropped = [stream for stream in info.subtitles if not stream.text]
    if dropped:
        found.append(
            (
                "subtitles_dropped",
                f"{len(dropped)} bitmap subtitle streams cannot be kept in an MP4",
            )
        )
    if picture.hdr is not None and not copied:
        found.append(("tone_mapped", "the HDR picture is made SDR"))
    return tuple(Reason(code=code, message=message, note=True) for code, message in found)


def _length(layout: Layout) -> Fraction:
    return layout.video.source_out - layout.video.source_in
