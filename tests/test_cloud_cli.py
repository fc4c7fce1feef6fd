"""`avpipe cloud` as its users have it: real processes, a real server, and every file they leave."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud_world import Time, World, consumed
from commands import CommandLine, Ran, names
from fake_nemo import FakeNemo, Fault
from measure import shown_frames
from media_factory import make_video

from avpipe import exports
from avpipe.cloud.connection import session_in_use
from avpipe.cloud.send import send
from avpipe.cloud.upload import LocalFile, upload
from avpipe.journal import JobState

SCHEMA = "avpipe.cloud/1"
SHORT = {
    "AVPIPE_CLOUD_POLL_S": "0.02",
    "AVPIPE_CLOUD_RETRY_S": "0.02",
    "AVPIPE_CLOUD_RECOVERY_S": "0.02",
    "AVPIPE_CLOUD_RATE_LIMIT_WAIT_S": "0.02",
}
LINK = "https://nemovideo.com/register?bind=anon_abc123def4567890"


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the cloud renders: two seconds."""
    path = tmp_path_factory.mktemp("media") / "made.mp4"
    make_video(path, size=(160, 90), duration=2, rate=30, audio="clicks", flashes=())
    return path


@pytest.fixture
def nemo(video: Path) -> Iterator[FakeNemo]:
    with FakeNemo(video.read_bytes()) as made:
        yield made


@pytest.fixture
def avpipe(tmp_path: Path, nemo: FakeNemo, video: Path) -> CommandLine:
    folder = tmp_path / "work"
    folder.mkdir()
    shutil.copy(video, folder / "camera.mp4")
    (folder / "sound.wav").write_bytes(b"RIFF" + bytes(4000))
    return CommandLine(folder=folder).with_env(NEMO_API_URL=nemo.url, **SHORT)


def cloud(avpipe: CommandLine, *arguments: str) -> Any:
    """The JSON of a command that does what it should."""
    ran = avpipe("cloud", *arguments, "--json")
    assert ran.code == 0, ran.err
    ran.assert_tidy()
    assert ran.json["schema"] == SCHEMA
    return ran.json


def edited(avpipe: CommandLine, nemo: FakeNemo) -> None:
    """What `upload camera.mp4` and `send "make it"` leave, without their processes."""
    state_dir = Path(avpipe.env["AVPIPE_STATE_DIR"])
    with World(nemo=nemo, folder=avpipe.folder, state_dir=state_dir).cloud() as opened:
        session = session_in_use(opened).session_id
        file = LocalFile(path=str(avpipe.folder / "camera.mp4"))
        consumed(upload(opened, session, file))
        consumed(send(opened, session, "make it"))


def test_a_whole_conversation(avpipe: CommandLine, nemo: FakeNemo) -> None:
    """From nothing to a verified file, by JSON."""
    connected = cloud(avpipe, "connect")
    session = connected["session_id"]
    assert connected == {
        "schema": SCHEMA,
        "connected": True,
        "anonymous": True,
        "user_id": "anon_abc123def4567890",
        "expires_at": "2099-01-01T00:00:00Z",
        "api_url": nemo.url,
        "session_id": session,
    }
    found = cloud(avpipe, "credits")
    assert (found["available"], found["frozen"], found["total"]) == (60, 40, 100)

    sent = cloud(avpipe, "upload", "camera.mp4", "sound.wav")
    assert [file["name"] for file in sent["files"]] == ["camera.mp4", "sound.wav"]
    assert set(sent["files"][0]) == {
        *("name", "type", "url", "duration_s", "width", "height", "size_bytes")
    }
    assert cloud(avpipe, "upload", "sound.wav")["files"] == sent["files"][1:]
    assert len(nemo.uploads) == 2

    reply = cloud(avpipe, "send", "merge this audio and video")
    assert reply["action"] == "edit"
    assert reply["changes"] == [
        "video 'camera' added, 0-2 s",
        "music 'sound' added, 0-2 s, 35%",
        "title 'Take 1' added, 0-1 s",
    ]
    state = cloud(avpipe, "state")
    assert state["timeline"] == reply["timeline"]
    assert state["timeline"][1] == {
        "kind": "audio", "name": "sound", "start_s": 0.0, "end_s": 2.0, "volume": 0.35,
    }  # fmt: skip
    assert state["exportable"] is True

    ran = avpipe("cloud", "export", "-o", "out.mp4", "--json")
    ran.assert_done()
    (first, *_, last) = ran.events
    assert first["event"] == "started"
    assert (last["event"], last["schema"], last["route"]) == ("done", "avpipe.merge/1", "cloud")
    assert last["output"]["path"] == str(avpipe.folder / "out.mp4")
    assert (last["output"]["width"], last["output"]["duration_s"]) == (
        160,
        pytest.approx(2, abs=0.03),
    )
    assert all(check["ok"] for check in last["checks"])
    assert (avpipe.folder / "out.mp4").read_bytes() == nemo.video

    (job,) = cloud(avpipe, "jobs")["jobs"]
    assert (job["state"], job["session_id"]) == ("done", session)
    assert job["render_id"] in nemo.renders
    assert cloud(avpipe, "resume")["jobs"] == []
    assert len(nemo.sessions) == 1
    assert nemo.violations == []
    assert names(avpipe.folder) == {"camera.mp4", "sound.wav", "out.mp4"}


