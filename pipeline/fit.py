"""How a video is made to fit under a size: pure, from its facts and the limit.

The bytes of a file are shared out: what the container takes, what the sound gets, and the rest for
the picture. The picture's size follows from its bits a pixel; where two sizes come near each other,
short samples decide (`candidates`). What the samples measured becomes a CRF that fits
(`crf_that_fits`), or else two passes at the budget (`next_bit_rate` corrects a pass that missed).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from avpipe.errors import RequestError

SIDES = (2160, 1440, 1080, 720, 540, 480, 360, 270)
"""The shorter sides that a picture is scaled to, in pixels, besides its own."""
SOUND_RATES = (192_000, 160_000, 128_000, 96_000, 64_000, 48_000, 32_000)
"""Bits a second of a stereo AAC track, the best first."""
SOUND_SHARE = 0.12
"""How much of the whole the sound may take where it has more than `ROOMY_SOUND_RATE`."""
ROOMY_SOUND_RATE = 96_000
"""What music needs; less only where the picture would not have what it needs."""
LEAST_BITS_A_PIXEL = 0.018
"""Of a picture of `SIDES[-1]`: with less, H.264 leaves blocks where faces were."""
LEAST_PICTURE_RATE = 20_000
"""Bits a second that a picture gets at least, however few frames it has."""
GOOD_BITS_A_PIXEL = 0.045
"""At 1080 lines, of a camera's picture: above it a larger picture looks better than a smaller."""
SIZE_POWER = 0.25
"""Small pictures hold more in a pixel: their bits a pixel grow with 1 / pixels to that power."""
FRAME_BYTES = 28
"""What the container takes for a frame of the picture, at most."""
PACKET_BYTES = 10
"""The same of a packet of sound."""
HEADER_BYTES = 6_000
PACKETS_A_SECOND = Fraction(48_000, 1024)
AIM = Fraction(992, 1000)
"""The share of the limit that is aimed at: an encoder misses a budget by some 0.1 %."""
LEAST_USE = Fraction(97, 100)
"""The share of the limit that has to be used where the limit is what binds."""


class DoesNotFitError(RequestError):
    """The limit is below what leaves something worth to look at."""

    code = "does_not_fit"

    def __init__(self, message: str, *, least_bytes: int, hint: str | None = None) -> None:
        """`least_bytes` is the smallest limit that would do."""
        super().__init__(message, hint=hint)
        self.least_bytes = least_bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What has to fit."""

    duration: Fraction
    """In seconds."""
    width: int
    """Of the picture as it would be encoded without a limit, upright; 0 where there is none."""
    height: int
    frame_rate: Fraction
    sound_tracks: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """How the bytes are shared out."""

    limit_bytes: int
    container_bytes: int
    sound_rate: int
    """Bits a second of each track."""
    picture_bytes: int
    """For the picture's own stream."""
    width: int
    """The picture's size that its bits are enough for."""
    height: int

    def picture_rate(self, duration: Fraction) -> int:
        """Bits a second of the picture."""
        return int(self.picture_bytes * 8 / duration)


def share_out(content: Content, limit_bytes: int) -> Budget:
    """Share a limit out. Raises DoesNotFitError with the smallest limit that would do."""
    least = least_bytes(content)
    if limit_bytes < least:
        raise DoesNotFitError(
            f"{float(content.duration):.0f} s do not fit into {limit_bytes / 1e6:.2f} MB",
            least_bytes=least,
            hint=f"the smallest size that would do is {math.ceil(least / 1e4) / 100:.2f} MB",
        )
    container = container_bytes(content)
    room = math.floor(limit_bytes * AIM) - container
    sound_rate = _sound_rate(content, room)
    picture = room - _sound_bytes(content, sound_rate)
    size = (0, 0)
    if content.width:
        size = _size_for(content, picture)
    return Budget(
        limit_bytes=limit_bytes,
        container_bytes=container,
        sound_rate=sound_rate,
        picture_bytes=picture if content.width else 0,
        width=size[0],
        height=size[1],
    )


def least_bytes(content: Content) -> int:
    """The smallest limit that content fits into with something left to see and hear."""
    needed = (
        container_bytes(content)
        + _sound_bytes(content, SOUND_RATES[-1])
        + _least_picture_bytes(content)
    )
    return math.ceil(needed / AIM) + 1


