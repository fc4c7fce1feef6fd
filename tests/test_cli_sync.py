"""`avpipe sync` as it is called: its JSON, its words, its exit codes, what it leaves behind."""

from __future__ import annotations

import re
import signal
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from commands import CommandLine, Gate, names
from media_factory import make_audio, make_video
from numpy.typing import NDArray

from avpipe.benchmarks.scene import pink_noise, resample_at
from avpipe.cli.sync import lines
from avpipe.media import Alignment, AlignmentMethod, Verdict

RATE = 48_000
OFFSET_S = -1.25
DRIFT = Fraction(50, 10**6)
KEYS = [
    *("schema", "verdict", "offset_s", "drift_ppm", "confidence", "offset_error_s"),
    *("drift_error_ppm", "overlap_s", "reason", "pieces", "candidates", "elapsed_s"),
]


def noise(seconds: int, seed: int) -> NDArray[np.float32]:
    """Noise that rises and falls."""
    rng = np.random.default_rng(seed)
    size = seconds * RATE
    swell = np.exp(rng.standard_normal(size // 6000 + 2))
    return (
        pink_noise(size, rng)
        * np.interp(np.arange(size) / 6000, np.arange(swell.size), swell).astype(np.float32)
        * np.float32(0.05)
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video, its sound from another clock, a sound of something else, a video without."""
    here = tmp_path_factory.mktemp("sync")
    world = noise(24, 3)
    start = 3 * RATE
    make_video(
        here / "video.mp4", size=(160, 90), rate=25, duration=20, audio=world[start : 23 * RATE]
    )
    first = start + Fraction(OFFSET_S) * RATE
    make_audio(here / "audio.wav", samples=resample_at(world, first, 1 / (1 + DRIFT), 20 * RATE))
    make_audio(here / "other.wav", samples=noise(20, 4))
    make_video(here / "mute.mp4", size=(160, 90), frames=10, audio=None)
    (here / "broken.wav").write_bytes(b"RIFF....WAVE")
    return here


@pytest.fixture
def avpipe(folder: Path, tmp_path: Path) -> CommandLine:
    work = tmp_path / "work"
    work.mkdir()
    for path in folder.iterdir():
        (work / path.name).hardlink_to(path)
    return CommandLine(folder=work)


def test_json(avpipe: CommandLine) -> None:
    ran = avpipe("sync", "video.mp4", "audio.wav", "--json")
    ran.assert_done()
    form = ran.json
    assert list(form) == KEYS
    assert (form["schema"], form["verdict"], form["reason"]) == ("avpipe.sync/1", "matched", None)
    assert form["offset_s"] == pytest.approx(OFFSET_S, abs=1e-4)
    assert form["drift_ppm"] == pytest.approx(50, abs=1)
    assert 0.9 < form["confidence"] <= 1
    assert form["overlap_s"] == pytest.approx(18.75, abs=0.1)
    (piece,) = form["pieces"]
    assert list(piece) == ["audio_start_s", "audio_end_s", "offset_s", "drift_ppm"]
    assert piece["offset_s"] == form["offset_s"]
    assert form["elapsed_s"] > 0


def test_nothing_is_imported_that_is_not_used(avpipe: CommandLine) -> None:
    """Start-up is most of what 20 s take: no plan, no render, none of NumPy's masked arrays."""
    ran = avpipe.with_env(PYTHONPROFILEIMPORTTIME="1")("sync", "video.mp4", "audio.wav", "--json")
    assert ran.json["verdict"] == "matched"
    imported = set(re.findall(r"(\S+)$", ran.err, re.MULTILINE))
    assert "numpy.fft" in imported
    unused = {"numpy.ma", "av", "ffmpeg", "avpipe.plan.make", "avpipe.render", "avpipe.sync.clap"}
    assert not imported & unused


def test_words(avpipe: CommandLine) -> None:
    ran = avpipe("sync", "video.mp4", "audio.wav")
    ran.assert_done()
    (verdict, place, drift, common) = ran.out.splitlines()
    assert re.fullmatch(r"matched, 9\d\.\d % sure", verdict)
    assert re.fullmatch(r"the audio starts 1\.2500 s before the video \(±0\.\d+ ms\)", place)
    assert re.fullmatch(
        r"drift \+\d+\.\d\d ppm .*: the audio runs 1\d\d\.\d ms an hour too long", drift
    )
    assert common == "they have 0:18.7 in common" or common == "they have 0:18.8 in common"


@pytest.mark.parametrize(
    ("rate", "mistake"),
    [
        (44.1 / 48, "44.1 kHz were read as 48"),
        (48 / 44.1, "48 kHz were read as 44.1"),
        (25 / 24, "24 frames a second were shown as 25"),
        (1 + 300e-6, None),
    ],
)
def test_a_wrong_rate_and_a_turned_polarity_are_told(rate: float, mistake: str | None) -> None:
    alignment = Alignment(
        method=AlignmentMethod.CONTENT,
        verdict=Verdict.MATCHED,
        offset_s=1.0,
        drift_ppm=((1 + 30e-6) * rate - 1) * 1e6,
        inverted=mistake is None,
    )
    text = "\n".join(lines(alignment))
    assert ("as if" in text) == (mistake is not None)
    assert mistake is None or f"as if {mistake}" in text
    assert ("polarity is the opposite" in text) == (mistake is None)


@pytest.mark.parametrize(
    ("video", "audio", "reason"),
    [("video.mp4", "other.wav", "unrelated"), ("mute.mp4", "audio.wav", "no_audio")],
)
def test_nothing_found(avpipe: CommandLine, video: str, audio: str, reason: str) -> None:
    """Exit 0 whatever the verdict."""
    ran = avpipe("sync", video, audio, "--json")
    ran.assert_done()
    assert (ran.json["verdict"], ran.json["reason"]) == ("unrelated", reason)
    assert [ran.json[key] for key in ("offset_s", "drift_ppm")] == [None, None]
    assert (ran.json["pieces"], ran.json["candidates"]) == ([], [])
    words = avpipe("sync", video, audio)
    words.assert_done()
    assert words.out.startswith("unrelated: ")


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (("video.mp4", "broken.wav"), 1),
        (("video.mp4", "missing.wav"), 2),
        (("audio.wav", "video.mp4"), 2),
        (("video.mp4", "mute.mp4"), 2),
        (("video.mp4",), 2),
    ],
)
def test_what_cannot_be_compared(avpipe: CommandLine, files: tuple[str, ...], code: int) -> None:
    ran = avpipe("sync", *files)
    assert (ran.code, ran.out) == (code, "")
    assert ran.error


@pytest.mark.parametrize(
    "command",
    [("sync",), ("plan",), ("merge", "--sync", "start", "-o", "out.mp4"), ("merge", "--dry-run")],
)
def test_two_hundred_channels_are_told(avpipe: CommandLine, command: tuple[str, ...]) -> None:
    """Before anything is decoded, and in the same words whatever was asked."""
    with wave.open(str(avpipe.folder / "many.wav"), "wb") as file:
        file.setnchannels(200)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(200 * 2 * 8000))
    ran = avpipe(command[0], "video.mp4", "many.wav", *command[1:])
    assert (ran.code, ran.out) == (1, "")
    assert ran.error.endswith("many.wav has 200 channels, more than the 64 that can be worked with")
    assert "hint: write the channels that matter to a file of their own" in ran.err
    assert not (avpipe.folder / "out.mp4").exists()


