"""`avpipe ask` and `avpipe chat` as their users have them, here and against a service."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import LIMIT_S, CommandLine, names
from fake_nemo import FakeNemo, Fault
from measure import flash_times, level_db, stream_extents
from media_factory import make_audio, make_video
from server_world import Server

from avpipe.codecs.isolate import probe_files
from avpipe.errors import RequestError
from avpipe.montage.values import Canvas, Montage
from avpipe.projects import OutdatedError, Projects, States

SCHEMA = "avpipe.cloud/1"
KEYS = {
    *("schema", "session_id", "action", "text", "changes", "timeline", "output", "files"),
    "checks",
}
SHORT = {
    "AVPIPE_CLOUD_POLL_S": "0.02",
    "AVPIPE_CLOUD_RETRY_S": "0.02",
    "AVPIPE_CLOUD_RECOVERY_S": "0.02",
    "AVPIPE_CLOUD_RATE_LIMIT_WAIT_S": "0.02",
}


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A camera that sees flashes, and music without any."""
    folder = tmp_path_factory.mktemp("media")
    make_video(
        folder / "camera.mp4", size=(160, 90), duration=4, rate=25, audio="clicks", flashes=(1, 3)
    )
    make_video(folder / "rendered.mp4", size=(160, 90), duration=2, rate=25, audio="clicks")
    make_audio(folder / "lofi.wav", duration=2, tone_hz=440)
    return folder


@pytest.fixture
def avpipe(tmp_path: Path, media: Path) -> CommandLine:
    folder = tmp_path / "work"
    shutil.copytree(media, folder, ignore=shutil.ignore_patterns("rendered.mp4"))
    return CommandLine(folder=folder)


def asked(avpipe: CommandLine, *arguments: str, code: int = 0) -> Any:
    ran = avpipe("ask", *arguments, "--json")
    assert ran.code == code, ran.err
    ran.assert_tidy()
    assert set(ran.json) == KEYS
    assert ran.json["schema"] == SCHEMA
    return ran.json


def test_a_session_is_edited_and_rendered_here(avpipe: CommandLine) -> None:
    """Without any server: the files, the edits, undo, and the file that comes of it."""
    first = asked(avpipe, "add lofi.wav as music at 50%", "camera.mp4", "lofi.wav")
    assert [file["name"] for file in first["files"]] == ["camera.mp4", "lofi.wav"]
    assert first["action"] == "edit"
    assert first["changes"] != []
    assert [
        (e["kind"], e["name"], e["start_s"], e["end_s"], e["volume"]) for e in first["timeline"]
    ] == [
        ("video", "camera", 0.0, 4.0, 1.0),
        ("audio", "lofi", 0.0, 2.0, 0.5),
        ("audio", "lofi", 2.0, 4.0, 0.5),
    ]
    assert asked(avpipe, "make it square")["session_id"] == first["session_id"]
    assert asked(avpipe, "undo")["timeline"] == first["timeline"]
    asked(avpipe, "cut the first 2 seconds and mute everything")
    shown = avpipe("ask", "show tracks")
    assert shown.out == (
        "Timeline (2 tracks): 1. Video: camera (0-2s, 0%) 2. BGM: lofi (0-2s, 0%)\n"
    )

    made = asked(avpipe, "export", "-o", "out.mp4")
    assert (made["action"], made["output"]) == ("export", str(avpipe.folder / "out.mp4"))
    out = avpipe.folder / "out.mp4"
    (flash,) = flash_times(out)
    assert float(flash) == pytest.approx(1, abs=0.05)
    assert level_db(out, 0.2, 1.8) < -60
    for extent in stream_extents(out):
        assert float(extent.end) == pytest.approx(2, abs=0.03)
    again = avpipe("ask", "export", "-o", "out.mp4")
    assert (again.code, "exists" in again.error) == (2, True)
    assert avpipe("ask", "export it", "-o", "camera.mp4", "-y").code == 2
    assert names(avpipe.folder) == {"camera.mp4", "lofi.wav", "out.mp4"}


