"""The alignment engine on sounds whose place is known."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from avpipe.benchmarks.scene import Scene, camera_sound, recorder_sound, resample_at, world_sound
from avpipe.benchmarks.truth.music import PRODUCED, song
from avpipe.benchmarks.voice import synthesise
from avpipe.media import Doubt, Verdict
from avpipe.sync.consensus import Line, find_lines
from avpipe.sync.engine import Found, Source, align, conclude
from avpipe.sync.features import FEATURE_RATE, PCM_RATE, SCALE, Features, FeatureStream, extract
from avpipe.sync.places import Place
from avpipe.sync.search import Searched
from avpipe.sync.stack import scan
from avpipe.sync.take import Take
from avpipe.sync.windows import FINE_RATE, Map

Samples = NDArray[np.float32]
_HALF_BAND = (np.sinc(np.arange(-24, 25) / 2.1) / 2.1 * np.kaiser(49, 8)).astype(np.float32)


def halved(samples: Samples) -> Samples:
    """From 16 to 8 kHz."""
    if samples.size < 100:
        return samples[::2]
    return np.convolve(samples, _HALF_BAND, "same")[::2].astype(np.float32)


def source(*channels: Samples, features: Features | None = None) -> Source:
    """A recording at 16 kHz, in memory."""

    def read(channel: int, start_s: float, duration_s: float) -> Samples:
        (first, size) = (round(start_s * FINE_RATE), round(duration_s * FINE_RATE))
        padded = np.zeros(size, np.float32)
        part = channels[channel][max(first, 0) : max(first + size, 0)]
        padded[max(-first, 0) : max(-first, 0) + part.size] = part
        return padded

    made = (features,) if features else tuple(extract(halved(samples)) for samples in channels)
    return Source(channels=made, read=read)


@lru_cache(maxsize=8)
def voice(seconds: float, seed: int) -> Samples:
    """Somebody talks."""
    return synthesise(seconds, FINE_RATE, np.random.default_rng(seed))


def recordings(scene: Scene, voice_seed: int) -> tuple[Samples, Samples]:
    """What the camera and the recorder hear of a voice."""
    rng = np.random.default_rng(scene.seed)
    world = world_sound(scene, voice(float(scene.world_seconds), voice_seed))
    return camera_sound(scene, world, rng), recorder_sound(scene, world, rng)


def heard(sound: Samples, seed: int, snr_db: float = 20.0) -> Samples:
    """The same sound in another device: another noise."""
    noise = np.random.default_rng(seed).standard_normal(sound.size)
    return (sound + noise * np.sqrt(np.mean(sound**2)) * 10 ** (-snr_db / 20)).astype(np.float32)


def place(found: Found, time_s: float, piece: int = 0) -> float:
    """Where the audio's moment belongs, by one of the pieces."""
    line = found.pieces[piece]
    return line.offset_s + time_s / (1 + line.drift_ppm / 1e6)


@pytest.fixture(scope="module")
def take() -> tuple[Samples, Samples]:
    """Camera and recorder, 100 s, the recorder 5.25 s later and 20 ppm too long, 5 dB."""
    scene = Scene(
        seconds=Fraction(100),
        recorder_seconds=Fraction(100),
        offset_s=Fraction("5.25"),
        drift_ppm=Fraction(20),
        sample_rate=FINE_RATE,
        snr_db=5.0,
        flash_every=Fraction(1000),
    )
    return recordings(scene, voice_seed=3)


def test_a_voice_is_put_where_it_belongs() -> None:
    scene = Scene(
        seconds=Fraction(40),
        recorder_seconds=Fraction(45),
        offset_s=Fraction("-3.2345"),
        drift_ppm=Fraction(40),
        sample_rate=FINE_RATE,
        snr_db=0.0,
        flash_every=Fraction(1000),
    )
    (camera, recorder) = recordings(scene, voice_seed=1)
    found = align(source(camera), source(-recorder))
    assert found.verdict is Verdict.MATCHED
    assert found.inverted
    for moment in (4.0, 43.0):
        truth = float(scene.offset_s) + moment / (1 + 40e-6)
        assert abs(place(found, moment) - truth) < 0.02e-3
    assert found.drift_ppm == pytest.approx(40, abs=0.5)
    assert found.confidence > 0.9
    assert 5 < len(found.residuals) <= 200
    times = [residual.time_s for residual in found.residuals]
    assert times == sorted(times)
    assert np.median([abs(residual.residual_s) for residual in found.residuals]) < 0.02e-3


