"""Making the plan: every decision of a merge, in one pure function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from avpipe.errors import MediaError, RequestError, UnreadableError, WrongMediaError
from avpipe.media import (
    Alignment,
    MediaInfo,
    PictureKind,
    VideoStream,
)
from avpipe.plan import estimate
from avpipe.plan.alignment import used_alignment
from avpipe.plan.framing import Framing, frame_picture
from avpipe.plan.layout import Layout, lay_out
from avpipe.plan.lines import Line, lines_of, moved_s
from avpipe.plan.request import AudioMode, Request, VideoMode
from avpipe.plan.route import routed
from avpipe.plan.sound import Sound, sound_of
from avpipe.plan.streams import (
    reason_to_force_video,
    reasons_to_encode_audio,
    reasons_to_encode_video,
)
from avpipe.plan.supported import require_supported
from avpipe.plan.values import (
    Inputs,
    Machine,
    Plan,
    PlannedOutput,
    Reason,
    Route,
    Step,
    StepKind,
)
from avpipe.recipe import CAMERA, FEWER_CHANNELS_HINT, MOST_CHANNELS, Action, PictureEncode, Quality
from avpipe.timeline import Segment, Timeline, Track, TrackKind

STILL_RATE = Fraction(25)
"""Frames a second of a still picture's video."""
LEAST_TICKS = 10_000
"""Ticks a second that a track has at least, so that sound and edits can be placed well."""
FINE_TIME_BASE = Fraction(1, 90_000)
"""For pictures whose frames do not come at a constant rate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What listening to the files told."""

    found: tuple[Alignment, ...] = ()
    """How each recording lines up with the video; empty where nothing was compared."""
    camera_gain_db: float = 0.0
    """What brings the camera's sound to the level of the recording."""


def make_plan(
    request: Request,
    video: MediaInfo,
    audio: Sequence[MediaInfo],
    machine: Machine,
    heard: Heard | None = None,
) -> Plan:
    """The plan of a merge of a video and one recording or more.

    Raises WrongMediaError, MediaError, RequestError or SyncUncertainError where it cannot be made.
    """
    picture = usable_streams(video, audio)
    heard = heard or Heard()
    (alignments, lines, sync_notes) = _placed(request, video, audio, heard.found)
    layout = _layout(request, video, lines)
    shown = shown_segment(layout, picture)
    sound = sound_of(request, layout, shown, video, audio, lines, heard.camera_gain_db)
    framing = frame_picture(picture, request)
    (video_action, video_reasons) = decide_video(picture, video, request, framing, layout)
    (audio_action, audio_reasons) = _decide_audio(audio, request, layout, sound)
    copied = video_action is Action.COPY
    size = copied_size(picture) if copied else (framing.width, framing.height)
    encode = None if copied else picture_encode(picture, video, request, framing, layout, machine)
    timeline = _timeline(request, layout, shown, sound, size)
    cost = _cost(picture, video, request, timeline, copied, audio_action, machine)
    made = Plan(
        inputs=Inputs(video=video, audio=audio[0], more_audio=tuple(audio[1:])),
        alignment=alignments[0],
        more_alignments=alignments[1:],
        moved_s=moved_s(request),
        route=Route.LOCAL,
        video=video_action,
        audio=audio_action,
        encode=encode,
        timeline=timeline,
        loudness_lufs=request.loudness_lufs,
        steps=_steps(video_action, audio_action, video_reasons, audio_reasons, cost),
        fallback=(),
        reasons=(
            *video_reasons,
            *audio_reasons,
            *sync_notes,
            *_notes(request, layout, picture, video, sound, copied),
        ),
        output=PlannedOutput(
            path=request.output,
            duration_s=float(layout.duration),
            width=size[0],
            height=size[1],
            estimated_bytes=cost.size_bytes,
        ),
    )
    return routed(made, request, machine.cloud)


def usable_streams(video: MediaInfo, audio: Sequence[MediaInfo]) -> VideoStream:
    """The picture that is used, after a look at all files.

    Raises WrongMediaError or MediaError where one of them cannot be used.
    """
    for info in (video, *audio):
        require_supported(info)
    if not video.video:
        raise WrongMediaError(
            f"{video.path} has no picture, so it cannot be the video",
            hint="give the video first and the audio second: avpipe merge VIDEO AUDIO",
        )
    for info in audio:
        if not info.audio:
            raise WrongMediaError(
                f"{info.path} has no sound, so it cannot be the audio",
                hint="give the video first and the audio second: avpipe merge VIDEO AUDIO",
            )
        _known(info.audio[0].duration, info)
    for info in (video, *audio):
        if info.audio and info.audio[0].channels > MOST_CHANNELS:
            raise UnreadableError(
                f"{info.path} has {info.audio[0].channels} channels, more than the "
                f"{MOST_CHANNELS} that can be worked with",
                hint=FEWER_CHANNELS_HINT,
            )
    if video.picture is None:
        _known(video.video[0].duration, video)
    return video.video[0]


