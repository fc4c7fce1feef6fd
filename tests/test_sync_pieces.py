"""Recordings that are not one take: put together anew, in another order, or twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from test_sync import heard, place, source, voice

from avpipe.media import Verdict
from avpipe.sync.engine import Found, align
from avpipe.sync.windows import FINE_RATE

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


def test_what_was_said_again_is_no_piece() -> None:
    """The same sound, but not the same noise: a song's repeat, not the same scene shown twice."""
    sound = voice(60.0, 34)
    again = put_together(sound, ((0.0, 60.0), (10.0, 40.0)))
    found = align(source(heard(again, 35, 10.0)), source(heard(sound, 36)))
    assert found.verdict is Verdict.UNCERTAIN or len(found.pieces) == 1
