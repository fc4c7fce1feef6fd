"""A process that is killed at any moment leaves a job that goes on: one upload of each file, one
message, one render."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud_renders import renderer
from cloud_world import World
from fake_nemo import FakeNemo
from media_factory import make_audio, make_video

from avpipe import jsonform
from avpipe.plan.request import Request, RouteChoice
from avpipe.plan.values import Plan
from avpipe.settings import Settings
from avpipe.workflow import plan_merge

TALE = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 4000
COMMITS = 40
"""More than a job has; where one is through before, there was nothing to kill."""
Run = Callable[..., int]


@pytest.fixture(scope="module")
def killer() -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, str(Path(__file__).with_name("cloud_killer.py"))]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as made:
        yield made
        assert made.stdin is not None
        made.stdin.close()


@pytest.fixture
def run(killer: subprocess.Popen[str], tmp_path: Path) -> Run:
    """Run the job in a process; gives its exit code."""
    (tmp_path / "tale").write_bytes(TALE)

    def in_process(world: World, commit: int = 0, when: str = "", stage: str = "-") -> int:
        order: dict[str, Any] = {
            "url": world.nemo.url,
            "video": str(tmp_path / "tale"),
            "folder": str(world.folder),
            "commit": commit,
            "when": when,
            "stage": stage,
        }
        return int(ordered(killer, order))

    return in_process


def ordered(killer: subprocess.Popen[str], order: dict[str, Any]) -> str:
    """How a process ended that did what was ordered."""
    assert killer.stdin is not None
    assert killer.stdout is not None
    killer.stdin.write(json.dumps(order) + "\n")
    killer.stdin.flush()
    answer = killer.stdout.readline().strip()
    assert answer in ("0", "-9"), answer
    return answer


def assert_once(world: World) -> None:
    """Each file was uploaded once, one message sent, one render made, and the file is there."""
    nemo = world.nemo
    assert world.output.read_bytes() == TALE
    assert sorted(name for (_, name, *_) in nemo.uploads) == ["camera.mp4", "sound.wav"]
    assert (len(nemo.messages), len(nemo.renders)) == (1, 1)
    assert len(nemo.sessions) <= 2  # one may have been made just before its id was kept
    assert len(nemo.tokens) <= 2
    assert nemo.violations == []
    assert not [path for path in world.folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_each_commit_of_the_journal(run: Run, tmp_path: Path, when: str) -> None:
    """Before it: what was done is not written. After it: what is written is not done."""
    states = set()
    for commit in range(1, COMMITS):
        folder = tmp_path / str(commit)
        folder.mkdir()
        with FakeNemo(TALE) as nemo:
            world = World(nemo=nemo, folder=folder)
            if run(world, commit, when) == 0:
                break
            states.add(state := state_of(world))
            if state != "done":  # else all was done, and nothing is to be taken up
                assert run(world) == 0
            assert_once(world)
    else:
        pytest.fail("the job never came to its end")
    wanted = {"prepared", "uploaded", "submitted", "rendering", "downloading"}
    assert states >= wanted | ({"done"} if when == "after" else {"none"})


def state_of(world: World) -> str:
    with world.cloud() as cloud:
        rows = cloud.journal.jobs()
    return rows[0].state.value if rows else "none"


@pytest.mark.parametrize("stage", ["upload", "cloud_render", "download", "verify"])
def test_killed_in_the_middle_of_a_step(run: Run, tmp_path: Path, stage: str) -> None:
    with FakeNemo(TALE) as nemo:
        world = World(nemo=nemo, folder=tmp_path)
        assert run(world, stage=stage) == -9
        left = [path.stat().st_size for path in tmp_path.glob(".avpipe-*.part")]
        assert run(world) == 0
        assert_once(world)
        asked = [request.headers.get("range") for request in nemo.requests if request.at == "cdn"]
    if stage == "download":
        (size,) = left
        assert 0 < size < len(TALE)
        assert asked == [None, f"bytes={size}-"]


def test_killed_again_and_again(run: Run, tmp_path: Path) -> None:
    """A machine that crashes at every fourth commit still comes to the end."""
    with FakeNemo(TALE) as nemo:
        world = World(nemo=nemo, folder=tmp_path)
        kills = 0
        while state_of(world) != "done":  # the last commit may be the one that it dies at
            kills += run(world, 4, "after") == -9
            assert kills < COMMITS
        assert kills >= 3
        assert_once(world)


STATES = (
    *("prepared", "uploaded", "submitted", "rendering", "downloading"),
    *("made", "published", "done"),
)


@pytest.fixture(scope="module")
def merge_plan(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, bytes]:
    """A merge for the cloud, and what that makes of it."""
    folder = tmp_path_factory.mktemp("media")
    (video, audio) = (folder / "camera.mp4", folder / "sound.wav")
    make_video(video, size=(160, 90), duration=1, rate=25, codec="mpeg4", audio=None, flashes=())
    make_audio(audio, duration=1, noise=0.1)
    request = Request(
        video=str(video), audio=str(audio), output=str(folder / "out.mp4"), route=RouteChoice.CLOUD
    )
    plan = plan_merge(request, Settings(state_dir=folder / "state"))
    bodies = {"video": video.read_bytes(), "audio": audio.read_bytes()}
    return plan, renderer(folder / "renders")(bodies)


@pytest.mark.parametrize("state", STATES)
def test_a_merge_that_is_killed_at_each_state(
    killer: subprocess.Popen[str], tmp_path: Path, merge_plan: tuple[Plan, bytes], state: str
) -> None:
    """Taken up by the same merge again, or by `cloud resume`, in turn."""
    (plan, rendered) = merge_plan
    output = tmp_path / "out" / "out.mp4"
    output.parent.mkdir()
    plan = dataclasses.replace(plan, output=dataclasses.replace(plan.output, path=str(output)))
    (tmp_path / "plan.json").write_text(jsonform.dumps(plan))
    with FakeNemo(rendered) as nemo:
        order = {"url": nemo.url, "folder": str(tmp_path), "plan": str(tmp_path / "plan.json")}
        resume = STATES.index(state) % 2 == 0
        assert ordered(killer, {**order, "state": state, "resume": False}) == "-9"
        assert output.exists() == (state in ("published", "done"))
        if state != "done":
            assert ordered(killer, {**order, "state": "", "resume": resume}) == "0"
        assert output.read_bytes() == rendered
        assert sorted(name for (_, name, *_) in nemo.uploads) == ["camera.mp4", "sound.m4a"]
        assert (len(nemo.messages), len(nemo.renders)) == (1, 1)
        assert nemo.violations == []
        assert [path.name for path in output.parent.iterdir()] == ["out.mp4"]


def test_two_processes_at_once_do_it_once(tmp_path: Path) -> None:
    """Whoever comes second is told that another one is at work."""
    with FakeNemo(TALE) as nemo:
        world = World(nemo=nemo, folder=tmp_path)
        with world.cloud() as cloud:
            job = world.prepare(cloud)
            with cloud.journal.claim(f"job {job.id}"):
                outcome = World(nemo=nemo, folder=tmp_path).run()
        assert (outcome.code, outcome.exit_code) == ("request", 2)
        assert "another process is at work" in str(outcome.error)
        assert world.run().error is None
        assert_once(world)
