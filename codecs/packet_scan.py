"""What the packets of a file tell: starts, ends, order and holes, without decoding more than edges.

Three ways, by what the container has. MP4 and MOV: the index, and a few packets at both ends.
Other files up to `SCAN_LIMIT`: every packet. Larger ones: head, middle and tail.
"""

from __future__ import annotations

import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Stream

from avpipe.codecs.frame_rate import measure

SCAN_LIMIT = 64 * 1000 * 1000
"""Files of that many bytes are read whole."""
GAP = Fraction(5, 1000)
"""Seconds between two packets of sound that count as a hole."""
_DECODE_PACKETS = 100
"""Packets that a decoder may take until its first frame."""
_SHORT = 64
"""An index of that many entries is not worth two seeks."""
_TAIL_PACKETS = 24
"""More than frames are ever reordered by."""
_WINDOW_PACKETS = 400
_WINDOWS_FROM_US = 60_000_000
_TAIL_US = 3_000_000


class OutOfTimeError(Exception):
    """A scan ran past its deadline; what was seen until then stands."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deadline:
    """A moment on a clock."""

    at: float
    clock: Callable[[], float] = time.monotonic

    def check(self) -> None:
        """Raise OutOfTimeError after that moment."""
        if self.clock() > self.at:
            raise OutOfTimeError


@dataclass(kw_only=True, slots=True)
class Track:
    """What was seen of one stream, packet by packet. Times are ticks of the stream."""

    stream: Stream
    tick: Fraction
    count: int = 0
    size_bytes: int = 0
    whole: bool = False
    """Whether `count` and what else is told of all packets is told of all."""
    first_kept: int | None = None
    """The lowest time of a packet that is shown."""
    last_kept: int | None = None
    """The highest one, and how long its frame stands (0 where the file does not say)."""
    last_length: int = 0
    end: int | None = None
    """The latest end of a packet that is shown; the end of sound without its padding."""
    latest_decoded: int | None = None
    """The time of the packet that is decoded last."""
    latest_dts: int | None = None
    falls: int = 0
    """Packets whose DTS does not rise."""
    unstamped: int = 0
    """Packets without PTS."""
    untimed: int = 0
    """Packets without any time."""
    gaps: bool = False
    damaged: bool = False
    """Whether the packet read last was cut off."""
    cut: bool = False
    """Whether the index points past the end of the file."""
    windows: list[array[int]] = field(default_factory=list)
    """Times of shown packets, a list for each part of the file that was seen."""
    first_frame: Any = None
    """The first frame that a decoder gives."""
    tries: int = 0
    tail: deque[Packet[Stream]] = field(default_factory=lambda: deque(maxlen=8))
    padding: int = 0
    """Samples that the packet seen last declares to be padding."""

    @property
    def is_video(self) -> bool:
        """Whether the stream is a picture stream."""
        return self.stream.type == "video"

    def open_window(self) -> None:
        """Begin another part of the file: what follows need not join what was seen."""
        self.windows.append(array("q"))
        self.latest_dts = None
        self.end = None

    def add(self, packet: Packet[Stream]) -> None:
        """Take in one packet, in decoding order."""
        self.count += 1
        self.size_bytes += packet.size
        self.damaged = packet.is_corrupt
        self._order(packet.dts, packet.pts)
        when = packet.pts if packet.pts is not None else packet.dts
        if when is None:
            self.untimed += 1
            return
        self.latest_decoded = when
        length = packet.duration or 0
        if self.is_video:
            if not packet.is_discard:
                self._show(when, length)
        else:
            self._hear(packet, when, length)

    def _order(self, dts: int | None, pts: int | None) -> None:
        self.unstamped += pts is None
        if dts is None:
            return
        if self.latest_dts is not None and dts <= self.latest_dts:
            self.falls += 1
        self.latest_dts = dts

    def _show(self, when: int, length: int) -> None:
        self.windows[-1].append(when)
        if self.first_kept is None or when < self.first_kept:
            self.first_kept = when
        if self.last_kept is None or when >= self.last_kept:
            self.last_kept, self.last_length = when, length
        self.end = max(when + length, self.end or when + length)

    def _hear(self, packet: Packet[Stream], when: int, length: int) -> None:
        if self.end is not None and (when - self.end) * self.tick > GAP:
            self.gaps = True
        self.tail.append(packet)
        skip, self.padding = _declared_skip(packet)
        start = when + _ticks(self, skip)
        self.first_kept = start if self.first_kept is None else min(start, self.first_kept)
        self.last_kept, self.last_length, self.end = when, length, when + length

    def decode_first(self, packet: Packet[Stream]) -> None:
        """Decode until there is a frame; damaged packets are passed over."""
        if self.first_frame is not None or self.tries > _DECODE_PACKETS:
            return
        self.tries += 1
        try:
            frames = packet.decode()
        except av.FFmpegError:
            return
        if frames:
            self.first_frame = frames[0]


def _declared_skip(packet: Packet[Stream]) -> tuple[int, int]:
    """Samples to leave out at the packet's start and at its end."""
    if not packet.has_sidedata("skip_samples"):
        return 0, 0
    data = bytes(packet.get_sidedata("skip_samples"))
    return int.from_bytes(data[:4], "little"), int.from_bytes(data[4:8], "little")


def _ticks(track: Track, samples: int) -> int:
    rate = getattr(track.stream.codec_context, "sample_rate", 0)
    return round(Fraction(samples, rate) / track.tick) if samples and rate else 0


