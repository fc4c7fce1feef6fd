"""The arithmetic of a size limit: budgets that add up, or a refusal with one that would do."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from avpipe.errors import DoesNotFitError
from avpipe.fit import (
    AIM,
    ROOMY_SOUND_RATE,
    Budget,
    Choice,
    Content,
    Sampled,
    Trial,
    choose_picture,
    coarser,
    container_bytes,
    crf_that_fits,
    least_bytes,
    next_bytes,
    sample_windows,
    share_out,
    sizes,
)
from avpipe.recipe import Method

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
    else:
        assert budget.picture_bytes == 0


@given(contents, st.integers(0, 10**10), st.integers(0, 10**9))
def test_more_room_never_makes_it_worse(content: Content, room: int, more: int) -> None:
    assume(content.width)
    limit = least_bytes(content) + room
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


def test_speech_leaves_the_picture_what_music_needs_more() -> None:
    music = Content(
        duration=Fraction(3600), width=1920, height=1080, frame_rate=Fraction(30), sound_tracks=1
    )
    speech = dataclasses.replace(music, speech=True)
    (one, other) = (share_out(music, 200_000_000), share_out(speech, 200_000_000))
    assert (one.sound_rate, other.sound_rate) == (96_000, 64_000)
    assert other.picture_bytes - one.picture_bytes == 32_000 / 8 * 3600
    assert share_out(speech, 2_000_000_000).sound_rate == 192_000


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
    assert next_bytes(800, 990, 1000) is None
    assert next_bytes(800, 1000, 1000) is None
    assert next_bytes(800, 1001, 1000) == 800 + math.floor(1000 * AIM) - 1001
    assert next_bytes(800, 900, 1000) == 800 + math.floor(1000 * AIM) - 900


@given(st.fractions(min_value=Fraction(1, 50), max_value=50_000, max_denominator=1000))
def test_samples_lie_inside_and_are_few(duration: Fraction) -> None:
    windows = sample_windows(duration)
    assert all(start >= 0 and start + length <= float(duration) + 1e-9 for start, length in windows)
    assert sum(length for _, length in windows) <= max(1.0, 0.025 * float(duration)) + 1e-9
    assert sum(length for _, length in windows) <= 12.5


def test_the_container_takes_what_its_packets_take() -> None:
    silent = Content(
        duration=Fraction(10), width=640, height=360, frame_rate=Fraction(25), sound_tracks=0
    )
    assert container_bytes(silent) == 3_000 + 250 * 12 + 8
    assert container_bytes(dataclasses.replace(silent, uneven=True)) == 3_000 + 250 * 16 + 8


@pytest.mark.parametrize("megabytes", [2000, 400, 120, 40])
def test_all_samples_together_are_a_small_share_of_the_whole(megabytes: int) -> None:
    """In pixels that are encoded: at most 8 % of those of one pass over the whole."""
    (_, trials) = chosen(PLAIN, megabytes)
    sampled_s = sum(length for _, length in sample_windows(SHOW.duration))
    encoded = sum(size[0] * size[1] for size in {(t.size, t.crf): t.size for t in trials}.values())
    assert encoded * sampled_s <= 0.08 * 1920 * 1080 * SHOW.duration


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A picture whose bytes and looks follow a law: what `choose_picture` finds is known."""

    bytes_a_pixel: float
    """At CRF 0, each second."""
    sharpness: float
    """How much a smaller size loses in looks for each halving of its pixels."""
    key_share: float = 0.1
    cuts: int = 0

    def encode(self, trial: Trial, full: tuple[int, int]) -> Sampled:
        pixels = trial.size[0] * trial.size[1]
        whole = self.bytes_a_pixel * pixels**0.9 * 2 ** (-trial.crf / 6) * SAMPLED_S
        halvings = math.log2(full[0] * full[1] / pixels)
        blocks = max(0.0, trial.crf - 22) ** 1.6 / 2.2
        keys = SAMPLED + self.cuts
        return Sampled(
            seconds=SAMPLED_S,
            windows=SAMPLED,
            key_frames=keys,
            key_bytes=int(whole * self.key_share),
            other_bytes=int(whole * (1 - self.key_share)),
            vmaf=max(0.0, 99 - blocks - self.sharpness * halvings) if trial.compared else None,
        )


SAMPLED, SAMPLED_S = 10, 12.5
SHOW = Content(
    duration=Fraction(600), width=1920, height=1080, frame_rate=Fraction(30), sound_tracks=1
)


def chosen(scene: Scene, megabytes: float, *, sees: bool = True) -> tuple[Choice, list[Trial]]:
    """What is made of a scene under a limit, and what was tried for it."""
    budget = share_out(SHOW, int(megabytes * 1e6))
    steps = choose_picture(SHOW, budget, 20.0, sees=sees)
    trials = []
    try:
        trial = next(steps)
        while True:
            trials.append(trial)
            trial = steps.send(scene.encode(trial, (SHOW.width, SHOW.height)))
    except StopIteration as end:
        choice: Choice = end.value
        return choice, trials


PLAIN = Scene(bytes_a_pixel=10.0, sharpness=4.0)


def test_a_quality_that_fits_is_kept() -> None:
    (choice, trials) = chosen(PLAIN, 2000)
    assert (choice.method, choice.crf, choice.size) == (Method.CRF, 20.0, (1920, 1080))
    assert [trial.compared for trial in trials] == [False, True]


def test_a_limit_that_binds_is_spent_at_full_size_where_that_looks_good() -> None:
    (free, _) = chosen(PLAIN, 2000)
    (choice, _) = chosen(PLAIN, free.picture_bytes * 0.8 / 1e6)
    assert (choice.method, choice.size) == (Method.TWO_PASS, (1920, 1080))
    assert 20 < choice.crf < 24


