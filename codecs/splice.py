"""H.264 put together of stretches of files, packet by packet, and the proof that it decodes.

Each stretch begins with an IDR picture, so that nothing in it refers to what stands before. The
encoder's parameter sets have an id of their own, and the file's header holds both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av

from avpipe.codecs.stretches import FrameIndex, Stretch
from avpipe.errors import RenderError

IDR, SPS = 5, 7
WINDOW = 12
"""How many frames on each side of a joint are compared."""
OTHER_SPS_IDS = range(1, 32)


def index_frames(path: str, stream: int, rate: Fraction, start: Fraction) -> FrameIndex:
    """Where the frames of an H.264 stream are; every packet's head is read."""
    with av.open(f"file:{path}", options={"protocol_whitelist": "file"}) as container:
        video = container.streams[stream]
        base = Fraction(video.time_base or 1)
        keys: list[int] = []
        times: list[int] = []
        for packet in container.demux(video):
            if packet.size and packet.pts is not None:
                times.append(packet.pts)
                if packet.is_keyframe and _begins_anew(bytes(packet)):
                    keys.append(packet.pts)
        header = bytes(video.codec_context.extradata or b"")
    order = {time: number for number, time in enumerate(sorted(times))}
    near = Fraction(2, 5) / rate
    steady = len(order) == len(times) and all(
        abs(time * base - start - number / rate) < near for time, number in order.items()
    )
    return FrameIndex(
        frames=len(times),
        key_frames=(*(order[time] for time in keys), len(times)),
        steady=steady,
        parameter_id=_free_id(header),
    )