def container_bytes(content: Content) -> int:
    """What an MP4's tables take, at most."""
    frames = math.ceil(content.duration * content.frame_rate) if content.width else 0
    packets = math.ceil(content.duration * PACKETS_A_SECOND + 2) * content.sound_tracks
    return HEADER_BYTES + frames * FRAME_BYTES + packets * PACKET_BYTES


def sizes(width: int, height: int) -> tuple[tuple[int, int], ...]:
    """The sizes that a picture can be given, its own first; none is larger, all are even."""
    shorter = min(width, height)
    found = [(width - width % 2, height - height % 2)]
    found += [
        (_even(width * side, shorter), _even(height * side, shorter))
        for side in SIDES
        if side < shorter
    ]
    return tuple(found)


def candidates(content: Content, budget: Budget) -> tuple[tuple[int, int], ...]:
    """The sizes worth a sample encode: the one that was chosen, and its neighbours."""
    ladder = sizes(content.width, content.height)
    place = ladder.index((budget.width, budget.height))
    return ladder[max(0, place - 1) : place + 2]


def sample_windows(duration: Fraction, *, share: float = 0.04) -> tuple[tuple[float, float], ...]:
    """Start and length, in seconds, of the stretches that samples are taken of.

    They lie evenly over the whole; short content is one window.
    """
    whole = float(duration)
    if whole <= 8:
        return ((0.0, whole),)
    count = max(3, min(12, round(whole * share / 2)))
    step = whole / count
    return tuple((step * (number + 0.5) - 1.0, 2.0) for number in range(count))


def crf_that_fits(measured: Sequence[tuple[float, float]], wanted: float) -> float:
    """The CRF whose bytes are `wanted`, from two or more measured (crf, bytes).

    Bytes fall exponentially with the CRF; between and beyond the measured ones that line is drawn.
    """
    points = sorted(measured)
    if len(points) < 2 or wanted <= 0:
        raise ValueError("two measured rates, and a positive one that is wanted")
    crfs = [crf for crf, _ in points]
    logs = [math.log(max(size, 1.0)) for _, size in points]
    middle, height = sum(crfs) / len(crfs), sum(logs) / len(logs)
    run = sum((crf - middle) ** 2 for crf in crfs)
    slope = (
        sum((crf - middle) * (value - height) for crf, value in zip(crfs, logs, strict=True)) / run
    )
    # A picture that does not get smaller with the CRF (a black one) fits at any.
    return middle + (math.log(wanted) - height) / min(slope, -0.02)


def next_bit_rate(bit_rate: int, made_bytes: int, budget_bytes: int) -> int | None:
    """The bit rate of another try, after one that took `made_bytes`; None where it was right."""
    if made_bytes <= budget_bytes and made_bytes >= budget_bytes * LEAST_USE / AIM:
        return None
    return max(1000, int(bit_rate * budget_bytes / max(made_bytes, 1)))


def _sound_rate(content: Content, room_bytes: int) -> int:
    """The best rate that leaves the picture what it needs, or takes no more than its share."""
    if not content.sound_tracks:
        return 0
    floor = _least_picture_bytes(content)
    for rate in SOUND_RATES:
        sound = _sound_bytes(content, rate)
        left = room_bytes - sound
        if not content.width:
            if left >= 0:
                return rate
        elif rate > ROOMY_SOUND_RATE:
            if sound <= SOUND_SHARE * room_bytes:
                return rate
        elif left >= floor * rate / SOUND_RATES[-1]:
            return rate
    return SOUND_RATES[-1]


def _sound_bytes(content: Content, rate: int) -> int:
    return math.ceil(content.duration * rate / 8) * content.sound_tracks


def _least_picture_bytes(content: Content) -> int:
    if not content.width:
        return 0
    (width, height) = sizes(content.width, content.height)[-1]
    rate = width * height * float(content.frame_rate) * LEAST_BITS_A_PIXEL
    return math.ceil(max(rate, LEAST_PICTURE_RATE) * float(content.duration) / 8)


def _size_for(content: Content, picture_bytes: int) -> tuple[int, int]:
    """The largest size whose pixels get enough bits."""
    rate = picture_bytes * 8 / float(content.duration * content.frame_rate)
    ladder = sizes(content.width, content.height)
    for width, height in ladder:
        pixels = width * height
        needed = GOOD_BITS_A_PIXEL * (1920 * 1080 / pixels) ** SIZE_POWER
        if rate / pixels >= needed:
            return width, height
    return ladder[-1]


def _even(numerator: int, denominator: int) -> int:
    return max(2, round(Fraction(numerator, 2 * denominator)) * 2)
