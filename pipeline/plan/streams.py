"""Copy or encode, for each stream, and why."""

from __future__ import annotations

from fractions import Fraction

from avpipe.media import AudioStream, MediaInfo, VideoStream
from avpipe.plan.framing import Framing
from avpipe.plan.layout import Layout, Placement
from avpipe.plan.request import AudioMode, Request, VideoMode, resolution_bound
from avpipe.plan.values import Reason
from avpipe.recipe import AAC_FRAME, AUDIO_RATE

AAC_FRAME_S = Fraction(AAC_FRAME, AUDIO_RATE)
"""The length of one audio frame of the output: what an end may be off by."""
COPY_PROFILES = ("Constrained Baseline", "Baseline", "Main", "High")
"""The H.264 profiles that every player decodes."""
COPY_PIXEL_FORMATS = ("yuv420p", "yuvj420p")
COARSEST_TICK_S = Fraction(1, 500)
"""With a coarser one a moved picture would be more than a millisecond off its sound."""
TIMED_CONTAINERS = ("mov", "matroska", "mpegts", "flv")
"""Containers whose PTS can be carried over packet by packet; AVI, for one, has none."""


def reasons_to_encode_video(
    video: VideoStream, info: MediaInfo, request: Request, framing: Framing, layout: Layout
) -> tuple[Reason, ...]:
    """Why the video cannot be copied as it is; empty where it can."""
    found: list[tuple[str, str]] = []
    if info.picture is not None:
        found.append(("picture", "a picture has to be drawn as a video"))
    elif info.container not in TIMED_CONTAINERS:
        found.append(("container", f"{info.container} files do not keep the time of each frame"))
    if video.codec != "h264":
        found.append(("codec", f"the video is {video.codec}, not H.264"))
    elif video.profile is not None and video.profile not in COPY_PROFILES:
        found.append(("profile", f"few players decode H.264 {video.profile}"))
    if video.hdr is not None:
        found.append(("hdr", f"the video is HDR ({video.hdr})"))
    elif video.pixel_format not in COPY_PIXEL_FORMATS:
        found.append(("pixel_format", f"the pixel format is {video.pixel_format}, not yuv420p"))
    if video.interlaced:
        found.append(("interlaced", "the video is interlaced"))
    found += _shape_reasons(video, request, framing)
    found += _time_reasons(video, layout)
    return tuple(Reason(code=f"encode_{code}", message=message) for code, message in found)


def _shape_reasons(video: VideoStream, request: Request, framing: Framing) -> list[tuple[str, str]]:
    found = []
    bound = resolution_bound(request.resolution)
    (width, height) = (max(video.upright_size), min(video.upright_size))
    if bound is not None and (width > bound[0] or height > bound[1]):
        found.append(("size", f"{width}x{height} is larger than {request.resolution}"))
    if request.aspect is not None and framing.frame is not None:
        found.append(("aspect", f"the picture is put into a {request.aspect} frame"))
    return found


def _time_reasons(video: VideoStream, layout: Layout) -> list[tuple[str, str]]:
    found = []
    if layout.video.source_in > 0:
        found.append(
            ("cut", f"the first {float(layout.video.source_in):.3f} s of the video are cut off")
        )
    if layout.video.start > 0 and video.time_base > COARSEST_TICK_S:
        found.append(("clock", "the clock of the video is too coarse to move it"))
    if video.dts_rises is False:
        found.append(("timestamps", "the time stamps of the video are damaged"))
    return found


def reason_to_force_video(request: Request) -> Reason | None:
    """The user's own word on the video, where there is one."""
    if request.video_mode is VideoMode.ENCODE:
        return Reason(code="encode_asked", message="encoding was asked for")
    return None


def reasons_to_encode_audio(
    audio: AudioStream, info: MediaInfo, request: Request, duration: Fraction, placement: Placement
) -> tuple[Reason, ...]:
    """Why the audio cannot be copied as it is; empty where it can."""
    found: list[tuple[str, str]] = []
    if audio.codec != "aac" or audio.profile != "LC":
        name = f"{audio.codec} {audio.profile}" if audio.codec == "aac" else audio.codec
        found.append(("codec", f"the audio is {name}, not AAC-LC"))
    elif info.container not in ("mov", "aac"):
        found.append(("container", f"{info.container} files do not tell where their AAC begins"))
    if audio.channels > 6 or audio.sample_rate < 32_000 or audio.sample_rate > 48_000:
        found.append(
            (
                "format",
                f"{audio.channels} channels at {audio.sample_rate} Hz do not play everywhere",
            )
        )
    if request.audio_mode is AudioMode.MIX:
        found.append(("mix", "it is mixed with the camera's sound"))
    if audio.gaps:
        found.append(("gaps", "the audio has gaps"))
    if placement.source_in > 0:
        found.append(("cut", f"its first {float(placement.source_in):.3f} s are cut off"))
    if placement.start > 0:
        found.append(("pad", f"it begins {float(placement.start):.3f} s into the output"))
    missing = duration - (placement.start + placement.source_out - placement.source_in)
    if missing > AAC_FRAME_S:
        found.append(("pad", f"it is {float(missing):.3f} s too short and is padded"))
    return tuple(Reason(code=f"encode_audio_{code}", message=message) for code, message in found)
