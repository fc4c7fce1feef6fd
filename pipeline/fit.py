"""How a video is made to fit under a size: pure, from its facts and the limit.

The bytes of a file are shared out (`share_out`): what the container takes, what the sound gets, and
the rest for the picture. What becomes of the picture, short samples say (`choose_picture`): where
the quality that is wanted takes less than the rest, it is encoded at that; else in two passes that
spend the rest, at the size that looks best with so few bits. `next_bytes` corrects a pass that
missed.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from avpipe.errors import DoesNotFitError
from avpipe.recipe import Method

SIDES = (2160, 1440, 1080, 720, 540, 480, 360, 270)
"""The shorter sides that a picture is scaled to, in pixels, besides its own."""
SOUND_RATES = (192_000, 160_000, 128_000, 96_000, 64_000, 48_000, 32_000)
"""Bits a second of a stereo AAC track, the best first."""
SOUND_SHARE = 0.12
"""How much of the whole the sound may take where it has more than it needs."""
STILL_SHARE = 0.7
"""The same beside one picture."""
ROOMY_SOUND_RATE, ROOMY_SPEECH_RATE = 96_000, 64_000
"""What music and speech need; less only where the picture would not have what it needs."""
LEAST_BITS_A_PIXEL = 0.018
"""Of a picture of `SIDES[-1]`: with less, H.264 leaves blocks where faces were."""
LEAST_PICTURE_RATE = 20_000
"""Bits a second that a picture gets at least, if that is no more than 1/4 a pixel."""
GOOD_BITS_A_PIXEL = 0.045
"""At 1080 lines, of a camera's picture: above it a larger picture looks better than a smaller."""
SIZE_POWER = 0.25
"""Small pictures hold more in a pixel: their bits a pixel grow with 1 / pixels to that power."""
FRAME_BYTES, TIME_BYTES, PACKET_BYTES = 12, 4, 4
"""What an MP4's tables take for a frame of the picture, for its length where frames differ in
that, and for a packet of sound."""
CHUNK_BYTES, RUN_BYTES = 4, 12
"""The same for a chunk, which ends where a packet of another stream comes, and for one that has
more or fewer packets than the one before it."""
HEADER_BYTES = 3_000
LOOKED_AT_S = 20
"""How much of a file is laid out to see how its streams take turns."""
PACKETS_A_SECOND = Fraction(48_000, 1024)
USUAL_FRAME_RATE, NO_FRAMES = Fraction(30), Fraction(0)
"""Of a picture that does not tell its own, and of none."""
AIM = Fraction(988, 1000)
"""The share of the limit that is aimed at: two passes miss a budget by 1 % where it is short."""
LEAST_USE = Fraction(97, 100)
"""The share of the limit that has to be used where the limit is what binds."""
SAMPLE_SHARE, MOST_SAMPLES = 0.025, 10
"""How much of a picture its samples are, and how many there are: each trial takes that much of the
time of a pass over the whole, so that all of them together stay far under one pass."""
LEAST_SAMPLE_S, MOST_SAMPLE_S = 0.5, 1.25
"""How long each one is; from `LEAST_SAMPLE_S` on another one tells more than a longer one."""
SHORT_S, SHORT_SAMPLE_S = 16.0, 0.4
"""Of what is shorter, so long each: trials take their time from a pass that takes as little."""
SAFETY = 1.2
"""How much more the whole may take than its samples foretell."""
CRF_OF_HALF = 6.0
"""What makes the bytes of a picture half, until two samples tell it."""
LEAST_CRF, MOST_CRF = 1.0, 51.0
ROOMY_CRF = 27.0
"""Below it a smaller picture is never the better one."""
STEADY_CRF = 4.5
"""Where fewer steps make the bytes half, noise is falling away: a CRF that is one off takes twice
what it should, or half. Of talking heads, films and screens 5 to 16 do, of a phone 1 to 4."""
HOPELESS = 20
"""How many times the room a source takes whose quality will hardly fit: the first trial is then
made where less has to be encoded."""
HOPELESS_CRF = 8.0
"""By how much it is coarser."""
NOISY_CRF_OF_HALF = 4.0
"""As `CRF_OF_HALF`, there: most of what takes so much is noise."""
LEAST_STEPS = 16.0
"""Of the CRF, that make the bytes half: more were never seen to."""
UNSURE_CRF = 2.0
"""By how much a CRF may be wrong that one trial foretells: another one is made nearer to it."""
COARSE_CRF = 32.0
"""Above it a smaller picture is the better one, where nothing can compare them."""
BYTES_OF_PIXELS = 0.8
"""At one quality a picture takes its pixels to the power of that."""
LOSS_OF_DOUBLE = 0.75
"""What twice the bytes leave of what a VMAF is short of 100, to bring samples to one size."""
NEAR_DOUBLING = 0.25
"""How far off the budget samples may be to be compared: by 2 to the power of that."""
VMAF_GAIN = 0.3
"""How much better a smaller picture has to be."""
SAME_SOUND = Fraction(115, 100)
"""How much more than its share a sound may take that need not be encoded again."""
STILL_BITS_A_PIXEL = 1.5
"""Of a key frame, which is most of what a still picture takes."""
KEY_FRAMES_S = 10
"""Where nothing cuts the picture, it has a key frame that often."""


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
    still: bool = False
    """Whether it shows one picture: then the sound may take most."""
    speech: bool = False
    """Whether its sound is known to be speech alone."""
    uneven: bool = False
    """Whether frames differ in how long they are shown."""
    source_bytes: int = 0
    """What the same stretch takes in the source's picture; 0 where that is not told."""
    extra_bytes: int = 0
    """What titles and other texts take."""

    @property
    def roomy_rate(self) -> int:
        """Bits a second that a track of its sound needs."""
        return ROOMY_SPEECH_RATE if self.speech else ROOMY_SOUND_RATE


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
    picture = room - sound_bytes(content, sound_rate)
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
        + sound_bytes(content, SOUND_RATES[-1])
        + _least_picture_bytes(content)
    )
    return math.ceil(needed / AIM) + 1


