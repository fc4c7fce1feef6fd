"""What the engine says of its own errors, and where one line ends: against known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from test_sync import halved, heard, source, voice

from avpipe.media import Verdict
from avpipe.sync.engine import Source, align, conclude, offset_of
from avpipe.sync.features import Features, extract
from avpipe.sync.fine import refine
from avpipe.sync.joints import find_joint
from avpipe.sync.pieces import Span
from avpipe.sync.places import find_places
from avpipe.sync.planning import plan_windows
from avpipe.sync.stack import Stack
from avpipe.sync.survey import survey
from avpipe.sync.take import Take
from avpipe.sync.windows import FINE_RATE, Map, Memo, Read, read_pairs

Samples = NDArray[np.float32]
_STILL = Map(lag_s=0.0, slope=0.0)


def noise(seconds: float, seed: int) -> Samples:
    """Steady noise."""
    sound = np.random.default_rng(seed).standard_normal(round(FINE_RATE * seconds))
    return (0.05 * sound).astype(np.float32)


def without(sound: Samples, at_s: float, lost_s: float) -> Samples:
    """What a recorder writes that loses some of it."""
    first = round(FINE_RATE * at_s)
    return np.delete(sound, slice(first, first + round(FINE_RATE * lost_s)))


def reads(sound: Source) -> Read:
    """Its first channel."""
    return Memo(lambda start, duration: sound.read(0, start, duration))


def in_a_room(dry: Samples, seed: int, reverb_db: float) -> Samples:
    """The direct sound at sample 0, reverb from 4 ms on, and noise of its own."""
    rng = np.random.default_rng(seed)
    size = FINE_RATE // 2
    tail = rng.standard_normal(size) * 10 ** (-6 * np.arange(size) / size)
    tail[: FINE_RATE // 250] = 0
    tail *= 10 ** (reverb_db / 20) / np.sqrt((tail**2).sum())
    tail[0] = 1
    whole = dry.size + size
    wet = np.fft.irfft(np.fft.rfft(dry, whole) * np.fft.rfft(tail, whole), whole)[: dry.size]
    return heard(wet.astype(np.float32), seed + 1, 10.0)


def test_two_thirds_of_the_errors_are_within_one_sigma() -> None:
    count, inside = 48, 0
    times, length = plan_windows(0.0, 3.0)
    stack = Stack(line=_STILL, height=20.0, rival=0.1, inverted=False)
    for seed in range(0, 3 * count, 3):
        dry = noise(3.0, seed)
        camera, recorder = in_a_room(dry, seed + 1000, 0.0), in_a_room(dry, seed + 2001, -10.0)
        pairs = read_pairs(
            reads(source(camera)), reads(source(recorder)), _STILL, times, length, 0.08
        )
        fine = refine(pairs, stack)
        assert fine is not None
        error = fine.line.recorder_time(fine.middle_s) - fine.middle_s
        inside += abs(error) < fine.lag_error_s
    assert 0.54 < inside / count < 0.82


def test_windows_of_a_fraction_of_a_sample_are_read_where_they_say() -> None:
    sound = noise(12.0, 5)
    stack = Stack(line=_STILL, height=20.0, rival=0.1, inverted=False)
    recorder = reads(source(heard(sound, 6)))
    camera = reads(source(heard(sound, 7)))
    for length_s in (0.5 + 0.48 / FINE_RATE, 0.5 - 0.48 / FINE_RATE):
        pairs = read_pairs(camera, recorder, _STILL, [2.0, 4.0, 6.0, 8.0, 10.0], length_s, 0.08)
        fine = refine(pairs, stack)
        assert fine is not None
        assert fine.line.recorder_time(fine.middle_s) == pytest.approx(fine.middle_s, abs=1e-6)


def test_a_line_that_holds_in_less_than_half_is_found_with_the_rest() -> None:
    sound = noise(260.0, 3)
    camera, recorder = source(heard(sound, 4, 5.0)), source(heard(without(sound, 125, 0.25), 5))
    take = Take(
        camera=reads(camera),
        recorder=reads(recorder),
        ours=camera.channels[0],
        theirs=recorder.channels[0],
    )
    stack = Stack(line=Map(lag_s=0.0, slope=3e-6), height=50.0, rival=0.1, inverted=False)
    parts = survey(take, _STILL, stack, 1e-6).parts
    assert [part.fine.line.lag_s for part in parts] == pytest.approx([0.0, -0.25], abs=1e-4)
    assert parts[0].end_s == pytest.approx(125.0, abs=0.01)


def seen_in_part(features: Features, every_s: float, length_s: float, first_s: float) -> Features:
    """Features of which only a stretch now and then was decoded."""
    time = np.arange(features.codes.shape[0]) / 50
    known = (time - first_s) % every_s < length_s
    return replace(features, codes=np.where(known[:, None], features.codes, 0), known=known)


def test_a_joint_between_what_was_decoded_is_found_to_the_millisecond() -> None:
    sound = noise(300.0, 7)
    camera = heard(sound, 8, 5.0)
    known = seen_in_part(extract(halved(camera)), 75, 20, 15)
    recorder = heard(without(sound, 150.3, 0.25), 9)
    found = align(source(camera, features=known), source(recorder))
    assert found.verdict is Verdict.MATCHED
    assert len(found.pieces) == 2
    assert found.pieces[0].audio_end_s == pytest.approx(150.3, abs=5e-3)
    assert found.pieces[1].audio_start_s == pytest.approx(150.3, abs=5e-3)


@pytest.mark.parametrize("lost_s", [0.01, 0.04, 0.25])
def test_in_a_room_the_joint_of_a_talk_is_within_a_pitch_period_or_two(lost_s: float) -> None:
    talk = voice(40.0, 41)
    camera = reads(source(in_a_room(talk, 42, 6.0)))
    for at in (9.3, 13.1, 17.7, 22.2, 26.9):
        recorder = reads(source(without(heard(talk, 44, 30.0), at, lost_s)))
        before = Span(begin_s=0.0, end_s=at - 1, map=_STILL)
        after = Span(begin_s=at + 1, end_s=39.0, map=Map(lag_s=-lost_s, slope=0.0))
        end, begin = find_joint(camera, recorder, before, after, (at - 1.5, at + 1.5), 2.0, False)
        assert end == pytest.approx(at, abs=0.016)
        assert begin == pytest.approx(end + lost_s)


def test_in_a_pause_that_both_lines_explain_the_cut_is_where_it_is_quiet() -> None:
    sound = noise(24.0, 11)
    sound[FINE_RATE * 10 : FINE_RATE * 12] = 0.0
    recorder = without(sound, 11.0, 0.25) + 0.01 * noise(23.75, 12)
    rustle = slice(round(FINE_RATE * 10.1), round(FINE_RATE * 11.6))
    recorder[rustle] += 0.2 * noise(1.5, 13)
    camera = sound + 0.1 * noise(24.0, 14)
    before = Span(begin_s=0.0, end_s=11.0, map=_STILL)
    after = Span(begin_s=11.0, end_s=24.0, map=Map(lag_s=-0.25, slope=0.0))
    end, begin = find_joint(
        reads(source(camera)), reads(source(recorder)), before, after, (10.0, 12.0), 2.0, False
    )
    assert begin == pytest.approx(end + 0.25)
    assert 9.99 < end < 10.1 or 11.6 < end < 11.76


def test_of_many_places_that_stand_as_high_the_one_that_explains_the_most_is_taken() -> None:
    loudness = np.repeat(np.random.default_rng(2).random(8) ** 2 + 0.05, FINE_RATE // 3)
    bar = noise(loudness.size / FINE_RATE, 2) * loudness
    song = (np.tile(bar, 13) + 0.25 * noise(13 * bar.size / FINE_RATE, 21))[: FINE_RATE * 34]
    song = song.astype(np.float32)
    camera = source(in_a_room(song[: FINE_RATE * 30], 52, 3.0))
    recorder = source(in_a_room(song[2 * FINE_RATE :], 72, -10.0))
    take = Take(
        camera=reads(camera),
        recorder=reads(recorder),
        ours=camera.channels[0],
        theirs=recorder.channels[0],
    )
    places = find_places(take)
    assert len(places) > 6
    last = sorted(places, key=lambda place: -abs(offset_of(place.stack.line) - 2.0))
    found = conclude(take, (0, 0), last)
    assert found.offset_s == pytest.approx(2.0, abs=1e-5)
    assert found.candidates == ()


def test_a_place_that_more_of_both_would_fit_does_not_beat_the_one_that_fits_better() -> None:
    loudness = np.repeat(np.random.default_rng(2).random(6) ** 2 + 0.05, FINE_RATE // 3)
    bar = noise(loudness.size / FINE_RATE, 2) * loudness
    song = np.tile(bar, 12) + 0.02 * np.random.default_rng(4).standard_normal(12 * bar.size)
    camera = source(in_a_room(song[: FINE_RATE * 16].astype(np.float32), 52, 0.0))
    recorder = source(in_a_room(song[FINE_RATE * 9 :].astype(np.float32), 72, -10.0))
    found = align(camera, recorder)
    assert (found.verdict, found.candidates) == (Verdict.MATCHED, ())
    assert found.offset_s == pytest.approx(9.0, abs=1e-5)