@pytest.mark.parametrize("kind", ["voice", "loop", "noise", "clicks"])
def test_what_does_not_belong_is_not_matched(kind: str) -> None:
    scene = Scene(seconds=Fraction(30), sample_rate=FINE_RATE, flash_every=Fraction(1000))
    (camera, _) = recordings(scene, voice_seed=1)
    other = {
        "voice": voice(30.0, 2),
        "loop": np.tile(voice(3.0, 4), 10),
        "noise": heard(np.zeros(FINE_RATE * 30, np.float32) + 1e-3, 5, 0.0),
        "clicks": (np.arange(FINE_RATE * 30) % 7919 == 0).astype(np.float32),
    }[kind]
    found = align(source(camera), source(other))
    assert found.verdict is not Verdict.MATCHED
    assert (found.offset_s is None) is (found.verdict is Verdict.UNRELATED)


@pytest.mark.parametrize("kind", ["loop", "twice", "tone"])
def test_where_more_than_one_place_fits_the_verdict_is_uncertain(kind: str) -> None:
    once = voice(15.0, 6)
    sound = {
        "loop": np.tile(voice(4.0, 7), 8),
        "twice": np.concatenate([once, once]),
        "tone": np.sin(2 * np.pi * 440 * np.arange(FINE_RATE * 20) / FINE_RATE),
    }[kind].astype(np.float32)
    camera = sound if kind != "twice" else once
    found = align(source(heard(camera, 8)), source(heard(sound, 9)))
    assert (found.verdict, found.reason) == (Verdict.UNCERTAIN, Doubt.AMBIGUOUS)
    assert found.offset_s is not None
    if kind == "twice":
        places = sorted([found.offset_s, *(other.offset_s for other in found.candidates)])
        assert places == pytest.approx([-15.0, 0.0], abs=1e-4)
    if kind == "loop":
        assert len(found.candidates) >= 3


@pytest.mark.parametrize("lost_s", [0.003, 0.25, 20.0])
def test_what_the_recorder_lost_leaves_two_pieces(
    take: tuple[Samples, Samples], lost_s: float
) -> None:
    (camera, recorder) = take
    (cut, skip) = (FINE_RATE * 40, round(lost_s * FINE_RATE))
    found = align(source(camera), source(np.delete(recorder, slice(cut, cut + skip))))
    assert found.verdict is Verdict.MATCHED
    assert len(found.pieces) == 2
    assert found.pieces[0].audio_end_s == pytest.approx(40, abs=0.3)
    assert found.pieces[1].audio_start_s == pytest.approx(found.pieces[0].audio_end_s, abs=1e-3)
    for moment, piece, late in ((1.0, 0, 0.0), (39.0, 0, 0.0), (41.0, 1, lost_s), (70, 1, lost_s)):
        truth = 5.25 + (moment + late) / (1 + 20e-6)
        assert abs(place(found, moment, piece) - truth) < 0.1e-3


def test_a_camera_that_was_cut_leaves_two_pieces(take: tuple[Samples, Samples]) -> None:
    (camera, recorder) = take
    (at, gone) = (FINE_RATE * 50, round(1.5 * FINE_RATE))
    found = align(source(np.delete(camera, slice(at, at + gone))), source(recorder))
    assert found.verdict is Verdict.MATCHED
    assert len(found.pieces) == 2
    assert place(found, found.pieces[0].audio_end_s, 0) == pytest.approx(50, abs=0.3)
    assert place(found, found.pieces[1].audio_start_s, 1) == pytest.approx(50, abs=0.3)
    assert abs(place(found, 20.0, 0) - (5.25 + 20 / (1 + 20e-6))) < 0.1e-3
    assert abs(place(found, 80.0, 1) - (3.75 + 80 / (1 + 20e-6))) < 0.1e-3


