"""Packets of a file, read in the order of the file, as long as there is time for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Stream

from avpipe.codecs.mp4_thin import Thinned
from avpipe.codecs.packet_track import Track

SCAN_LIMIT = 64 * 1000 * 1000
"""Files of that many bytes are read whole."""
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


def new_track(stream: Stream, thinned: Thinned | None = None) -> Track:
    """Nothing seen yet of a stream."""
    if not stream.codec_context.is_open:
        stream.codec_context.thread_count = 1  # frame threads give the first frame late
    return Track(stream=stream, tick=Fraction(stream.time_base or 1), thinned=thinned)


def only(container: InputContainer, streams: list[Stream]) -> None:
    """Have the demuxer pass over all other streams, without reading them."""
    for stream in container.streams:
        stream.discard = Discard.default if stream in streams else Discard.all


def read(
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