def splice(stretches: Sequence[Stretch], rate: Fraction, target: str) -> None:
    """Write the stretches one after the other. Raises RenderError where they do not go together."""
    units = -(-10_000 // rate.numerator)
    (base, step) = (Fraction(1, rate.numerator * units), rate.denominator * units)
    order = _presentation(stretches)
    decoding = _decoding_times(order)
    with av.open(
        f"file:{target}",
        "w",
        format="mp4",
        options={"video_track_timescale": str(base.denominator)},
    ) as output:
        stream: Any = None
        number = 0
        for stretch in stretches:
            with av.open(f"file:{stretch.path}", options={"protocol_whitelist": "file"}) as source:
                video = source.streams[stretch.stream]
                if stream is None:
                    stream = output.add_stream_from_template(video)
                    stream.codec_context.extradata = _headers(stretches)
                    stream.time_base = base
                for packet in _packets(source, video, stretch):
                    (packet.stream, packet.time_base) = (stream, base)
                    packet.pts = order[number] * step
                    packet.dts = decoding[number] * step
                    packet.duration = step
                    output.mux(packet)
                    number += 1


def damaged_joints(joined: str, stretches: Sequence[Stretch]) -> list[int]:
    """The frames at which a joint does not decode to what its two sides decode to alone."""
    found = []
    at = 0
    for before, after in pairwise(stretches):
        at += before.count
        left = min(WINDOW, before.count)
        right = min(WINDOW, after.count)
        here = _decoded(joined, 0, at - left, left + right)
        alone = _decoded(before.path, before.stream, before.first + before.count - left, left)
        alone += _decoded(after.path, after.stream, after.first, right)
        if here != alone or len(here) != left + right:
            found.append(at)
    return found


def _decoded(path: str, stream: int, first: int, count: int) -> list[bytes]:
    """The hash of each of some frames, decoded from the key frame before them."""
    with av.open(f"file:{path}", options={"protocol_whitelist": "file"}) as container:
        video: Any = container.streams[stream]
        rate = Fraction(video.average_rate)
        start = video.start_time or 0
        wanted = start + round(first / rate / video.time_base)
        near = round(Fraction(2, 5) / rate / video.time_base)
        container.seek(wanted, stream=video)
        found: list[bytes] = []
        for frame in container.decode(video):
            if frame.pts is not None and frame.pts >= wanted - near:
                planes = hashlib.sha256()
                for plane in frame.to_ndarray(format="yuv420p"):
                    planes.update(plane.tobytes())
                found.append(planes.digest() + bytes(frame.is_corrupt))
            if len(found) == count:
                break
    return found


def _presentation(stretches: Sequence[Stretch]) -> list[int]:
    """For each packet, in the order of decoding, which frame of the output it is."""
    order: list[int] = []
    for stretch in stretches:
        with av.open(f"file:{stretch.path}", options={"protocol_whitelist": "file"}) as source:
            video = source.streams[stretch.stream]
            packets = [packet.pts for packet in _packets(source, video, stretch)]
        if len(packets) != stretch.count:
            raise RenderError(f"{stretch.path} has other frames than were found before")
        rank = {time: number for number, time in enumerate(sorted(packets))}
        begin = len(order)
        order += [begin + rank[time] for time in packets]
    return order


def _decoding_times(order: Sequence[int]) -> list[int]:
    """Rising times of decoding, none after that of presentation."""
    late = max((number - frame for number, frame in enumerate(order)), default=0)
    return [number - late for number in range(len(order))]


def _packets(source: Any, video: Any, stretch: Stretch) -> Iterator[Any]:
    """The packets of a stretch, in the order of decoding."""
    rate = Fraction(video.average_rate)
    begin = (video.start_time or 0) + round(stretch.first / rate / video.time_base)
    near = round(Fraction(2, 5) / rate / video.time_base)
    if stretch.first:
        source.seek(begin, stream=video)
    seen = 0
    for packet in source.demux(video):
        if packet.size and packet.pts is not None and (seen or packet.pts >= begin - near):
            yield packet
            seen += 1
        if seen == stretch.count:
            return


def _begins_anew(packet: bytes) -> bool:
    """Whether a packet (units with their length before them) holds an IDR picture."""
    place = 0
    while place + 4 < len(packet):
        if packet[place + 4] & 31 == IDR:
            return True
        place += 4 + int.from_bytes(packet[place : place + 4])
    return False


def _headers(stretches: Sequence[Stretch]) -> bytes:
    """One header with the parameter sets of all."""
    sets: list[tuple[list[bytes], list[bytes]]] = []
    tail = b""
    heads: list[bytes] = []
    for path, stream in dict.fromkeys((stretch.path, stretch.stream) for stretch in stretches):
        with av.open(f"file:{path}", options={"protocol_whitelist": "file"}) as source:
            header = bytes(source.streams[stream].codec_context.extradata or b"")
        (head, sequence, picture, rest) = _parsed(header)
        heads.append(head)
        sets.append((sequence, picture))
        tail = tail or rest
    sequences = list(dict.fromkeys(one for some, _ in sets for one in some))
    pictures = list(dict.fromkeys(one for _, some in sets for one in some))
    profile = max(head[1] for head in heads)
    level = max(head[3] for head in heads)
    return (
        bytes([1, profile, heads[0][2] & heads[-1][2], level, 0xFF, 0xE0 | len(sequences)])
        + b"".join(len(one).to_bytes(2) + one for one in sequences)
        + bytes([len(pictures)])
        + b"".join(len(one).to_bytes(2) + one for one in pictures)
        + (tail if profile >= 100 else b"")
    )


def _parsed(header: bytes) -> tuple[bytes, list[bytes], list[bytes], bytes]:
    """The parts of an AVCDecoderConfigurationRecord (ISO 14496-15, 5.3.3.1)."""
    if len(header) < 7 or header[0] != 1 or header[4] & 3 != 3:
        raise RenderError("the H.264 header is not one that can be put together with another")
    (sequences, place) = _some(header, 6, header[5] & 31)
    (pictures, place) = _some(header, place + 1, header[place])
    return header[:4], sequences, pictures, header[place:]


def _some(header: bytes, place: int, count: int) -> tuple[list[bytes], int]:
    found = []
    for _ in range(count):
        size = int.from_bytes(header[place : place + 2])
        found.append(header[place + 2 : place + 2 + size])
        place += 2 + size
    return found, place


def _free_id(header: bytes) -> int | None:
    """An id that no parameter set has yet; None where the header cannot be used."""
    try:
        (_, sequences, pictures, _) = _parsed(header)
    except RenderError:
        return None
    used = {_golomb(one[4:]) for one in sequences} | {_golomb(one[1:]) for one in pictures}
    return next((number for number in OTHER_SPS_IDS if number not in used), None)


def _golomb(data: bytes) -> int:
    """The first number of a unit's payload, exponential Golomb (H.264, 9.1)."""
    bits = "".join(f"{byte:08b}" for byte in data[:8])
    zeros = len(bits) - len(bits.lstrip("0"))
    return int(bits[zeros : 2 * zeros + 1] or "1", 2) - 1
