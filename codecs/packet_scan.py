"""What the packets of a file tell: starts, ends, order and holes, without decoding more than edges.

Three ways, by what the container has. MP4 and MOV: the index, and a few packets at both ends.
Other files up to `packet_read.SCAN_LIMIT`: every packet. Larger ones: head, middle and tail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import av
from av.container import InputContainer
from av.stream import Stream

from avpipe.codecs import packet_read
from avpipe.codecs.index_scan import has_index, scan_index
from avpipe.codecs.mp4_boxes import BoxError
from avpipe.codecs.mp4_thin import Thinned
from avpipe.codecs.packet_read import Deadline, OutOfTimeError, Scan, new_track, only, read
from avpipe.codecs.packet_track import Track

_WINDOW_PACKETS = 400
_WINDOWS_FROM_US = 60_000_000
_TAIL_US = 3_000_000


def scan(
    container: InputContainer,
    streams: list[Stream],
    size_bytes: int,
    deadline: Deadline,
    thinned: Mapping[int, Thinned],
) -> Scan:
    """Look at the packets of these streams, as far as the container makes it necessary.

    `thinned` is what the index leaves out that the demuxer was shown, by stream. Raises BoxError
    where that does not fit what the demuxer made of it.
    """
    only(container, streams)
    result = Scan(tracks=[new_track(stream, thinned.get(stream.index)) for stream in streams])
    try:
        if not streams:
            return result
        indexed = has_index(container, streams)
        if not indexed or not scan_index(container, result, size_bytes, deadline):
            if thinned:
                raise BoxError("its index is not all")
            if indexed:
                _reset(container, result)
            _scan_packets(container, result, size_bytes, deadline)
    except (OutOfTimeError, av.ExitError):
        result.timed_out = True
    except av.FFmpegError as error:
        result.error = str(error.strerror or error)
    return result


def _reset(container: InputContainer, result: Scan) -> None:
    """Go back to the start, with nothing seen."""
    only(container, [track.stream for track in result.tracks])
    for track in result.tracks:
        track.stream.codec_context.flush_buffers()
    container.seek(min(0, container.start_time or 0), any_frame=True)
    result.error = None
    result.tracks[:] = [new_track(track.stream) for track in result.tracks]


# Every packet, or windows


def _scan_packets(
    container: InputContainer, result: Scan, size_bytes: int, deadline: Deadline
) -> None:
    parts_do = any(track.is_video for track in result.tracks) or _is_wave(container, result.tracks)
    length = container.duration or 0
    if size_bytes > packet_read.SCAN_LIMIT and parts_do and length > _WINDOWS_FROM_US:
        try:
            _read_windows(container, result, length, deadline)
        except av.FFmpegError as error:
            result.error = str(error)  # it cannot seek: all of it is read
        if all(track.end is not None for track in result.tracks):
            return
        _reset(container, result)
    read(container, result, deadline)
    for track in result.tracks:
        track.whole = True


def _is_wave(container: InputContainer, tracks: list[Track]) -> bool:
    """Whether it is samples and nothing else, where the place of each is its time."""
    named = container.format.name in ("wav", "w64")
    return named and all(track.codec.startswith("pcm") for track in tracks)


def _read_windows(
    container: InputContainer, result: Scan, length_us: int, deadline: Deadline
) -> None:
    """Read the head, something in the middle, and the tail to the end of the file."""
    start = container.start_time or 0
    read(container, result, deadline, enough=_window_full(result.tracks))
    container.seek(start + length_us // 2)
    read(container, result, deadline, enough=_window_full(result.tracks))
    container.seek(start + max(length_us - _TAIL_US, 0))
    read(container, result, deadline)


def _window_full(tracks: list[Track]) -> Callable[[], bool]:
    """A test for a window that holds what a picture's rhythm is told from."""
    target = max(track.count for track in tracks) + _WINDOW_PACKETS

    def full() -> bool:
        frames = all(track.first_frame is not None for track in tracks)
        longest = max(track.count for track in tracks)
        return longest >= (target if frames else target + 4 * _WINDOW_PACKETS)

    return full