def test_the_plan_of_an_edit_says_what_the_export_does(avpipe: CommandLine) -> None:
    said = asked(avpipe, 'add the text "Hi" for the first second', "camera.mp4", "lofi.wav")
    found = avpipe("plan", "--json").json
    assert found["schema"] == "avpipe.edit_plan/1"
    assert found["inputs"] == [str(avpipe.folder / "camera.mp4")]
    assert (found["video"], found["audio"]) == ("encode", "copy")
    assert found["encoded"] == [{"first": 0, "count": 30}]
    assert found["output"] == {
        "path": str(avpipe.folder / "camera.export.mp4"),
        "duration_s": 4.0,
        "width": 160,
        "height": 90,
        "frames": 100,
    }
    people = avpipe("plan", "--session", said["session_id"])
    assert "frames 0-29 of 100 are encoded, all else is copied" in people.out
    assert names(avpipe.folder) == {"camera.mp4", "lofi.wav"}
    assert "frames 0-29 of 100 are encoded, all else is copied" in avpipe("ask", "export").err

    asked(avpipe, "mute it and speed it up 2x")
    assert "all 50 frames and the sound are encoded" in avpipe("plan").out
    asked(avpipe, "replace the audio with lofi.wav", "camera.mp4", "lofi.wav", "--new")
    assert avpipe("plan", "--json").json["schema"] == "avpipe.plan/1"  # a plain merge


def test_a_plan_without_files_has_to_be_of_an_edit(avpipe: CommandLine) -> None:
    assert "nothing to export" in avpipe("plan").error
    for arguments, told in (
        (("camera.mp4",), "AUDIO"),
        (("--sync", "start"), "--sync is for a merge"),
        (("camera.mp4", "lofi.wav", "--session", "local-1"), "--session"),
        (("--session", "local-00000000"), "no session"),
    ):
        ran = avpipe("plan", *arguments)
        assert (ran.code, told in ran.err) == (2, True), ran.err
    away = avpipe.with_env(NEMO_TOKEN="given")
    assert "at a service" in away("plan").error


def test_what_is_not_understood_changes_nothing(avpipe: CommandLine) -> None:
    before = asked(avpipe, "upload", "camera.mp4")
    said = asked(avpipe, "cut the first 2 seconds and paint the sky green", code=2)
    assert said["timeline"] == before["timeline"]
    assert said["changes"] == []
    assert "paint the sky green" in said["text"]
    people = avpipe("ask", "make the title red")
    assert (people.code, people.out) == (2, "")
    assert "no title" in people.error
    assert "没有听懂“把天空变蓝”" in avpipe("ask", "剪掉前5秒，把天空变蓝").error


def test_what_cannot_be_done(avpipe: CommandLine) -> None:
    ran = avpipe("ask", "credits")
    assert ran.code == 7
    assert "no cloud" in ran.error
    for arguments in (("export",), ("upload",), ("mute it", "missing.mp4")):
        ran = avpipe("ask", *arguments)
        assert ran.code == 2, arguments
        assert ran.error
    assert avpipe("ask", "show tracks", "--session", "local-00000000").code == 2


def test_sessions_are_apart(avpipe: CommandLine) -> None:
    one = asked(avpipe, "make it square", "camera.mp4")["session_id"]
    two = asked(avpipe, "show tracks", "--new")
    assert two["session_id"] != one
    assert two["timeline"] == []
    assert asked(avpipe, "show tracks")["session_id"] == two["session_id"]
    assert asked(avpipe, "show tracks", "--session", one)["timeline"] != []


