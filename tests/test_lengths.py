"""How long the output is, and what is seen when the picture is held or cut."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from measure import stream_extents
from media_factory import MadeVideo, make_audio, make_video
from merging import AUDIO_FRAME, assert_ends, assert_shows, both_ffmpegs, either_ffmpeg, merge

from avpipe.plan.request import Fit, VideoMode
from avpipe.recipe import Action

RATES = ("24000/1001", "25", "30000/1001", "30", "60000/1001", "vfr")
OFFSET = Fraction("0.7345")
TICK_S = 1 / 90_000
THIRTIETH = Fraction(1, 30)


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MadeVideo]:
    """A video of about 2 s for each rate; its length is no whole number of audio frames."""
    folder = tmp_path_factory.mktemp("rates")
    made = {}
    for rate in RATES:
        spec: dict[str, Any] = {"rate": 30, "times": uneven(50)} if rate == "vfr" else {}
        if rate != "vfr":
            spec = {"rate": Fraction(rate), "duration": Fraction(19, 10)}
        path = folder / f"{rate.replace('/', '-')}.mp4"
        made[rate] = make_video(path, size=(160, 90), **spec)
    return made


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sounds")
    lengths = {"shorter": Fraction(3, 2), "longer": Fraction(13, 5)}
    return {
        name: make_audio(folder / f"{name}.wav", duration=length, tone_hz=440.0)
        for name, length in lengths.items()
    }


def uneven(count: int) -> list[Fraction]:
    """Presentation times of a variable rate."""
    return [Fraction(i, 30) + Fraction(i * i % 7, 300) for i in range(count)]


@both_ffmpegs
@pytest.mark.parametrize(
    ("rate", "mode", "longer"),
    [
        (rate, mode, (place + (mode is VideoMode.COPY)) % 2)
        for place, rate in enumerate(RATES)
        for mode in (VideoMode.COPY, VideoMode.ENCODE)
    ],
)
def test_fit_video_is_exact(
    tmp_path: Path,
    videos: dict[str, MadeVideo],
    sounds: dict[str, Path],
    rate: str,
    mode: VideoMode,
    longer: bool,
    ffmpeg: str,
) -> None:
    made = videos[rate]
    length = "longer" if longer == (ffmpeg == "wheel") else "shorter"
    merged = merge(tmp_path, made.path, sounds[length], ffmpeg=ffmpeg, video_mode=mode)
    assert abs(merged.duration - made.duration) <= Fraction(1, 48_000)
    assert_ends(merged)
    assert_shows(merged, made, within_s=TICK_S if (rate, mode) == ("vfr", "encode") else 0)
    if rate != "vfr":
        with av.open(merged.path) as file:
            told = file.streams.video[0].average_rate  # what editors and players go by
        assert told
        assert float(told) == pytest.approx(Fraction(rate), rel=1e-3)


@either_ffmpeg(
    "fit,length,offset,mode,rate",
    [
        (Fit.AUDIO, "longer", 0, VideoMode.AUTO, "30000/1001"),
        (Fit.AUDIO, "longer", -OFFSET, VideoMode.AUTO, "25"),
        (Fit.AUDIO, "longer", -OFFSET, VideoMode.ENCODE, "vfr"),
        (Fit.AUDIO, "shorter", OFFSET, VideoMode.AUTO, "24000/1001"),
        (Fit.AUDIO, "shorter", -OFFSET, VideoMode.AUTO, "vfr"),
        (Fit.AUDIO, "shorter", -OFFSET, VideoMode.ENCODE, "60000/1001"),
        (Fit.AUDIO, "shorter", 0, VideoMode.AUTO, "30000/1001"),
        (Fit.SHORTEST, "longer", OFFSET, VideoMode.AUTO, "vfr"),
        (Fit.SHORTEST, "longer", -OFFSET, VideoMode.COPY, "24000/1001"),
        (Fit.SHORTEST, "shorter", 0, VideoMode.ENCODE, "25"),
        (Fit.SHORTEST, "shorter", 0, VideoMode.AUTO, "vfr"),
        (Fit.SHORTEST, "shorter", -OFFSET, VideoMode.AUTO, "60000/1001"),
        (Fit.LONGEST, "longer", OFFSET, VideoMode.AUTO, "30"),
        (Fit.LONGEST, "longer", -OFFSET, VideoMode.ENCODE, "24000/1001"),
        (Fit.LONGEST, "shorter", OFFSET, VideoMode.COPY, "25"),
        (Fit.LONGEST, "shorter", -OFFSET, VideoMode.AUTO, "60000/1001"),
        (Fit.VIDEO, "shorter", OFFSET, VideoMode.COPY, "30"),
        (Fit.VIDEO, "longer", -OFFSET, VideoMode.ENCODE, "30"),
    ],
)
def test_every_fit_is_exact(
    tmp_path: Path,
    videos: dict[str, MadeVideo],
    sounds: dict[str, Path],
    fit: Fit,
    length: str,
    offset: Fraction,
    mode: VideoMode,
    rate: str,
    ffmpeg: str,
) -> None:
    made = videos[rate]
    sound = (Fraction(offset), Fraction(offset) + stream_extents(sounds[length])[0].end)
    origin = {Fit.AUDIO: sound[0], Fit.SHORTEST: max(sound[0], Fraction(0))}.get(
        fit, Fraction(0) if fit is Fit.VIDEO else min(sound[0], Fraction(0))
    )
    end = {Fit.AUDIO: sound[1], Fit.SHORTEST: min(sound[1], made.duration)}.get(
        fit, made.duration if fit is Fit.VIDEO else max(sound[1], made.duration)
    )
    merged = merge(
        tmp_path,
        made.path,
        sounds[length],
        ffmpeg=ffmpeg,
        fit=fit,
        offset_s=float(offset),
        video_mode=mode,
    )
    assert abs(merged.duration - (end - origin)) <= Fraction(1, 48_000)
    assert_ends(merged)
    # A copy that is moved keeps to the ticks of its own clock.
    near = 0.0001 if merged.plan.video is Action.COPY else 2 * TICK_S
    assert_shows(merged, made, origin=origin, within_s=near if origin else 0)
    assert ("encode_cut" in merged.codes) == (origin > 0)
    assert (origin < 0) == ("held_first" in merged.codes)
    assert (end - made.duration > AUDIO_FRAME * 5) == ("held_last" in merged.codes)


@both_ffmpegs
@pytest.mark.parametrize("mode", [VideoMode.AUTO, VideoMode.ENCODE])
@pytest.mark.parametrize("fit", [Fit.AUDIO, Fit.LONGEST])
def test_slides_that_stand_for_seconds(
    tmp_path: Path, fit: Fit, mode: VideoMode, ffmpeg: str
) -> None:
    """A recorded screen has a frame only where something changes."""
    times = [Fraction(0), Fraction(1, 30), Fraction(5, 2), Fraction(6), Fraction(6) + THIRTIETH]
    made = make_video(tmp_path / "v.mp4", size=(160, 90), rate=Fraction(1, 3), times=times)
    length = Fraction(9, 2) if fit is Fit.AUDIO else Fraction(10)
    audio = make_audio(tmp_path / "a.wav", duration=length, tone_hz=440.0)
    merged = merge(
        tmp_path, made.path, audio, ffmpeg=ffmpeg, fit=fit, offset_s=1.2, video_mode=mode
    )
    assert_ends(merged)
    origin = Fraction("1.2") if fit is Fit.AUDIO else Fraction(0)
    assert_shows(merged, made, origin=origin, within_s=TICK_S)
