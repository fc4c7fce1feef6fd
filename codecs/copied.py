"""Whether a file shows stretches of another one by the very packets: found without decoding."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.stream import VideoStream

SAME_S = 0.002
"""How far two containers' clocks may set one frame apart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Packet:
    """What is compared of a packet."""

    at_s: float
    digest: bytes
    key: bool


def find_copies(
    source: tuple[str, int],
    made: tuple[str, int],
    stretches: Sequence[tuple[float, float]],
    *,
    later_s: float,
    reach_s: float,
) -> list[float | None]:
    """For each stretch of the source how much later than expected it is in the other file.

    `source` and `made` are paths with the number of a stream; a stretch is from when to when, in
    seconds of the source's own time line, and is expected `later_s` later, looked for within
    `reach_s`. All packets from the key frame before it to its end must be the same, and what the
    decoder is told beforehand; None where they are not. Of several places the nearest counts.
    """
    with _opened(*source) as (one, own), _opened(*made) as (other, found):
        if _told(own) != _told(found):
            return [None for _ in stretches]
        return [_late(one, own, other, found, stretch, later_s, reach_s) for stretch in stretches]


def _late(
    one: InputContainer,
    own: VideoStream,
    other: InputContainer,
    found: VideoStream,
    stretch: tuple[float, float],
    later_s: float,
    reach_s: float,
) -> float | None:
    wanted = list(_packets(one, own, *stretch))
    if not wanted or not wanted[0].key:
        return None
    begin = wanted[0].at_s + later_s - reach_s
    end = max(packet.at_s for packet in wanted) + later_s + reach_s
    there = list(_packets(other, found, begin, end))
    lates = [
        there[first].at_s - wanted[0].at_s - later_s
        for first in range(len(there) - len(wanted) + 1)
        if _is_same(wanted, there[first : first + len(wanted)])
    ]
    late = min(lates, key=abs, default=None)
    return None if late is None or abs(late) > reach_s else late


def _is_same(wanted: Sequence[_Packet], there: Sequence[_Packet]) -> bool:
    shift = there[0].at_s - wanted[0].at_s
    return all(
        a.digest == b.digest and abs(b.at_s - a.at_s - shift) <= SAME_S
        for a, b in zip(wanted, there, strict=True)
    )


def _packets(
    container: InputContainer, stream: VideoStream, begin_s: float, end_s: float
) -> Iterator[_Packet]:
    """The packets from the key frame before a time to the first of another time.

    In the order of the file: a frame or two that are shown before that may be left out.
    """
    base = stream.time_base
    if not base:
        return
    time_base = Fraction(base.numerator, base.denominator)
    container.seek(int(Fraction(begin_s) / time_base), stream=stream)
    for packet in container.demux(stream):
        if packet.pts is None:
            if packet.size:
                return  # a time that nobody tells
            continue
        at_s = float(packet.pts * time_base)
        if at_s >= end_s:
            return
        yield _Packet(
            at_s=at_s, digest=hashlib.blake2b(bytes(packet)).digest(), key=packet.is_keyframe
        )


def _told(stream: VideoStream) -> tuple[object, ...]:
    """What the decoder is told before the first packet."""
    context = stream.codec_context
    return (context.name, context.extradata, context.width, context.height)


@contextmanager
def _opened(path: str, number: int) -> Iterator[tuple[InputContainer, VideoStream]]:
    with av.open(f"file:{path}", options={"protocol_whitelist": "file"}) as container:
        (stream,) = (one for one in container.streams.video if one.index == number)
        yield container, stream
