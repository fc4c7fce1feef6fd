"""Records pairs: both devices at once, in memory, or in files where they are long."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from avpipe.benchmarks.scene import room
from avpipe.benchmarks.truth import stages
from avpipe.benchmarks.truth.pairs import Codec, Device, Effect, Layout, Loss, Pair
from avpipe.benchmarks.truth.sounds import RATE, Library, Sound
from avpipe.benchmarks.truth.stages import Held, Stage
from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.process import run

Pcm = NDArray[np.int16]

_LEVEL = 0.07
"""Root mean square of a recording."""
_MARGIN_S = 1
_CODECS = {
    Codec.AAC_32K: ("m4a", ("-c:a", "aac", "-b:a", "32k")),
    Codec.MP3_64K: ("mp3", ("-c:a", "libmp3lame", "-b:a", "64k")),
    Codec.OPUS_24K: ("ogg", ("-c:a", "libopus", "-b:a", "24k")),
}
"""The file and the encoder; in these files ffmpeg takes the encoder's delay away again."""
_CODEC_RATE = 48_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Take:
    """What one device wrote."""

    rate: int
    channels: tuple[Held, ...]

    @property
    def duration_s(self) -> float:
        """By the device's own clock."""
        return self.channels[0].size / self.rate


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """A pair as it was recorded."""

    pair: Pair
    camera: Take
    recorder: Take


@dataclass(frozen=True, kw_only=True, slots=True)
class Studio:
    """Where pairs are recorded."""

    library: Library
    ffmpeg: Ffmpeg | None = None
    """For the lossy codecs."""
    folder: Path | None = None
    """For the samples of the recordings, which else are held in memory."""

    def record(self, pair: Pair) -> Recording:
        """Simulate both devices.

        Raises ValueError where a loss is no whole number of samples, or a codec has no ffmpeg.
        """
        seeds = np.random.SeedSequence((51, pair.seed)).spawn(2)
        begin, end = pair.span_s
        origin = begin.__floor__() - _MARGIN_S
        size = (end.__ceil__() + _MARGIN_S - origin) * RATE

        def dry(sound: Sound) -> Stage:
            start = pair.start_s * RATE
            return stages.Dry(library=self.library, sound=sound, start=start, size=size, rate=RATE)

        shared = tuple(round((moment - origin) * RATE) for moment in pair.shared_s)
        between = (shared[0], shared[1]) if pair.related and shared[1] > shared[0] else (0, size)
        heard = [dry(pair.sound), dry(pair.recorder_sound or pair.sound)]
        far, near = (
            _heard(sound, device, between, np.random.default_rng(seed))
            for sound, device, seed in zip(heard, (pair.camera, pair.recorder), seeds, strict=True)
        )
        return Recording(
            pair=pair,
            camera=self._written(_seen(pair, far, origin), pair.camera, pair, "camera"),
            recorder=self._written(_recorded(pair, near, origin), pair.recorder, pair, "recorder"),
        )

    def _written(self, sound: Stage, device: Device, pair: Pair, side: str) -> Take:
        """Give what lands in the file: through the codec, in its channels, 16 bits."""
        name = f"{pair.seed}-{side}"
        own = 2 * pair.seed + (side == "recorder")
        mono = self._stored(sound, name)
        if device.codec is not None:
            mono = self._coded(mono, device.codec, name)
        channels = [
            mono if channel is mono else self._stored(channel, f"{name}-{number}")
            for number, channel in enumerate(_channels(mono, device.layout, own))
        ]
        return Take(rate=device.rate, channels=tuple(channels))

    def _stored(self, sound: Stage, name: str) -> Held:
        """All samples of a stage, as 16 bits in memory or in a file."""
        if self.folder is None:
            samples: Pcm = np.empty(sound.size, np.int16)
        else:
            path = self.folder / f"{name}.s16"
            samples = np.memmap(path, np.int16, "w+", shape=(max(sound.size, 1),))
        at = 0
        for block in stages.blocks(sound):
            block *= 32767
            samples[at : at + block.size] = np.rint(np.clip(block, -32767, 32767, out=block))
            at += block.size
        return Held(samples=samples[: sound.size], rate=sound.rate)

    def _coded(self, sound: Held, codec: Codec, name: str) -> Held:
        """Encode and decode, to as many samples as before."""
        if self.ffmpeg is None:
            raise ValueError(f"{codec} needs an ffmpeg")
        ending, options = _CODECS[codec]
        raw = ("-f", "s16le", "-ar", str(sound.rate), "-ac", "1")
        with TemporaryDirectory(dir=self.folder) as folder:
            plain, small = Path(folder, "plain.s16"), Path(folder, f"small.{ending}")
            sound.samples.tofile(plain)
            resampled = ("-ar", str(_CODEC_RATE))
            self._run(*raw, "-i", f"file:{plain}", *options, *resampled, f"file:{small}")
            self._run("-i", f"file:{small}", *raw, f"file:{plain}")
            decoded = np.fromfile(plain, np.int16, count=sound.size)
        samples = np.zeros(sound.size, np.int16)
        samples[: decoded.size] = decoded
        return self._stored(Held(samples=samples, rate=sound.rate), f"{name}-coded")

    def _run(self, *arguments: str) -> None:
        assert self.ffmpeg is not None
        start = (self.ffmpeg.path, "-hide_banner", "-nostdin", "-v", "error", "-y")
        run((*start, *arguments), "recording a pair")


