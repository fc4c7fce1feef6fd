"""A pair of recordings as it is asked for, and what is true of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from avpipe.benchmarks.truth.sounds import RATE, Sound
from avpipe.media import Piece


class Expected(StrEnum):
    """What the verdict should be."""

    MATCHED = "matched"
    AMBIGUOUS = "ambiguous"
    """They belong together, at more than one place."""
    UNRELATED = "unrelated"


class Effect(StrEnum):
    """What small, cheap or clever devices do to a sound."""

    INVERTED = "inverted"
    CLIPPED = "clipped"
    PHONE = "phone"
    """300 to 3400 Hz."""
    DULL = "dull"
    """80 to 1500 Hz: from a pocket."""
    AUTOMATIC_GAIN = "automatic_gain"
    GATE = "gate"
    CRUSHED = "crushed"
    """Few bits."""
    OFFSET = "offset"
    """A constant voltage."""
    WIND = "wind"
    DENOISED = "denoised"
    """Noise suppression, bin by bin."""


class Codec(StrEnum):
    """Lossy codecs that a recording went through."""

    AAC_32K = "aac_32k"
    MP3_64K = "mp3_64k"
    OPUS_24K = "opus_24k"


class Layout(StrEnum):
    """Which channels a device writes, and where the sound is."""

    MONO = "mono"
    STEREO = "stereo"
    LEFT_EMPTY = "left_empty"
    RIGHT_EMPTY = "right_empty"
    SURROUND = "surround"
    """5.1; the sound is in front, noise alone behind."""


CHANNELS = {Layout.MONO: 1, Layout.SURROUND: 6}
"""Those of the other layouts are 2."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """One recording device and where it stands."""

    rate: int = RATE
    layout: Layout = Layout.MONO
    snr_db: float = 30.0
    """Of what is heard of both, over the device's pink noise."""
    rt60_s: float = 0.3
    direct_to_reverb_db: float = 10.0
    effects: tuple[Effect, ...] = ()
    codec: Codec | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """A stretch that a device did not write, from `at_s` of its file on."""

    at_s: Fraction
    lost_s: Fraction
    """By the device's own clock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A camera and a recorder, how they lie to each other, and what each of them does.

    The recorder's clock shows `u` seconds when the camera's, had it no cuts, shows
    `offset_s + u / (1 + drift_ppm / 1e6)`.
    """

    name: str
    """Of the kind of pair, such as `talker` or `same song`."""
    sound: Sound
    start_s: int = 0
    """Where in the sound the scene begins."""
    recorder_sound: Sound | None = None
    """What the recorder hears instead: then the pair is unrelated."""
    expected: Expected = Expected.MATCHED
    camera_s: Fraction = Fraction(30)
    """Length of the camera's file."""
    recorder_s: Fraction = Fraction(30)
    """Length of the recorder's file, by its own clock."""
    offset_s: Fraction = Fraction(0)
    drift_ppm: Fraction = Fraction(0)
    camera: Device = field(default_factory=Device)
    recorder: Device = field(default_factory=Device)
    cuts: tuple[Loss, ...] = ()
    """What the camera did not write; in order."""
    drops: tuple[Loss, ...] = ()
    """What the recorder did not write; in order."""
    seed: int = 0

    @property
    def scale(self) -> Fraction:
        """Seconds of the recorder's clock in one second of the camera's."""
        return 1 + self.drift_ppm / 1_000_000

    @property
    def related(self) -> bool:
        """Whether both heard the same."""
        return self.recorder_sound is None

    @property
    def span_s(self) -> tuple[Fraction, Fraction]:
        """Begin and end of what either device hears, on the camera's clock without its cuts."""
        heard = self.recorder_s + sum(loss.lost_s for loss in self.drops)
        seen = self.camera_s + sum(loss.lost_s for loss in self.cuts)
        return min(Fraction(0), self.offset_s), max(seen, self.offset_s + heard / self.scale)

    @property
    def shared_s(self) -> tuple[Fraction, Fraction]:
        """Begin and end of what both hear, on the camera's clock without its cuts."""
        heard = self.recorder_s + sum(loss.lost_s for loss in self.drops)
        seen = self.camera_s + sum(loss.lost_s for loss in self.cuts)
        return max(Fraction(0), self.offset_s), min(seen, self.offset_s + heard / self.scale)

    @property
    def overlap_s(self) -> Fraction:
        """How much of the camera's file the recorder has too."""
        scale = self.scale
        return sum(
            ((end - begin) / scale for begin, end, _ in self._stretches()), start=Fraction(0)
        )

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The true pieces, in the contract's terms."""
        if not self.related:
            return ()
        return tuple(
            Piece(
                audio_start_s=float(begin),
                audio_end_s=float(end),
                offset_s=float(offset),
                drift_ppm=float(self.drift_ppm),
            )
            for begin, end, offset in self._stretches()
        )

    def _stretches(self) -> list[tuple[Fraction, Fraction, Fraction]]:
        """(begin and end in the recorder's file, offset) of what lies on one line."""
        found = []
        for cam_begin, cam_end, cut in _kept(self.cuts, self.camera_s):
            for rec_begin, rec_end, lost in _kept(self.drops, self.recorder_s):
                # Both by the recorder's clock, as if it had lost nothing.
                begin = max(rec_begin + lost, (cam_begin + cut - self.offset_s) * self.scale)
                end = min(rec_end + lost, (cam_end + cut - self.offset_s) * self.scale)
                if end > begin:
                    offset = self.offset_s + lost / self.scale - cut
                    found.append((begin - lost, end - lost, offset))
        return found


def _kept(
    losses: tuple[Loss, ...], length_s: Fraction
) -> list[tuple[Fraction, Fraction, Fraction]]:
    """(begin, end, lost before) of the stretches of a file between its losses."""
    found, begin, lost = [], Fraction(0), Fraction(0)
    for loss in losses:
        found.append((begin, loss.at_s, lost))
        begin, lost = loss.at_s, lost + loss.lost_s
    return [*found, (begin, length_s, lost)]
