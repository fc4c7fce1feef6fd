"""A batch that is ended at any of its steps, and run again: nothing lost, damaged or doubled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from avpipe.batch import run as runs
from avpipe.batch import stores
from avpipe.batch.places import join
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
    tells_progress = True

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
        path = join(task.folder, f"{task.name}-{self.made}.mp4")
        write(path, f"{task.request.video} {task.request.audio}")
        facts = OutputFacts(path=path, size_bytes=1, duration_s=1.0, width=2, height=2)
        done = Done(
            output=facts, route="local", fallback=None, video="copy", audio="encode",
            alignment=None, checks=(), elapsed_s=0.1,
        )  # fmt: skip
        return Made(path=path, done=done)


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


def write(path: str, text: str) -> None:
    if stores.is_address(path):
        (system, name) = stores.open_store(path)
        system.pipe_file(name, text.encode())
    else:
        Path(path).write_text(text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a batch finds its inputs and puts its outputs: a folder here, or a store."""

    memory: Path
    """The folder of what is remembered."""
    root: str

    @property
    def made(self) -> str | None:
        return f"{self.root}/out/.avpipe.batch/made" if stores.is_address(self.root) else None

    def outputs(self) -> dict[str, str]:
        """All that is in the output folder, but for what is remembered."""
        if self.made is None:
            found = {path.name: path.read_text() for path in self.memory.glob("*.mp4")}
            hidden = self.memory / ".avpipe.batch" / "made"
            return found | {f".avpipe.batch/made/{path.name}": "" for path in hidden.iterdir()}
        (system, folder) = stores.open_store(f"{self.root}/out")
        files = system.find(folder)
        return {path[len(folder) + 1 :]: system.cat_file(path).decode() for path in files}

    def remove(self, name: str) -> None:
        if self.made is None:
            (self.memory / name).unlink()
        else:
            stores.remove(f"{self.root}/out/{name}")


@pytest.fixture(params=["folder", "store"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "out").mkdir()
    (tmp_path / "in").mkdir()
    root = str(tmp_path)
    if request.param == "store":
        fsspec = pytest.importorskip("fsspec", reason="the extra is not installed: cluster")
        fsspec.filesystem("memory").store.clear()
        root = "memory:///shoot"
    for name in ("a.mp4", "a.wav", "b.mp4", "b.wav", "c.mp4", "c.wav"):
        write(f"{root}/in/{name}", name)
    yield Place(memory=tmp_path / "out", root=root)
    if request.param == "store":
        fsspec.filesystem("memory").store.clear()


def wanted(place: Place) -> Wanted:
    request = Request(video="", audio="", output="", sync=Sync.START)
    return Wanted(
        folder=f"{place.root}/in", outdir=f"{place.root}/out", request=request, pair=PairBy.NAME
    )


def run(place: Place) -> tuple[Summary, list[str]]:
    """One batch; gives its end, and the outputs that were made."""
    with BatchState(place.memory, made=place.made) as state:
        batch = Batch(wanted=wanted(place), state=state, pool=InstantPool())
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
def test_whatever_step_it_ends_at(before: str, at: int, after: bool, place: Place) -> None:
    if before != "nothing":
        run(place)
        write(f"{place.root}/in/b.wav", "another one")  # b is to be made again, over the older one
        place.remove("c.merged.mp4")
    with pytest.MonkeyPatch.context() as patch:
        crashed = crashing(patch, at, after=after)
        try:
            run(place)
        except GoneError:
            assert crashed()
        else:
            assert not crashed()
    there = place.outputs()
    (summary, made) = run(place)
    assert (summary.total, summary.failed) == (3, 0)
    assert summary.done + summary.skipped == 3
    inputs = f"{place.root}/in"
    texts = {f"{name}.merged.mp4": f"{inputs}/{name}.mp4 {inputs}/{name}.wav" for name in "abc"}
    assert place.outputs() == texts
    assert {name: there[name] for name in texts if name in there}.items() <= texts.items()
    assert len(made) == len(set(made))
    assert run(place)[1] == []


def test_a_step_that_is_not_there_ends_nothing(place: Place) -> None:
    """The steps above are those of a run: with three items there are so many, and no more."""
    with pytest.MonkeyPatch.context() as patch:
        crashed = crashing(patch, 13, after=False)
        run(place)
        assert not crashed()


def test_what_others_are_making_in_a_store_stays(tmp_path: Path) -> None:
    """Two machines may send their outputs to one folder of a store: each tidies what is its own."""
    fsspec = pytest.importorskip("fsspec", reason="the extra is not installed: cluster")
    fsspec.filesystem("memory").store.clear()
    place = Place(memory=tmp_path, root="memory:///shoot")
    for name in ("a.mp4", "a.wav"):
        write(f"{place.root}/in/{name}", name)
    write(f"{place.made}/{'0' * 32}-1.mp4", "theirs")
    run(place)
    run(place)
    assert set(place.outputs()) == {"a.merged.mp4", f".avpipe.batch/made/{'0' * 32}-1.mp4"}
    fsspec.filesystem("memory").store.clear()


def test_facts_of_the_pool_are_like_those_of_files(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("a")
    (info,) = probe_files([str(tmp_path / "a.mp4")])
    assert (info.size_bytes, info.modified_ns) == (
        _info(info.path).size_bytes,
        _info(info.path).modified_ns,
    )
