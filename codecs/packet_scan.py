"""What the packets of a file tell: starts, ends, order and holes, without decoding more than edges.

Three ways, by what the container has. MP4 and MOV: the index, and a few packets at both ends.
Other files up to `SCAN_LIMIT`: every packet. Larger ones: head, middle and tail.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Stream

from avpipe.codecs.frame_rate import in_order, measure
from avpipe.codecs.mp4_boxes import BoxError
from avpipe.codecs.mp4_thin import Omission, Thinned
from avpipe.codecs.packet_track import DECODE_PACKETS, GAP, Track

SCAN_LIMIT = 64 * 1000 * 1000
"""Files of that many bytes are read whole."""
_SHORT = 64
"""An index of that many entries is not worth two seeks."""
_TAIL_PACKETS = 24
"""More than frames are ever reordered by."""
_REORDERED = frozenset(("h264", "hevc"))
"""Codecs whose decoders wait for frames that may be shown earlier."""
_WINDOW_PACKETS = 400
_WINDOWS_FROM_US = 60_000_000
_TAIL_US = 3_000_000


_REST_S = 1.0


class OutOfTimeError(Exception):
    """A scan took longer than it may."""


@dataclass(kw_only=True, slots=True)
class Deadline:
    """How long a scan may still take.

    Between two looks a second counts at most: a machine that slept, or was taken by others, says
    nothing about the file.
    """

    left_s: float
    clock: Callable[[], float] = time.monotonic
    looked_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.looked_at = self.clock()

    def check(self) -> None:
        """Raise OutOfTimeError where nothing is left."""
        now = self.clock()
        self.left_s -= min(now - self.looked_at, _REST_S)
        self.looked_at = now
        if self.left_s < 0:
            raise OutOfTimeError


@dataclass(kw_only=True, slots=True)
class Scan:
    """What the packets told."""

    tracks: list[Track]
    error: str | None = None
    """What the demuxer said where it failed before the end."""
    timed_out: bool = False


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
    _only(container, streams)
    result = Scan(tracks=[_new_track(stream, thinned.get(stream.index)) for stream in streams])
    try:
        if not streams:
            return result
        if _has_index(container, streams):
            if not _scan_index(container, result, size_bytes, deadline):
                if thinned:
                    raise BoxError("its index is not all")
                _reset(container, result)
                _scan_packets(container, result, size_bytes, deadline)
        elif thinned:
            raise BoxError("its index is not all")
        else:
            _scan_packets(container, result, size_bytes, deadline)
    except (OutOfTimeError, av.ExitError):
        result.timed_out = True
    except av.FFmpegError as error:
        result.error = str(error.strerror or error)
    return result


def _new_track(stream: Stream, thinned: Thinned | None = None) -> Track:
    if not stream.codec_context.is_open:
        stream.codec_context.thread_count = 1  # frame threads give the first frame late
    return Track(stream=stream, tick=Fraction(stream.time_base or 1), thinned=thinned)


def _has_index(container: InputContainer, streams: list[Stream]) -> bool:
    return container.format.name.startswith("mov") and all(
        stream.frames and len(stream.index_entries) for stream in streams
    )


def _reset(container: InputContainer, result: Scan) -> None:
    """Go back to the start, with nothing seen."""
    _only(container, [track.stream for track in result.tracks])
    for track in result.tracks:
        track.stream.codec_context.flush_buffers()
    container.seek(min(0, container.start_time or 0), any_frame=True)
    result.error = None
    result.tracks[:] = [_new_track(track.stream) for track in result.tracks]


def _only(container: InputContainer, streams: list[Stream]) -> None:
    """Have the demuxer pass over all other streams, without reading them."""
    for stream in container.streams:
        stream.discard = Discard.default if stream in streams else Discard.all


# Every packet, or windows


def _scan_packets(
    container: InputContainer, result: Scan, size_bytes: int, deadline: Deadline
) -> None:
    parts_do = any(track.is_video for track in result.tracks) or _is_wave(container, result.tracks)
    length = container.duration or 0
    if size_bytes > SCAN_LIMIT and parts_do and length > _WINDOWS_FROM_US:
        try:
            _read_windows(container, result, length, deadline)
        except av.FFmpegError as error:
            result.error = str(error)  # it cannot seek: all of it is read
        if all(track.end is not None for track in result.tracks):
            return
        _reset(container, result)
    _read(container, result, deadline)
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
    _read(container, result, deadline, enough=_window_full(result.tracks))
    container.seek(start + length_us // 2)
    _read(container, result, deadline, enough=_window_full(result.tracks))
    container.seek(start + max(length_us - _TAIL_US, 0))
    _read(container, result, deadline)


def _window_full(tracks: list[Track]) -> Callable[[], bool]:
    """A test for a window that holds what a picture's rhythm is told from."""
    target = max(track.count for track in tracks) + _WINDOW_PACKETS

    def full() -> bool:
        frames = all(track.first_frame is not None for track in tracks)
        longest = max(track.count for track in tracks)
        return longest >= (target if frames else target + 4 * _WINDOW_PACKETS)

    return full