def container_bytes(content: Content) -> int:
    """What an MP4's tables take, or a little more."""
    frames = math.ceil(content.duration * content.frame_rate) if content.width else 0
    packets = math.ceil(content.duration * PACKETS_A_SECOND + 2)
    frame_bytes = FRAME_BYTES + (TIME_BYTES if content.uneven else 0)
    tables = frames * frame_bytes + packets * content.sound_tracks * PACKET_BYTES
    turns = _turn_bytes(content.frame_rate if frames else NO_FRAMES, content.sound_tracks)
    tables += math.ceil(turns * content.duration)
    return HEADER_BYTES + content.extra_bytes + tables


@functools.cache
def _turn_bytes(frame_rate: Fraction, sound_tracks: int) -> float:
    """What the chunks take in a second where streams take turns by the times of their packets."""
    rates = [frame_rate] * (frame_rate > 0) + [PACKETS_A_SECOND] * sound_tracks
    order = sorted(
        (number / rate, stream)
        for stream, rate in enumerate(rates)
        for number in range(math.ceil(LOOKED_AT_S * rate))
    )
    taken = 0
    last: dict[int, int] = {}
    for stream, run in itertools.groupby(stream for _, stream in order):
        length = len(tuple(run))
        taken += CHUNK_BYTES + (RUN_BYTES if last.get(stream) != length else 0)
        last[stream] = length
    return taken / LOOKED_AT_S


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


