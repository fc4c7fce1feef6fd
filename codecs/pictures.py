"""Pictures that are given as a video: what they are, and their frames. Through Pillow."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from avpipe.errors import TruncatedError, UnreadableError
from avpipe.media import MediaInfo, PictureKind, Problem, Severity, VideoStream

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 200_000_000
MAX_FRAMES = 20_000
_FORMATS = {"jpeg": "JPEG", "png": "PNG", "gif": "GIF", "webp": "WEBP"}
_CODECS = {"jpeg": "mjpeg", "png": "png", "gif": "gif", "webp": "webp"}
_ROTATIONS = {1: 0, 2: 0, 3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}
"""Clockwise, by EXIF orientation; 2, 4, 5 and 7 are mirrored besides."""
_MIRRORED = frozenset((2, 4, 5, 7))
_ORIENTATION = 0x0112
_MILLISECOND = Fraction(1, 1000)
_HASTE_MS = 10
"""Browsers show a frame of so few milliseconds for 100."""


def sniff(head: bytes) -> str | None:
    """The picture format that a file with these first bytes has, None where it is no picture."""
    if head[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return None