def test_where_full_size_looks_good_for_certain_one_trial_is_enough() -> None:
    (free, _) = chosen(PLAIN, 2000)
    (choice, trials) = chosen(PLAIN, free.picture_bytes * 0.8 / 1e6)
    assert {trial.crf for trial in trials} == {20.0}
    budget = share_out(SHOW, int(free.picture_bytes * 0.8))
    assert choice.vmaf == pytest.approx(looks(PLAIN, choice.size, budget), abs=2)


SLOPES = {
    "a screen": ((20, 0.0), (51, 5.2)),
    "noise": ((20, 0.0), (51, 20.0)),
    "noise that falls away in the middle": ((20, 0.0), (24, 0.8), (30, 5.5), (51, 9.0)),
}
"""How often the bytes are halved from CRF 20 on."""


@pytest.mark.parametrize("kind", SLOPES)
def test_where_noise_falls_away_a_crf_tells_nothing_for_certain(kind: str) -> None:
    """Of a phone's video four steps of the CRF make the bytes a fifteenth."""
    budget = share_out(SHOW, 300_000_000)
    steps = choose_picture(SHOW, budget, 20.0, sees=False)
    choice: Choice | None = None
    trial = next(steps)
    while choice is None:
        whole = (
            16
            * budget.picture_bytes
            * 0.5 ** float(np.interp(trial.crf, *np.transpose(SLOPES[kind])))
        )
        sampled = Sampled(
            seconds=10.0,
            windows=1,
            key_frames=1,
            key_bytes=0,
            other_bytes=round(whole * 10 / float(SHOW.duration)),
            vmaf=None,
        )
        try:
            trial = steps.send(sampled)
        except StopIteration as end:
            choice = end.value
    assert choice.steady is (kind == "a screen")


@given(st.floats(10, 40), st.floats(1, 8))
def test_a_whole_that_was_too_large_fits_when_it_is_coarser(crf: float, times: float) -> None:
    found = coarser(crf, times)
    assert found is not None
    assert 2 ** ((found - crf) / 6) == pytest.approx(times) or found == 51
    assert coarser(crf, 0.5) == crf
    assert coarser(None, times) is None


def test_the_size_that_looks_best_is_found() -> None:
    """Against every size of the ladder, each at the CRF that spends the budget."""
    for scene, megabytes in (
        (PLAIN, 120),
        (PLAIN, 40),
        (Scene(bytes_a_pixel=10, sharpness=12), 60),
    ):
        (choice, trials) = chosen(scene, megabytes)
        assert choice.method is Method.TWO_PASS
        budget = share_out(SHOW, megabytes * 10**6)
        best = max(looks(scene, size, budget) for size in sizes(1920, 1080))
        assert looks(scene, choice.size, budget) >= best - 1.0
        assert choice.vmaf is not None
        assert abs(choice.vmaf - looks(scene, choice.size, budget)) < 3
        assert len({(trial.size, trial.crf) for trial in trials}) <= 10
        looked_at = [trial.size for trial in trials if trial.compared]
        assert len(looked_at) == len(set(looked_at))


@dataclass(frozen=True, kw_only=True)
class Grainy(Scene):
    """Its grain takes thirty times what its picture does, and is gone from CRF 30 on."""

    def encode(self, trial: Trial, full: tuple[int, int]) -> Sampled:
        made = Scene.encode(self, trial, full)
        times = 1 + 30 * max(0.0, 1 - trial.crf / 30)
        return dataclasses.replace(
            made,
            key_bytes=round(times * made.key_bytes),
            other_bytes=round(times * made.other_bytes),
        )


def test_grain_that_falls_away_does_not_mislead() -> None:
    scene = Grainy(bytes_a_pixel=3, sharpness=4)
    (choice, _) = chosen(scene, 80)
    trial = Trial(size=choice.size, crf=choice.crf, compared=False)
    made = scene.encode(trial, (1920, 1080)).whole_bytes(SHOW.duration)
    assert 0.5 < made / choice.picture_bytes < 2


def looks(scene: Scene, size: tuple[int, int], budget: Budget) -> float:
    """The VMAF of a scene that spends a budget at a size."""
    (low, high) = (0.0, 80.0)
    for _ in range(40):
        crf = (low + high) / 2
        sampled = scene.encode(Trial(size=size, crf=crf, compared=True), (1920, 1080))
        if sampled.whole_bytes(SHOW.duration) > budget.picture_bytes:
            low = crf
        else:
            high = crf
    return sampled.vmaf or 0.0


def test_without_eyes_a_coarse_picture_is_made_smaller() -> None:
    (choice, trials) = chosen(PLAIN, 40, sees=False)
    assert choice.size < (1920, 1080)
    assert not any(trial.compared for trial in trials)
    (choice, _) = chosen(PLAIN, 500, sees=False)
    assert choice.size == (1920, 1080)


def test_cuts_have_their_key_frames() -> None:
    still = PLAIN.encode(Trial(size=(1920, 1080), crf=20, compared=False), (1920, 1080))
    cut = dataclasses.replace(still, key_frames=30, key_bytes=3 * still.key_bytes)
    rest = still.other_bytes / SAMPLED_S * 600
    assert still.whole_bytes(Fraction(600)) == pytest.approx(rest + 60 * still.key_bytes / SAMPLED)
    assert cut.whole_bytes(Fraction(600)) == pytest.approx(rest + 961 * still.key_bytes / SAMPLED)
