"""The named sets of pairs; each is drawn from a seed and from one half of the sounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np

from avpipe.benchmarks.truth.pairs import Codec, Device, Effect, Expected, Layout, Pair
from avpipe.benchmarks.truth.record import lost
from avpipe.benchmarks.truth.sounds import RATE, TWICE_S, Kind, Sound

Item = TypeVar("Item")

RECORDINGS = "recordings"
"""The set whose sounds are not generated."""

DRIFTS_PPM = (0, 5, -5, 12, -12, 30, -30, 100, -100, 145, 273, -300)
"""What recorders were found to have, and a little beyond."""
RATES = (8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000)
_HEARD = (Kind.TALKER, Kind.SONG, Kind.PLACE)
_NUMBERS = {Kind.TALKER: 16, Kind.LOOP: 8}
"""How many there are in both halves; 12 of the other kinds."""
_TAKES = {Kind.TALKER: 2, Kind.SONG: 3}
_LATEST_S = 900
_SLIP_S = (0.003, 0.01, 0.04, 0.25, 2.0)
"""What recorders drop."""


class Half(StrEnum):
    """The sounds are split by voice, song, place and loop."""

    DEVELOPMENT = "development"
    """To choose thresholds and calibrate on."""
    HELD_OUT = "held-out"
    """To measure on."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Draws one pair."""

    half: Half
    seed: int
    number: int
    rng: np.random.Generator

    def sound(self, kind: Kind) -> Sound:
        """A sound of that kind from this half."""
        take = int(self.rng.integers(_TAKES.get(kind, 1)))
        return Sound(kind, self._number(_NUMBERS.get(kind, 12)), take)

    def other(self, sound: Sound) -> Sound:
        """Another number of the same kind."""
        while (found := self.sound(sound.kind)).number == sound.number:
            continue
        return found

    def other_take(self, sound: Sound) -> Sound:
        """The same number, said or played anew."""
        count = _TAKES[sound.kind]
        take = (sound.take + int(self.rng.integers(1, count))) % count
        return Sound(sound.kind, sound.number, take)

    def _number(self, count: int) -> int:
        """One of this half's numbers: the even ones or the odd ones."""
        return 2 * int(self.rng.integers(count // 2)) + (self.half is Half.HELD_OUT)

    def pick(self, values: Sequence[Item]) -> Item:
        """One of several."""
        return values[int(self.rng.integers(len(values)))]

    def chance(self, share: float) -> bool:
        """True for that share of pairs."""
        return bool(self.rng.random() < share)

    def seconds(self, low: float, high: float) -> Fraction:
        """A time between two, in whole milliseconds."""
        return Fraction(round(1000 * float(self.rng.uniform(low, high))), 1000)

    def device(self, snr_db: float, *, far: bool) -> Device:
        """A plain device in a room: far from the sound, or close to it."""
        if far:
            rt60_s, ratio_db = float(self.rng.uniform(0.2, 1.0)), float(self.rng.uniform(-6, 6))
        else:
            rt60_s, ratio_db = 0.3, 10.0
        return Device(snr_db=snr_db, rt60_s=rt60_s, direct_to_reverb_db=ratio_db)

    def pair(self, sound: Sound, overlap_s: Fraction, snr_db: float, around_s: float) -> Pair:
        """A pair with that overlap; each begins and ends up to `around_s` before or after it."""
        before = self.seconds(0, around_s) + Fraction(int(self.rng.integers(1000)), 1_000_000)
        camera_first = self.chance(0.5)
        camera_after, recorder_after = (
            self.seconds(0, around_s) if self.chance(0.5) else Fraction(0) for _ in range(2)
        )
        shared = Fraction(round(overlap_s * 1000), 1000)
        return Pair(
            name=str(sound.kind),
            sound=sound,
            start_s=int(self.rng.integers(_LATEST_S)),
            camera_s=shared + camera_after + (before if camera_first else 0),
            recorder_s=shared + recorder_after + (0 if camera_first else before),
            offset_s=before if camera_first else -before,
            drift_ppm=Fraction(self.pick(DRIFTS_PPM)),
            camera=self.device(snr_db, far=True),
            recorder=self.device(30.0, far=False),
            seed=self.seed * 1_000_003 + self.number * 2 + (self.half is Half.HELD_OUT),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PairSet:
    """Pairs of one kind."""

    name: str
    about: str
    count: int
    """How many are drawn if nothing is said."""
    draw: Callable[[Draw], Pair]
    long: bool = False
    """Whether the recordings are kept in files."""


def pairs_of(chosen: PairSet, half: Half, seed: int, count: int) -> Iterator[Pair]:
    """Draw pairs; the first ones are the same whatever the count."""
    number = (*SETS, RECORDINGS).index(chosen.name)
    for k in range(count):
        rng = np.random.default_rng((61, number, seed, k, half is Half.HELD_OUT))
        yield chosen.draw(Draw(half, seed * 101 + number, k, rng))


def recordings_set(lengths_s: Sequence[float]) -> PairSet:
    """Real recordings, each heard by two generated devices, from 10 to 60 s, 20 to 0 dB."""

    def draw(draw: Draw) -> Pair:
        sound = Sound(Kind.RECORDING, int(draw.rng.integers(len(lengths_s))))
        length = min(lengths_s[sound.number], float(draw.rng.uniform(10, 60)))
        latest = int(lengths_s[sound.number] - length)
        pair = draw.pair(sound, Fraction(length), float(draw.pick((20, 10, 0))), 3)
        pair = replace(pair, start_s=int(draw.rng.integers(latest + 1)))
        return _impaired(pair, draw) if draw.chance(0.6) else pair

    return PairSet(name=RECORDINGS, about="real recordings", count=60, draw=draw)


def _related(overlap_s: float, snr_db: float) -> Callable[[Draw], Pair]:
    """Pairs with that overlap and noise; six in ten have something else in their way."""

    def draw(draw: Draw) -> Pair:
        kind = _HEARD[draw.number % len(_HEARD)]
        pair = draw.pair(draw.sound(kind), Fraction(overlap_s), snr_db, 20)
        return _impaired(pair, draw) if draw.chance(0.6) else pair

    return draw


def _impaired(pair: Pair, draw: Draw) -> Pair:
    """Give the pair with an effect at one of the devices."""
    effects = (draw.pick(tuple(Effect)),)
    if draw.chance(0.6):
        return replace(pair, camera=replace(pair.camera, effects=effects))
    return replace(pair, recorder=replace(pair.recorder, effects=effects))


def _variants() -> Iterator[dict[str, Any]]:
    """Give what can be other than plain at a device, one thing at a time."""
    for effect in Effect:
        yield {"effects": (effect,)}
    for codec in Codec:
        for rate in (RATE, 44_100, 48_000):
            yield {"codec": codec, "rate": rate}
    for rate in RATES:
        yield {"rate": rate}
    for layout in Layout:
        yield {"layout": layout}


_VARIANTS = tuple(_variants())


def _with_device(draw: Draw) -> Pair:
    """Pairs that go through all effects, codecs, rates and layouts, at either device."""
    kind = _HEARD[draw.number % len(_HEARD)]
    pair = draw.pair(draw.sound(kind), draw.seconds(20, 60), float(draw.pick((20, 10, 5))), 20)
    change = _VARIANTS[draw.number % len(_VARIANTS)]
    (side, device) = ("camera", pair.camera) if draw.chance(0.5) else ("recorder", pair.recorder)
    changed = replace(device, **change)
    label = " ".join(
        str(value[0] if isinstance(value, tuple) else value) for value in change.values()
    )
    return replace(pair, name=f"{label} ({side})", **{side: changed})  # type: ignore[arg-type]


def _anything(shortest_s: float, longest_s: float) -> Callable[[Draw], Pair]:
    """Pairs of any length between two, with any noise and any devices."""

    def draw(draw: Draw) -> Pair:
        sound = draw.sound(draw.pick(_HEARD))
        overlap = Fraction(np.exp(draw.rng.uniform(np.log(shortest_s), np.log(longest_s))))
        pair = draw.pair(sound, overlap, float(draw.pick((20, 10, 5, 0, -5, -10))), longest_s / 3)
        return replace(
            pair,
            camera=_any_device(pair.camera, draw),
            recorder=_any_device(pair.recorder, draw),
        )

    return draw


def _in_noise(draw: Draw) -> Pair:
    """20 s to 5 min, the same count at each of four levels of noise; six in ten with an effect."""
    kind = _HEARD[draw.number % len(_HEARD)]
    snr_db = (20, 10, 0, -10)[draw.number // len(_HEARD) % 4]
    overlap = Fraction(float(np.exp(draw.rng.uniform(np.log(20), np.log(300)))))
    pair = draw.pair(draw.sound(kind), overlap, float(snr_db), 3)
    pair = replace(pair, name=f"{snr_db} dB")
    return _impaired(pair, draw) if draw.chance(0.6) else pair


def _any_device(device: Device, draw: Draw) -> Device:
    """Give the device with a rate, a layout, perhaps an effect and a codec."""
    codec = draw.pick(tuple(Codec)) if draw.chance(0.4) else None
    return replace(
        device,
        rate=draw.pick((RATE, 44_100, 48_000)) if codec else draw.pick(RATES),
        layout=draw.pick(tuple(Layout)) if draw.chance(0.3) else Layout.MONO,
        effects=(draw.pick(tuple(Effect)),) if draw.chance(0.5) else (),
        codec=codec,
    )


def _far_apart(draw: Draw) -> Pair:
    """A clip of minutes somewhere in a recording of two hours, or the other way round."""
    pair = draw.pair(draw.sound(Kind.TALKER), Fraction(1), float(draw.pick((20, 10, 0))), 1)
    place, clip, whole = draw.seconds(0, 6600), draw.seconds(60, 600), Fraction(7200)
    if draw.chance(0.5):
        return replace(pair, offset_s=place, camera_s=whole, recorder_s=clip)
    return replace(pair, offset_s=-place, camera_s=clip, recorder_s=whole)


def _broken(draw: Draw) -> Pair:
    """Recorders that dropped something or were paused, cameras that were cut."""
    kind = _HEARD[draw.number % len(_HEARD)]
    overlap = draw.seconds(120, 600)
    pair = draw.pair(draw.sound(kind), overlap, float(draw.pick((20, 10, 5))), 20)
    sort = draw.number % 4
    count = int(draw.rng.integers(1, 4)) if sort != 3 else 0
    device_s = pair.recorder_s if sort < 2 else pair.camera_s
    shares = (np.arange(count) + 0.3 + 0.4 * draw.rng.random(count)) / max(count, 1)
    lengths = [
        float(draw.pick(_SLIP_S)) if sort == 0 else float(draw.seconds(2, 30)) for _ in shares
    ]
    losses = tuple(
        lost(float(device_s) * float(share), length, RATE)
        for share, length in zip(shares, lengths, strict=True)
    )
    match sort:
        case 0:
            return replace(pair, name=f"dropped {lengths[0]:g} s", drops=losses)
        case 1:
            return replace(pair, name="paused", drops=losses)
        case 2:
            return replace(pair, name="camera cut", cuts=losses)
    return replace(pair, name="whole")


def _mislabelled(draw: Draw) -> Pair:
    """Recordings whose rate, or whose video's frame rate, is told wrongly."""
    kind = _HEARD[draw.number % len(_HEARD)]
    pair = draw.pair(draw.sound(kind), draw.seconds(40, 120), float(draw.pick((20, 10))), 20)
    ratios = (
        Fraction(441, 480), Fraction(480, 441), Fraction(24, 25), Fraction(25, 24),
        Fraction(1001, 1000), Fraction(1000, 1001),
    )  # fmt: skip
    ratio = ratios[draw.number % len(ratios)]
    own = 1 + Fraction(draw.pick((0, 12, -30))) / 1_000_000
    return replace(
        pair,
        name=f"rate x {ratio}",
        recorder_s=round(pair.recorder_s * ratio, 3),
        drift_ppm=(ratio * own - 1) * 1_000_000,
    )


def _ambiguous(draw: Draw) -> Pair:
    """Loops, and songs of which a part is heard twice."""
    if draw.number % 2:
        sound = draw.sound(Kind.LOOP)
        pair = draw.pair(sound, draw.seconds(20, 60), float(draw.pick((20, 10, 0))), 20)
        return replace(pair, name="loop", expected=Expected.AMBIGUOUS)
    sound = draw.sound(Kind.TWICE)
    pair = draw.pair(sound, Fraction(1), float(draw.pick((20, 10))), 1)
    return replace(
        pair,
        name="heard twice",
        expected=Expected.AMBIGUOUS,
        start_s=0,
        camera_s=draw.seconds(15, TWICE_S - 2),
        recorder_s=Fraction(2 * TWICE_S),
        offset_s=-draw.seconds(0, 2),
    )


_STRANGERS: dict[str, Callable[[Draw], tuple[Sound, Sound]]] = {
    "other talker": lambda draw: _two(draw, Kind.TALKER),
    "same talker": lambda draw: _anew(draw, Kind.TALKER),
    "same song": lambda draw: _anew(draw, Kind.SONG),
    "other song": lambda draw: _two(draw, Kind.SONG),
    "other place": lambda draw: _two(draw, Kind.PLACE),
    "hum": lambda draw: _two(draw, Kind.HUM),
    "noise": lambda draw: _two(draw, Kind.NOISE),
    "other loop": lambda draw: _two(draw, Kind.LOOP),
    "same drums": lambda draw: _two(draw, Kind.SESSION),
    "talker, song": lambda draw: (draw.sound(Kind.TALKER), draw.sound(Kind.SONG)),
    "place, talker": lambda draw: (draw.sound(Kind.PLACE), draw.sound(Kind.TALKER)),
    "loop, song": lambda draw: (draw.sound(Kind.LOOP), draw.sound(Kind.SONG)),
    "silence": lambda draw: (draw.sound(Kind.SILENCE), draw.sound(draw.pick(_HEARD))),
}


def _two(draw: Draw, kind: Kind) -> tuple[Sound, Sound]:
    sound = draw.sound(kind)
    return sound, draw.other(sound)


def _anew(draw: Draw, kind: Kind) -> tuple[Sound, Sound]:
    sound = draw.sound(kind)
    return sound, draw.other_take(sound)


def _unrelated(draw: Draw) -> Pair:
    """Two recordings of different things."""
    name = list(_STRANGERS)[draw.number % len(_STRANGERS)]
    sounds = _STRANGERS[name](draw)
    if draw.chance(0.5):
        sounds = sounds[::-1]
    longest = np.log(300 if draw.chance(0.15) else 90)
    lengths = np.exp(draw.rng.uniform(np.log(10), longest, 2))
    pair = draw.pair(sounds[0], Fraction(1), float(draw.pick((20, 10, 0))), 1)
    pair = replace(
        pair,
        name=name,
        recorder_sound=sounds[1],
        expected=Expected.UNRELATED,
        camera_s=Fraction(round(lengths[0], 3)).limit_denominator(1000),
        recorder_s=Fraction(round(lengths[1], 3)).limit_denominator(1000),
        offset_s=Fraction(0),
    )
    return _impaired(pair, draw) if draw.chance(0.4) else pair


SETS = {
    chosen.name: chosen
    for chosen in (
        PairSet(name="20s", about="20 s at 0 dB", count=120, draw=_related(20, 0)),
        PairSet(name="60s", about="60 s at -10 dB", count=90, draw=_related(60, -10)),
        PairSet(name="10s", about="10 s at 10 dB", count=60, draw=_related(10, 10)),
        PairSet(
            name="devices", about="every effect, codec, rate, layout", count=80, draw=_with_device
        ),
        PairSet(
            name="anything",
            about="10 to 300 s, any of all that",
            count=120,
            draw=_anything(10, 300),
        ),
        PairSet(
            name="minutes",
            about="5 to 30 min, any of all that",
            count=20,
            draw=_anything(300, 1800),
        ),
        PairSet(name="rates", about="mislabelled rates", count=24, draw=_mislabelled),
        PairSet(name="pieces", about="drops, pauses, cuts, and none", count=32, draw=_broken),
        PairSet(name="ambiguous", about="loops, songs heard twice", count=30, draw=_ambiguous),
        PairSet(
            name="unrelated", about="pairs that do not belong together", count=240, draw=_unrelated
        ),
        PairSet(name="far", about="a clip in two hours", count=6, draw=_far_apart, long=True),
        PairSet(name="hours", about="1 to 3 h", count=4, draw=_anything(3600, 10_800), long=True),
        PairSet(
            name="noises",
            about="20 s to 5 min, 20 to -10 dB",
            count=60,
            draw=_in_noise,
        ),
    )
}
"""By name; `long` ones are measured when they are named."""
