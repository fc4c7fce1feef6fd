"""Copy or encode, for each stream, and why."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from avpipe.media import AudioStream, MediaInfo, VideoStream
from avpipe.plan.framing import Framing
from avpipe.plan.layout import Layout
from avpipe.plan.request import AudioMode, Request, VideoMode, resolution_bound
from avpipe.plan.sound import Sound
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
    audio: AudioStream, info: MediaInfo, request: Request, duration: Fraction, sound: Sound
) -> tuple[Reason, ...]:
    """Why the (first) recording cannot be copied as it is; empty where it can."""
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
    if sound.camera:
        kept = request.audio_mode is AudioMode.ADD
        found.append(
            ("add", "both tracks are made alike")
            if kept
            else ("mix", "it is mixed with the camera's sound")
        )
    if request.loudness_lufs is not None:
        found.append(("loudness", f"it is brought to {request.loudness_lufs:g} LUFS"))
    if audio.gaps:
        found.append(("gaps", "the audio has gaps"))
    if len(sound.recordings) > 1:
        found.append(("several", f"{len(sound.recordings)} recordings are put together"))
    found += _line_reasons(sound, duration)
    return tuple(Reason(code=f"encode_audio_{code}", message=message) for code, message in found)


def _line_reasons(sound: Sound, duration: Fraction) -> Iterator[tuple[str, str]]:
    """What has to change since the recording does not lie as the output does."""
    segments = [segment for segments in sound.recordings for segment in segments]
    for number, segments_of_one in enumerate(sound.recordings):
        speeds = {segment.speed for segment in segments_of_one} - {1}
        if speeds:
            drifts = ", ".join(f"{float((speed - 1) * 10**6):+.2f}" for speed in sorted(speeds))
            whose = (
                "its clock" if len(sound.recordings) == 1 else f"the clock of audio {number + 1}"
            )
            yield "drift", f"{whose} is off by {drifts} ppm, which is taken out by resampling"
        if len(segments_of_one) > 1:
            yield "pieces", f"it lies in {len(segments_of_one)} pieces, not in one"
    if sound.fills:
        yield "fill", "; ".join(_fill_words(sound))
    if len(segments) > 1:
        return
    (segment,) = segments
    if segment.source_in > 0:
        yield "cut", f"its first {float(segment.source_in):.4f} s are cut off"
    if sound.fills:
        return
    if segment.start > 0:
        yield "pad", f"it begins {float(segment.start):.4f} s into the output"
    missing = duration - segment.end
    if missing > AAC_FRAME_S:
        yield "pad", f"it is {float(missing):.3f} s too short and is padded"


def _fill_words(sound: Sound) -> Iterator[str]:
    for fill in sound.fills:
        (first, last) = (float(fill.start + fill.fade_in), float(fill.end - fill.fade_out))
        yield f"the camera's own sound is heard from {first:.3f} to {last:.3f} s"