def test_what_people_are_told(avpipe: CommandLine, nemo: FakeNemo) -> None:
    ran = avpipe("cloud", "connect")
    assert ran.err == "note: Connecting…\nnote: Ready!\n"
    assert ran.out.startswith(f"connected to {nemo.url} as anon_abc123def4567890")
    assert avpipe("cloud", "state").out == "Timeline: empty\n"
    avpipe("cloud", "upload", "camera.mp4").assert_done()
    nemo.reply = "I put it on. Click the Export button to download it."
    ran = avpipe("cloud", "send", "make it")
    ran.assert_done()
    line = 'Timeline (3 tracks): 1. Video: camera (0-2s) 2. BGM: empty 3. Title: "Take 1" (0-1s)\n'
    assert ran.out == "I put it on.\n`avpipe cloud export` makes the file.\n" + line
    assert avpipe("cloud", "state").out.startswith(line)
    ran = avpipe("cloud", "export")
    ran.assert_done()
    assert ran.out.startswith("camera.export.mp4: 0:02.0, 160x90, ")
    ran = avpipe("cloud", "state", "--link")
    assert ran.out.endswith("https://nemovideo.com/workspace/claim?ct=clm_1%2F2\n")


@pytest.mark.parametrize(
    ("at", "fault", "code", "hint"),
    [
        ("message", {"code": 2001}, 5, LINK),
        ("message", {"code": 1001}, 4, "NEMO_TOKEN"),
        ("poll", {"code": 500}, 7, ""),
        ("upload", {"code": 4001}, 2, "it takes mp4, mov"),
    ],
)
def test_exit_codes(
    avpipe: CommandLine, nemo: FakeNemo, at: str, fault: dict[str, Any], code: int, hint: str
) -> None:
    nemo.faults = [Fault(at=at, times=99, **fault)]
    export = ("export", "-o", "out.mp4", "--no-fallback")
    for command in (("upload", "camera.mp4"), ("send", "make it"), export):
        ran = avpipe("cloud", *command, "--json")
        if ran.code:
            break
    assert ran.code == code
    assert ran.error
    assert hint in ran.err
    last = ran.events[-1]
    assert (last["event"], last["error"]["exit_code"]) == ("failed", code)
    assert names(avpipe.folder) == {"camera.mp4", "sound.wav"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["upload", "missing.mp4"], 2, "does not exist"),
        (["upload", "notes.txt"], 2, "does not take files such as notes.txt"),
        (["upload", "small.wav", "notes.txt"], 2, "notes.txt"),
        (["upload", "empty.mp4"], 2, "is empty"),
        (["upload", "sound.wav"], 2, "4,004 bytes, and the cloud takes 3,000"),
        (["export", "-o", "camera.mp4"], 2, "exists"),
        (["export", "-o", "out.avi"], 2, "not named as an MP4"),
        (["cancel", "nothing"], 2, "there is no job nothing"),
        (["resume", "nothing"], 2, "there is no job nothing"),
        (["send", " \n"], 2, "there is nothing to send"),
        (["upload"], 2, "Missing argument"),
    ],
)
def test_wrong_requests_send_nothing(
    avpipe: CommandLine, nemo: FakeNemo, arguments: list[str], code: int, words: str
) -> None:
    (avpipe.folder / "notes.txt").write_text("x")
    (avpipe.folder / "empty.mp4").touch()
    (avpipe.folder / "small.wav").write_text("x")
    ran = avpipe.with_env(AVPIPE_CLOUD_UPLOAD_LIMIT="3kB")("cloud", *arguments)
    assert (ran.code, words in ran.error) == (code, True), ran.err
    assert nemo.requests == []


