"""Recordings that are not one take: put together anew, in another order, or twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from test_sync import heard, place, source, voice

from avpipe.benchmarks.truth.music import PRODUCED, song
from avpipe.media import Verdict
from avpipe.sync.engine import Found, align
from avpipe.sync.stack import scan
from avpipe.sync.survey import survey
from avpipe.sync.take import Take
from avpipe.sync.windows import FINE_RATE, Map

Samples = NDArray[np.float32]
Spans = Sequence[tuple[float, float]]


def put_together(sound: Samples, spans: Spans) -> Samples:
    """Stretches of a sound one after the other."""
    return np.concatenate([sound[round(a * FINE_RATE) : round(b * FINE_RATE)] for a, b in spans])


def assert_in_order(found: Found, spans: Spans) -> None:
    """Each piece is a stretch of the recorder's sound, in the order of the camera's time."""
    assert found.verdict is Verdict.MATCHED
    assert len(found.pieces) == len(spans)
    at = 0.0
    for number, (piece, (begin, end)) in enumerate(zip(found.pieces, spans, strict=True)):
        assert piece.audio_start_s == pytest.approx(begin, abs=0.3)
        assert piece.audio_end_s == pytest.approx(end, abs=0.3)
        for moment in (begin + 0.5, (begin + end) / 2, end - 0.5):
            assert abs(place(found, moment, number) - (at + moment - begin)) < 0.1e-3
        at += end - begin


@pytest.mark.parametrize(
    "spans",
    [
        ((30.0, 80.0), (0.0, 30.0)),
        ((0.0, 25.0), (45.0, 60.0), (30.0, 45.0), (60.0, 80.0)),
        ((0.0, 25.0), (45.0, 65.0), (25.0, 45.0), (65.0, 80.0)),
        ((65.0, 75.0), (0.0, 80.0)),
        ((0.0, 80.0), (20.0, 40.0)),
    ],
    ids=["swapped", "cut and swapped", "back on the first line", "a look ahead", "shown twice"],
)
def test_a_camera_that_was_put_together_anew(spans: Spans) -> None:
    sound = voice(80.0, 31)
    camera = put_together(heard(sound, 32, 10.0), spans)
    assert_in_order(align(source(camera), source(heard(sound, 33))), spans)


@pytest.mark.parametrize("last_s", [5, 15, 30])
def test_the_last_seconds_of_a_long_take_may_be_a_piece(last_s: int) -> None:
    """Of a long take each window stands for so much that one or none lies in the last piece."""
    sound = np.concatenate([voice(100.0, 51 + number) for number in range(4)])
    at = sound.size - round((last_s + 2) * FINE_RATE)
    recorder = np.delete(sound, slice(at, at + 2 * FINE_RATE))
    ends_s = (at / FINE_RATE, recorder.size / FINE_RATE)
    for mirrored in (False, True):
        step = -1 if mirrored else 1
        found = align(source(heard(sound, 55)[::step]), source(recorder[::step]))
        assert found.verdict is Verdict.MATCHED
        assert len(found.pieces) == 2
        (place_s, whole_s) = ends_s
        joint_s = whole_s - place_s if mirrored else place_s
        assert found.pieces[0].audio_end_s == pytest.approx(joint_s, abs=0.3)
        offsets = [piece.offset_s for piece in found.pieces]
        assert offsets == pytest.approx([0.0, 2.0], abs=1e-3)


def test_what_was_said_again_is_no_piece() -> None:
    """The same sound, but not the same noise: a song's repeat, not the same scene shown twice."""
    sound = voice(60.0, 34)
    again = put_together(sound, ((0.0, 60.0), (10.0, 40.0)))
    found = align(source(heard(again, 35, 10.0)), source(heard(sound, 36)))
    assert found.verdict is Verdict.UNCERTAIN or len(found.pieces) == 1


def test_a_take_is_not_broken_where_a_song_repeats_itself() -> None:
    """Looked at along the wrong repeat of the first song, which fits it nearly as well."""
    (beat_s, repeat_s) = (0.5, 16.0)
    songs = (song(1003, PRODUCED, 44, FINE_RATE, beat_s), song(2003, PRODUCED, 20, FINE_RATE))
    sound = np.concatenate(songs)
    camera = source(heard(sound[round(repeat_s * FINE_RATE) :], 37))
    recorder = source(sound)
    take = Take(
        camera=lambda start, duration: camera.read(0, start, duration),
        recorder=lambda start, duration: recorder.read(0, start, duration),
        ours=camera.channels[0],
        theirs=recorder.channels[0],
    )
    line = Map(lag_s=0.0, slope=0.0)
    windows = take.windows(*take.overlap(line))
    stack = scan(take.camera, take.recorder, line, windows, slope_error=20e-6)
    assert stack is not None
    assert stack.height > 20
    (part,) = survey(take, line, stack, 20e-6).parts
    assert part.fine.line.lag_s == pytest.approx(repeat_s, abs=1e-5)
    assert (part.begin_s, part.end_s) == pytest.approx((0.0, 48.0), abs=0.01)