def test_a_picture_of_it(avpipe: CommandLine) -> None:
    for audio in ("audio.wav", "other.wav"):
        avpipe("sync", "video.mp4", audio, "--plot", "sync.png", "-y").assert_done()
        with av.open(str(avpipe.folder / "sync.png")) as file:
            (frame,) = file.decode(video=0)
        assert min(frame.width, frame.height) > 200
    there = (avpipe.folder / "sync.png").read_bytes()
    refused = avpipe("sync", "video.mp4", "audio.wav", "--plot", "sync.png")
    assert (refused.code, refused.error) == (2, f"{avpipe.folder / 'sync.png'} exists")
    assert (avpipe.folder / "sync.png").read_bytes() == there


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_on_the_way(avpipe: CommandLine, tmp_path: Path, number: signal.Signals) -> None:
    """No child is left, and no file."""
    gate = Gate.make(tmp_path / "gate")
    before = names(avpipe.folder)
    slow = avpipe.with_env(
        AVPIPE_FFMPEG=str(gate.ffmpeg(tmp_path / "slow")), TMPDIR=str(tmp_path / "temporary")
    )
    (tmp_path / "temporary").mkdir()
    process = slow.start("sync", "video.mp4", "audio.wav")
    gate.wait()
    process.send_signal(number)
    (out, err) = process.communicate(timeout=30)
    assert (process.returncode, out) == (128 + number, "")
    assert err.startswith("error: ")
    slow.assert_alone()
    assert names(avpipe.folder) == before
    assert names(tmp_path / "temporary") == set()
