"""The truth set is true: delays, places, levels and breaks, measured without the engine."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from avpipe.benchmarks import cases, sync_accuracy
from avpipe.benchmarks.inputs import conversation
from avpipe.benchmarks.scene import PULSE_SIGMA_S, click_track, pulse, resample_at, room
from avpipe.benchmarks.truth import evaluate, figures, record, sounds, stages
from avpipe.benchmarks.truth.bars import reached
from avpipe.benchmarks.truth.pairs import Codec, Device, Effect, Expected, Layout, Loss, Pair
from avpipe.benchmarks.truth.record import Studio, Take, lost, write_wav
from avpipe.benchmarks.truth.sets import SETS, Half, pairs_of
from avpipe.benchmarks.truth.sounds import RATE, Kind, Library, Sound
from avpipe.benchmarks.truth.stages import Held
from avpipe.codecs.ffmpeg import find
from avpipe.media import Piece, Verdict
from avpipe.sync.engine import Found

Samples = NDArray[np.float32]
Doubles = NDArray[np.float64]

CLICKS = Sound(Kind.PLACE, 0)
"""What `Clicks` makes clicks of."""
DRY = Device(snr_db=100, rt60_s=0.2, direct_to_reverb_db=100)


@dataclass(frozen=True, kw_only=True, slots=True)
class Clicks(Library):
    """Whatever is asked for, clicks are heard, at times that no shift lays on each other."""

    def read(self, sound: Sound, first: int, size: int) -> Samples:
        count = np.arange(400)
        times = 0.5 + 0.61 * count + 0.2 * np.random.default_rng(1).random(400)
        return click_track(times.tolist(), size, RATE, start=Fraction(first, RATE))


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clicks are a hundred times as high as they are loud on average; none is to be clipped."""
    monkeypatch.setattr(record, "_LEVEL", 0.007)


def studio(folder: Path | None = None) -> Studio:
    return Studio(library=Clicks(), ffmpeg=find(None), folder=folder)


