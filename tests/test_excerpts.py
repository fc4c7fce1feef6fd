"""Excerpts of a sound begin where they should, to the sample, in every container."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_factory import ffmpeg, make_audio

from avpipe.codecs.excerpts import EXCERPT_RATE, read_excerpts
from avpipe.codecs.ffmpeg import find
from avpipe.codecs.probe import probe

STARTS = [0.0, 0.01, 0.5, 1.3, 2.0]


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("noise") / "noise.wav"
    make_audio(path, duration=3, noise=0.1)
    return path


def late(path: Path, noise: Path, start_s: float, *, origin: Fraction | None = None) -> float:
    """How many samples an excerpt is late beside the same of the noise that it was made of."""
    (whole,) = read_excerpts(find(None), probe(noise), probe(noise).audio[0], [0.0], 3.0)
    info = probe(path)
    (found,) = read_excerpts(find(None), info, info.audio[0], [start_s], 0.8, origin=origin)
    size = 1 << 17
    product = np.fft.rfft(whole, size) * np.conj(np.fft.rfft(found, size))
    place = int(np.fft.irfft(product, size).argmax())
    place -= size if place > size // 2 else 0
    return round(start_s * EXCERPT_RATE) - place


@pytest.mark.parametrize("name", ["sound.m4a", "sound.mp4", "sound.flac", "sound.mka"])
def test_an_excerpt_begins_at_its_time(noise: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    codec = () if name.endswith("flac") else ("-c:a", "aac", "-b:a", "192k")
    ffmpeg("-i", noise, *codec, path)
    exact = 32 if name.endswith("mka") else 1  # Matroska's clock has milliseconds
    assert [late(path, noise, start) for start in STARTS] == pytest.approx([0] * 5, abs=exact)


def test_before_a_sound_that_begins_later_there_is_silence(noise: Path, tmp_path: Path) -> None:
    path = tmp_path / "later.mkv"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=3")
    ffmpeg(*picture, "-itsoffset", "0.3", "-i", noise, "-c:v", "libx264", "-c:a", "flac", path)
    assert late(path, noise, 0.0, origin=Fraction(0)) == pytest.approx(0.3 * EXCERPT_RATE, abs=16)