def sample_windows(duration: Fraction) -> tuple[tuple[float, float], ...]:
    """Start and length, in seconds, of the stretches that samples are taken of.

    They lie evenly over the whole; of what is short, one in the middle.
    """
    whole = float(duration)
    if whole <= 4 * LEAST_SAMPLE_S:
        length = min(whole, LEAST_SAMPLE_S)
        return (((whole - length) / 2, length),)
    count = max(2, min(MOST_SAMPLES, int(whole * SAMPLE_SHARE / LEAST_SAMPLE_S)))
    least = SHORT_SAMPLE_S if whole < SHORT_S else LEAST_SAMPLE_S
    length = max(least, min(MOST_SAMPLE_S, whole * SAMPLE_SHARE / count))
    step = whole / count
    return tuple((step * (number + 0.5) - length / 2, length) for number in range(count))


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """Samples that should be encoded."""

    size: tuple[int, int]
    crf: float
    compared: bool
    """Whether it should be told how they look."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampled:
    """What came of a trial."""

    seconds: float
    """Of the samples together."""
    windows: int
    """How many stretches they are: each may begin with a key frame that the whole has not."""
    key_frames: int
    key_bytes: int
    other_bytes: int
    vmaf: float | None

    def whole_bytes(self, duration: Fraction) -> float:
        """What the whole picture would take."""
        length = float(duration)
        cuts = max(0, self.key_frames - self.windows) / self.seconds * length
        keys = max(1 + cuts, math.ceil(length / KEY_FRAMES_S))
        each = self.key_bytes / max(1, self.key_frames)
        return self.other_bytes / self.seconds * length + keys * each


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What becomes of the picture."""

    method: Method
    size: tuple[int, int]
    crf: float
    """Of two passes, what they will be about."""
    crf_of_half: float | None = None
    """How many steps of the CRF made the bytes half where fewest did; None where that was not
    measured."""
    picture_bytes: int
    """What it will take."""
    vmaf: float | None

    @property
    def steady(self) -> bool:
        """Whether a CRF that is somewhat off takes about the same bytes."""
        return self.crf_of_half is not None and self.crf_of_half >= STEADY_CRF


def choose_picture(
    content: Content, budget: Budget, wanted_crf: float, *, sees: bool
) -> Generator[Trial, Sampled, Choice]:
    """The best picture that fits, by samples: yields trials, and is sent what came of each.

    `sees` says whether pictures can be compared; without, their CRF has to tell.
    """
    size = (content.width, content.height)
    measured: tuple[tuple[float, float], ...] = ()
    if content.source_bytes > HOPELESS * budget.picture_bytes:
        crf = wanted_crf + HOPELESS_CRF
        first = yield Trial(size=size, crf=crf, compared=False)
        needed = first.whole_bytes(content.duration)
        measured = ((crf, needed),)
        if needed * 2 ** (HOPELESS_CRF / LEAST_STEPS) * SAFETY > budget.picture_bytes:
            guess = crf + NOISY_CRF_OF_HALF * math.log2(needed / budget.picture_bytes)
            return (yield from _spending(content, budget, size, guess, measured, sees=sees))
    first = yield Trial(size=size, crf=wanted_crf, compared=False)
    needed = first.whole_bytes(content.duration)
    if needed * SAFETY <= budget.picture_bytes:
        if sees:
            first = yield Trial(size=size, crf=wanted_crf, compared=True)
        return Choice(
            method=Method.CRF,
            size=size,
            crf=wanted_crf,
            picture_bytes=math.ceil(needed),
            vmaf=first.vmaf,
        )
    guess = wanted_crf + CRF_OF_HALF * math.log2(max(1.0, needed / budget.picture_bytes))
    if guess <= ROOMY_CRF - UNSURE_CRF:
        if sees:
            first = yield Trial(size=size, crf=wanted_crf, compared=True)
        return _spent(budget, size, guess, needed, first.vmaf)
    measured = (*measured, (wanted_crf, needed))
    return (yield from _spending(content, budget, size, guess, measured, sees=sees))


