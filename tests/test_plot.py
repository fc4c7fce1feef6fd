"""The picture of an alignment: what is drawn where, measured in its pixels."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from avpipe.media import Alignment, AlignmentMethod, Candidate, Doubt, Piece, Verdict
from avpipe.plot.alignment import (
    AUDIO_COLOR,
    VIDEO_COLOR,
    Envelope,
    Measured,
    draw_alignment,
    in_words,
)

Pixels = NDArray[np.int16]


def wave(seconds: float, loud: tuple[float, float], step_s: float = 0.02) -> Envelope:
    """Quiet, but for one stretch."""
    time = (np.arange(round(seconds / step_s)) + 0.5) * step_s
    height = np.where((time > loud[0]) & (time < loud[1]), 0.8, 0.01)
    return Envelope(step_s=step_s, low=-height, high=height)


def alignment(*pieces: Piece, verdict: Verdict = Verdict.MATCHED) -> Alignment:
    return Alignment(
        method=AlignmentMethod.CONTENT,
        verdict=verdict,
        offset_s=pieces[0].offset_s,
        drift_ppm=pieces[0].drift_ppm,
        confidence=0.99,
        offset_error_s=2e-6,
        drift_error_ppm=0.1,
        pieces=pieces,
    )


def piece(start_s: float, end_s: float, offset_s: float, drift_ppm: float = 0.0) -> Piece:
    return Piece(audio_start_s=start_s, audio_end_s=end_s, offset_s=offset_s, drift_ppm=drift_ppm)


def pixels(png: bytes) -> Pixels:
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"), np.int16)


def of_color(picture: Pixels, color: str) -> NDArray[np.bool_]:
    wanted = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)])
    return np.asarray(np.abs(picture - wanted).max(axis=2) < 24)


def panels(picture: Pixels) -> list[Pixels]:
    """The inside of each frame, from the top down."""
    dark = picture.max(axis=2) < 60
    rows = np.flatnonzero(dark.mean(axis=1) > 0.8)
    found = []
    for top, bottom in zip(rows[::2], rows[1::2], strict=True):
        columns = np.flatnonzero(dark[top : bottom + 1].mean(axis=0) > 0.9)
        found.append(picture[top + 1 : bottom, columns[0] + 1 : columns[-1]])
    return found


def loud_span(panel: Pixels, color: str) -> tuple[float, float]:
    """Where a wave form is high, as shares of the panel's width."""
    high = np.flatnonzero(of_color(panel, color).sum(axis=0) > 0.3 * panel.shape[0] / 2)
    return float(high[0] / panel.shape[1]), float(high[-1] / panel.shape[1])


def test_both_wave_forms_are_where_they_belong() -> None:
    """The same event, at 40 s of the video and at 20 s of the audio that starts 20 s later."""
    (video, audio) = wave(100, (40, 50)), wave(60, (20, 30))
    before, after = panels(pixels(draw_alignment(alignment(piece(0, 60, 20.0)), video, audio)))
    assert loud_span(before, VIDEO_COLOR) == pytest.approx((0.4, 0.5), abs=0.004)
    assert loud_span(before, AUDIO_COLOR) == pytest.approx((0.2, 0.3), abs=0.004)
    for color in (VIDEO_COLOR, AUDIO_COLOR):
        assert loud_span(after, color) == pytest.approx((0.4, 0.5), abs=0.004)


def test_each_piece_is_put_in_its_own_place_over_three_hours() -> None:
    """The second half belongs an hour later than the first; the span is 0 to 4 h."""
    (video, audio) = wave(14_400, (10_800, 12_240), 0.5), wave(10_800, (7200, 8640), 0.5)
    halves = (piece(0, 5400, 0.0), piece(5400, 10_800, 3600.0))
    _, after = panels(pixels(draw_alignment(alignment(*halves), video, audio)))
    for color in (VIDEO_COLOR, AUDIO_COLOR):
        assert loud_span(after, color) == pytest.approx((0.75, 0.85), abs=0.004)
    gap = of_color(after, AUDIO_COLOR)[
        :, round(0.38 * after.shape[1]) : round(0.62 * after.shape[1])
    ]
    assert not gap.any()


def test_measured_places_lie_on_the_line_and_residuals_on_zero() -> None:
    exact = Measured(video_s=np.linspace(22, 78, 40), residual_s=np.zeros(40))
    line = alignment(piece(0, 60, 20.0, 100.0))
    drawn = draw_alignment(line, wave(100, (40, 50)), wave(60, (20, 30)), exact)
    *_, places, residuals = panels(pixels(drawn))
    dots = of_color(places, AUDIO_COLOR)
    columns = np.flatnonzero(dots.any(axis=0))
    heights = [float(np.flatnonzero(dots[:, column]).mean()) for column in columns]
    slope = np.polyfit(columns, heights, 1)
    assert slope[0] > 0.05  # the audio runs too long, so later moments belong earlier
    assert np.abs(np.polyval(slope, columns) - heights).max() < 3
    rows = np.flatnonzero(of_color(residuals, AUDIO_COLOR).any(axis=1))
    assert abs(rows.mean() - residuals.shape[0] / 2) < 3
    assert np.ptp(rows) < 9


