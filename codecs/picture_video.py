"""A picture as a small lossless video that every ffmpeg can read.

ffmpeg before 8 cannot decode an animated WebP and turns no PNG by its EXIF; Pillow does both.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av

from avpipe.codecs.pictures import frames

if TYPE_CHECKING:
    from av.container import OutputContainer
    from PIL.Image import Image

TICK = Fraction(1, 1000)
"""The time base of the video: animations are timed in milliseconds."""
STILL_TICKS = 40
"""How long a still stands in its video; whoever draws it repeats it."""


def write_frames(source: str, target: str) -> None:
    """Write the frames of the picture at `source` once, as PNG in a QuickTime file.

    Raises TruncatedError or UnreadableError where it cannot be read.
    """
    with av.open(f"file:{target}", "w", format="mov") as container:
        stream = None
        ticks = 0
        for image, seconds in frames(source):
            if stream is None:
                stream = container.add_stream("png", rate=25)
                stream.width, stream.height, stream.pix_fmt = image.width, image.height, "rgb24"
                stream.time_base = stream.codec_context.time_base = TICK
            length = round(seconds / TICK) or STILL_TICKS
            _write_frame(container, stream, image, ticks, length)
            ticks += length


def _write_frame(
    container: OutputContainer, stream: av.VideoStream, image: Image, ticks: int, length: int
) -> None:
    frame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
    frame.time_base = TICK
    frame.pts = ticks
    for packet in stream.encode(frame):
        packet.pts = packet.dts = ticks
        packet.duration = length
        packet.time_base = TICK
        container.mux(packet)