def test_nothing_to_export(avpipe: CommandLine, nemo: FakeNemo) -> None:
    ran = avpipe("cloud", "export", "-o", "out.mp4")
    assert (ran.code, "nothing to export" in ran.error) == (2, True)
    assert nemo.renders == {}


def test_without_a_cloud(avpipe: CommandLine) -> None:
    for command in (["credits"], ["export"]):
        ran = avpipe.with_env(NEMO_API_URL="http://127.0.0.1:9")("cloud", *command)
        assert ran.code == 7
        assert "cannot be reached" in ran.error


@pytest.mark.parametrize("noticed_by", ["send", "state"])
def test_a_lost_session_is_made_again_with_its_files(
    avpipe: CommandLine, nemo: FakeNemo, noticed_by: str
) -> None:
    """Whichever command notices it first."""
    cloud(avpipe, "upload", "camera.mp4", "https://example.com/a/song.mp3")
    nemo.sessions.clear()
    told = "note: the cloud had lost the session; a new one is used\n"
    if noticed_by == "state":
        assert avpipe("cloud", "state").err == told
    ran = avpipe("cloud", "send", "make it", "--json")
    assert ran.code == 0
    assert (told in ran.err) == (noticed_by == "send")
    assert [entry["name"] for entry in ran.json["timeline"]] == ["camera", "song", "Take 1"]
    assert len(nemo.messages) == 1


