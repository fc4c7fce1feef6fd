"""The plan of one file alone: its whole picture and all of its sound, in an MP4."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

from avpipe.errors import MediaError, WrongMediaError
from avpipe.media import Alignment, AlignmentMethod, AudioStream, MediaInfo, VideoStream
from avpipe.plan import estimate
from avpipe.plan.framing import frame_picture
from avpipe.plan.layout import Layout, Placement
from avpipe.plan.make import (
    STILL_RATE,
    copied_size,
    decide_video,
    picture_encode,
    shown_segment,
)
from avpipe.plan.request import Request
from avpipe.plan.sound import Sound
from avpipe.plan.streams import reasons_to_encode_audio
from avpipe.plan.supported import require_supported
from avpipe.plan.values import Inputs, Machine, Plan, PlannedOutput, Reason, Route, Step, StepKind
from avpipe.recipe import AUDIO_RATE, RECORDER, Action, PictureEncode
from avpipe.timeline import Segment, Timeline, Track, TrackKind

NEAR_S = Fraction(1, 10)
"""Sound that begins that little before the picture is cut: the picture need not be held for it."""
TICK_S = Fraction(1, 1000)
"""A start that is off by no more is none."""
VERIFY_WHY = "the output gets its name only when it is what was planned"


def plan_alone(request: Request, info: MediaInfo, machine: Machine) -> Plan:
    """The plan that makes an MP4 of a file, which is both the video and the audio of the request.

    Raises WrongMediaError, MediaError or RequestError where it cannot be made.
    """
    require_supported(info)
    if info.picture is not None or not (info.video or info.audio):
        what = "is a picture" if info.picture else "has neither picture nor sound"
        raise WrongMediaError(f"{info.path} {what}", hint="give a video, or a sound")
    if not info.video:
        return _of_sound(request, info, machine)
    return _of_video(request, info, machine)


def _of_video(request: Request, info: MediaInfo, machine: Machine) -> Plan:
    picture = info.video[0]
    layout = _lay_out(info)
    shown = shown_segment(layout, picture)
    framing = frame_picture(picture, request)
    (video, video_reasons) = decide_video(picture, info, request, framing, layout)
    copied = video is Action.COPY
    size = copied_size(picture) if copied else (framing.width, framing.height)
    starts = [_span(stream, picture, info)[0] - layout.origin for stream in info.audio]
    (audio, audio_reasons) = _decide_audio(request, info, starts, layout.duration)
    # The sound belongs to its picture: it is placed by its time stamps.
    heard = [dataclasses.replace(shown, stream=stream.index) for stream in info.audio]
    timeline = Timeline(
        duration=layout.duration,
        width=size[0],
        height=size[1],
        tracks=(Track(kind=TrackKind.VIDEO, segments=(shown,)), *_tracks(heard)),
    )
    encode = None if copied else picture_encode(picture, info, request, framing, layout, machine)
    return _plan(
        request,
        info,
        timeline,
        video=video,
        audio=audio,
        encode=encode,
        reasons=(*video_reasons, *audio_reasons, *_notes(info, picture, copied)),
        machine=machine,
    )


def _of_sound(request: Request, info: MediaInfo, machine: Machine) -> Plan:
    """The plan of a file without a picture; its sound is placed by counting samples."""
    lengths = [_known(stream.duration, info) for stream in info.audio]
    duration = Fraction(round(max(lengths) * AUDIO_RATE), AUDIO_RATE)
    heard = [
        Segment(
            source=RECORDER,
            stream=stream.index,
            start=Fraction(0),
            source_in=Fraction(0),
            source_out=length,
        )
        for stream, length in zip(info.audio, lengths, strict=True)
    ]
    (audio, reasons) = _decide_audio(request, info, [Fraction(0)] * len(lengths), duration)
    timeline = Timeline(duration=duration, width=0, height=0, tracks=_tracks(heard))
    return _plan(
        request,
        info,
        timeline,
        video=Action.COPY,
        audio=audio,
        encode=None,
        reasons=reasons,
        machine=machine,
    )


def _plan(
    request: Request,
    info: MediaInfo,
    timeline: Timeline,
    *,
    video: Action,
    audio: Action,
    encode: PictureEncode | None,
    reasons: tuple[Reason, ...],
    machine: Machine,
) -> Plan:
    (size_bytes, render_s) = _cost(request, info, timeline, audio, encode, machine)
    why = "; ".join(reason.message for reason in reasons if not reason.note)
    return Plan(
        inputs=Inputs(video=info, audio=info),
        alignment=Alignment(method=AlignmentMethod.START),
        route=Route.LOCAL,
        video=video,
        audio=audio,
        encode=encode,
        timeline=timeline,
        steps=(
            Step(kind=StepKind.RENDER, why=why, estimate_s=round(render_s, 2)),
            Step(kind=StepKind.VERIFY, why=VERIFY_WHY, estimate_s=round(0.2 + size_bytes / 1e9, 2)),
        ),
        fallback=(),
        reasons=reasons,
        output=PlannedOutput(
            path=request.output,
            duration_s=float(timeline.duration),
            width=timeline.width,
            height=timeline.height,
            estimated_bytes=size_bytes,
        ),
    )


def _cost(
    request: Request,
    info: MediaInfo,
    timeline: Timeline,
    audio: Action,
    encode: PictureEncode | None,
    machine: Machine,
) -> tuple[int, float]:
    """Bytes and seconds."""
    count = len(timeline.audio_tracks)
    sound = estimate.audio_bytes(timeline.duration, count)
    seconds = estimate.audio_seconds(timeline.duration, count, machine.cores)
    if audio is Action.COPY:
        seconds = 0.0
    if encode is None:
        size = estimate.copied_bytes(info.video[0], info, Fraction(1)) if info.video else 0
        return size + sound, seconds + estimate.copy_seconds(size)
    pixels = timeline.width * timeline.height
    frames = float(timeline.duration * (info.video[0].frame_rate or STILL_RATE))
    size = estimate.encoded_bytes(pixels, frames, request.quality)
    seconds += estimate.encode_seconds(pixels, frames, request.quality, machine.cores)
    seconds += estimate.tone_map_seconds(info.video[0], frames, machine.cores)
    return size + sound, seconds


def _lay_out(info: MediaInfo) -> Layout:
    """The picture and all of the sound; what is heard just before the picture is left out."""
    picture = info.video[0]
    length = _known(picture.duration, info)
    spans = [_span(stream, picture, info) for stream in info.audio]
    begin = min([Fraction(0), *(start for start, _ in spans if start < -NEAR_S)])
    end = max([length, *(end for _, end in spans)])
    duration = Fraction(round((end - begin) * AUDIO_RATE), AUDIO_RATE)
    shown = Placement(start=-begin, source_in=Fraction(0), source_out=length)
    return Layout(duration=duration, origin=begin, video=shown, audio=shown)


def _span(stream: AudioStream, picture: VideoStream, info: MediaInfo) -> tuple[Fraction, Fraction]:
    """When a sound is heard, counted from the first frame."""
    start = (stream.start or Fraction(0)) - (picture.start or Fraction(0))
    return start, start + _known(stream.duration, info)


def _decide_audio(
    request: Request, info: MediaInfo, starts: Sequence[Fraction], duration: Fraction
) -> tuple[Action, tuple[Reason, ...]]:
    """Copy or encode; `starts` say where in the output each stream begins."""
    found: list[Reason] = []
    for stream, start in zip(info.audio, starts, strict=True):
        length = _known(stream.duration, info)
        part = Segment(
            source=RECORDER,
            stream=stream.index,
            start=max(start, Fraction(0)),
            source_in=max(-start, Fraction(0)),
            source_out=length,
        )
        if abs(start) <= TICK_S:
            part = dataclasses.replace(part, start=Fraction(0), source_in=Fraction(0))
        sound = Sound(recordings=((part,),))
        found += reasons_to_encode_audio(stream, info, request, duration, sound)
    if found:
        return Action.ENCODE, tuple({reason.code: reason for reason in found}.values())
    if not info.audio:
        return Action.COPY, (Reason(code="no_audio", message="there is no sound"),)
    return Action.COPY, (
        Reason(code="copy_audio", message="the sound already is AAC that needs no change"),
    )


def _notes(info: MediaInfo, picture: VideoStream, copied: bool) -> tuple[Reason, ...]:
    found = []
    dropped = sum(not stream.text for stream in info.subtitles)
    if dropped:
        words = f"{dropped} bitmap subtitle streams cannot be kept in an MP4"
        found.append(Reason(code="subtitles_dropped", message=words, note=True))
    if picture.hdr is not None and not copied:
        words = "the HDR picture is made SDR"
        found.append(Reason(code="tone_mapped", message=words, note=True))
    return tuple(found)


def _known(duration: Fraction | None, info: MediaInfo) -> Fraction:
    if duration is None or duration <= 0:
        raise MediaError(f"{info.path} does not tell how long it is")
    return duration


def _tracks(heard: Sequence[Segment]) -> tuple[Track, ...]:
    return tuple(Track(kind=TrackKind.AUDIO, segments=(segment,)) for segment in heard)
