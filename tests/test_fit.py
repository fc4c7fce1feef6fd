"""The arithmetic of a size limit: budgets that add up, or a refusal with one that would do."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from avpipe.fit import (
    AIM,
    ROOMY_SOUND_RATE,
    Content,
    DoesNotFitError,
    candidates,
    container_bytes,
    crf_that_fits,
    least_bytes,
    next_bit_rate,
    sample_windows,
    share_out,
    sizes,
)

contents = st.builds(
    Content,
    duration=st.fractions(min_value=Fraction(1, 100), max_value=100_000, max_denominator=48_000),
    width=st.sampled_from([0, 2, 64, 426, 640, 1080, 1280, 1920, 3840]),
    height=st.sampled_from([2, 36, 240, 480, 720, 1080, 1920, 2160]),
    frame_rate=st.sampled_from(
        [Fraction(1, 2), Fraction(24), Fraction(30_000, 1001), Fraction(60)]
    ),
    sound_tracks=st.integers(0, 3),
)


@given(contents, st.integers(1, 10**11))
def test_a_budget_adds_up_or_is_refused_with_a_limit_that_would_do(
    content: Content, limit: int
) -> None:
    assume(content.width or content.sound_tracks)
    least = least_bytes(content)
    if limit < least:
        with pytest.raises(DoesNotFitError) as refused:
            share_out(content, limit)
        assert refused.value.least_bytes == least
        assert refused.value.hint is not None
        limit = least
    budget = share_out(content, limit)
    sound = math.ceil(content.duration * budget.sound_rate / 8) * content.sound_tracks
    assert budget.container_bytes + sound + budget.picture_bytes <= limit * AIM
    if content.width:
        assert budget.picture_bytes > 0
        assert (budget.width, budget.height) in sizes(content.width, content.height)
        assert (budget.width, budget.height) in candidates(content, budget)
    else:
        assert budget.picture_bytes == 0


@given(contents, st.integers(1, 10**10), st.integers(0, 10**9))
def test_more_room_never_makes_it_worse(content: Content, limit: int, more: int) -> None:
    assume(content.width and limit >= least_bytes(content))
    (small, large) = (share_out(content, limit), share_out(content, limit + more))
    assert large.sound_rate >= small.sound_rate
    assert large.width * large.height >= small.width * small.height or (
        large.sound_rate > small.sound_rate
    )


@given(st.integers(2, 8000), st.integers(2, 8000))
def test_sizes_are_even_and_never_larger(width: int, height: int) -> None:
    for wide, high in sizes(width, height):
        assert wide % 2 == high % 2 == 0
        assert 0 < wide <= width
        assert 0 < high <= height


def test_sound_keeps_what_music_needs_where_there_is_room() -> None:
    hour = Content(
        duration=Fraction(3600), width=1920, height=1080, frame_rate=Fraction(30), sound_tracks=1
    )
    assert share_out(hour, 500_000_000).sound_rate >= ROOMY_SOUND_RATE
    assert share_out(hour, 2_000_000_000).sound_rate == 192_000


def test_less_room_makes_the_picture_smaller() -> None:
    film = Content(
        duration=Fraction(600), width=1920, height=1080, frame_rate=Fraction(25), sound_tracks=1
    )
    heights = [share_out(film, megabytes * 10**6).height for megabytes in (500, 100, 40, 20, 14)]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] == 1080
    assert heights[-1] < 540


@given(st.floats(10, 40), st.floats(0.05, 0.25), st.floats(10, 20), st.floats(10_000, 10_000_000))
def test_the_crf_is_found_on_an_exponential(
    first: float, slope: float, apart: float, wanted: float
) -> None:
    def size(crf: float) -> float:
        return 1e9 * math.exp(-slope * crf)

    crf = crf_that_fits([(first, size(first)), (first + apart, size(first + apart))], wanted)
    if size(first + apart) > 1:
        assert size(crf) == pytest.approx(wanted, rel=1e-3)


def test_a_miss_is_corrected_and_a_hit_is_not() -> None:
    assert next_bit_rate(1_000_000, 990, 1000) is None
    assert next_bit_rate(1_000_000, 1100, 1000) == 909_090
    assert next_bit_rate(1_000_000, 900, 1000) == 1_111_111


@given(st.fractions(min_value=Fraction(1, 50), max_value=50_000, max_denominator=1000))
def test_samples_lie_inside_and_are_few(duration: Fraction) -> None:
    windows = sample_windows(duration)
    assert all(start >= 0 and start + length <= float(duration) + 1e-9 for start, length in windows)
    assert sum(length for _, length in windows) <= max(8.0, 0.6 * float(duration))
    assert sum(length for _, length in windows) <= 24.0


def test_the_container_takes_what_its_packets_take() -> None:
    silent = Content(
        duration=Fraction(10), width=640, height=360, frame_rate=Fraction(25), sound_tracks=0
    )
    assert container_bytes(silent) == 6_000 + 250 * 28
