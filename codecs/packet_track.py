"""What is seen of one stream, packet by packet."""

from __future__ import annotations

from array import array
from collections import Counter, deque
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
from av.packet import Packet
from av.stream import Stream

from avpipe.codecs.mp4_thin import Thinned

GAP = Fraction(5, 1000)
"""Seconds between two packets of sound that count as a hole."""
DECODE_PACKETS = 100
"""Packets that a decoder may take until its first frame."""


@dataclass(kw_only=True, slots=True)
class Track:
    """What was seen of one stream, packet by packet. Times are ticks of the stream."""

    stream: Stream
    tick: Fraction
    thinned: Thinned | None = None
    """What the index that the demuxer was shown leaves out, where it was a thinned one."""
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
    hidden: array[int] = field(default_factory=lambda: array("q"))
    """Times of packets that an edit list hides."""
    steps: Counter[int] = field(default_factory=Counter)
    """How often which time is between two packets of sound, by the index."""
    longest: int = 0
    """The longest and the shortest packet of sound but for the last one, in ticks."""
    shortest: int | None = None
    first_frame: Any = None
    """The first frame that a decoder gives."""
    alone: bool = False
    """Whether that is got from its packet alone: a decoder would wait for those after it, to put
    them in order, and each takes as long again. It need not be the one that is shown first."""
    tries: int = 0
    tail: deque[Packet[Stream]] = field(default_factory=lambda: deque(maxlen=8))
    skip: int = 0
    """Samples that packets declare to be left out at their start."""
    padding: int = 0
    """Samples that the packet seen last declares to be padding."""

    @property
    def is_video(self) -> bool:
        """Whether the stream is a picture stream."""
        return self.stream.type == "video"

    @property
    def least_gap(self) -> Fraction:
        """Seconds from which on a step between packets is a hole.

        Vorbis packets of changing length say their durations by up to half a block wrong.
        """
        return GAP * 10 if self.codec == "vorbis" else GAP

    @property
    def codec(self) -> str:
        """ffmpeg's name of the codec."""
        return str(self.stream.codec_context.codec.canonical_name)

    def open_window(self) -> None:
        """Begin another part of the file: what follows need not join what was seen."""
        self.windows.append(array("q"))
        self.latest_dts = None
        self.end = None

    def add(self, packet: Packet[Stream]) -> None:
        """Take in one packet, in decoding order.

        Of a picture that begins in the middle (a recording that was cut), all that comes before
        the first key frame can be neither shown nor copied.
        """
        if self.is_video and not self.count and not packet.is_keyframe:
            return
        self.count += 1
        self.size_bytes += packet.size
        self.damaged = packet.is_corrupt
        self._order(packet.dts, packet.pts)
        when = packet.pts if packet.pts is not None else packet.dts
        if when is None:
            self.untimed += 1
            return
        length = packet.duration or 0
        if self.is_video and packet.is_discard:
            self.hidden.append(when)
        elif self.is_video:
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
        if self.end is not None:
            self.gaps |= (when - self.end) * self.tick > self.least_gap
            self.longest = max(self.longest, self.last_length)
            self.shortest = min(self.last_length, self.shortest or self.last_length)
        self.tail.append(packet)
        skip, self.padding = _declared_skip(packet)
        self.skip += skip
        start = when + _ticks(self, skip)
        self.first_kept = start if self.first_kept is None else min(start, self.first_kept)
        self.last_kept, self.last_length, self.end = when, length, when + length

    def decode_first(self, packet: Packet[Stream]) -> None:
        """Decode until there is a frame; damaged packets are passed over."""
        if self.first_frame is not None or self.tries > DECODE_PACKETS:
            return
        self.tries += 1
        try:
            frames = packet.decode()
            if self.alone and not frames:
                context: Any = self.stream.codec_context
                frames = context.decode(None)
                context.flush_buffers()
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
