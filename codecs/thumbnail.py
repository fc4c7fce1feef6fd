"""A small picture of a video, for pages that show many."""

from __future__ import annotations

from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.process import machine_memory_bytes, run

_WIDTH, _HEIGHT = 192, 108
_STALL_S = 30.0


def draw_thumbnail(ffmpeg: Ffmpeg, path: str, at_s: float) -> bytes:
    """A JPEG of an MP4's frame at a time. Raises ChildFailedError or StalledError."""
    fit = f"scale={_WIDTH}:{_HEIGHT}:force_original_aspect_ratio=decrease:force_divisible_by=2"
    argv = [
        *(ffmpeg.path, "-hide_banner", "-nostdin", "-v", "error", "-threads", "1"),
        *("-protocol_whitelist", "file", "-ss", f"{max(at_s, 0.0):.3f}", "-f", "mov"),
        *("-i", f"file:{path}", "-map", "0:v:0", "-frames:v", "1", "-vf", fit),
        *("-pix_fmt", "yuvj420p", "-q:v", "6", "-f", "mjpeg", "pipe:1"),
    ]
    memory = machine_memory_bytes()
    return run(argv, "drawing a small picture", stall_s=_STALL_S, memory_bytes=memory)
