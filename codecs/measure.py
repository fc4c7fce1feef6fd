"""What a finished MP4 really holds, from its index and from decoding stretches of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream

    from avpipe.codecs.mp4_thin import Thinned

WINDOW_S = 0.25
"""How long each stretch is that is decoded of a long file, from a key frame on."""
LEAST_WINDOW_S = 0.1
"""The same where little is decoded: three frames and those that the decoder waits for."""
TAIL_FRAMES = 5
"""How many frames are decoded from the last key frame on; 30 of a busy 1080p took 0.3 s."""
MAX_THREADS = 4
"""Each thread of a decoder has to be fed a frame more before the first one comes out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredStream:
    """One stream as a player finds it."""

    kind: str
    """`video`, `audio` or `subtitle`."""
    codec: str
    width: int | None
    height: int | None
    sample_rate: int | None
    channels: int | None
    start: Fraction
    """The time of the first frame or sample, in seconds."""
    end: Fraction
    """The end of the last one, in seconds."""
    packets: int
    """As the file's index counts them."""
    beyond_end: int
    """How many packets the index places past the end of the file."""
    decoded: int
    """Frames or samples that were decoded."""
    errors: int
    """Frames that came out damaged, and stretches that did not decode."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A finished file."""

    size_bytes: int
    index_first: bool
    """Whether the index stands before the media, so that playing can begin at once."""
    streams: tuple[MeasuredStream, ...]

    @property
    def video(self) -> tuple[MeasuredStream, ...]:
        """The picture streams."""
        return tuple(stream for stream in self.streams if stream.kind == "video")

    @property
    def audio(self) -> tuple[MeasuredStream, ...]:
        """The sound streams."""
        return tuple(stream for stream in self.streams if stream.kind == "audio")


def measure(path: str, *, decode_s: float) -> Measured:
    """Measure a finished file, decoding up to `decode_s` seconds of each stream.

    A file that is shorter is decoded whole. Raises av.FFmpegError where it cannot be opened.
    """
    import av
    import av.logging

    from avpipe.codecs.mp4_thin import thin

    av.logging.set_level(None)
    movie = thin(path, lambda length_s: _windows(length_s, decode_s))
    with ExitStack() as files:
        source = f"file:{path}" if movie is None else files.enter_context(movie.file)
        # Its streams are told by the headers: a frame need not be decoded to open it.
        options = {"protocol_whitelist": "file", "skip_frame": "all"}
        container = files.enter_context(av.open(source, "r", options=options))
        (size, thinned) = (container.size, movie.tracks if movie is not None else {})
        streams = tuple(
            _stream(container, stream, size, decode_s, thinned.get(stream.index))
            for stream in container.streams
            if stream.type in ("video", "audio", "subtitle")
        )
    return Measured(size_bytes=size, index_first=_index_first(path), streams=streams)


def _stream(
    container: InputContainer,
    stream: Stream,
    size: int,
    decode_s: float,
    thinned: Thinned | None,
) -> MeasuredStream:
    time_base = Fraction(stream.time_base.numerator, stream.time_base.denominator)  # type: ignore[union-attr]
    entries = stream.index_entries  # made one by one: a list of three hours takes 70 MB
    start = (stream.start_time or 0) * time_base
    length = (stream.duration or 0) * time_base
    timed = stream.type in ("video", "audio")
    context: Any = stream.codec_context
    if stream.type == "video":
        context.thread_type = "AUTO"
        context.thread_count = min(MAX_THREADS, os.cpu_count() or 1)
    (decoded, errors) = _decode(container, stream, float(length), decode_s) if timed else (0, 0)
    omissions = thinned.omissions if thinned is not None else ()
    return MeasuredStream(
        kind=stream.type,
        codec=context.name if context is not None else "unknown",
        width=context.width if stream.type == "video" else None,
        height=context.height if stream.type == "video" else None,
        sample_rate=context.sample_rate if stream.type == "audio" else None,
        channels=context.channels if stream.type == "audio" else None,
        start=start,
        end=start + length,
        packets=len(entries) + sum(one.samples for one in omissions),
        beyond_end=sum(entry.pos + entry.size > size for entry in entries)
        + sum(one.beyond_end for one in omissions),
        decoded=decoded,
        errors=errors,
    )


def _decode(
    container: InputContainer, stream: Stream, length_s: float, decode_s: float
) -> tuple[int, int]:
    if length_s <= decode_s:
        return _decode_window(container, stream, 0.0, float("inf"))
    (*windows, (last_s, _)) = _windows(length_s, decode_s)
    found = [_decode_window(container, stream, *window) for window in windows]
    found.append(_decode_window(container, stream, last_s, float("inf"), most=TAIL_FRAMES))
    return sum(decoded for decoded, _ in found), sum(errors for _, errors in found)


def _windows(length_s: float, decode_s: float) -> list[tuple[float, float]]:
    """What is decoded of a stream that is longer: where each stretch begins, and its length."""
    window_s = min(WINDOW_S, max(decode_s / 2, LEAST_WINDOW_S))
    count = max(2, int(decode_s / window_s))
    starts = ((length_s - window_s) * number / (count - 1) for number in range(count))
    return [(start, window_s) for start in starts]


def _decode_window(
    container: InputContainer,
    stream: Stream,
    start_s: float,
    length_s: float,
    *,
    most: float = float("inf"),
) -> tuple[int, int]:
    """Decode from the key frame before a time on; to go on to that time may take ten times more."""
    import av

    frames_seen = decoded = errors = 0
    end_s = None
    try:
        container.seek(int(start_s / float(stream.time_base or 1)), stream=stream)
        frames: Iterator[Any] = container.decode(stream)
        for frame in frames:
            frames_seen += 1
            errors += bool(frame.is_corrupt)
            decoded += getattr(frame, "samples", 1)
            if end_s is None and frame.time is not None:
                end_s = frame.time + length_s
            past = end_s is not None and frame.time is not None and frame.time >= end_s
            if past or frames_seen >= most:
                break
    except av.FFmpegError:
        errors += 1
    return decoded, errors + (decoded == 0)


def _index_first(path: str) -> bool:
    with open(path, "rb") as file:  # noqa: PTH123
        while header := file.read(8):
            (size, kind) = (int.from_bytes(header[:4]), header[4:8])
            if kind in (b"moov", b"mdat"):
                return kind == b"moov"
            if size == 1:
                size = int.from_bytes(file.read(8)) - 8
            if size < 8:
                return False
            file.seek(size - 8, 1)
    return False