@dataclass(kw_only=True, slots=True)
class Scan:
    """What the packets told."""

    tracks: list[Track]
    error: str | None = None
    """What the demuxer said where it failed before the end."""
    timed_out: bool = False


def scan(
    container: InputContainer, streams: list[Stream], size_bytes: int, deadline: Deadline
) -> Scan:
    """Look at the packets of these streams, as far as the container makes it necessary."""
    _only(container, streams)
    result = Scan(tracks=[_new_track(stream) for stream in streams])
    try:
        if not streams:
            return result
        if _has_index(container, streams):
            if not _scan_index(container, result, size_bytes, deadline):
                _reset(container, result)
                _scan_packets(container, result, size_bytes, deadline)
        else:
            _scan_packets(container, result, size_bytes, deadline)
    except OutOfTimeError:
        result.timed_out = True
    except av.FFmpegError as error:
        result.error = str(error.strerror or error)
    return result


def _new_track(stream: Stream) -> Track:
    if not stream.codec_context.is_open:
        stream.codec_context.thread_count = 1  # frame threads give the first frame late
    return Track(stream=stream, tick=Fraction(stream.time_base or 1))


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
    result.tracks[:] = [_new_track(track.stream) for track in result.tracks]


def _only(container: InputContainer, streams: list[Stream]) -> None:
    """Have the demuxer pass over all other streams, without reading them."""
    for stream in container.streams:
        stream.discard = Discard.default if stream in streams else Discard.all


# Every packet, or windows


def _scan_packets(
    container: InputContainer, result: Scan, size_bytes: int, deadline: Deadline
) -> None:
    has_video = any(track.is_video for track in result.tracks)
    length = container.duration or 0
    if size_bytes > SCAN_LIMIT and has_video and length > _WINDOWS_FROM_US:
        try:
            _read_windows(container, result, length, deadline)
        except av.FFmpegError:
            pass  # it cannot seek: read all of it
        if all(track.end is not None for track in result.tracks):
            return
        _reset(container, result)
    _read(container, result, deadline)
    for track in result.tracks:
        track.whole = True


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
    packets: Iterable[Packet[Stream]] = container.demux([t.stream for t in result.tracks])
    for count, packet in enumerate(packets):
        track = tracks[packet.stream.index]
        track.decode_first(packet)
        if packet.size or packet.pts is not None:
            track.add(packet)
        if count % 64 == 0:
            deadline.check()
        if enough is not None and enough():
            return


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
        edges.append(_read_edges(container, track, deadline, entire=entire))
    _only(container, [track.stream for track in result.tracks])
    if entries != [len(track.stream.index_entries) for track in result.tracks]:
        return False
    for track, edge in zip(result.tracks, edges, strict=True):
        _join(track, edge)
    return True


def _take_index(track: Track, size_bytes: int, deadline: Deadline) -> None:
    """Fill in what the index tells; its times are DTS, moved by the edit list."""
    track.open_window()
    shown = track.windows[-1]
    for count, entry in enumerate(track.stream.index_entries):
        stamp = entry.timestamp
        if track.latest_dts is not None and stamp <= track.latest_dts:
            track.falls += 1
        track.latest_dts = stamp
        track.size_bytes += entry.size
        if entry.pos + entry.size > size_bytes:
            track.cut = True
        if not (track.is_video and entry.is_discard):
            shown.append(stamp)
        if count % 4096 == 0:
            deadline.check()
    track.count = len(track.stream.index_entries)
    track.whole = True


def _index_varies(track: Track) -> bool:
    """Whether the DTS come at a variable rate, so that the PTS have to be looked at."""
    return track.is_video and bool(measure([sorted(track.windows[0])], track.tick).variable)


def _read_edges(
    container: InputContainer, track: Track, deadline: Deadline, *, entire: bool
) -> Track:
    """The packets of one stream at the start and at the end of the file, or all of them."""
    edge = _new_track(track.stream)
    lone = Scan(tracks=[edge])
    index = track.stream.index_entries
    _only(container, [track.stream])
    container.seek(index[0].timestamp, stream=track.stream, any_frame=True)
    edge.whole = entire or len(index) <= _SHORT
    _read(container, lone, deadline, enough=None if edge.whole else lambda: _edge_seen(edge))
    if not edge.whole and not track.cut:
        last = max(len(index) - _tail_length(track), 0)
        container.seek(index[last].timestamp, stream=track.stream, any_frame=True)
        _read(container, lone, deadline)
    return edge


def _edge_seen(edge: Track) -> bool:
    return edge.first_frame is not None or edge.count >= _DECODE_PACKETS


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
    track.latest_decoded = edge.latest_decoded
    track.first_frame, track.tail = edge.first_frame, edge.tail
    track.unstamped, track.untimed, track.padding = edge.unstamped, edge.untimed, edge.padding
    track.damaged = edge.damaged
    if not track.is_video:
        track.gaps = edge.gaps if edge.whole else _has_gap(track)
    elif edge.whole:
        track.windows = edge.windows


def _has_gap(track: Track) -> bool:
    """Whether a step between index entries is longer than the usual one.

    The index tells no durations; a step of PCM is a chunk of any length, and tells nothing.
    """
    stamps = track.windows[0]
    if track.stream.codec_context.codec.canonical_name.startswith("pcm"):
        return False
    steps = sorted(after - before for before, after in zip(stamps, stamps[1:], strict=False))
    return bool(steps) and (steps[-1] - steps[len(steps) // 2]) * track.tick > GAP