def test_a_gate_that_chops_up_what_little_there_is_hides_no_place() -> None:
    sound = np.random.default_rng(21).standard_normal(FINE_RATE * 32).astype(np.float32)
    loud = np.repeat(np.random.default_rng(22).random(32 * 20) > 0.6, FINE_RATE // 20)
    camera = heard(sound, 23, 0.0) * loud
    (first, slope) = (5.5, -300e-6)
    size = FINE_RATE * 20
    recorder = resample_at(sound, Fraction(11, 2) * FINE_RATE, 1 / (1 + Fraction(-3, 10000)), size)
    found = align(source(camera), source(heard(recorder.astype(np.float32), 24)))
    assert found.verdict is Verdict.MATCHED
    for moment in (0.0, 19.0):
        assert abs(place(found, moment) - (first + moment / (1 + slope))) < 0.1e-3


def test_noise_breaks_no_take(take: tuple[Samples, Samples]) -> None:
    (camera, recorder) = take
    found = align(source(heard(camera, 11, -9.0)), source(recorder))
    assert found.verdict is Verdict.MATCHED
    assert len(found.pieces) == 1
    assert abs(place(found, 50.0) - (5.25 + 50 / (1 + 20e-6))) < 0.1e-3


def test_what_the_pieces_do_not_explain_is_broken(take: tuple[Samples, Samples]) -> None:
    (camera, recorder) = take
    half = FINE_RATE * 50
    level = np.sqrt(np.mean(recorder**2))
    other = voice(50.0, 12)
    other = other * (level / np.sqrt(np.mean(other**2)))
    found = align(source(camera), source(np.concatenate([recorder[:half], other])))
    assert (found.verdict, found.reason) == (Verdict.UNCERTAIN, Doubt.BROKEN)
    assert found.offset_s == pytest.approx(5.25, abs=1e-4)


@pytest.mark.parametrize("standing", [0.0, 0.4])
def test_what_fades_into_the_noise_is_not_broken(standing: float) -> None:
    # The recorder hears the last of it, or a DC offset; the camera its own noise.
    sound = voice(24.0, 17).copy()
    fade = np.geomspace(1, 1e-3, 10 * FINE_RATE).astype(np.float32)
    sound[14 * FINE_RATE :] *= fade
    found = align(source(heard(sound, 18, 15.0)), source(heard(sound, 19, 40.0) + standing))
    assert (found.verdict, found.reason) == (Verdict.MATCHED, None)
    (piece,) = found.pieces
    assert piece.audio_end_s - piece.audio_start_s == pytest.approx(24.0, abs=0.01)


@pytest.mark.parametrize(
    ("rate", "reason"),
    [
        (Fraction(441, 480), None),
        (Fraction(480, 441), None),
        (Fraction(1001, 1000), None),
        (Fraction(10025, 10000), Doubt.OUT_OF_RANGE),
    ],
)
def test_a_wrong_rate_is_found_as_that(rate: Fraction, reason: Doubt | None) -> None:
    sound = voice(40.0, 13)
    size = round(Fraction(39 * FINE_RATE) * rate)
    stretched = resample_at(sound, Fraction(FINE_RATE, 2), 1 / rate, size)
    found = align(source(heard(sound, 14)), source(heard(stretched.astype(np.float32), 15)))
    assert found.verdict is (Verdict.MATCHED if reason is None else Verdict.UNCERTAIN)
    assert found.reason is reason
    assert found.drift_ppm == pytest.approx(float(rate - 1) * 1e6, abs=1)
    for moment in (0.0, 35.0):
        assert abs(place(found, moment) - (0.5 + moment / float(rate))) < 0.1e-3


@pytest.mark.parametrize("quicker_ppm", [950, 8000])
def test_bars_of_a_song_are_rivals_at_the_tempo_that_the_fit_ends_at(quicker_ppm: int) -> None:
    # Another song, drums by the same machine: no search goes to that drift.
    (camera, recorder) = (
        source(song(number, PRODUCED, 24, FINE_RATE, 0.44 * (1 - beside / 1e6)))
        for number, beside in ((6001, 0), (6007, quicker_ppm))
    )
    take = Take(
        camera=lambda start, duration: camera.read(0, start, duration),
        recorder=lambda start, duration: recorder.read(0, start, duration),
        ours=camera.channels[0],
        theirs=recorder.channels[0],
    )
    near = Map(lag_s=0.0, slope=(150 - quicker_ppm) * 1e-6)
    stack = scan(take.camera, take.recorder, near, take.windows(0.0, 23.9), slope_error=160e-6)
    assert stack is not None
    line = Line(lag_s=0.0, slope=near.slope, score=4.0, blocks=4, slope_error=160e-6)
    found = conclude(take, (0, 0), [Place(coarse=line, read=near, stack=stack, rate=1.0)])
    assert (found.verdict, found.reason) == (Verdict.UNCERTAIN, Doubt.AMBIGUOUS)
    assert found.drift_ppm == pytest.approx(-quicker_ppm, abs=2)


def test_stretches_of_the_camera_are_enough(take: tuple[Samples, Samples]) -> None:
    (camera, recorder) = take
    whole = halved(camera)
    stream = FeatureStream()
    for start_s in (70.0, 5.0, 40.0):
        stream.seek(start_s)
        stream.push(whole[round(start_s * PCM_RATE) : round((start_s + 12) * PCM_RATE)])
    features = stream.finish(whole.size / PCM_RATE)
    assert features.known is not None
    assert 0.3 < features.known.mean() < 0.4
    plain = source(camera, features=features)
    asked: list[tuple[float, float]] = []

    def read(channel: int, start_s: float, duration_s: float) -> Samples:
        asked.append((start_s, start_s + duration_s))
        return plain.read(channel, start_s, duration_s)

    found = align(Source(channels=plain.channels, read=read), source(recorder))
    assert found.verdict is Verdict.MATCHED
    assert abs(place(found, 50.0) - (5.25 + 50 / (1 + 20e-6))) < 0.1e-3
    spans = [(5.0, 17.0), (40.0, 52.0), (70.0, 82.0)]
    inside = [any(a <= begin and end <= b for a, b in spans) for begin, end in asked]
    assert np.mean(inside) > 0.8


def test_the_channel_that_heard_it_counts(take: tuple[Samples, Samples]) -> None:
    (camera, recorder) = take
    nothing = np.zeros_like(camera)
    found = align(source(nothing, heard(nothing + 1e-3, 16, 0.0), camera), source(recorder))
    assert found.verdict is Verdict.MATCHED
    assert found.channels == (2, 0)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (np.zeros(0, np.float32), Doubt.TOO_SHORT),
        (np.ones(1, np.float32), Doubt.TOO_SHORT),
        (np.zeros(FINE_RATE * 20, np.float32), Doubt.SILENT),
        (np.full(FINE_RATE * 20, np.nan, np.float32), Doubt.SILENT),
        (np.full(FINE_RATE * 20, 0.5, np.float32), None),
    ],
    ids=["empty", "one sample", "silence", "NaN", "DC"],
)
def test_bad_input_has_a_clear_verdict(bad: Samples, reason: Doubt | None) -> None:
    for pair in ((bad, voice(20.0, 17)), (voice(20.0, 17), bad), (bad, bad)):
        found = align(*(source(samples) for samples in pair))
        assert found.verdict is Verdict.UNRELATED
        assert found.reason is (reason or found.reason)
        assert found.offset_s is None
        assert found.confidence < 0.5