def test_a_render_that_verification_rejects(
    avpipe: CommandLine, nemo: FakeNemo, tmp_path: Path
) -> None:
    """Half as long as the timeline; then without its index."""
    edited(avpipe, nemo)
    whole = nemo.video
    make_video(tmp_path / "short.mp4", size=(160, 90), duration=1, audio="clicks", flashes=())
    for video in ((tmp_path / "short.mp4").read_bytes(), whole[: len(whole) // 2]):
        nemo.video = video
        ran = avpipe("cloud", "export", "-o", "out.mp4", "--no-fallback", "--json")
        assert (ran.code, ran.events[-1]["error"]["code"]) == (1, "rejected"), ran.err
        assert names(avpipe.folder) == {"camera.mp4", "sound.wav"}


def test_an_export_that_is_blocked_is_made_here(avpipe: CommandLine, nemo: FakeNemo) -> None:
    """Of the session's timeline: the first second of the camera."""
    edited(avpipe, nemo)
    (session,) = nemo.sessions.values()
    (file,) = session.files
    session.draft["t"] = [{"tt": 0, "sg": [{"d": 1000, "src": file["cdn_url"]}]}]
    nemo.faults = [Fault(at="submit", code=402, times=99)]
    ran = avpipe("cloud", "export", "-o", "out.mp4", "--no-fallback", "--json")
    assert (ran.code, ran.events[-1]["error"]["code"]) == (5, "402")
    ran = avpipe("cloud", "resume", "--json")  # as it was asked for
    assert (ran.code, names(avpipe.folder)) == (5, {"camera.mp4", "sound.wav"})
    ran = avpipe("cloud", "export", "-o", "out.mp4", "--json")
    ran.assert_done()
    (told,) = [event for event in ran.events if event["event"] == "fallback"]
    assert (told.pop("event"), told["from"], told["code"]) == ("fallback", "cloud", "402")
    last = ran.events[-1]
    assert (last["route"], last["fallback"]) == ("local", told)
    assert [event["event"] for event in ran.events].count("started") == 1
    assert last["output"]["duration_s"] == pytest.approx(1, abs=0.03)
    assert len(shown_frames(avpipe.folder / "out.mp4")) == 30
    (job,) = cloud(avpipe, "jobs")["jobs"]
    assert job["state"] == "failed"


def test_an_export_that_cannot_be_made_here_either(avpipe: CommandLine, nemo: FakeNemo) -> None:
    """The cloud's own music is not on this machine."""
    edited(avpipe, nemo)
    (session,) = nemo.sessions.values()
    session.draft["t"][1]["sg"] = [{"d": 2000, "src": "https://cdn.example.com/lofi.mp3"}]
    nemo.faults = [Fault(at="submit", code=2001, times=99)]
    ran = avpipe("cloud", "export", "-o", "out.mp4")
    assert (ran.code, LINK in ran.err) == (5, True)
    assert (
        "note: not made here either: its timeline uses https://cdn.example.com/lofi.mp3" in ran.err
    )
    assert names(avpipe.folder) == {"camera.mp4", "sound.wav"}


def test_an_interrupted_export_is_made_here_by_resume(avpipe: CommandLine, nemo: FakeNemo) -> None:
    """The service has gone meanwhile: what was asked for is in the journal."""
    edited(avpipe, nemo)
    state_dir = Path(avpipe.env["AVPIPE_STATE_DIR"])
    with World(nemo=nemo, folder=avpipe.folder, state_dir=state_dir).cloud() as opened:
        state = exports.current_state(opened)
        output = avpipe.folder / "out.mp4"
        exports.prepared_export(opened, state, output, overwrite=False, fallback=True)
    nemo.faults = [Fault(at=at, drop=True, times=99) for at in ("state", "submit")]
    ran = avpipe("cloud", "resume", "--no-fallback")
    assert (ran.code, names(avpipe.folder)) == (7, {"camera.mp4", "sound.wav"})
    ran = avpipe("cloud", "resume", "--json")
    ran.assert_done()
    assert ran.events[-1]["fallback"]["code"] == "unreachable"
    assert ran.events[-1]["output"]["duration_s"] == pytest.approx(2, abs=0.03)
    assert cloud(avpipe, "resume")["jobs"] == []


def test_an_interrupted_export_is_taken_up(avpipe: CommandLine, nemo: FakeNemo) -> None:
    """Ctrl-C while the cloud renders; then `resume`, to the output first asked for."""
    edited(avpipe, nemo)
    nemo.polls_needed = 0
    process = avpipe.start("cloud", "export", "-o", "out.mp4", "--json")
    assert process.stdout is not None
    assert any('"done": 0.0' in line for line in iter(process.stdout.readline, ""))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert names(avpipe.folder) == {"camera.mp4", "sound.wav"}
    (job,) = cloud(avpipe, "jobs")["jobs"]
    assert job["state"] in ("submitted", "rendering")
    nemo.polls_needed = 1
    ran = avpipe("cloud", "resume", job["render_id"], "--json")
    ran.assert_done()
    assert ran.events[-1]["output"]["path"] == str(avpipe.folder / "out.mp4")
    assert len(nemo.renders) == 1


def test_cancel(avpipe: CommandLine, nemo: FakeNemo) -> None:
    edited(avpipe, nemo)
    nemo.faults = [Fault(at="poll", code=500, times=4)]
    assert avpipe("cloud", "export", "-o", "out.mp4", "--no-fallback").code == 7
    (job,) = cloud(avpipe, "jobs")["jobs"]
    (done,) = cloud(avpipe, "cancel", job["id"])["jobs"]
    assert done["state"] == "cancelled"
    assert [render.cancelled for render in nemo.renders.values()] == [True]
    assert avpipe("cloud", "cancel", job["id"]).code == 2
    assert cloud(avpipe, "resume")["jobs"] == []


@pytest.mark.parametrize("state", [JobState.PREPARED, JobState.RENDERING])
def test_resume_takes_up_a_whole_job(avpipe: CommandLine, nemo: FakeNemo, state: JobState) -> None:
    """A job that another run left there, by the command; one of each thing at the service."""
    world = World(nemo=nemo, folder=avpipe.folder, time=Time())

    class _StopError(Exception):
        pass

    with world.cloud() as opened:
        job = world.prepare(opened)
        advance = opened.journal.advance

        def stopping(name: str, to: JobState, **values: Any) -> Any:
            row = advance(name, to, **values)
            if to is state:
                raise _StopError
            return row

        opened.journal.advance = stopping  # type: ignore[method-assign]
        if state is not JobState.PREPARED:
            from avpipe.cloud.job import run

            with pytest.raises(_StopError):
                list(run(opened, job.id, world.delivery()))
    found = avpipe.with_env(AVPIPE_STATE_DIR=str(avpipe.folder / "state"))
    (before,) = cloud(found, "jobs")["jobs"]
    assert before["state"] == state
    ran = found("cloud", "resume", "--json")
    assert (ran.code, ran.events[-1]["event"]) == (0, "done")
    assert (avpipe.folder / "out.mp4").read_bytes() == nemo.video
    assert (len(nemo.uploads), len(nemo.messages), len(nemo.renders)) == (2, 1, 1)
    assert nemo.violations == []


def test_two_uploads_at_once_are_one(avpipe: CommandLine, nemo: FakeNemo) -> None:
    """The first connection, too: one token."""
    with World(nemo=nemo, folder=avpipe.folder).cloud() as opened:
        session_id = opened.api.create_session().session_id
    nemo.tokens.clear()
    command = ("cloud", "upload", "camera.mp4", "--session", session_id, "--json")
    running = [avpipe.start(*command) for _ in range(2)]
    for process in running:
        process.communicate(timeout=60)
    assert [process.returncode for process in running] == [0, 0]
    assert (len(nemo.tokens), len(nemo.uploads)) == (1, 1)


def test_secrets_are_nowhere_but_in_their_file(avpipe: CommandLine, nemo: FakeNemo) -> None:
    """All that is written and printed in a full run with faults, tracebacks included."""
    own = nemo.new_token("user_1")
    nemo.errors = "http"
    nemo.faults = [
        Fault(at="session", code=1001, times=2),
        Fault(at="credits", code=2001),
        Fault(at="message", code=402),
        Fault(at="poll", garbage=True, times=4),
    ]
    runs: list[Ran] = []
    for environ, command in (
        ({}, ["connect"]),
        ({}, ["connect", "--json"]),
        ({}, ["credits"]),
        ({}, ["upload", "camera.mp4", "--json"]),
        ({}, ["send", "make it"]),
        ({}, ["send", "make it", "--json"]),
        ({}, ["export", "-o", "out.mp4", "--no-fallback"]),
        ({}, ["resume", "--json"]),
        ({}, ["jobs", "--json"]),
        ({"NEMO_TOKEN": own}, ["state", "--link"]),
        ({"NEMO_TOKEN": own}, ["upload", "camera.mp4"]),
        ({"NEMO_TOKEN": own}, ["send", "make it", "--json"]),
    ):
        runs.append(avpipe.with_env(**environ)("cloud", *command, "--debug"))
    assert {ran.code for ran in runs} >= {0, 4, 5, 7}
    assert any("Traceback" in ran.err for ran in runs)
    secrets = [*nemo.tokens]
    assert len(secrets) > 1
    for ran in runs:
        assert not [secret for secret in secrets if secret in ran.out + ran.err]
    kept = [path for path in avpipe.folder.parent.rglob("*") if path.is_file()]
    assert len(kept) > 4
    holders = {
        path.name for path in kept for secret in secrets if secret.encode() in path.read_bytes()
    }
    assert holders == {"token.json"}
    assert not [path for path in kept if own.encode() in path.read_bytes()]
    assert nemo.violations == []


def test_help_and_version_start_without_the_client(avpipe: CommandLine) -> None:
    for arguments in (["--version"], ["cloud", "-h"], ["cloud", "export", "-h"]):
        argv = [sys.executable, "-X", "importtime", "-m", "avpipe", *arguments]
        ran = subprocess.run(argv, env=avpipe.env, capture_output=True, text=True, check=True)
        imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
        assert not imported & {"httpx", "httpx_sse", "sqlite3", "av", "rich", "PIL"}
