"""A video that heard nothing: a clap, or tags, say where the sound may belong."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from commands import CommandLine
from media_factory import make_audio, make_video

from avpipe.codecs.ffmpeg import find
from avpipe.codecs.isolate import probe_files
from avpipe.listen.slate import guess
from avpipe.media import Alignment, Doubt, MediaInfo, Verdict
from avpipe.sync.clap import Event, picture_events, places, sound_events

FLASHES = (1.52, 3.2, 3.92)
EARLY_S = 2.35
"""The recorder was started that long before the camera."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slate")
    make_video(folder / "mute.mp4", size=(160, 90), rate=25, frames=150, flashes=FLASHES, audio=())
    make_video(folder / "still.mp4", size=(160, 90), rate=25, frames=100, flashes=(), audio=())
    for name, clicks in (("clap", FLASHES), ("one", FLASHES[:1]), ("noise", ())):
        heard = [when + EARLY_S for when in clicks]
        make_audio(folder / f"{name}.wav", duration=12, clicks=heard, noise=0.004)
    return folder


def guessed(folder: Path, video: str, audio: str, **tags: str) -> Alignment:
    (seen, heard) = probe_files([str(folder / video), str(folder / audio)])
    return guess(seen, tagged(heard, tags), find(None), Doubt.NO_AUDIO)


def tagged(info: MediaInfo, tags: dict[str, str]) -> MediaInfo:
    return replace(info, metadata={**info.metadata, **tags})


def test_claps_that_were_seen_and_heard(folder: Path) -> None:
    """Each flash fits each click, but at one place all three of them do."""
    found = guessed(folder, "mute.mp4", "clap.wav")
    assert (found.verdict, found.reason) == (Verdict.UNCERTAIN, Doubt.NO_AUDIO)
    assert found.offset_s == pytest.approx(-EARLY_S, abs=0.5 / 25)
    assert found.offset_error_s == pytest.approx(1 / 25)
    assert len(found.candidates) == 4


def test_tags_say_which_flash_it_was(folder: Path) -> None:
    """One click, three flashes: the time code leaves one; where it fits none, it is the guess."""
    (seen, heard) = probe_files([str(folder / "mute.mp4"), str(folder / "one.wav")])
    seen = tagged(seen, {"timecode": "10:00:00:00"})
    found = []
    for early_s in (3.5, 9):
        counted = {"time_reference": str(round((36_000 - early_s) * 48_000))}
        found.append(guess(seen, tagged(heard, counted), find(None), Doubt.NO_AUDIO))
    (clap, tag) = found
    assert clap.offset_s == pytest.approx(-EARLY_S, abs=0.5 / 25)
    assert (tag.offset_s, tag.offset_error_s) == (-9.0, 2.0)


@pytest.mark.parametrize(("video", "audio"), [("mute.mp4", "noise.wav"), ("still.mp4", "clap.wav")])
def test_nothing_sudden_in_one_of_them_is_no_guess(folder: Path, video: str, audio: str) -> None:
    found = guessed(folder, video, audio)
    assert (found.verdict, found.offset_s) == (Verdict.UNRELATED, None)


def test_a_merge_lines_up_the_starts_and_names_the_guess(folder: Path, tmp_path: Path) -> None:
    avpipe = CommandLine(folder=tmp_path)
    files = (folder / "mute.mp4", folder / "clap.wav", "-o", "out.mp4")
    ran = avpipe("merge", *files)
    assert ran.code == 0
    assert "by their starts: the video has no sound; the best guess is --offset -2.3" in ran.err
    assert avpipe("merge", *files, "-y", "--sync", "require").code == 6


def test_sudden_is_beside_what_is_usual() -> None:
    """A restless picture has no event where it goes on as before; a loud sound no onset."""
    noise = np.random.default_rng(3)
    restless = noise.uniform(8, 12, 500).astype(np.float32)
    assert picture_events(restless, 25) == ()
    restless[300] = 200
    assert [event.time_s for event in picture_events(restless, 25)] == [12.0]
    sound = noise.normal(0, 0.1, 16_000 * 4).astype(np.float32)
    assert sound_events(sound, 16_000) == ()
    sound[32_017:32_100] += 5 * np.sign(noise.normal(size=83)).astype(np.float32)
    assert [round(event.time_s, 4) for event in sound_events(sound, 16_000)] == [2.0011]


def test_the_place_of_most_events_is_first() -> None:
    seen = [Event(time_s=time, strength=1.0) for time in (1.0, 4.0)]
    heard = [Event(time_s=time, strength=0.9) for time in (6.0, 9.01)]
    first, *others = places(seen, heard, frame_s=float(Fraction(1, 25)))
    assert first.offset_s == pytest.approx(-5.005)
    assert (first.events, len(others)) == (2, 2)
    assert places(seen, heard, frame_s=0.04, near=(-2.1, -1.9))[0].offset_s == -2.0