def click_times(take: Take, channel: int = 0) -> Doubles:
    """When the clicks are, from the peaks of the correlation with one, to a part of a sample."""
    rate = take.rate
    held = take.channels[channel]
    reach = int(6 * PULSE_SIGMA_S * rate)
    click = pulse(np.arange(-reach, reach + 1) / rate)
    likeness = np.correlate(held.read(0, held.size).astype(np.float64), click, "same")
    level = np.abs(likeness)
    times = []
    while level.max() > 0.4 * np.abs(likeness).max():
        peak = int(level.argmax())
        level[max(peak - rate // 10, 0) : peak + rate // 10] = 0
        if 4 * reach < peak < held.size - 4 * reach:
            times.append(
                (peak + between_samples(likeness[peak - 2 * reach :][: 4 * reach + 1], rate)) / rate
            )
    return np.sort(times)


def between_samples(likeness: Doubles, rate: int) -> float:
    """Where a band-limited peak is, in samples from the middle: on a grid 64 times as fine."""
    size = likeness.size
    spectrum = np.fft.rfft(likeness * np.hanning(size))
    fine = np.abs(np.fft.irfft(spectrum, 64 * size))
    half = size // 2
    near = slice(64 * half - rate // 40, 64 * half + rate // 40)  # 0.4 ms: to the highest wave
    peak = near.start + int(fine[near].argmax())
    (before, top, after) = fine[peak - 1 : peak + 2]
    return (peak + 0.5 * (before - after) / (before - 2 * top + after)) / 64 - half


def assert_true(pair: Pair, *, within_s: float, channels: tuple[int, int] = (0, 0)) -> None:
    """Every click of the recorder that the truth places in the camera's file is there."""
    recording = studio().record(pair)
    seen = click_times(recording.camera, channels[0])
    checked = 0
    for moment in click_times(recording.recorder, channels[1]):
        for piece in pair.pieces:
            if piece.audio_start_s + 0.01 < moment < piece.audio_end_s - 0.01:
                place = piece.offset_s + moment / (1 + piece.drift_ppm / 1e6)
                assert np.abs(seen - place).min() < within_s
                checked += 1
    assert checked > 0.9 * float(pair.overlap_s) / 0.61 - 2 * len(pair.pieces)


def pair_of(**changes: object) -> Pair:
    plain = Pair(
        name="clicks",
        sound=CLICKS,
        camera_s=Fraction(14),
        recorder_s=Fraction(17),
        offset_s=Fraction("-2.345678"),
        drift_ppm=Fraction(30),
        camera=DRY,
        recorder=DRY,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("hertz", [300, 3000, 7000])
@pytest.mark.parametrize(
    ("first", "step"),
    [
        (Fraction(70_001, 100), 1 / (1 + Fraction(300, 10**6))),
        (Fraction(700), 1 / (1 - Fraction(300, 10**6))),
        (Fraction(2101, 3), Fraction(1)),
        (Fraction(700), Fraction(16_000, 44_100)),
    ],
)
def test_another_clock_delays_a_tone_by_what_is_asked(
    hertz: int, first: Fraction, step: Fraction
) -> None:
    """To a nanosecond, 80 dB above what is left."""
    tone = np.sin(2 * np.pi * hertz * np.arange(5 * RATE) / RATE).astype(np.float32)
    heard = resample_at(tone, first, step, int(4 * RATE / step)).astype(np.float64)
    time = (float(first) + np.arange(heard.size) * float(step)) / RATE
    angle = 2 * np.pi * hertz * time
    error = heard - np.sin(angle)
    assert abs(error @ np.cos(angle)) / (np.cos(angle) @ np.cos(angle)) < 1e-9 * 2 * np.pi * hertz
    assert np.sqrt(np.mean(error**2)) < 0.707e-4


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("drift", [0, 5, -300, 300])
@pytest.mark.parametrize("offset", ["0", "3.000031", "-1.5"])
def test_offset_and_drift(drift: int, offset: str) -> None:
    pair = pair_of(offset_s=Fraction(offset), drift_ppm=Fraction(drift))
    assert_true(pair, within_s=0.5e-6)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("ratio", ["441/480", "480/441", "24/25"])
def test_mislabelled_rates(ratio: str) -> None:
    assert_true(pair_of(drift_ppm=(Fraction(ratio) - 1) * 1_000_000), within_s=20e-6)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("effect", sorted(set(Effect) - {Effect.GATE}))
def test_no_effect_delays(effect: Effect) -> None:
    device = replace(DRY, effects=(effect,))
    assert_true(pair_of(camera=device), within_s=60e-6)


def test_a_gate_lets_through_or_not() -> None:
    """It opens too late for a click, so it is looked at with a voice."""
    pair = pair_of(sound=Sound(Kind.TALKER, 99))
    (whole, gated) = (
        Studio(library=Library(segment_s=20)).record(replace(pair, camera=camera)).camera
        for camera in (DRY, replace(DRY, effects=(Effect.GATE,)))
    )
    (all_of_it, left) = (take.channels[0].samples.astype(int) for take in (whole, gated))
    assert 0.3 < np.mean((left == all_of_it)[np.abs(all_of_it) > 9]) < 0.98
    assert 0.02 < np.mean((left == 0)[np.abs(all_of_it) > 9]) < 0.7


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("codec", Codec)
@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_no_codec_delays(codec: Codec, rate: int) -> None:
    assert_true(pair_of(recorder=replace(DRY, codec=codec, rate=rate)), within_s=60e-6)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 96_000])
def test_rates(rate: int) -> None:
    pair = pair_of(camera=replace(DRY, rate=rate), recorder=replace(DRY, rate=rate))
    assert_true(pair, within_s=0.5e-6)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("layout", "count", "channel"),
    [
        (Layout.STEREO, 2, 0),
        (Layout.LEFT_EMPTY, 2, 1),
        (Layout.RIGHT_EMPTY, 2, 0),
        (Layout.SURROUND, 6, 2),
    ],
)
def test_layouts(layout: Layout, count: int, channel: int) -> None:
    pair = pair_of(camera=replace(DRY, layout=layout))
    take = studio().record(pair).camera
    assert len(take.channels) == count
    assert (not take.channels[0].samples.any()) is (layout is Layout.LEFT_EMPTY)
    assert_true(pair, within_s=0.5e-6, channels=(channel, 0))


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_breaks_are_where_the_truth_says(rate: int) -> None:
    pair = pair_of(
        camera_s=Fraction(30),
        recorder_s=Fraction(28),
        recorder=replace(DRY, rate=rate),
        cuts=(lost(9.0, 2.5, RATE), lost(20.0, 0.25, RATE)),
        drops=(lost(5.0, 0.003, rate), lost(15.0, 1.0, rate)),
    )
    assert len(pair.pieces) == 5
    assert_true(pair, within_s=0.5e-6)


def test_no_two_channels_share_their_noise() -> None:
    """Else unrelated recordings would fit each other at 0 s."""
    surround = replace(DRY, layout=Layout.SURROUND)
    pair = pair_of(camera=surround, recorder=surround, offset_s=Fraction(7), drift_ppm=Fraction(0))
    recording = studio().record(pair)
    channels = [
        take.channels[number].read(0, 6 * RATE)
        for take in (recording.camera, recording.recorder)
        for number in (0, 1, 4, 5)
    ]
    likeness = np.abs(np.corrcoef(channels)) - np.eye(8)
    assert likeness[[2, 3, 6, 7]].max() < 0.3  # the same noise would be 1


def test_pieces_by_hand() -> None:
    """The recorder loses 2 s at 10 s, the camera 3 s at 20 s; both start at once, no drift."""
    pair = pair_of(
        camera_s=Fraction(40),
        recorder_s=Fraction(40),
        offset_s=Fraction(0),
        drift_ppm=Fraction(0),
        cuts=(Loss(at_s=Fraction(20), lost_s=Fraction(3)),),
        drops=(Loss(at_s=Fraction(10), lost_s=Fraction(2)),),
    )
    assert pair.pieces == (
        Piece(audio_start_s=0, audio_end_s=10, offset_s=0, drift_ppm=0),
        Piece(audio_start_s=10, audio_end_s=18, offset_s=2, drift_ppm=0),
        Piece(audio_start_s=21, audio_end_s=40, offset_s=-1, drift_ppm=0),
    )
    assert pair.overlap_s == 37


def test_a_loss_that_is_no_whole_number_of_samples_is_refused() -> None:
    loss = Loss(at_s=Fraction(1, 3), lost_s=Fraction(1))
    with pytest.raises(ValueError, match="no whole samples"):
        studio().record(pair_of(drops=(loss,)))


@pytest.mark.parametrize("snr_db", [20.0, 0.0, -10.0])
def test_noise_is_as_loud_as_asked_in_what_both_hear(snr_db: float) -> None:
    pair = pair_of(sound=Sound(Kind.TALKER, 99), recorder=Device(), camera=Device(snr_db=200.0))
    library = Library(segment_s=20)
    clean, noisy = (
        Studio(library=library).record(replace(pair, camera=Device(snr_db=level))).camera
        for level in (200.0, snr_db)
    )
    (first, size) = (0, 14 * RATE)
    (sound, both) = (take.channels[0].read(first, size) for take in (clean, noisy))
    gain = float(both @ sound) / float(sound @ sound)
    found = 10 * np.log10(np.square(gain * sound).sum() / np.square(both - gain * sound).sum())
    assert found == pytest.approx(snr_db, abs=0.5)


@pytest.mark.parametrize(("rt60_s", "ratio_db"), [(0.3, 10.0), (1.0, -6.0)])
def test_rooms(rt60_s: float, ratio_db: float) -> None:
    """The decay by Schroeder's backward integral, the ratio by the energies."""
    response = room(rt60_s, ratio_db, RATE, np.random.default_rng(1)).astype(np.float64)
    assert response[0] == 1.0
    energy = np.square(response[1:])
    assert -10 * np.log10(energy.sum()) == pytest.approx(ratio_db, abs=0.1)
    left = 10 * np.log10(np.cumsum(energy[::-1])[::-1] / energy.sum())
    (five, thirty) = (int(np.argmax(left < -level)) / RATE for level in (5, 30))
    assert (thirty - five) * 60 / 25 == pytest.approx(rt60_s, rel=0.1)


@pytest.mark.parametrize("effect", Effect)
def test_a_stage_gives_the_same_whatever_is_asked(effect: Effect) -> None:
    pair = pair_of(
        sound=Sound(Kind.PLACE, 3),
        camera=Device(snr_db=10, effects=(effect,), rate=22_050),
        recorder_s=Fraction(50),
        camera_s=Fraction(50),
    )
    whole, pieces = (np.zeros(0, np.int16),) * 2
    with pytest.MonkeyPatch.context() as patch:
        whole = Studio(library=Library(segment_s=20)).record(pair).camera.channels[0].samples
        patch.setattr(stages, "BLOCK_S", 7)
        pieces = Studio(library=Library(segment_s=20)).record(pair).camera.channels[0].samples
    assert whole.size == 50 * 22_050
    apart = np.abs(whole.astype(int) - pieces)  # a circular filter is not quite local
    assert np.quantile(apart, 0.9999) <= 40
    assert apart.mean() < 0.5


def test_long_recordings_are_written_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three times the length takes no more memory."""
    monkeypatch.setattr(stages, "BLOCK_S", 5)
    peaks = []
    for seconds in (130, 390):
        pair = pair_of(
            sound=Sound(Kind.NOISE, 1), camera_s=Fraction(seconds), recorder_s=Fraction(seconds)
        )
        tracemalloc.start()
        try:
            recording = Studio(library=Library(segment_s=10), folder=tmp_path).record(pair)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert recording.recorder.duration_s == seconds
    assert peaks[1] < 1.15 * peaks[0]


def test_the_same_seed_is_the_same_pair_and_the_count_changes_nothing() -> None:
    (few, many) = (list(pairs_of(SETS["20s"], Half.HELD_OUT, 5, count)) for count in (3, 6))
    assert few == many[:3]
    assert few != list(pairs_of(SETS["20s"], Half.HELD_OUT, 6, 3))
    (one, again) = (studio().record(pair_of(seed=4)) for _ in range(2))
    assert np.array_equal(one.camera.channels[0].samples, again.camera.channels[0].samples)
    other = studio().record(pair_of(seed=5))
    assert not np.array_equal(one.camera.channels[0].samples, other.camera.channels[0].samples)


def test_the_halves_share_no_sound() -> None:
    heard = {
        half: {
            (sound.kind, sound.number)
            for chosen in SETS.values()
            for pair in pairs_of(chosen, half, 1, 60)
            for sound in (pair.sound, pair.recorder_sound)
            if sound is not None
        }
        for half in Half
    }
    assert len(heard[Half.DEVELOPMENT]) > 30
    assert not heard[Half.DEVELOPMENT] & heard[Half.HELD_OUT]


def test_the_sets_hold_what_they_say() -> None:
    drawn = {
        name: list(pairs_of(chosen, Half.DEVELOPMENT, 1, 120)) for name, chosen in SETS.items()
    }
    for pair in (pair for name in ("20s", "60s", "10s") for pair in drawn[name]):
        assert pair.overlap_s > 9.9
    assert sum(19.9 < pair.overlap_s < 20.1 for pair in drawn["20s"]) > 60
    assert {pair.expected for pair in drawn["unrelated"]} == {Expected.UNRELATED}
    assert len({pair.name for pair in drawn["unrelated"]}) == 13
    everything = drawn["devices"] + drawn["anything"]
    devices = [device for pair in everything for device in (pair.camera, pair.recorder)]
    assert {effect for device in devices for effect in device.effects} == set(Effect)
    assert {device.codec for device in devices} == {None, *Codec}
    assert {device.layout for device in devices} == set(Layout)
    assert {device.rate for device in devices} >= {8000, 96_000}
    assert max(abs(pair.offset_s) for pair in drawn["far"]) > 6000
    assert max(pair.overlap_s for pair in drawn["hours"]) > 10_000
    assert {len(pair.pieces) for pair in drawn["pieces"]} >= {1, 2, 3, 4}


def test_performances_differ_and_loops_repeat() -> None:
    library = Library(segment_s=20)
    first, second = (library.read(Sound(Kind.SONG, 3, take), 0, 20 * RATE) for take in (1, 2))
    likeness = np.abs(np.fft.irfft(np.fft.rfft(first, 2**20).conj() * np.fft.rfft(second, 2**20)))
    assert likeness.max() < 0.5 * np.linalg.norm(first) * np.linalg.norm(second)
    repeated = library.read(Sound(Kind.LOOP, 1), 0, 20 * RATE)
    own = np.fft.irfft(np.abs(np.fft.rfft(repeated, 2**20)) ** 2)[: 15 * RATE]
    own /= np.arange(20 * RATE, 5 * RATE, -1)
    period = RATE + int(own[RATE:].argmax())
    assert np.array_equal(repeated[period:], repeated[:-period])


def test_a_talker_speaks_without_espeak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    sounds._has_espeak.cache_clear()
    try:
        said = Library(segment_s=5).read(Sound(Kind.TALKER, 1, 77), 0, 5 * RATE)
    finally:
        sounds._has_espeak.cache_clear()
    assert np.abs(said).max() == pytest.approx(0.5, abs=0.01)
    assert np.count_nonzero(stages.frame_levels(said, RATE // 20) > 0.02) > 30


def test_kept_sounds_are_the_made_ones(tmp_path: Path) -> None:
    sound = Sound(Kind.PLACE, 2)
    read = [
        Library(folder=folder, segment_s=3).read(sound, RATE, 4 * RATE)
        for folder in (None, tmp_path, tmp_path)
    ]
    assert np.array_equal(read[0], read[1])
    assert np.array_equal(read[1], read[2])
    assert len(list(tmp_path.glob("*.npy"))) == 2


def found(offset_s: float, drift_ppm: float, *pieces: Piece) -> Found:
    return Found(
        verdict=Verdict.MATCHED,
        confidence=0.9,
        offset_s=offset_s,
        drift_ppm=drift_ppm,
        offset_error_s=1e-5,
        drift_error_ppm=1.0,
        pieces=pieces,
    )


def test_an_answer_is_measured_at_the_ends_of_the_overlap() -> None:
    pair = pair_of(offset_s=Fraction(0), drift_ppm=Fraction(0), recorder_s=Fraction(10))
    outcome = evaluate.outcome_of("x", pair, found(0.0002, -50.0))
    assert outcome.head_ms == pytest.approx(0.2)
    assert outcome.tail_ms == pytest.approx(0.2 + 10 * 50e-3, rel=1e-3)
    assert outcome.right
    assert outcome.drift_off_ppm == -50
    assert outcome.offset_off_s == pytest.approx(0.0002)
    far = evaluate.outcome_of("x", pair, found(4.0, 0.0))
    assert far.wrong
    assert "4000.000 ms" in (figures.strange(far) or "")


def test_an_answer_in_pieces_is_measured_in_each() -> None:
    pair = pair_of(
        camera_s=Fraction(30),
        recorder_s=Fraction(20),
        offset_s=Fraction(0),
        drift_ppm=Fraction(0),
        drops=(Loss(at_s=Fraction(10), lost_s=Fraction(2)),),
    )
    whole = evaluate.outcome_of("x", pair, found(0.0, 0.0, pair.pieces[0]))
    assert whole.worst_ms == pytest.approx(2000)
    assert whole.covered == pytest.approx(0.5)
    both = evaluate.outcome_of("x", pair, found(0.0, 0.0, *pair.pieces))
    assert both.worst_ms == pytest.approx(0, abs=1e-9)
    assert both.covered == pytest.approx(1)


def test_a_stranger_that_is_matched_is_told() -> None:
    pair = pair_of(recorder_sound=Sound(Kind.NOISE, 1), expected=Expected.UNRELATED)
    outcome = evaluate.outcome_of("unrelated", pair, found(1.0, 0.0))
    assert outcome.wrong
    assert not evaluate.is_as_expected(outcome)
    text = figures.table([outcome]) + figures.reliability([outcome])
    assert "| unrelated | 1     | 100.0%  | 0.0%      | 0.0%         | 1     |" in text


def test_bars_are_kept_or_missed() -> None:
    easy = pair_of(offset_s=Fraction(0), drift_ppm=Fraction(0), recorder_s=Fraction(10))
    stranger = replace(easy, recorder_sound=CLICKS, expected=Expected.UNRELATED)
    good = [evaluate.outcome_of("20s", easy, found(k * 0.9e-6, 0.0)) for k in range(-10, 10)]
    assert {one.bar.about: one.passed for one in reached(good)} == {
        "error at the worse end, median": True,
        "error at the worse end, 99 %": True,
        "offset within its stated sigma": False,  # all are, of a sigma of 10 µs
        "drift within its stated sigma": False,
        "20 s at 0 dB: matched and right": True,
        "whole takes that are broken into pieces": True,
    }
    far = replace(easy.pieces[0], offset_s=2.0)
    assert len(reached(good[:19])) == 4  # too few to tell how honest the sigmas are
    bad = [
        evaluate.outcome_of("20s", easy, found(2.0, 0.0, far, far)),
        evaluate.outcome_of("unrelated", stranger, found(2.0, 0.0)),
    ]
    missed = {one.bar.about for one in reached(bad) if not one.passed}
    assert missed >= {
        "error at the worse end, median",
        "20 s at 0 dB: matched and right",
        "unrelated pairs that are matched",
        "whole takes that are broken into pieces",
    }


def test_a_fast_answer_that_is_wrong_is_no_result() -> None:
    truth = conversation(60)
    answer = {"verdict": "matched", "offset_s": float(truth.offset_s), "drift_ppm": 30.0}
    cases._require_place("note: x\n" + json.dumps(answer), truth)
    for wrong in ({"offset_s": float(truth.offset_s) + 0.002}, {"drift_ppm": -30.0}):
        with pytest.raises(RuntimeError, match="ms off"):
            cases._require_place(json.dumps(answer | wrong), truth)
    with pytest.raises(RuntimeError, match="not sure"):
        cases._require_place(json.dumps(answer | {"verdict": "uncertain"}), truth)


@pytest.mark.parametrize("in_memory_s", [2400, 1])
def test_the_engine_finds_an_easy_pair(in_memory_s: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short recordings are held as the engine reads them, long ones resampled as they are read."""
    monkeypatch.setattr(evaluate, "_IN_MEMORY_S", in_memory_s)
    pair = pair_of(
        sound=Sound(Kind.TALKER, 99),
        camera=Device(snr_db=20, layout=Layout.LEFT_EMPTY, rate=44_100),
        recorder=Device(rate=48_000),
        camera_s=Fraction(25),
        recorder_s=Fraction(25),
    )
    outcome = evaluate.evaluate("easy", Studio(library=Library(segment_s=30)).record(pair))
    assert outcome.verdict is Verdict.MATCHED
    assert outcome.worst_ms is not None
    assert outcome.worst_ms < 0.05
    assert set(evaluate.as_json(outcome)) >= {"set", "right", "evidence", "true_pieces"}


def test_the_command_measures_a_set(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (lines, report) = (tmp_path / "pairs.jsonl", tmp_path / "report.md")
    arguments = ["10s", "--half", "held-out", "--count", "1", "--work", str(tmp_path)]
    with pytest.raises(SystemExit) as end:
        sync_accuracy.main([*arguments, "--json", str(lines), "--markdown", str(report)])
    (pair,) = map(json.loads, lines.read_text().splitlines())
    assert pair["set"] == "10s"
    assert pair["sound"].startswith("talker-")
    assert int(pair["sound"].split("-")[1]) % 2  # of the held-out half
    assert end.value.code == (0 if pair["right"] and pair["verdict"] == "matched" else 1)
    assert report.read_text().strip() == capfd.readouterr().out.strip()


def test_wav_files_hold_every_channel(tmp_path: Path) -> None:
    import wave

    ramp = np.arange(1000, dtype=np.int16)
    take = Take(rate=8000, channels=(Held(samples=ramp, rate=8000), Held(samples=-ramp, rate=8000)))
    write_wav(take, tmp_path / "a.wav")
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 8000)
        both = np.frombuffer(file.readframes(1000), "<i2").reshape(-1, 2)
    assert np.array_equal(both, np.stack([ramp, -ramp], axis=1))