def _known(duration: Fraction | None, info: MediaInfo) -> Fraction:
    if duration is None or duration <= 0:
        raise MediaError(f"{info.path} does not tell how long it is")
    return duration


def _placed(
    request: Request, video: MediaInfo, audio: Sequence[MediaInfo], found: tuple[Alignment, ...]
) -> tuple[tuple[Alignment, ...], tuple[tuple[Line, ...], ...], tuple[Reason, ...]]:
    """For each recording the alignment that is used and its lines; and what users are told."""
    alignments: list[Alignment] = []
    notes: list[Reason] = []
    shown = _shown(video)
    for info, one in zip(audio, found or (None,) * len(audio), strict=True):
        (alignment, reasons) = used_alignment(request, video, info, one)
        alignments.append(alignment)
        notes += reasons
    lines = tuple(
        lines_of(alignment, _known(info.audio[0].duration, info), request, shown)
        for info, alignment in zip(audio, alignments, strict=True)
    )
    return tuple(alignments), lines, tuple(notes)


def _shown(video: MediaInfo) -> Fraction | None:
    """How long the picture is shown; None where it is as long as the sound lasts."""
    return None if video.picture is not None else _known(video.video[0].duration, video)


def _layout(request: Request, video: MediaInfo, lines: Sequence[Sequence[Line]]) -> Layout:
    """The layout of the video and of all recordings together."""
    begin = min(line.start for some in lines for line in some)
    end = max(line.end for some in lines for line in some)
    return lay_out(video=_shown(video), audio=end - begin, offset=begin, fit=request.fit)


def shown_segment(layout: Layout, picture: VideoStream) -> Segment:
    """The stretch of the picture that is seen."""
    return Segment(
        source=CAMERA,
        stream=picture.index,
        start=layout.video.start,
        source_in=layout.video.source_in,
        source_out=layout.video.source_out,
    )


def _timeline(
    request: Request, layout: Layout, shown: Segment, sound: Sound, size: tuple[int, int]
) -> Timeline:
    heard = [part for part in (sound.camera, sound.fills, *sound.recordings) if part]
    return Timeline(
        duration=layout.duration,
        width=size[0],
        height=size[1],
        tracks=(
            Track(kind=TrackKind.VIDEO, segments=(shown,)),
            *(Track(kind=TrackKind.AUDIO, segments=segments) for segments in heard),
        ),
        mix=request.audio_mode is not AudioMode.ADD and len(heard) > 1,
    )


def decide_video(
    picture: VideoStream, info: MediaInfo, request: Request, framing: Framing, layout: Layout
) -> tuple[Action, tuple[Reason, ...]]:
    """Copy or encode, and why. Raises RequestError where a copy is wanted that cannot be."""
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
    audio: Sequence[MediaInfo], request: Request, layout: Layout, sound: Sound
) -> tuple[Action, tuple[Reason, ...]]:
    (info, stream) = (audio[0], audio[0].audio[0])
    obstacles = reasons_to_encode_audio(stream, info, request, layout.duration, sound)
    if obstacles:
        return Action.ENCODE, obstacles
    return Action.COPY, (
        Reason(code="copy_audio", message="the audio already is AAC that needs no change"),
    )


def copied_size(picture: VideoStream) -> tuple[int, int]:
    """Width and height as shown, of a picture that is not encoded."""
    turned = picture.rotation_deg in (90, 270)
    return (picture.height, picture.width) if turned else (picture.width, picture.height)


def picture_encode(
    picture: VideoStream,
    info: MediaInfo,
    request: Request,
    framing: Framing,
    layout: Layout,
    machine: Machine,
) -> PictureEncode:
    """How a picture is encoded."""
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
    tracks = 1 if timeline.mix else len(timeline.audio_tracks)
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
        render_s += estimate.tone_map_seconds(picture, frames, machine.cores)
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


def _notes(
    request: Request,
    layout: Layout,
    picture: VideoStream,
    info: MediaInfo,
    sound: Sound,
    copied: bool,
) -> tuple[Reason, ...]:
    found: list[tuple[str, str]] = []
    if request.audio_mode is not AudioMode.REPLACE and not sound.camera:
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
