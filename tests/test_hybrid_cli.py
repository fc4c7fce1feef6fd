"""`avpipe merge --route cloud` as its users have it: real processes and a real server."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from cloud_renders import renderer
from commands import CommandLine, names
from fake_nemo import FakeNemo, Fault
from media_factory import make_audio, make_video
from test_cloud_cli import LINK, SHORT

INPUTS = {"camera.mp4", "sound.wav"}
MERGE = ("merge", "camera.mp4", "sound.wav", "-o", "out.mp4", "--sync", "start")


@pytest.fixture
def nemo(tmp_path: Path) -> Iterator[FakeNemo]:
    with FakeNemo() as made:
        made.renderer = renderer(tmp_path / "renders")
        yield made


@pytest.fixture
def avpipe(tmp_path: Path, nemo: FakeNemo) -> CommandLine:
    folder = tmp_path / "work"
    folder.mkdir()
    camera = folder / "camera.mp4"
    make_video(camera, size=(160, 90), duration=1, rate=25, codec="mpeg4", flashes=())
    make_audio(folder / "sound.wav", duration=1, noise=0.1)
    return CommandLine(folder=folder).with_env(NEMO_API_URL=nemo.url, **SHORT)


def test_auto_goes_to_a_cloud_that_is_connected(avpipe: CommandLine, nemo: FakeNemo) -> None:
    """By a saved plan; before, there is none, and nothing is asked of it."""
    plan = avpipe("plan", *MERGE[1:3], "--sync", "start", "--json").json
    assert (plan["route"], nemo.requests) == ("local", [])
    assert [one["route"] for one in plan["estimates"]] == ["local", "cloud"]
    assert avpipe("cloud", "connect").code == 0
    ran = avpipe("plan", *MERGE[1:3], "--sync", "start", "-o", "plan.json", "--output", "out.mp4")
    ran.assert_done()
    assert "where the cloud does not make it: render, verify here\n" in ran.out
    assert "route: cloud; a cloud is connected and the video has to be rendered (here" in ran.out
    ran = avpipe("merge", "--plan", "plan.json", "--json")
    ran.assert_done()
    (first, *_, last) = ran.events
    assert (first["event"], last["event"]) == ("started", "done")
    assert (last["route"], last["fallback"], last["schema"]) == ("cloud", None, "avpipe.merge/1")
    assert (avpipe.folder / "out.mp4").read_bytes() == nemo.video
    assert names(avpipe.folder) == {*INPUTS, "out.mp4", "plan.json"}
    assert nemo.violations == []


def test_a_blocked_export_is_told_once_and_made_here(avpipe: CommandLine, nemo: FakeNemo) -> None:
    nemo.faults = [Fault(at="submit", code=402, times=99)]
    ran = avpipe(*MERGE, "--route", "cloud", "--no-fallback", "--json")
    assert (ran.code, ran.events[-1]["error"]["code"]) == (5, "402")
    assert names(avpipe.folder) == INPUTS
    ran = avpipe(*MERGE, "--route", "cloud")
    assert ran.code == 0, ran.err
    (line,) = ran.err.splitlines()
    assert line.startswith("note: made here and not in the cloud: ")
    assert LINK in line
    ran = avpipe(*MERGE, "-y", "--route", "cloud", "--json")
    ran.assert_done()
    (told,) = [event for event in ran.events if event["event"] == "fallback"]
    assert (told["from"], told["code"]) == ("cloud", "402")
    del told["event"]
    last = ran.events[-1]
    assert (last["route"], last["fallback"]) == ("local", told)
    assert nemo.violations == []


def test_ctrl_c_and_then_resume(avpipe: CommandLine, nemo: FakeNemo) -> None:
    """While the cloud renders; the file comes to the output first asked for, and is verified."""
    nemo.polls_needed = 0
    process = avpipe.start(*MERGE, "--route", "cloud", "--json")
    assert process.stdout is not None
    assert any('"cloud_render"' in line for line in iter(process.stdout.readline, ""))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert names(avpipe.folder) == INPUTS
    avpipe.assert_alone()
    nemo.polls_needed = 1
    ran = avpipe("cloud", "resume", "--json")
    ran.assert_done()
    last = ran.events[-1]
    assert (last["route"], last["output"]["path"]) == ("cloud", str(avpipe.folder / "out.mp4"))
    assert "sync_ms" in {check["name"] for check in last["checks"]}
    assert (len(nemo.uploads), len(nemo.messages), len(nemo.renders)) == (2, 1, 1)
    assert avpipe("cloud", "resume", "--json").json["jobs"] == []


def test_secrets_are_nowhere_but_in_their_file(avpipe: CommandLine, nemo: FakeNemo) -> None:
    """All that a merge prints and writes with faults on the way, tracebacks included."""
    own = nemo.new_token("user_1")
    nemo.errors = "http"
    nemo.faults = [Fault(at="upload", code=1001, skip=1), Fault(at="submit", code=402)]
    mine = avpipe.with_env(NEMO_TOKEN=own)
    runs = [mine(*MERGE, "--no-fallback", "--debug"), mine(*MERGE, "--json", "--debug")]
    assert [ran.code for ran in runs] == [5, 0]
    assert "Traceback" in runs[0].err
    secrets = [*nemo.tokens]
    assert len(secrets) > 1
    for ran in runs:
        assert not [secret for secret in secrets if secret in ran.out + ran.err]
    kept = [path for path in avpipe.folder.parent.rglob("*") if path.is_file()]
    holders = {
        path.name for path in kept for secret in secrets if secret.encode() in path.read_bytes()
    }
    assert holders == {"token.json"}
    assert not [path for path in kept if own.encode() in path.read_bytes()]