def _read(
    container: InputContainer,
    result: Scan,
    deadline: Deadline,
    *,
    enough: Callable[[], bool] | None = None,
) -> None:
    """Take in packets, as another window, until there is enough or the file ends."""
    tracks = {track.stream.index: track for track in result.tracks}
    for track in result.tracks:
        track.open_window()
    packets = _demux(container, [track.stream for track in result.tracks])
    for count, packet in enumerate(packets):
        track = tracks[packet.stream.index]
        track.decode_first(packet)
        if packet.size or packet.pts is not None:
            track.add(packet)
        if count % 64 == 0:
            deadline.check()
        if enough is not None and enough():
            return


def _demux(container: InputContainer, streams: list[Stream]) -> Iterator[Packet[Stream]]:
    """Packets up to the end of the file, then one without data for each stream.

    PyAV 18 raises IndexError after the last packet where a stream showed up that was not there
    when the file was opened, as happens in MPEG-TS.
    """
    packets: Iterator[Packet[Stream]] = container.demux(streams)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, IndexError):
            return
        yield packet


# MP4 and MOV


def _scan_index(
    container: InputContainer, result: Scan, size_bytes: int, deadline: Deadline
) -> bool:
    """Read the index and the edges; False where the index turns out not to be all (fragments)."""
    entries = [len(track.stream.index_entries) for track in result.tracks]
    edges = []
    for track in result.tracks:
        _take_index(track, size_bytes, deadline)
        entire = size_bytes <= SCAN_LIMIT and _index_varies(track)
        if entire and track.thinned:
            raise BoxError("all of its packets are needed")
        edges.append(_read_edges(container, track, deadline, entire=entire))
    _only(container, [track.stream for track in result.tracks])
    if entries != [len(track.stream.index_entries) for track in result.tracks]:
        return False
    for track, edge in zip(result.tracks, edges, strict=True):
        _join(track, edge)
    return True


def _take_index(track: Track, size_bytes: int, deadline: Deadline) -> None:
    """Fill in what the index tells; its times are DTS, moved by the edit list.

    A million entries may be gone through here: what the loop touches is kept in local names.
    """
    track.open_window()
    (shown, hidden, is_video) = (track.windows[-1], track.hidden, track.is_video)
    left_out = {one.resumes_at: one for one in (track.thinned.omissions if track.thinned else ())}
    steps = track.steps
    latest = 0
    count = falls = total = reach = 0
    for count, entry in enumerate(track.stream.index_entries, 1):
        (stamp, size) = (entry.timestamp, entry.size)
        if left_out and (omission := left_out.pop(entry.pos, None)) is not None:
            latest = _take_omission(track, omission, latest, stamp)
        if count > 1:
            falls += stamp <= latest
            if not is_video:
                steps[stamp - latest] += 1
        latest = stamp
        total += size
        reach = max(reach, entry.pos + size)
        if is_video:
            (hidden if entry.is_discard else shown).append(stamp)
        if count % 4096 == 0:
            deadline.check()
    if left_out:
        raise BoxError("its index has not the samples that were kept")
    track.latest_dts = latest if count else None
    track.count += count
    track.falls += falls
    track.size_bytes += total
    track.cut |= reach > size_bytes
    track.whole = True