def _spending(
    content: Content,
    budget: Budget,
    size: tuple[int, int],
    guess: float,
    measured: Sequence[tuple[float, float]],
    *,
    sees: bool,
) -> Generator[Trial, Sampled, Choice]:
    """The size at which a picture that spends the budget looks best."""
    best = yield from _at_budget(content, budget, size, guess, measured, sees=sees)
    if best.crf <= ROOMY_CRF:
        return best
    if not sees:
        return _by_crf(content, best)
    half = best.crf_of_half or CRF_OF_HALF
    for smaller in _worth_a_look(content, best):
        guess = _crf_at(best, smaller)
        other = yield from _at_budget(content, budget, smaller, guess, half=half, sees=sees)
        if (other.vmaf or 0) < (best.vmaf or 0) + VMAF_GAIN:
            break
        best = other
    return best


def _at_budget(
    content: Content,
    budget: Budget,
    size: tuple[int, int],
    guess: float,
    measured: Sequence[tuple[float, float]] = (),
    *,
    half: float = CRF_OF_HALF,
    sees: bool,
) -> Generator[Trial, Sampled, Choice]:
    """A picture of that size that spends the budget; `measured` are CRFs and bytes at that size.

    `half` is how many steps of the CRF make the bytes half, as far as that is known before.
    """
    points = list(measured)
    crf = guess
    for _ in range(2):
        crf = min(MOST_CRF, max(LEAST_CRF, crf))
        trial = Trial(size=size, crf=crf, compared=False)
        sampled = yield trial
        made = max(1.0, sampled.whole_bytes(content.duration))
        points.append((crf, made))
        doublings = math.log2(budget.picture_bytes / made)
        crf = _corrected(points, budget.picture_bytes, half)
        # Another trial only brings the looks of a size to those of the next one.
        if abs(doublings) <= NEAR_DOUBLING or (measured and crf <= ROOMY_CRF):
            break
    if sees:  # of the last trial alone: to compare takes as long as to encode
        sampled = yield dataclasses.replace(trial, compared=True)
    choice = _spent(budget, size, crf, made, sampled.vmaf)
    return dataclasses.replace(choice, crf_of_half=_fewest_steps(points))


def _spent(
    budget: Budget, size: tuple[int, int], crf: float, made: float, vmaf: float | None
) -> Choice:
    """Two passes that spend the budget, by samples of a whole of `made` bytes and how they look."""
    if vmaf is not None:
        vmaf = 100 - (100 - vmaf) * LOSS_OF_DOUBLE ** math.log2(budget.picture_bytes / made)
    return Choice(
        method=Method.TWO_PASS,
        size=size,
        crf=round(crf, 2),
        picture_bytes=budget.picture_bytes,
        vmaf=None if vmaf is None else min(100.0, max(0.0, vmaf)),
    )


def _fewest_steps(points: Sequence[tuple[float, float]]) -> float | None:
    """How many steps of the CRF make the bytes half where fewest do; None of a single point."""
    steps = [
        (other - one) / max(0.1, math.log2(max(1.0, ours) / max(1.0, theirs)))
        for (one, ours), (other, theirs) in itertools.pairwise(sorted(points))
    ]
    return min(steps, default=None)


def _corrected(points: Sequence[tuple[float, float]], wanted: float, half: float) -> float:
    """The CRF of the wanted bytes, on a line through two points: the nearest on each side of them.

    Where all are on one side, the two nearest. Noise falls away within a few steps of the CRF: a
    line through two points without it tells nothing of where it is kept. Of a single point, by the
    steps that make it half.
    """
    larger = [point for point in points if point[1] >= wanted]
    smaller = [point for point in points if point[1] < wanted]
    if larger and smaller:
        around = (min(larger, key=_bytes_of), max(smaller, key=_bytes_of))
        return crf_that_fits(around, wanted)
    near = sorted(points, key=lambda point: abs(math.log(max(1.0, point[1]) / wanted)))[:2]
    if len(near) > 1 and near[0][0] != near[1][0]:
        return crf_that_fits(near, wanted)
    (crf, made) = near[0]
    return crf + half * math.log2(max(1.0, made) / wanted)


def _bytes_of(point: tuple[float, float]) -> float:
    return point[1]


