"""`avpipe batch --cluster`: the same files from workers in processes of their own."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import running_cluster
from commands import LIMIT_S, STARTS, CommandLine, names
from shoot import small_pair

pytest.importorskip("distributed", reason="the extra is not installed: scripts/install cluster")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[int]]]:
    """The address of a scheduler with four worker processes, and their pids."""
    with running_cluster(tmp_path_factory.mktemp("cluster"), 4) as made:
        yield made.address, made.pids


@pytest.fixture
def avpipe(tmp_path: Path) -> CommandLine:
    folder = tmp_path / "work"
    (folder / "in").mkdir(parents=True)
    small_pair(folder / "in", "one", seconds=2)
    for name in ("two", "three", "four"):
        for ending in (".mp4", ".wav"):
            shutil.copy(folder / "in" / f"one{ending}", folder / "in" / f"{name}{ending}")
    return CommandLine(folder=folder)


def content(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.mp4")
    }


def test_a_cluster_makes_the_same_files(avpipe: CommandLine, cluster: tuple[str, object]) -> None:
    (avpipe.folder / "in" / "broken.mp4").write_bytes(b"nothing")
    shutil.copy(avpipe.folder / "in" / "one.wav", avpipe.folder / "in" / "broken.wav")
    here = avpipe("batch", "in", "-o", "here", "--json", *STARTS)
    there = avpipe("batch", "in", "-o", "there", "--json", "--cluster", cluster[0], *STARTS)
    assert (here.code, there.code) == (8, 8)
    for key in ("total", "done", "failed", "skipped"):
        assert there.events[-1][key] == here.events[-1][key]
    assert content(avpipe.folder / "there") == content(avpipe.folder / "here")
    assert len(content(avpipe.folder / "there")) == 4
    assert names(avpipe.folder / "there" / ".avpipe.batch" / "made") == set()
    again = avpipe("batch", "in", "-o", "there", "--json", "--cluster", cluster[0], *STARTS)
    assert again.events[-1]["skipped"] == 4


def test_a_worker_that_is_killed_costs_nothing_but_time(
    avpipe: CommandLine, cluster: tuple[str, list[int]]
) -> None:
    process = avpipe.start(
        "batch", "in", "-o", "out", "--json", "--cluster", cluster[0], *STARTS, "--video", "encode"
    )
    assert process.stdout is not None
    next(line for line in process.stdout if '"item_started"' in line)
    os.kill(cluster[1][0], signal.SIGKILL)
    (out, err) = process.communicate(timeout=2 * LIMIT_S)
    assert (process.returncode, err) == (0, "")
    assert '"done": 4' in out.splitlines()[-1]
    for name in content(avpipe.folder / "out"):
        assert avpipe("verify", Path("out") / name).code == 0


def test_files_behind_addresses(avpipe: CommandLine, cluster: tuple[str, object]) -> None:
    """fsspec's `file://` stands for any store: nothing is opened as a path."""
    (source, target) = ((avpipe.folder / "in").as_uri(), (avpipe.folder / "far").as_uri())
    arguments = ("batch", source, "-o", target, "--json", "--cluster", cluster[0], *STARTS)
    ran = avpipe(*arguments)
    assert ran.code == 0, ran.err
    assert (ran.events[-1]["done"], len(content(avpipe.folder / "far"))) == (4, 4)
    assert avpipe(*arguments).events[-1]["skipped"] == 4
    local = avpipe("batch", "in", "-o", "here", "--json", *STARTS)
    assert local.code == 0
    assert content(avpipe.folder / "far") == content(avpipe.folder / "here")
    assert not list((avpipe.folder / "far" / ".avpipe.batch" / "made").iterdir())
    refused = avpipe("batch", source, "-o", target, "--pair", "content")
    assert (refused.code, "by name" in refused.error) == (2, True)


def test_no_scheduler_is_told(avpipe: CommandLine) -> None:
    ran = avpipe("batch", "in", "-o", "out", "--cluster", "tcp://127.0.0.1:1")
    assert ran.code == 7
    assert "no Dask scheduler answers" in ran.error
