"""`avpipe watch`: what arrives whole is merged, whatever the order and the way it arrives."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import STARTS, CommandLine, Ran
from shoot import small_pair

from avpipe.batch.watch import Arrivals, is_written


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pair")
    small_pair(folder, "one")
    return folder


@pytest.fixture
def avpipe(tmp_path: Path) -> Iterator[CommandLine]:
    folder = tmp_path / "work"
    (folder / "in").mkdir(parents=True)
    line = CommandLine(folder=folder)
    yield line
    line.assert_alone()


class Watching:
    """A watch that runs, and what it says."""

    def __init__(self, avpipe: CommandLine) -> None:
        self.process = avpipe.start(
            "watch", "in", "-o", "out", "--json", "--settle", "0.2", *STARTS
        )
        self.seen: list[dict[str, Any]] = []

    def until_done(self, *outputs: str) -> None:
        """Wait for outputs, and for the end of the round that made them."""
        left = set(outputs)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = json.loads(line)
            self.seen.append(event)
            if event["event"] == "item_done":
                left.discard(Path(event["item"]["output"]).name)
            if event["event"] == "summary" and not left:
                return
        raise AssertionError(f"it ended without {left}")

    def end(self, number: signal.Signals = signal.SIGTERM) -> Ran:
        self.process.send_signal(number)
        assert self.process.stdout is not None
        # Lines may have been read ahead: `communicate` reads beside that buffer, and loses them.
        out = self.process.stdout.read()
        (_, err) = self.process.communicate(timeout=60)
        return Ran(code=self.process.returncode, out=out, err=err)

    @property
    def done(self) -> list[str]:
        return [Path(e["item"]["output"]).name for e in self.seen if e["event"] == "item_done"]


def arrive(avpipe: CommandLine, pair: Path, name: str, *endings: str) -> None:
    for ending in endings:
        shutil.copy2(pair / f"one{ending}", avpipe.folder / "in" / f"{name}{ending}")


def test_files_are_merged_as_they_arrive(avpipe: CommandLine, pair: Path) -> None:
    """There before, together, late, half copied, renamed; then the end, and another start."""
    arrive(avpipe, pair, "before", ".mp4", ".wav")
    watching = Watching(avpipe)
    watching.until_done("before.merged.mp4")
    arrive(avpipe, pair, "late", ".mp4")
    arrive(avpipe, pair, "both", ".mp4", ".wav")
    half = (avpipe.folder / "in" / "half.mp4").open("wb")
    half.write((pair / "one.mp4").read_bytes()[:1000])
    half.flush()
    arrive(avpipe, pair, "half", ".wav")
    watching.until_done("both.merged.mp4")
    arrive(avpipe, pair, "late", ".wav")
    watching.until_done("late.merged.mp4")
    started = [Path(e["item"]["video"]).name for e in watching.seen if e["event"] == "item_started"]
    assert "half.mp4" not in started
    half.write((pair / "one.mp4").read_bytes()[1000:])
    half.close()
    watching.until_done("half.merged.mp4")
    for ending in (".mp4", ".wav"):
        shutil.copy2(pair / f"one{ending}", avpipe.folder / "in" / f"moved{ending}.part")
        place = avpipe.folder / "in" / f"moved{ending}.part"
        place.rename(place.with_suffix(""))
    watching.until_done("moved.merged.mp4")
    ran = watching.end()
    assert ran.code == 0
    assert sorted(watching.done) == [
        f"{name}.merged.mp4" for name in ("before", "both", "half", "late", "moved")
    ]
    arrive(avpipe, pair, "next", ".mp4", ".wav")
    again = Watching(avpipe)
    again.until_done("next.merged.mp4")
    assert again.end().code == 0
    assert again.done == ["next.merged.mp4"]


def test_the_items_in_hand_are_finished_and_no_more_begun(avpipe: CommandLine, pair: Path) -> None:
    for name in "abcdef":
        arrive(avpipe, pair, name, ".mp4", ".wav")
    watching = Watching(avpipe)
    assert watching.process.stdout is not None
    for line in watching.process.stdout:
        watching.seen.append(json.loads(line))
        if watching.seen[-1]["event"] == "item_started":
            break
    ran = watching.end()
    watching.seen += ran.events
    started = [e["item"]["output"] for e in watching.seen if e["event"] == "item_started"]
    assert ran.code == 0
    assert len(started) < 6
    assert {Path(path).name for path in started} == set(watching.done)
    assert all(Path(path).is_file() for path in started)


def test_for_people_each_round_is_counted_anew(avpipe: CommandLine, pair: Path) -> None:
    arrive(avpipe, pair, "a", ".mp4", ".wav")
    process = avpipe.start("watch", "in", "-o", "out", "--settle", "0.2", *STARTS)
    assert process.stdout is not None
    counted = []
    for line in process.stdout:
        counted += [line.split()[0]] if line.startswith("[") else []
        if line.startswith("1 pair,"):
            arrive(avpipe, pair, "b", ".mp4", ".wav")
        if line.startswith("2 pairs,"):
            break
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert counted == ["[1/1]", "[1/1]"]


def test_ctrl_c_ends_it_at_once(avpipe: CommandLine, pair: Path) -> None:
    arrive(avpipe, pair, "a", ".mp4", ".wav")
    watching = Watching(avpipe)
    watching.until_done("a.merged.mp4")
    ran = watching.end(signal.SIGINT)
    assert (ran.code, ran.err) == (130, "error: interrupted\n")


def test_a_file_counts_when_its_size_stands_still(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"1")
    os.utime(path, (1e9, 1e9))
    now = [100.0]
    arrivals = Arrivals(settle_s=2.0, clock=lambda: now[0])
    assert arrivals.unsteady([str(path)]) == set()  # it has not changed for years
    path.write_bytes(b"12")
    assert arrivals.unsteady([str(path)]) == {str(path)}
    now[0] += 1.9
    assert arrivals.unsteady([str(path)]) == {str(path)}
    now[0] += 0.2
    assert arrivals.unsteady([str(path)]) == set()
    path.write_bytes(b"123")
    assert arrivals.unsteady([str(path)]) == {str(path)}


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="leases are Linux's")
def test_a_file_that_another_process_writes_is_told_by_the_kernel(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.touch()
    assert not is_written(str(path))
    writer = subprocess.Popen(["/bin/sh", "-c", f"exec 3>>'{path}'; echo; read x"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert writer.stdout is not None
    writer.stdout.readline()
    assert is_written(str(path))
    writer.communicate(b"\n")
    assert not is_written(str(path))