def test_two_processes_lose_no_edit(tmp_path: Path, media: Path) -> None:
    """Whoever was slower is told, and makes its edit again of what is there then."""
    infos = tuple(probe_files([str(media / "camera.mp4")]))
    with Projects(tmp_path) as one, Projects(tmp_path) as other:
        name = one.in_use()
        assert other.in_use() == name
        project = one.add_files(name, infos)
        assert other.add_files(name, infos).files == project.files
        wide = States(montage=Montage(canvas=Canvas(width=320, height=180)), history=(Montage(),))
        saved = one.save(project, wide)
        with pytest.raises(OutdatedError):
            other.save(project, States())
        assert other.load(name) == saved
        assert other.load(name).states == wide
        with pytest.raises(RequestError, match="no session"):
            other.in_use("local-nothing")


def test_edits_that_are_made_at_the_same_time_are_all_there(avpipe: CommandLine) -> None:
    asked(avpipe, "upload", "camera.mp4")
    started = [avpipe.start("ask", f'add a title "{n}"', "--json") for n in range(3)]
    for process in started:
        process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0
    found = asked(avpipe, "show tracks")
    assert sorted(e["name"] for e in found["timeline"] if e["kind"] == "text") == ["0", "1", "2"]


@pytest.fixture
def nemo(media: Path) -> Iterator[FakeNemo]:
    with FakeNemo((media / "rendered.mp4").read_bytes()) as made:
        yield made


def test_the_same_against_a_service(avpipe: CommandLine, nemo: FakeNemo) -> None:
    remote = avpipe.with_env(NEMO_API_URL=nemo.url, **SHORT)
    assert remote("cloud", "connect").code == 0
    said = asked(remote, "merge this audio and video", "camera.mp4", "lofi.wav")
    assert (said["action"], len(nemo.uploads)) == ("edit", 2)
    assert [text for _, text in nemo.messages] == ["merge this audio and video"]
    assert said["timeline"][0]["name"] == "camera"
    for sentence, action in (("credits", "credits"), ("status", "state"), ("upload", "upload")):
        files = ["lofi.wav"] if action == "upload" else []
        assert asked(remote, sentence, *files)["action"] == action
    assert len(nemo.uploads) == 2  # none twice, and no further message
    assert len(nemo.messages) == 1
    made = asked(remote, "export", "-o", "out.mp4")
    assert made["output"] == str(avpipe.folder / "out.mp4")
    assert asked(remote, "show tracks", "--route", "local")["timeline"] == []


def test_the_same_against_a_server_of_ones_own(tmp_path: Path, avpipe: CommandLine) -> None:
    with Server(folder=tmp_path / "server").running() as server:
        remote = avpipe.with_env(NEMO_API_URL=server.url, **SHORT)
        assert remote("cloud", "connect").code == 0
        first = asked(remote, "cut the first 2 seconds", "camera.mp4")
        assert [(e["kind"], e["end_s"]) for e in first["timeline"]] == [("video", 2.0)]
        titled = asked(remote, "加标题“你好”")
        assert [e["name"] for e in titled["timeline"] if e["kind"] == "text"] == ["你好"]
        assert asked(remote, "undo")["timeline"] == first["timeline"]
        assert "camera (0-2s" in remote("ask", "show tracks").out
        assert asked(remote, "credits")["action"] == "credits"
        assert "at a service" in remote("plan").error
        asked(remote, "export", "-o", "out.mp4")
    (flash,) = flash_times(avpipe.folder / "out.mp4")
    assert float(flash) == pytest.approx(1, abs=0.05)
    assert not any("local-" in str(said["session_id"]) for said in (first, titled))


def test_an_export_that_the_service_blocks(avpipe: CommandLine, nemo: FakeNemo) -> None:
    remote = avpipe.with_env(NEMO_API_URL=nemo.url, **SHORT)
    remote("cloud", "connect")
    asked(remote, "make it", "camera.mp4")
    nemo.faults = [Fault(at="submit", code=402, times=9)]
    assert remote("ask", "export", "-o", "out.mp4", "--no-fallback").code == 5
    assert "out.mp4" not in names(avpipe.folder)


