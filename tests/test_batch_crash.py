"""A batch that is ended at any of its steps, and run again: nothing lost, damaged or doubled."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from avpipe.batch import run as runs
from avpipe.batch.pool import Told
from avpipe.batch.run import Batch
from avpipe.batch.state import BatchState
from avpipe.batch.tasks import Made, Make, Probe, Result, Task
from avpipe.batch.values import ItemDone, Summary, Wanted
from avpipe.codecs.isolate import probe_files
from avpipe.media import AudioStream, MediaInfo, VideoStream
from avpipe.pairing.values import PairBy
from avpipe.plan.request import Request, Sync
from avpipe.updates import Done, OutputFacts


class GoneError(BaseException):
    """The process is gone: nothing after this is done."""


class InstantPool:
    """Makes outputs of the names of their inputs, at once and in order."""

    slots = 2

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.count = self.made = 0

    def submit(self, task: Task) -> int:
        self.count += 1
        self.told.append(Told(number=self.count, update=Result(value=self._do(task))))
        return self.count

    def next(self, timeout_s: float) -> Told | None:
        return self.told.pop(0) if self.told else None

    def _do(self, task: Task) -> Any:
        if isinstance(task, Probe):
            return tuple(_info(path) for path in task.paths)
        assert isinstance(task, Make)
        self.made += 1
        path = Path(task.folder) / f"{task.name}-{self.made}.mp4"
        path.write_text(f"{task.request.video} {task.request.audio}")
        facts = OutputFacts(path=str(path), size_bytes=1, duration_s=1.0, width=2, height=2)
        done = Done(
            output=facts, route="local", fallback=None, video="copy", audio="encode",
            alignment=None, checks=(), elapsed_s=0.1,
        )  # fmt: skip
        return Made(path=str(path), done=done)


def _info(path: str) -> MediaInfo:
    found = Path(path).stat()
    tick = Fraction(1, 1000)
    audio = AudioStream(
        index=0, codec="pcm", profile=None, sample_rate=1000, channels=1, layout=None,
        bit_rate=None, time_base=tick, start_pts=0, duration_ts=1000, packets=1,
    )  # fmt: skip
    video = VideoStream(
        index=0, codec="h264", profile=None, pixel_format=None, width=2, height=2, rotation_deg=0,
        sample_aspect_ratio=None, frame_rate=None, variable_frame_rate=None, interlaced=None,
        hdr=None, color_primaries=None, color_transfer=None, color_matrix=None, color_range=None,
        bit_rate=None, time_base=tick, start_pts=0, duration_ts=1000, packets=1,
        last_frame_ts=1, dts_rises=True,
    )  # fmt: skip
    is_video = path.endswith(".mp4")
    return MediaInfo(
        path=path, container="x", size_bytes=found.st_size, modified_ns=found.st_mtime_ns,
        supported=True, video=(video,) if is_video else (), audio=() if is_video else (audio,),
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.mp4", "a.wav", "b.mp4", "b.wav", "c.mp4", "c.wav"):
        (folder / name).write_text(name)
    (tmp_path / "out").mkdir()
    return folder


def wanted(folder: Path) -> Wanted:
    request = Request(video="", audio="", output="", sync=Sync.START)
    outdir = str(folder.parent / "out")
    return Wanted(folder=str(folder), outdir=outdir, request=request, pair=PairBy.NAME)


def run(folder: Path) -> tuple[Summary, list[str]]:
    """One batch; gives its end, and the outputs that were made."""
    with BatchState(folder.parent / "out") as state:
        batch = Batch(wanted=wanted(folder), state=state, pool=InstantPool())
        steps = batch.survey()
        try:
            while True:
                next(steps)
        except StopIteration as end:
            surveyed = end.value
        updates = list(batch.make(surveyed))
    made = [Path(u.item.request.output).name for u in updates if isinstance(u, ItemDone)]
    assert isinstance(updates[-1], Summary)
    return updates[-1], made


STEPS = [(runs, "publish"), (BatchState, "keep")]


def crashing(patch: pytest.MonkeyPatch, at: int, *, after: bool) -> Callable[[], bool]:
    """End the process at the n-th of its steps, before it or right after; says whether it did."""
    left = [at]

    def wrapped(step: Callable[..., Any]) -> Callable[..., Any]:
        def crash(*given: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] == 0 and not after:
                raise GoneError
            value = step(*given, **more)
            if left[0] == 0:
                raise GoneError
            return value

        return crash

    for owner, name in STEPS:
        patch.setattr(owner, name, wrapped(getattr(owner, name)))
    return lambda: left[0] <= 0


POINTS = [(at, after) for at in range(1, 13) for after in (False, True)]


@pytest.mark.parametrize(("at", "after"), POINTS)
@pytest.mark.parametrize("before", ["nothing", "older outputs"])
def test_whatever_step_it_ends_at(before: str, at: int, after: bool, folder: Path) -> None:
    out = folder.parent / "out"
    if before != "nothing":
        run(folder)
        (folder / "b.wav").write_text("another one")  # b is to be made again, over the older one
        (out / "c.merged.mp4").unlink()
    with pytest.MonkeyPatch.context() as patch:
        crashed = crashing(patch, at, after=after)
        try:
            run(folder)
        except GoneError:
            assert crashed()
        else:
            assert not crashed()
    there = {path.name: path.read_text() for path in out.glob("*.mp4")}
    (summary, made) = run(folder)
    assert (summary.total, summary.failed) == (3, 0)
    assert summary.done + summary.skipped == 3
    for name in "abc":
        text = f"{folder / name}.mp4 {folder / name}.wav"
        assert (out / f"{name}.merged.mp4").read_text() == text
        assert there.get(f"{name}.merged.mp4", text) == text
    assert len(made) == len(set(made))
    assert {path.name for path in out.iterdir()} == {
        "a.merged.mp4", "b.merged.mp4", "c.merged.mp4", ".avpipe.batch",
    }  # fmt: skip
    assert list((out / ".avpipe.batch" / "made").iterdir()) == []
    assert run(folder)[1] == []


def test_a_step_that_is_not_there_ends_nothing(folder: Path) -> None:
    """The steps above are those of a run: with three items there are so many, and no more."""
    with pytest.MonkeyPatch.context() as patch:
        crashed = crashing(patch, 13, after=False)
        run(folder)
        assert not crashed()


def test_facts_of_the_pool_are_like_those_of_files(folder: Path) -> None:
    (info,) = probe_files([str(folder / "a.mp4")])
    assert (info.size_bytes, info.modified_ns) == (
        _info(info.path).size_bytes,
        _info(info.path).modified_ns,
    )
