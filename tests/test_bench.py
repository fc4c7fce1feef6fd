"""`avpipe bench` as its users have it, and what its figures are made of."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import LIMIT_S, CommandLine, Gate, names
from media_factory import make_audio, make_video

from avpipe.benchmarks.break_even import BreakEven, Rendering
from avpipe.benchmarks.check import Baseline, worse
from avpipe.benchmarks.scene import pink_noise
from avpipe.benchmarks.stages import Heard, Stage, split


def events(*told: tuple[float, str, float]) -> list[Heard]:
    started = Heard(at_s=0.5, event={"event": "started"})
    return [started] + [
        Heard(at_s=at_s, event={"event": "progress", "stage": stage, "done": done})
        for at_s, stage, done in told
    ]


def test_the_time_is_split_without_a_rest() -> None:
    """What lies between two stages is the later one's, but for the agent's edit."""
    heard = events(
        *((0.6, "sync", 0.0), (1.5, "sync", 1.0), (2.0, "audio", 0.5), (2.5, "audio", 1.0)),
        *((4.5, "upload", 1.0), (5.5, "cloud_render", 0.0), (7.5, "cloud_render", 0.1)),
        *((11.5, "cloud_render", 1.0), (12.0, "download", 1.0), (12.5, "verify", 1.0)),
    )
    heard.append(Heard(at_s=12.75, event={"event": "done"}))
    spent = split(heard, 13.0, in_cloud=True)
    assert spent == {
        Stage.PROBE: 0.5,
        Stage.SYNC: 1.0,
        Stage.PREPARE: 1.0,
        Stage.UPLOAD: 2.0,
        Stage.EDIT: 1.0,
        Stage.QUEUE: 2.0,
        Stage.RENDER: 4.0,
        Stage.DOWNLOAD: 0.5,
        Stage.VERIFY: 1.0,
    }
    here = split(events((1.5, "audio", 1.0), (4.5, "video", 1.0)), 5.0, in_cloud=False)
    assert (here[Stage.RENDER], here[Stage.PREPARE], sum(here.values())) == (4.0, 0.0, 5.0)


def test_break_even_is_where_both_take_the_same_time() -> None:
    """An hour at 1 MB a second; here 0.5 s for each second, there 60 s and 0.1."""
    found = BreakEven(
        backend=None,
        here=Rendering(fixed_s=0, per_second_s=0.5),
        there=Rendering(fixed_s=60, per_second_s=0.1),
        sent_bytes_s=1e6,
    )
    uplink = found.uplink_bytes_s(3600)
    assert uplink is not None
    assert 60 + 3600 * 0.1 + 3600 * 1e6 / uplink == pytest.approx(3600 * 0.5)
    assert found.uplink_bytes_s(150) is None


@pytest.mark.parametrize(
    ("ratios", "is_worse"),
    [
        ((1.0, 1.1, 1.2), False),
        ((1.1, 1.5, 1.6), False),  # one run is as good as ever: noise
        ((1.29, 1.3, 1.31), False),  # beyond the noise, and not by enough to matter
        ((1.6, 1.7, 1.8), True),
    ],
)
def test_only_more_than_the_noise_counts_as_worse(
    ratios: tuple[float, ...], is_worse: bool
) -> None:
    baseline = Baseline(least=1.0, median=1.1, most=1.25)
    assert worse(ratios, baseline) is is_worse


@pytest.fixture
def avpipe(tmp_path: Path) -> CommandLine:
    folder = tmp_path / "work"
    folder.mkdir()
    heard = 0.1 * pink_noise(6 * 48_000, np.random.default_rng(1))
    make_audio(folder / "sound.wav", samples=heard)
    make_video(folder / "camera.mp4", size=(160, 90), duration=6, rate=25, audio=heard)
    return CommandLine(folder=folder)


def test_every_row_names_who_made_it(avpipe: CommandLine) -> None:
    """A copy, an encode, and a server of one's own that is started for it and is gone after it."""
    arguments = ("bench", "camera.mp4", "sound.wav", "--runs=1", "--warm-ups=0", "--quality=draft")
    ran = avpipe(*arguments, "--report", "report.html", "--json")
    ran.assert_done()
    told: dict[str, Any] = ran.json
    assert told["schema"] == "avpipe.bench/1"
    backends = {case["name"]: (case["route"], case["backend"]) for case in told["cases"]}
    assert backends == {
        "local copy": ("local", "local"),
        "local libx264 draft": ("local", "local"),
        "self-hosted, started here": ("cloud", "self-hosted"),
    }
    assert [one["name"] for one in told["skipped"]] == ["nemo"]
    for case in told["cases"]:
        spent = sum(case[f"{stage}_s"] or 0.0 for stage in Stage)
        assert spent == pytest.approx(case["wall_s"]["median"])
        assert abs(case["sync_error_ms"]) < 1
        assert case["size_bytes"] > 0
        assert case["cpu_s"] > 0.1
    (copy, encode, cloud) = told["cases"]
    assert (copy["upload_s"], copy["credits"], cloud["credits"]) == (None, None, 1)
    assert cloud["upload_s"] > 0
    assert copy["vmaf"] >= encode["vmaf"] > 50
    assert told["break_even"]["backend"] == "self-hosted"
    page = (avpipe.folder / "report.html").read_text()
    assert page.count("data:image/svg+xml;base64,") == 3
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert told["break_even"]["sentence"] in page
    avpipe.assert_alone()
    ran = avpipe(*arguments, "--report", "report.html")
    assert (ran.code, ran.out) == (2, "")
    assert "report.html exists" in ran.error


def test_what_cannot_be_measured_is_said(avpipe: CommandLine) -> None:
    ran = avpipe("bench", "camera.mp4", "sound.wav", "--routes", "moon")
    assert (ran.code, ran.error) == (2, "--routes takes local and cloud, with a comma, not 'moon'")
    assert avpipe("bench", "camera.mp4").code == 2
    assert avpipe("bench", "camera.mp4", "nothing.wav").code == 2
    silent = avpipe.with_env(NEMO_API_URL="http://127.0.0.1:9", AVPIPE_CLOUD_RETRY_S="0.01")
    ran = silent("bench", "camera.mp4", "sound.wav", "--routes", "cloud", "--nemo", "--runs", "1")
    assert ran.code == 1
    assert "note: nemo was not measured: http://127.0.0.1:9 is set instead of it" in ran.err
    assert "note: self-hosted, 127.0.0.1:9 was not measured: " in ran.err


def test_ctrl_c_leaves_nothing_behind(avpipe: CommandLine, tmp_path: Path) -> None:
    """While the first merge is being verified, and a server waits for its turn."""
    (scratch, before) = (tmp_path / "scratch", names(avpipe.folder))
    scratch.mkdir()
    gate = Gate.make(tmp_path / "gate")
    line = avpipe.with_env(TMPDIR=str(scratch)).hooked("measure", gate.python)
    process = line.start("bench", "camera.mp4", "sound.wav", "--report", "report.html")
    gate.wait()
    assert len(names(scratch)) == 1
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert (names(avpipe.folder), names(scratch)) == (before, set())
    line.assert_alone()
