"""Sound that is samples already: those of a WAV file, handed to the encoder as they are.

ffmpeg takes 50 ms of CPU to start, to find out what such a file is and to hand 10 s of it on, and
the encoder of AAC 300. Where nothing is to be done to the samples but to cut them or to put silence
before and after them, they are read here. Whatever is not plain is left to ffmpeg.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from avpipe.errors import UnreadableError
from avpipe.media import AudioStream, MediaInfo, Severity
from avpipe.recipe import AUDIO_RATE, CAMERA, Recipe
from avpipe.timeline import Segment

_FORMATS = {
    "pcm_s16le": (1, 2, "s16"),
    "pcm_s24le": (1, 3, "s32"),
    "pcm_s32le": (1, 4, "s32"),
    "pcm_f32le": (3, 4, "flt"),
}
"""By ffmpeg's name of the coding: the number that WAV has for it, bytes, what encoders call it."""
_EXTENSIBLE = 0xFFFE
_BYTES = {"s16": 2, "s32": 4, "flt": 4}
_MOST_CHUNKS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class PlainSound:
    """Samples of a WAV file at the output's rate, and where they are in the output."""

    path: str
    codec: str
    channels: int
    begin: int
    """Where the first sample that is heard is in the file, in bytes."""
    samples: int
    """How many of them there are from there on."""
    lead: int
    """Samples of silence before it."""
    total: int
    """Samples of the output: what is over is left out, what is missing is silence."""

    @property
    def sample_format(self) -> str:
        """What `read_plain` gives, as encoders call it."""
        return _FORMATS[self.codec][2]


def plain_sound(recipe: Recipe) -> PlainSound | None:
    """The only sound of a recipe as samples of its file; None where more has to be done to it."""
    parts = recipe.timeline.audio
    if len(parts) != 1 or not _is_untouched(parts[0]):
        return None
    info = recipe.source(parts[0].source)
    (stream, *others) = info.audio
    if others or not _is_plain(info, stream):
        return None
    try:
        with Path(info.path).open("rb") as file:
            found = _data(file, stream, info.size_bytes or 0)
    except (OSError, struct.error):
        return None
    if found is None:
        return None
    (begin, samples) = found
    first = min(round(parts[0].source_in * AUDIO_RATE), samples)
    return PlainSound(
        path=info.path,
        codec=stream.codec or "",
        channels=stream.channels,
        begin=begin + first * stream.channels * _FORMATS[stream.codec or ""][1],
        samples=samples - first,
        lead=round(parts[0].start * AUDIO_RATE),
        total=recipe.audio_samples,
    )


@contextmanager
def reading(sound: PlainSound) -> Iterator[io.RawIOBase]:
    """Its samples in stereo, interleaved, for `encode_stream`. Raises UnreadableError."""
    try:
        with Path(sound.path).open("rb") as file:
            file.seek(sound.begin)
            yield _Samples(file, sound)
    except OSError as error:
        raise UnreadableError(f"{sound.path} cannot be read: {error.strerror}") from error


class _Samples(io.RawIOBase):
    """Silence, the file's samples, silence."""

    def __init__(self, file: BinaryIO, sound: PlainSound) -> None:
        self._file = file
        self._sound = sound
        heard = max(min(sound.samples, sound.total - sound.lead), 0)
        self._left = [min(sound.lead, sound.total), heard]
        self._left.append(sound.total - sum(self._left))

    def read(self, size: int = -1) -> bytes:
        """So many bytes, or less; none at the end."""
        out_bytes = 2 * _BYTES[self._sound.sample_format]
        for part, left in enumerate(self._left):
            if left:
                count = left if size < 0 else min(left, size // out_bytes)
                self._left[part] -= count
                return self._heard(count) if part == 1 else bytes(count * out_bytes)
        return b""

    def _heard(self, count: int) -> bytes:
        (_, width, _) = _FORMATS[self._sound.codec]
        size = count * self._sound.channels * width
        data = self._file.read(size)
        if len(data) != size:
            raise UnreadableError(f"{self._sound.path} ends before its last sample")
        if width == 3:
            data = _widened(data)
        if self._sound.channels == 1:
            data = _doubled(data, _BYTES[self._sound.sample_format])
        return data


def _widened(data: bytes) -> bytes:
    """Samples of 24 bits in 32."""
    wide = bytearray(len(data) // 3 * 4)
    for byte in range(3):
        wide[byte + 1 :: 4] = data[byte::3]
    return bytes(wide)


def _doubled(data: bytes, width: int) -> bytes:
    """Each sample of so many bytes twice."""
    twice = bytearray(2 * len(data))
    for byte in range(width):
        for place in (byte, byte + width):
            twice[place :: 2 * width] = data[byte::width]
    return bytes(twice)


def _is_untouched(part: Segment) -> bool:
    """Whether a stretch is heard as it was recorded."""
    return part.source != CAMERA and part.speed == 1 and not part.gain_db and part.source_in >= 0


def _is_plain(info: MediaInfo, stream: AudioStream) -> bool:
    """Whether a file's samples are what the output's are made of."""
    return (
        (info.container, stream.sample_rate) == ("wav", AUDIO_RATE)
        and stream.codec in _FORMATS
        and (stream.channels == 1 or (stream.channels == 2 and stream.layout in (None, "stereo")))
        and not stream.gaps
        and all(problem.severity is Severity.INFO for problem in info.problems)
    )


def _data(file: BinaryIO, stream: AudioStream, size_bytes: int) -> tuple[int, int] | None:
    """Where a WAV file's samples begin and how many they are; None where it is not a plain one.

    Raises struct.error where it is cut off.
    """
    head = file.read(12)
    if (head[:4], head[8:]) != (b"RIFF", b"WAVE"):
        return None
    form = None
    for _ in range(_MOST_CHUNKS):
        (name, size) = struct.unpack("<4sI", file.read(8))
        here = file.tell()
        if name == b"fmt ":
            form = struct.unpack("<HHIIHH", file.read(16))
        elif name == b"data":
            block = stream.channels * _FORMATS[stream.codec or ""][1]
            (count, rest) = divmod(size, block)
            whole = not rest and here + size <= size_bytes
            told = whole and stream.duration == Fraction(count, AUDIO_RATE)
            return (here, count) if told and _agrees(form, stream, block) else None
        file.seek(here + size + size % 2)
    return None


def _agrees(form: tuple[int, ...] | None, stream: AudioStream, block: int) -> bool:
    """Whether the header says what was found in the file."""
    if form is None:
        return False
    (coding, channels, rate, _, block_bytes, bits) = form
    (number, width, _) = _FORMATS[stream.codec or ""]
    wanted = (stream.channels, AUDIO_RATE, block, 8 * width)
    return coding in (number, _EXTENSIBLE) and (channels, rate, block_bytes, bits) == wanted