def _take_omission(track: Track, omission: Omission, latest: int, following: int) -> int:
    """Fill in what an index leaves out between two DTS; gives the last one of that."""
    (runs,) = omission.deltas.split((0, omission.samples))
    if latest + omission.deltas.total != following:
        raise BoxError("its index has other times than its tables")
    for count, delta in runs:
        track.falls += 0 if delta else count
        if not track.is_video:
            track.steps[delta] += count
        elif delta:
            track.windows[-1].extend(range(latest + delta, latest + count * delta + 1, delta))
        else:
            track.windows[-1].extend([latest] * count)
        latest += count * delta
    track.count += omission.samples
    track.size_bytes += omission.size_bytes
    track.cut |= omission.beyond_end > 0
    return latest


def _index_varies(track: Track) -> bool:
    """Whether the DTS come at a variable rate, so that the PTS have to be looked at."""
    return track.is_video and bool(
        measure([in_order(track.windows[0], track.hidden)], track.tick).variable
    )


def _read_edges(
    container: InputContainer, track: Track, deadline: Deadline, *, entire: bool
) -> Track:
    """The packets of one stream at the start and at the end of the file, or all of them."""
    index = track.stream.index_entries
    _only(container, [track.stream])
    whole = entire or len(index) <= _SHORT
    alone = not whole and track.codec in _REORDERED
    edge = _read_head(container, track, deadline, whole=whole, alone=alone)
    if alone and (edge.first_frame is None or edge.first_frame.pts != edge.first_kept):
        # Others are shown before the first key frame, if they can be decoded.
        track.stream.codec_context.flush_buffers()
        edge = _read_head(container, track, deadline, whole=whole, alone=False)
    if not whole and not track.cut:
        last = max(len(index) - _tail_length(track), 0)
        container.seek(index[last].timestamp, stream=track.stream, any_frame=True)
        _read(container, Scan(tracks=[edge]), deadline)
    return edge


def _read_head(
    container: InputContainer, track: Track, deadline: Deadline, *, whole: bool, alone: bool
) -> Track:
    """The packets of one stream from its start to its first frame, or all of them."""
    edge = _new_track(track.stream)
    (edge.whole, edge.alone) = (whole, alone)
    container.seek(track.stream.index_entries[0].timestamp, stream=track.stream, any_frame=True)
    lone = Scan(tracks=[edge])
    _read(container, lone, deadline, enough=None if whole else lambda: _edge_seen(edge))
    return edge


def _edge_seen(edge: Track) -> bool:
    if edge.count >= DECODE_PACKETS:
        return True
    return edge.first_frame is not None and (not edge.alone or edge.count >= _TAIL_PACKETS)


def _tail_length(track: Track) -> int:
    """How many packets at the end can hold the one that is shown last."""
    reordered = track.is_video and bool(getattr(track.stream.codec_context, "has_b_frames", True))
    discarded = 0
    index = track.stream.index_entries
    for place in range(len(index) - 1, max(len(index) - 300, 0), -1):
        if not index[place].is_discard:
            break
        discarded += 1
    return discarded + (_TAIL_PACKETS if reordered else 3)


def _join(track: Track, edge: Track) -> None:
    """Add what the edges told to what the index told."""
    track.first_kept, track.last_kept = edge.first_kept, edge.last_kept
    track.last_length, track.end = edge.last_length, edge.end
    track.first_frame, track.tail = edge.first_frame, edge.tail
    track.unstamped, track.untimed, track.padding = edge.unstamped, edge.untimed, edge.padding
    track.damaged = edge.damaged
    if not track.is_video:
        track.gaps = edge.gaps if edge.whole else _has_gap(track)
    elif edge.whole:
        track.windows, track.hidden = edge.windows, edge.hidden


def _has_gap(track: Track) -> bool:
    """Whether a step between index entries is longer than the usual one.

    The index tells no durations; a step of PCM is a chunk of any length, and tells nothing.
    """
    if track.codec.startswith("pcm") or not track.steps:
        return False
    usual = _median(track.steps)
    return (max(track.steps) - usual) * track.tick > GAP


def _median(steps: Counter[int]) -> int:
    """The one in the middle, of all of them in order."""
    ends = itertools.accumulate(count for _, count in sorted(steps.items()))
    middle = steps.total() // 2
    return next(step for step, end in zip(sorted(steps), ends, strict=True) if end > middle)