def _crf_at(known: Choice, size: tuple[int, int]) -> float:
    """About the CRF that takes the same bytes at another size."""
    pixels = size[0] * size[1] / (known.size[0] * known.size[1])
    return known.crf + CRF_OF_HALF * BYTES_OF_PIXELS * math.log2(pixels)


def _worth_a_look(content: Content, known: Choice) -> tuple[tuple[int, int], ...]:
    """The smaller sizes, the largest first, from where one begins to be usable."""
    smaller = sizes(content.width, content.height)[1:]
    usable = tuple(size for size in smaller if _crf_at(known, size) <= MOST_CRF - 12)
    return usable or smaller[-1:]


def _by_crf(content: Content, known: Choice) -> Choice:
    """The largest size whose quality is not coarse."""
    ladder = sizes(content.width, content.height)
    size = next((size for size in ladder if _crf_at(known, size) <= COARSE_CRF), ladder[-1])
    return dataclasses.replace(known, size=size, crf=round(_crf_at(known, size), 2))


def sound_beside(content: Content, budget: Budget, picture_bytes: int) -> int:
    """The best rate of the sound beside a picture that takes less than its budget."""
    spare = budget.picture_bytes - math.ceil(picture_bytes * SAFETY)
    spare += sound_bytes(content, budget.sound_rate)
    better = [rate for rate in SOUND_RATES if rate > budget.sound_rate]
    return next((r for r in better if sound_bytes(content, r) <= spare), budget.sound_rate)


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


def coarser(crf: float | None, times: float) -> float | None:
    """The CRF of a whole that fits, where at `crf` it takes so many times its size."""
    if crf is None:
        return None
    return min(MOST_CRF, crf + CRF_OF_HALF * math.log2(max(1.0, times)))


def next_bytes(asked: int, made: int, limit: int) -> int | None:
    """What to ask for after `asked` bytes of picture made a file of `made`; None where it is right.

    What is missing or too much is added: the container takes the same again.
    """
    if limit * LEAST_USE <= made <= limit:
        return None
    return max(1, asked + math.floor(limit * AIM) - made)


def sound_within(content: Content, room_bytes: int) -> int | None:
    """The best rate within so many bytes that is all the sound needs; None where none is."""
    rates = [rate for rate in SOUND_RATES if rate >= content.roomy_rate]
    if not content.sound_tracks:
        return rates[0] if room_bytes >= 0 else None
    return next((rate for rate in rates if sound_bytes(content, rate) <= room_bytes), None)


def _sound_rate(content: Content, room_bytes: int) -> int:
    """The best rate that leaves the picture what it needs, or takes no more than its share."""
    if not content.sound_tracks:
        return 0
    if not content.width:
        return min(SOUND_RATES[0], _rate_within(content, room_bytes))
    floor = _least_picture_bytes(content)
    for rate in SOUND_RATES:
        sound = sound_bytes(content, rate)
        left = room_bytes - sound
        if rate > content.roomy_rate:
            if sound <= (STILL_SHARE if content.still else SOUND_SHARE) * room_bytes:
                return rate
        elif left >= floor * rate / SOUND_RATES[-1]:
            return rate
    return SOUND_RATES[-1]


def _rate_within(content: Content, room_bytes: int) -> int:
    return math.floor(room_bytes // content.sound_tracks * 8 / content.duration)


def sound_bytes(content: Content, rate: int) -> int:
    """What the sound takes at so many bits a second for each track."""
    return math.ceil(content.duration * rate / 8) * content.sound_tracks


def _least_picture_bytes(content: Content) -> int:
    if not content.width:
        return 0
    (width, height) = sizes(content.width, content.height)[-1]
    pixels = 0.0 if content.still else width * height * float(content.frame_rate)
    least = LEAST_PICTURE_RATE if content.still else min(LEAST_PICTURE_RATE, pixels / 4)
    return math.ceil(max(pixels * LEAST_BITS_A_PIXEL, least) * float(content.duration) / 8)


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