def test_chat_from_a_pipe(avpipe: CommandLine) -> None:
    process = avpipe.start("chat", stdin=-1)
    (out, err) = process.communicate(
        "camera.mp4\n\nmake it square\nwhatever this is\nstatus\n静音\nexport\nexport\n",
        timeout=LIMIT_S,
    )
    assert process.returncode == 0
    assert "全部已静音。" in out
    assert names(avpipe.folder) == {  # there is no -y to say, so that nothing is overwritten
        *("camera.mp4", "lofi.wav", "camera.export.mp4", "camera.export-2.mp4"),
    }
    assert "added camera.mp4." in out
    assert out.count("Timeline (1 track): 1. Video: camera (0-4s)\n") == 3
    assert "error: not understood" in err


class Terminal:
    """`avpipe chat` on a terminal of its own."""

    def __init__(self, avpipe: CommandLine, *arguments: str) -> None:
        (self.side, theirs) = pty.openpty()
        self.process = avpipe.start(
            "chat",
            *arguments,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=lambda: os.login_tty(theirs),
        )
        os.close(theirs)
        self.seen = ""

    def until(self, text: str) -> None:
        limit = time.monotonic() + LIMIT_S
        while text not in self.seen:
            assert time.monotonic() < limit, self.seen
            if select.select([self.side], [], [], 0.2)[0]:
                with contextlib.suppress(OSError):
                    self.seen += os.read(self.side, 4096).decode(errors="replace")
        self.seen = self.seen.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self.side, text.encode())


def test_a_conversation_on_a_terminal(avpipe: CommandLine) -> None:
    """Files are dropped as terminals write them; what was said comes back with the arrow up."""
    source = avpipe.folder / "my clip (1).mp4"
    (avpipe.folder / "camera.mp4").rename(source)
    written = str(source).replace(" ", r"\ ").replace("(", r"\(").replace(")", r"\)")
    terminal = Terminal(avpipe.with_env(TERM="xterm"))
    try:
        for dropped in (f"{written} ", f"'{source}'", source.as_uri()):
            terminal.until("avpipe> ")
            terminal.type(f"{dropped}\n")
            terminal.until("added my clip (1).mp4.")
            terminal.until("Timeline (1 track): 1. Video: my clip (1) (0-4s)")
        for said, answered in (
            ("cut the first second", "(0-3s)"),
            ("undo", "(0-4s)"),
            ("\x1b[A\x1b[A", "(0-3s)"),
            ("show tracks", "Timeline (1 track): 1. Video: my clip (1) (0-3s)"),
            ("mute it and speed it up 2x", "(0-1.5s"),
            ("export", "%"),  # the progress
        ):
            terminal.until("avpipe> ")
            terminal.type(f"{said}\n")
            terminal.until(answered)
        terminal.until("my clip _1_.export.mp4: 0:01.5")
        terminal.until("avpipe> ")
        terminal.type("\x04")
        assert terminal.process.wait(LIMIT_S) == 0
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.side)
    assert "my clip _1_.export.mp4" in names(avpipe.folder)


def test_ctrl_c_ends_the_wait_and_not_the_work(avpipe: CommandLine, nemo: FakeNemo) -> None:
    remote = avpipe.with_env(NEMO_API_URL=nemo.url, TERM="dumb", **SHORT)
    remote("cloud", "connect")
    gate = threading.Event()
    nemo.hold = gate
    terminal = Terminal(remote)
    try:
        terminal.until("avpipe> ")
        terminal.type("make it nice\n")
        limit = time.monotonic() + LIMIT_S
        while not nemo.messages and time.monotonic() < limit:
            gate.wait(0.05)
        terminal.type("\x03")
        terminal.until("the work goes on")
        terminal.until("avpipe> ")
        gate.set()
        terminal.until("I merged the audio")
        terminal.type("\x03")  # at the prompt it drops the line
        terminal.until("avpipe> ")
        terminal.type("\x04")
        assert terminal.process.wait(LIMIT_S) == 0
    finally:
        gate.set()
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.side)
    assert len(nemo.messages) == 1
    state = Path(remote.env["AVPIPE_STATE_DIR"])
    assert "make it nice" in (state / "chat_history").read_text()