# Long recordings


def random_features(seed: int, seconds: int) -> Features:
    """Of nothing that any other recording holds."""
    codes = np.random.default_rng(seed).integers(-99, 99, (seconds * FEATURE_RATE, 16), np.int8)
    return Features(codes=codes, duration_s=float(seconds), active_s=float(seconds))


def test_to_search_a_day_of_which_not_all_is_known_takes_little() -> None:
    """At another rate, what is known was stretched in one go: 250 MB."""
    frames = 24 * 3600 * FEATURE_RATE
    known = np.arange(frames) % 5000 > 1000
    day = Features(
        codes=np.zeros((frames, 16), np.int8), duration_s=86400.0, active_s=86400.0, known=known
    )
    tracemalloc.start()
    Searched(day, block_s=60.0, pool=4, rate=25 / 24)
    (_, peak) = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40e6


@pytest.mark.parametrize(("hours", "pool", "rate"), [(6, 2, 1.0), (6, 2, 25 / 24), (6, 1, 1.0)])
def test_what_a_search_takes_does_not_grow_with_its_length(
    hours: int, pool: int, rate: float
) -> None:
    """Two minutes are found in hours, in memory that is less than their spectra take."""
    recorder = random_features(1, hours * 3600)
    first = (hours * 3600 - 2000) * FEATURE_RATE
    values = recorder.values(first, first + 120 * FEATURE_RATE)
    at = np.arange(0, values.shape[0] - 1, rate)
    heard_then = np.stack([np.interp(at, np.arange(len(band)), band) for band in values.T], axis=1)
    camera = Features(
        codes=np.rint(heard_then * SCALE).astype(np.int8), duration_s=110.0, active_s=110.0
    )
    tracemalloc.start()
    searched = Searched(recorder, block_s=20.0, pool=pool, rate=rate)
    (line, *_) = find_lines(searched.find(camera), 1)
    (_, peak) = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert line.at(0.0) == pytest.approx(first / FEATURE_RATE / rate, abs=0.04)
    assert peak < 150e6


