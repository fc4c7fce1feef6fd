"""Songs: chords, bass, melody and drums, played anew for each performance, and exact loops."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from avpipe.benchmarks.scene import Samples

PRODUCED = 0
"""The performance that is programmed: exactly on the beat, the same drum samples each time."""
_TOUCH_S = 0.008
_TEMPO_SPREAD = 0.02
_HIT_S = 0.25
_TAIL_S = 4.0
_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Score:
    """What is written down of a song; every performance shares it."""

    beat_s: float
    root: int
    scale: tuple[int, ...]
    chords: NDArray[np.int64]
    timbre: NDArray[np.float64]
    tunes: NDArray[np.int64]
    """(lines, 8) scale steps."""
    order: NDArray[np.int64]
    """(bars,) which line is played in a bar."""
    rests: NDArray[np.bool_]
    """(bars, 8) where the melody is silent."""


def song(
    number: int, performance: int, seconds: float, rate: int, beat_s: float | None = None
) -> Samples:
    """(seconds * rate,) of a song; performances differ in tempo, timing, touch and drums.

    `beat_s` is another tempo than its own.
    """
    rng = np.random.default_rng((21, number))
    score = _write_score(rng, seconds, lines=16, chords=8)
    if beat_s is not None:
        score = replace(score, beat_s=beat_s)
    touch = np.random.default_rng((22, number, performance))
    if performance == PRODUCED:
        return _play(score, seconds, rate, None)
    tempo = 1 + _TEMPO_SPREAD * float(touch.standard_normal())
    return _play(score, seconds, rate, touch, tempo)


def loop(number: int, seconds: float, rate: int) -> Samples:
    """(seconds * rate,) of four bars that are repeated sample for sample."""
    rng = np.random.default_rng((23, number))
    score = _write_score(rng, seconds, lines=2, chords=4)
    score.order[:] = np.arange(score.order.size) % 2
    score.rests[:] = False
    period = round(16 * score.beat_s * rate)
    twice = _play(score, 2 * period / rate, rate, None)[period:]
    return np.tile(twice, round(seconds * rate) // period + 1)[: round(seconds * rate)]


def _write_score(rng: np.random.Generator, seconds: float, *, lines: int, chords: int) -> _Score:
    beat_s = 60 / float(rng.uniform(80, 140))
    bars = int((seconds + _TAIL_S) / beat_s / 4) + 2
    fading = np.arange(1, 9) ** float(rng.uniform(0.7, 1.6))
    return _Score(
        beat_s=beat_s,
        root=int(rng.integers(40, 52)),
        scale=_MAJOR if rng.random() < 0.6 else _MINOR,
        chords=rng.integers(0, 7, chords),
        timbre=rng.uniform(0.3, 1.0, 8) / fading,
        tunes=rng.integers(0, 14, (lines, 8)),
        order=rng.integers(0, lines, bars),
        rests=rng.random((bars, 8)) < 0.25,
    )


def _play(
    score: _Score, seconds: float, rate: int, touch: np.random.Generator | None, tempo: float = 1.0
) -> Samples:
    """Play a score; without a touch exactly as it is written."""
    out = np.zeros(round((seconds + _TAIL_S) * rate), np.float32)
    beat_s = score.beat_s / tempo
    late = 0.0
    for bar in range(int(seconds / beat_s / 4) + 1):
        for step in range(8):
            slip = 0.0
            if touch is not None:
                late += 0.4 * _TOUCH_S * float(touch.standard_normal())
                slip = _TOUCH_S * float(touch.standard_normal())
            at_s = (bar * 4 + step / 2) * beat_s + late
            _play_notes(out, rate, score, (bar, step), at_s, slip, beat_s, touch)
            _play_drum(out, rate, at_s, step, touch)
    return out[: round(seconds * rate)]


def _play_notes(
    out: Samples,
    rate: int,
    score: _Score,
    where: tuple[int, int],
    at_s: float,
    slip_s: float,
    beat_s: float,
    touch: np.random.Generator | None,
) -> None:
    """Add what starts at one step of a bar: a chord with its bass on every half, the melody."""
    bar, step = where
    chord, scale = int(score.chords[bar % score.chords.size]), score.scale
    if step % 4 == 0:
        for third in (0, 2, 4):
            pitch = score.root + 12 + scale[(chord + third) % 7]
            _add_note(out, rate, at_s + slip_s, 2 * beat_s, pitch, score.timbre, 0.15)
        _add_note(out, rate, at_s, beat_s, score.root - 12 + scale[chord], score.timbre, 0.3)
    row = bar % score.order.size
    if not score.rests[row, step]:
        tone = int(score.tunes[score.order[row], step])
        pitch = score.root + 24 + scale[tone % 7] + 12 * (tone // 7)
        loud = 1.0 if touch is None else float(touch.uniform(0.6, 1.0))
        _add_note(out, rate, at_s + slip_s, 0.75 * beat_s, pitch, score.timbre, 0.25 * loud)


def _add_note(
    out: Samples,
    rate: int,
    at_s: float,
    length_s: float,
    pitch: int,
    timbre: NDArray[np.float64],
    gain: float,
) -> None:
    """Add a plucked note of the harmonics in `timbre`; `pitch` is MIDI's."""
    first = max(round(at_s * rate), 0)
    size = min(round(min(1.2 * length_s, 3.0) * rate), out.size - first)
    if size <= 0:
        return
    time = np.arange(size) / rate
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    wave = np.zeros(size)
    for harmonic, share in enumerate(timbre, 1):
        if hertz * harmonic < 0.47 * rate:
            wave += share * np.sin(2 * np.pi * hertz * harmonic * time)
    shape = np.minimum(time / 0.006, 1) * np.exp(-2.5 * time / length_s)
    out[first : first + size] += (gain * wave * shape).astype(np.float32)


def _play_drum(
    out: Samples, rate: int, at_s: float, step: int, touch: np.random.Generator | None
) -> None:
    """Add the kick, the snare or the hat of a step; programmed ones are the same every time."""
    size = round(_HIT_S * rate)
    first = max(round(at_s * rate), 0)
    if first + size > out.size:
        return
    time = np.arange(size) / rate
    if step % 4 == 0:
        wave = np.sin(2 * np.pi * (60 * time + 8 * (1 - np.exp(-30 * time))))
        hit = 0.8 * wave * np.exp(-14 * time)
    else:
        rng = np.random.default_rng((24, step % 2)) if touch is None else touch
        noise = rng.standard_normal(size)
        snare = step % 4 == 2
        hit = 0.25 * noise * np.exp(-25 * time) if snare else _hat(noise, time)
    out[first : first + size] += hit.astype(np.float32)


def _hat(noise: NDArray[np.float64], time: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.12 * np.diff(noise, prepend=0) * np.exp(-80 * time))