def write_wav(take: Take, path: Path) -> None:
    """Write what a device wrote as a WAV file of 16 bits."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(take.channels))
        file.setsampwidth(2)
        file.setframerate(take.rate)
        step = stages.BLOCK_S * take.rate
        for first in range(0, take.channels[0].size, step):
            parts = [channel.samples[first : first + step] for channel in take.channels]
            file.writeframes(np.stack(parts, axis=1).astype("<i2").tobytes())


def _heard(dry: Stage, device: Device, between: tuple[int, int], rng: np.random.Generator) -> Stage:
    """Give what a device's microphone makes of a sound; the noise is set for what lies between."""
    response = room(device.rt60_s, device.direct_to_reverb_db, RATE, rng)
    wet: Stage = stages.Wet(source=dry, response=response)
    level = max(stages.level_of(wet, *between), 1e-3)
    gain = level * 10 ** (-device.snr_db / 20)
    seed = int(rng.integers(1 << 40))
    sound: Stage = stages.Noisy(source=wet, gain=gain, seed=seed)
    loud = np.hypot(level, gain)
    sound = stages.Curved(source=sound, gain=_LEVEL / float(loud))
    for effect in device.effects:
        sound = _affected(sound, effect, between, seed)
    return sound


def _affected(sound: Stage, effect: Effect, between: tuple[int, int], seed: int) -> Stage:
    """Give a sound with an effect on it."""
    match effect:
        case Effect.INVERTED:
            return stages.Curved(source=sound, gain=-1.0)
        case Effect.CLIPPED:
            return stages.Curved(source=sound, gain=1 / (1.3 * _LEVEL))
        case Effect.PHONE:
            return stages.Band(source=sound, low_hz=300, high_hz=3400)
        case Effect.DULL:
            return stages.Band(source=sound, low_hz=80, high_hz=1500)
        case Effect.AUTOMATIC_GAIN:
            return stages.Levelled(source=sound, seconds=0.25, floor=0.003, gate=False)
        case Effect.GATE:
            levels = stages.frame_levels(stages.sampled(sound, *between), RATE // 20)
            floor = float(np.quantile(levels, 0.5))
            return stages.Levelled(source=sound, seconds=0.05, floor=floor, gate=True)
        case Effect.CRUSHED:
            return stages.Curved(source=sound, gain=2.0, steps=60)
        case Effect.OFFSET:
            return stages.Curved(source=sound, bias=0.4)
        case Effect.WIND:
            return stages.Windy(source=sound, gain=6 * _LEVEL, seed=seed + 1)
        case Effect.DENOISED:
            return stages.Denoised(source=sound, floor=stages.noise_floor(sound))


def _seen(pair: Pair, sound: Stage, origin: int) -> Stage:
    """Give the camera's file: from its start, without its cuts, at its rate."""
    start = -origin * RATE
    losses = tuple(
        (start + _whole(loss.at_s, RATE), _whole(loss.lost_s, RATE)) for loss in pair.cuts
    )
    rate = pair.camera.rate
    spliced = _spliced(sound, losses)
    size = round(pair.camera_s * rate)
    step = Fraction(RATE, rate)
    return stages.fitted(spliced, first=Fraction(start), step=step, size=size, rate=rate)


def _recorded(pair: Pair, sound: Stage, origin: int) -> Stage:
    """Give the recorder's file: on its own clock and rate, without what it dropped."""
    rate = pair.recorder.rate
    losses = tuple((_whole(loss.at_s, rate), _whole(loss.lost_s, rate)) for loss in pair.drops)
    size = round(pair.recorder_s * rate)
    first = (pair.offset_s - origin) * RATE
    step = Fraction(RATE, rate) / pair.scale
    whole = size + stages.total_lost(losses)
    fitted = stages.fitted(sound, first=first, step=step, size=whole, rate=rate)
    return _spliced(fitted, losses)


def _spliced(sound: Stage, losses: tuple[tuple[int, int], ...]) -> Stage:
    if not losses:
        return sound
    size = sound.size - stages.total_lost(losses)
    return stages.Spliced(source=sound, losses=losses, size=size)


def _whole(seconds: Fraction, rate: int) -> int:
    """Samples. Raises ValueError where they are not whole."""
    samples = seconds * rate
    if samples.denominator != 1:
        raise ValueError(f"{seconds} s are no whole samples at {rate} Hz")
    return samples.numerator


def whole_seconds(seconds: float, rate: int) -> Fraction:
    """Give the nearest time that is a whole number of samples."""
    return Fraction(round(seconds * rate), rate)


def lost(at_s: float, lost_s: float, rate: int) -> Loss:
    """Give the loss that is nearest to what is asked and whole in samples."""
    return Loss(at_s=whole_seconds(at_s, rate), lost_s=whole_seconds(lost_s, rate))


def _channels(mono: Held, layout: Layout, seed: int) -> tuple[Stage, ...]:
    """Give the channels of a file in the order of WAV."""

    def other(number: int, gain: float) -> Stage:
        quieter = stages.Curved(source=mono, gain=gain)
        return stages.Noisy(source=quieter, gain=0.07 * _LEVEL, seed=seed * 8 + number)

    empty = Held(samples=np.zeros(mono.size, np.int16), rate=mono.rate)
    match layout:
        case Layout.MONO:
            return (mono,)
        case Layout.STEREO:
            return (mono, other(1, 0.6))
        case Layout.LEFT_EMPTY:
            return (empty, mono)
        case Layout.RIGHT_EMPTY:
            return (mono, empty)
        case Layout.SURROUND:
            return (other(1, 0.3), other(2, 0.3), mono, empty, other(3, 0.0), other(4, 0.0))