def known_only(features: Features, starts_s: list[int], length_s: int) -> Features:
    """The same of which only some stretches were decoded."""
    known = np.zeros(features.codes.shape[0], np.bool_)
    for start_s in starts_s:
        known[start_s * FEATURE_RATE : (start_s + length_s) * FEATURE_RATE] = True
    codes = np.where(known[:, None], features.codes, np.int8(0))
    return replace(features, codes=codes, known=known)


@pytest.mark.parametrize("is_camera", [True, False], ids=["camera", "recorder"])
def test_a_clip_is_found_in_hours(is_camera: bool) -> None:
    """Noise whose level changes every 40 ms: four frames together, or a part of them, miss it."""
    rng = np.random.default_rng(11)
    (hours, begin_s, clip_s) = (5, 11_111.1, 20.0)
    level = np.repeat(np.exp(rng.standard_normal(800)), round(0.04 * FINE_RATE))
    sound = (0.1 * level * rng.standard_normal(level.size)).astype(np.float32)
    there = extract(halved(heard(sound, 1)))
    around = random_features(4, hours * 3600)
    first = round(begin_s * FEATURE_RATE)
    around.codes[first : first + there.codes.shape[0]] = there.codes
    clip = heard(sound, 2, snr_db=0.0)[6 * FINE_RATE : round((6 + clip_s) * FINE_RATE)]

    def read(_: int, start_s: float, duration_s: float) -> Samples:
        return source(sound, features=there).read(0, start_s - begin_s, duration_s)

    (short, long) = (source(clip), Source(channels=(around,), read=read))
    found = align(short, long) if is_camera else align(long, short)
    assert found.verdict is Verdict.MATCHED
    middle_s = begin_s + 6 + clip_s / 2
    (theirs_s, ours_s) = (middle_s, clip_s / 2) if is_camera else (clip_s / 2, middle_s)
    assert abs(place(found, theirs_s) - ours_s) < 0.05e-3


def test_a_recorder_of_which_little_is_known_is_searched() -> None:
    """Eight minutes of an hour: what was not decoded is neither noise nor a place."""
    recorder = random_features(2, 3600)
    starts_s = [180 + 420 * number for number in range(8)]
    camera = replace(recorder, codes=recorder.codes[100 * FEATURE_RATE :], duration_s=3500.0)
    camera = known_only(camera, starts_s, 60)
    for lag_s, found in ((100, True), (107, True), (400, False)):
        sparse = known_only(recorder, [start_s + lag_s - 2 for start_s in starts_s], 64)
        lines = find_lines(Searched(sparse, block_s=30.0, pool=2).find(camera), 1)
        score = max((line.score for line in lines), default=0.0)
        assert (score > 60) == found
        if found:
            assert lines[0].at(1750.0) == pytest.approx(100, abs=0.03)
        else:
            assert score < 4
