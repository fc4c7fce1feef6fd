"""Sound encoded on all cores, and brought to a loudness: measured, one gain, measured again."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from avpipe.codecs import isolate
from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.loudness import UNCHANGED, Level, Loudness, file_meter, measure_loudness
from avpipe.codecs.plain_samples import PlainSound
from avpipe.errors import RenderError
from avpipe.recipe import AUDIO_BIT_RATE, AUDIO_RATE
from avpipe.render.pace import paced
from avpipe.updates import Check, Progress

TOLERANCE_LU = 0.5
"""How far the output's loudness may be from the one that was asked for."""
NEAR_LU = 0.2
"""Nearer than this no further encode is worth it."""
MOST_PEAK_DB = -1.0
"""Of the true peak (EBU R128)."""
FIRST_CEILING_DB = -1.5
"""An encoder adds to the peaks that it is given."""
SPARE_DB = 0.1
MOST_ENCODES = 5
LEAST_SLOPE = 0.15
MOST_GAIN_DB = 60.0
"""What is so much too quiet is noise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundJob:
    """A sound to be encoded on all cores."""

    ffmpeg: Ffmpeg
    arguments: Callable[[Level], list[str]]
    """ffmpeg's, that write its samples at a level."""
    target: str
    workers: int
    duration_s: float
    bit_rate: int = AUDIO_BIT_RATE
    """In bits a second."""
    plain: PlainSound | None = None
    """The same samples where they stand in a file: ffmpeg is not needed at their own level."""

    def encode(self, level: Level = UNCHANGED) -> Iterator[Progress]:
        """Encode it at a level. Raises ChildFailedError or StalledError."""
        (workers, bit_rate) = (self.workers, self.bit_rate)
        if self.plain is not None and level == UNCHANGED:
            samples = isolate.encode_samples(
                self.plain, self.target, workers=workers, bit_rate=bit_rate
            )
        else:
            arguments = self.arguments(level)
            samples = isolate.encode_audio(
                self.ffmpeg, arguments, self.target, workers=workers, bit_rate=bit_rate
            )
        yield from paced("audio", self.duration_s, (done / AUDIO_RATE for done in samples))


def encode_at(
    loudness_lufs: float, metered: Sequence[str], sound: SoundJob
) -> Generator[Progress, None, tuple[Check, ...]]:
    """Encode a sound at a loudness; gives the checks of what was made.

    `metered` are the arguments that meter it as it is. Raises ChildFailedError or StalledError,
    RenderError where it cannot be that loud.
    """
    level = first_level(measure_loudness(sound.ffmpeg, metered), loudness_lufs)
    tried: list[tuple[Level, Loudness]] = []
    while len(tried) < MOST_ENCODES:
        yield from sound.encode(level)
        tried.append((level, measure_loudness(sound.ffmpeg, file_meter(sound.target))))
        following = next_level(tried, loudness_lufs)
        if following == level:
            break
        level = following
    checks = checks_of_loudness(tried[-1][1], loudness_lufs)
    if not all(check.ok for check in checks) and tried[-1][0].ceiling_db is not None:
        raise RenderError(
            f"the sound cannot be brought to {loudness_lufs:g} LUFS with its peaks under "
            f"{MOST_PEAK_DB:g} dBTP: it came to {checks[0].value} LUFS",
            hint="ask for less, such as --loudness -14",
        )
    return checks


def first_level(found: Loudness, wanted_lufs: float) -> Level:
    """One gain, and a limit where the peaks would be too high with it."""
    if found.integrated_lufs is None:
        return Level()  # silence stays silence
    gain_db = min(wanted_lufs - found.integrated_lufs, MOST_GAIN_DB)
    over = found.true_peak_db is not None and found.true_peak_db + gain_db > MOST_PEAK_DB
    return Level(gain_db=gain_db, ceiling_db=FIRST_CEILING_DB if over else None)


def next_level(tried: Sequence[tuple[Level, Loudness]], wanted_lufs: float) -> Level:
    """The level after those that were tried; the last one again where that came out right."""
    (level, found) = tried[-1]
    if found.integrated_lufs is None or found.true_peak_db is None:
        return level
    off = wanted_lufs - found.integrated_lufs
    over_db = found.true_peak_db - MOST_PEAK_DB
    if abs(off) <= NEAR_LU and over_db <= 0:
        return level
    gain_db = level.gain_db + (off / _slope(tried) if abs(off) > NEAR_LU else 0.0)
    ceiling = level.ceiling_db
    if over_db > 0:
        ceiling = FIRST_CEILING_DB if ceiling is None else ceiling - over_db - SPARE_DB
    return Level(gain_db=min(gain_db, MOST_GAIN_DB), ceiling_db=ceiling)


def _slope(tried: Sequence[tuple[Level, Loudness]]) -> float:
    """How much louder a decibel of gain made it the last time; a limit takes some of it."""
    if len(tried) < 2:
        return 1.0
    ((before, was), (after, now)) = tried[-2:]
    gain_db = after.gain_db - before.gain_db
    if not gain_db or was.integrated_lufs is None or now.integrated_lufs is None:
        return 1.0
    return min(1.0, max(LEAST_SLOPE, (now.integrated_lufs - was.integrated_lufs) / gain_db))


def checks_of_loudness(
    found: Loudness, wanted_lufs: float, *, spare_db: float = 0.0
) -> tuple[Check, ...]:
    """What was measured of the encoded sound, against what was asked for.

    Its peaks may be higher by `spare_db`.
    """
    (loudness, peak) = (found.integrated_lufs, found.true_peak_db)
    near = loudness is None or abs(loudness - wanted_lufs) <= TOLERANCE_LU
    low = peak is None or peak <= MOST_PEAK_DB + spare_db
    return (
        Check(name="loudness_lufs", ok=near, value=_rounded(loudness)),
        Check(name="true_peak_db", ok=low, value=_rounded(peak)),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