def test_what_is_heard_later_belongs_earlier_and_what_was_not_used_is_grey() -> None:
    """In the second half a moment in three is 50 ms off, and the rest 1 ms late."""
    late = np.where(np.arange(40) < 20, 0.0, 1e-3)
    far = np.arange(40) % 3 == 0
    measured = Measured(
        video_s=np.linspace(22, 78, 40), residual_s=np.where(far, 0.05, late), used=~far
    )
    arguments = (alignment(piece(0, 60, 20.0)), wave(100, (40, 50)), wave(60, (20, 30)))
    (*_, places, residuals) = panels(pixels(draw_alignment(*arguments, measured)))
    for panel in (places, residuals):
        dots = of_color(panel, AUDIO_COLOR)
        middle = panel.shape[1] // 2
        (left, right) = (
            np.flatnonzero(half.any(axis=1)) for half in (dots[:, :middle], dots[:, middle + 20 :])
        )
        assert np.ptp(left) < 12
        assert np.ptp(right) < 12
        assert right.mean() > left.mean() + 15
    assert of_color(residuals, "#b0b0b0")[-residuals.shape[0] // 4 :].any()


def test_what_has_no_place_is_drawn_once() -> None:
    unrelated = Alignment(
        method=AlignmentMethod.CONTENT,
        verdict=Verdict.UNRELATED,
        offset_s=None,
        drift_ppm=None,
        confidence=0.0,
        reason=Doubt.UNRELATED,
    )
    drawn = draw_alignment(unrelated, wave(10, (4, 5)), wave(10, (2, 3)), Measured())
    assert len(panels(pixels(drawn))) == 1
    head, found = in_words(unrelated)
    assert (head, found) == (
        "unrelated: nothing of the one is heard in the other",
        "no place was found",
    )


def test_the_words() -> None:
    loop = Alignment(
        method=AlignmentMethod.CONTENT,
        verdict=Verdict.UNCERTAIN,
        offset_s=-3725.25,
        drift_ppm=1.5,
        confidence=0.41,
        reason=Doubt.AMBIGUOUS,
        offset_error_s=2e-3,
        candidates=(Candidate(offset_s=-3721.25, drift_ppm=1.5, confidence=0.4),),
    )
    assert in_words(loop) == (
        "uncertain: more than one place fits, 41.0 % sure",
        "best guess: the audio starts 1:02:05.2500 before the video (± 2 ms), drift +1.50 ppm",
    )


def test_what_was_not_compared_has_no_verdict() -> None:
    given = Alignment(method=AlignmentMethod.OFFSET, offset_s=2.0, drift_ppm=0.0)
    assert in_words(given) == (
        "the sounds were not compared",
        "the audio starts 2.0000 s after the video, drift +0.00 ppm",
    )
    drawn = draw_alignment(given, wave(10, (4, 5)), wave(10, (2, 3)))
    (_, after) = panels(pixels(drawn))
    assert loud_span(after, AUDIO_COLOR) == pytest.approx((4 / 12, 5 / 12), abs=0.004)


@pytest.mark.parametrize(
    ("video", "audio"),
    [
        (Envelope(step_s=0.02, low=np.zeros(0), high=np.zeros(0)), wave(10, (1, 2))),
        (wave(10, (1, 2)), Envelope(step_s=0.02, low=np.full(9, np.nan), high=np.full(9, np.nan))),
        (wave(0.02, (0, 1)), wave(0.02, (0, 1))),
    ],
)
def test_nothing_to_draw_is_no_crash(video: Envelope, audio: Envelope) -> None:
    moment = Measured(video_s=np.array([0.01]), residual_s=np.array([np.nan]))
    drawn = draw_alignment(alignment(piece(0, 0.02, 1e4)), video, audio, moment)
    assert len(panels(pixels(drawn))) == 2


def test_any_name_is_written() -> None:
    names = ("$x^{2}$ 録音\n.mp4", "é" * 300)
    drawn = draw_alignment(
        alignment(piece(0, 10, 1.0)), wave(10, (1, 2)), wave(10, (1, 2)), names=names
    )
    assert len(panels(pixels(drawn))) == 2


@pytest.mark.parametrize("command", [["--version"], ["sync", "-h"]])
def test_matplotlib_is_not_imported_before_something_is_drawn(command: list[str]) -> None:
    argv = [sys.executable, "-X", "importtime", "-m", "avpipe", *command]
    ran = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert "avpipe.cli" in ran.stderr
    assert "matplotlib" not in ran.stderr
