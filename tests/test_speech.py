"""Speech and nothing else is told from what only resembles it; where it is not sure, it is not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from avpipe.benchmarks.truth.music import loop, song
from avpipe.benchmarks.voice import speak
from avpipe.speech import is_speech

RATE, SECONDS, EXCERPT_S = 16_000, 24, 4
Samples = NDArray[np.float32]


def excerpts(sound: NDArray[np.floating]) -> Samples:
    return sound.astype(np.float32).reshape(-1, EXCERPT_S * RATE)


def voice(seed: int, engine: str) -> Samples:
    return speak(SECONDS, RATE, np.random.default_rng(seed), engine)


def notes(pitched: bool) -> NDArray[np.float64]:
    """Short notes with silence between them, as many a second as speech has syllables."""
    rng = np.random.default_rng(4)
    time = np.arange(int(0.12 * RATE)) / RATE
    sound = np.zeros(SECONDS * RATE)
    for number in range(4 * SECONDS):
        tone = rng.normal(size=time.size)
        if pitched:
            tone = np.sin(2 * np.pi * 220 * 2 ** (rng.integers(24) / 12) * time)
        begin = number * RATE // 4
        sound[begin : begin + time.size] = tone * np.exp(-20 * time)
    return sound


@pytest.mark.parametrize("seed", range(3))
def test_a_voice_is_speech(seed: int) -> None:
    assert is_speech(excerpts(voice(seed, "synth")), RATE)


@pytest.mark.needs("espeak-ng")
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_talker_is_speech_in_some_noise_too(noise: float) -> None:
    said = voice(9, "espeak")
    hiss = np.random.default_rng(1).normal(size=said.size) * said.std() * noise
    assert is_speech(excerpts(said + hiss), RATE)


@pytest.mark.parametrize("number", range(4))
def test_music_is_not(number: int) -> None:
    assert not is_speech(excerpts(song(number, 0, SECONDS, RATE)), RATE)
    assert not is_speech(excerpts(loop(number, SECONDS, RATE)), RATE)


@pytest.mark.parametrize("pitched", [True, False])
def test_notes_and_drums_as_quick_as_syllables_are_not(pitched: bool) -> None:
    assert not is_speech(excerpts(notes(pitched)), RATE)


def test_a_song_between_talks_is_not() -> None:
    said = excerpts(voice(0, "synth"))
    said[2] = song(1, 0, EXCERPT_S, RATE)
    assert not is_speech(said, RATE)


def test_what_tells_nothing_is_not() -> None:
    hiss = np.random.default_rng(1).normal(size=SECONDS * RATE) * 0.1
    assert not is_speech(excerpts(hiss), RATE)
    assert not is_speech(excerpts(np.zeros(SECONDS * RATE)), RATE)
