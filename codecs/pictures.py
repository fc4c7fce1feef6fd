"""Pictures that are given as a video: what they are, and their frames. Through Pillow."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from avpipe.codecs.file_length import declared_length
from avpipe.codecs.frame_rate import measure
from avpipe.errors import MediaError, TruncatedError, UnreadableError
from avpipe.media import MediaInfo, PictureKind, Problem, Severity, VideoStream

if TYPE_CHECKING:
    from PIL import Image

MAX_DECODED = 20_000_000_000
"""Pixels of all frames together; more would take minutes to decode."""
MAX_FRAMES = 20_000
_FORMATS = {"jpeg": "JPEG", "png": "PNG", "gif": "GIF", "webp": "WEBP"}
_CODECS = {"jpeg": "mjpeg", "png": "png", "gif": "gif", "webp": "webp"}
_PIXEL_FORMATS = {
    "1": "monob", "L": "gray", "LA": "ya8", "P": "pal8", "RGB": "rgb24", "RGBA": "rgba",
}  # fmt: skip
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


def probe_picture(blank: MediaInfo) -> MediaInfo:
    """The facts of a picture: `blank` (path and size alone) filled in. Reads all its frames.

    A picture that can't be read has `supported=False` and a problem of severity error.
    """
    from PIL import Image

    try:
        with Path(blank.path).open("rb") as file:
            kind = sniff(file.read(64))
        with _opened(blank.path) as image:
            orientation = int(image.getexif().get(_ORIENTATION, 1) or 1)
            steps = [step for _, step in _steps(image)]
            stream = _stream(image, kind or "", orientation, steps)
    except Image.DecompressionBombError:
        return _failed(blank, "too_large", "The picture is too large to be decoded safely.")
    except TruncatedError as error:
        return _failed(blank, "truncated", error.message)
    except UnreadableError as error:
        return _failed(blank, "unreadable", error.message)
    animated = len(steps) > 1
    return dataclasses.replace(
        blank,
        container=kind,
        supported=True,
        picture=PictureKind.ANIMATION if animated else PictureKind.STILL,
        video=(stream,),
        start=stream.start,
        duration=stream.duration,
        problems=tuple(_traits(stream, orientation)),
    )


def frames(path: str) -> Iterator[tuple[Image.Image, Fraction]]:
    """The frames of a picture: upright RGB on black, and seconds each stands (0 for a still).

    Raises TruncatedError or UnreadableError.
    """
    from PIL import Image, ImageOps

    try:
        with _opened(path) as image:
            orientation = image.getexif().get(_ORIENTATION, 1)
            for frame, step in _steps(image):
                flat = _flatten(frame)
                flat.getexif()[_ORIENTATION] = orientation
                yield ImageOps.exif_transpose(flat), step
    except Image.DecompressionBombError as error:
        raise UnreadableError("the picture is too large to be decoded safely") from error


@contextlib.contextmanager
def _opened(path: str) -> Iterator[Image.Image]:
    """The picture, with all that Pillow raises on a bad one translated."""
    from PIL import Image

    size = Path(path).stat().st_size
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of bombs below twice the limit, of odd metadata
            with Image.open(path, formats=tuple(_FORMATS.values())) as image:
                if image.width * image.height * _count(image) > MAX_DECODED:
                    raise Image.DecompressionBombError("too many pixels in all frames")
                yield image
    except (Image.DecompressionBombError, MediaError, GeneratorExit):
        raise
    except Exception as error:
        if _is_cut(error, path, size):
            raise TruncatedError("The picture is cut off: its data end too early.") from error
        raise UnreadableError(f"The picture is damaged ({_first_line(error)}).") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _is_cut(error: Exception, path: str, size: int) -> bool:
    with Path(path).open("rb") as file:
        declared = declared_length(file)
    words = str(error).lower()
    return (
        (declared is not None and declared > size)
        or isinstance(error, EOFError)
        or any(word in words for word in ("truncated", "too small", "too short", "not enough"))
    )


def _count(image: Image.Image) -> int:
    """How many frames; of a JPEG the first one (others are previews and views)."""
    return int(getattr(image, "n_frames", 1)) if image.format in ("GIF", "PNG", "WEBP") else 1


def _steps(image: Image.Image) -> Iterator[tuple[Image.Image, Fraction]]:
    """Each frame in turn, decoded, and how many seconds it stands."""
    count = min(_count(image), MAX_FRAMES)
    first = 1 if count > 2 and getattr(image, "default_image", False) else 0
    for place in range(first, count):
        image.seek(place)
        image.load()
        still = count - first == 1
        yield image, Fraction(0) if still else _stand(image.info.get("duration", 0))


def _stand(milliseconds: float) -> Fraction:
    """Seconds that a frame is shown: as browsers do, 100 ms for one that asks for 10 or less."""
    asked = Fraction(milliseconds).limit_denominator(65535)
    return (Fraction(100) if asked <= _HASTE_MS else asked) * _MILLISECOND


def _flatten(frame: Image.Image) -> Image.Image:
    """RGB, with what is transparent shown as black."""
    from PIL import Image

    if frame.mode.startswith("I"):  # 16 bits of grey
        return frame.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if frame.mode not in ("RGBA", "LA", "PA", "P", "RGBa", "La") and (
        "transparency" not in frame.info
    ):
        return frame.convert("RGB")
    clear = frame.convert("RGBA")
    flat = Image.new("RGB", frame.size)
    flat.paste(clear, mask=clear.getchannel("A"))
    return flat


def _stream(image: Image.Image, kind: str, orientation: int, steps: list[Fraction]) -> VideoStream:
    animated = len(steps) > 1
    total = sum(steps, Fraction(0))
    tick = Fraction(1, math.lcm(1000, *(step.denominator for step in steps)))
    return VideoStream(
        index=0,
        codec=_CODECS[kind],
        profile=None,
        pixel_format=_pixel_format(image),
        width=image.width,
        height=image.height,
        rotation_deg=_ROTATIONS.get(orientation, 0),
        sample_aspect_ratio=None,
        frame_rate=len(steps) / total if animated else None,
        variable_frame_rate=_varies(kind, steps) if animated else None,
        interlaced=False,
        hdr=None,
        color_primaries=None,
        color_transfer=None,
        color_matrix=None,
        color_range=None,
        bit_rate=None,
        time_base=tick,
        start_pts=0 if animated else None,
        duration_ts=int(total / tick) if animated else None,
        packets=len(steps),
        last_frame_ts=int(steps[-1] / tick) if animated else None,
        dts_rises=True if animated else None,
    )


def _varies(kind: str, steps: list[Fraction]) -> bool | None:
    """Whether the steps differ by more than the rounding of the format."""
    tick = Fraction(1, 100 if kind == "gif" else 1000)
    times = list(itertools.accumulate((round(step / tick) for step in steps), initial=0))
    return measure([times], tick).variable


def _pixel_format(image: Image.Image) -> str | None:
    """ffmpeg's name of the pixels where Pillow tells."""
    if image.format == "JPEG" and image.mode in ("RGB", "YCbCr"):
        from PIL import JpegImagePlugin

        sampling = JpegImagePlugin.get_sampling(image)
        return {0: "yuvj444p", 1: "yuvj422p", 2: "yuvj420p"}.get(sampling)
    if image.format not in ("PNG", "JPEG"):
        return None
    return _PIXEL_FORMATS.get(image.mode)


def _traits(stream: VideoStream, orientation: int) -> Iterator[Problem]:
    if orientation in _MIRRORED:
        yield Problem(
            code="mirrored",
            severity=Severity.INFO,
            message="The picture is stored mirrored; it is shown as its camera meant it.",
        )
    if stream.variable_frame_rate:
        yield Problem(
            code="variable_frame_rate",
            severity=Severity.INFO,
            message="The frames don't come at a constant rate.",
        )


def _failed(blank: MediaInfo, code: str, message: str) -> MediaInfo:
    problem = Problem(code=code, severity=Severity.ERROR, message=message)
    return dataclasses.replace(blank, problems=(problem,))
