"""The one door for child processes, and the workers behind it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import imageio_ffmpeg
import pytest
from commands import CommandLine, Gate, await_end, marked, write_program
from media_factory import make_video

from avpipe.codecs import isolate, process
from avpipe.codecs.ffmpeg import Ffmpeg, find, running
from avpipe.codecs.process import Child, machine_memory_bytes, run
from avpipe.codecs.standby import let_go, standby
from avpipe.errors import ChildFailedError, StalledError, ToolMissingError

EVERYTHING_LEFT = 'for fd in /proc/self/fd/*; do echo "${fd##*/}"; done'


def shell(script: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", script)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_child_gives_its_output_and_has_no_input() -> None:
    assert run(shell("cat; echo hello"), "a greeting") == b"hello\n"


def test_a_failure_tells_the_reason_and_keeps_command_and_tail() -> None:
    argv = shell("echo first >&2; echo '[out#0/mp4 @ 0x5bd] last' >&2; exit 7")
    with pytest.raises(ChildFailedError, match=r"^a try failed: last$") as caught:
        run(argv, "a try")
    assert caught.value.command == argv
    assert caught.value.returncode == 7
    assert caught.value.tail == "first\n[out#0/mp4 @ 0x5bd] last"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 3", "exit code 3"),
        ("kill -SEGV $$", "ended by SIGSEGV"),
        (f"kill -{signal.SIGRTMIN + 3} $$", f"ended by signal {signal.SIGRTMIN + 3}"),
        ("echo reason >&2; echo 'Conversion failed!' >&2; exit 1", "reason"),
        ("printf '\\377\\376 bad bytes\\n' >&2; exit 1", "\ufffd\ufffd bad bytes"),
    ],
)
def test_reasons(script: str, reason: str) -> None:
    with pytest.raises(ChildFailedError) as caught:
        run(shell(script), "it")
    assert caught.value.message == f"it failed: {reason}"


def test_the_tail_is_bounded() -> None:
    program = "import sys; sys.stderr.write('x' * 3_000_000 + 'the end'); sys.exit(1)"
    with pytest.raises(ChildFailedError) as caught:
        run((sys.executable, "-c", program), "it")
    assert len(caught.value.tail) == process.TAIL_BYTES
    assert caught.value.tail.endswith("the end")


@pytest.mark.parametrize("kind", ["missing", "folder", "not a program", "not executable"])
def test_a_program_that_cannot_be_run_is_a_missing_tool(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "tool"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_text("neither script nor binary\n")
        path.chmod(0o755 if kind == "not a program" else 0o644)
    with pytest.raises(ToolMissingError, match="cannot run"):
        run([str(path)], "it")


def test_a_child_that_hangs_is_stopped_with_its_own_children(tmp_path: Path) -> None:
    gate = Gate.make(tmp_path / "gate")
    with Child(shell(f"cat {gate.block} & echo $!; wait"), stall_s=0.2) as child:
        (grandchild,) = [int(line) for line in child.lines()]
        with pytest.raises(StalledError, match="made no progress"):
            child.finish("it")
    await_end(grandchild)
    assert not is_running(child.pid)
    assert not is_running(grandchild)


def test_signs_of_life_keep_a_child_alive() -> None:
    """A pipe feeds it a byte at a time, each in less than the bound, and longer in all."""
    tick = threading.Event()
    (reading, writing) = os.pipe()
    with Child(shell("cat"), stdin=reading, stall_s=0.4) as child:
        os.close(reading)
        for _ in range(8):
            tick.wait(0.1)
            os.write(writing, b".\n")
            child.stdout.readline()
            child.sign_of_life()
        os.close(writing)
        child.finish("it")


@pytest.mark.parametrize("stubborn", [False, True])
def test_closing_ends_the_whole_group(
    stubborn: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrapper's own child holds standard error open; that must not hold us."""
    monkeypatch.setattr(process, "TERMINATE_GRACE_S", 0.2)
    gate = Gate.make(tmp_path / "gate")
    first = "trap '' TERM; " if stubborn else ""
    with Child(shell(f"{first}cat {gate.block} & echo $!; wait; cat {gate.block}")) as child:
        grandchild = int(child.stdout.readline())
        assert is_running(grandchild)
    await_end(grandchild)
    assert not is_running(child.pid)
    assert not is_running(grandchild)


def test_a_child_that_ended_leaves_none_of_its_own_behind(tmp_path: Path) -> None:
    gate = Gate.make(tmp_path / "gate")
    with Child(shell(f"cat {gate.block} >/dev/null & echo $!")) as child:
        grandchild = int(child.stdout.readline())
        child.finish("it")
    await_end(grandchild)
    assert not is_running(grandchild)


def own_children() -> set[int]:
    """The children of this process that run, or that nobody has reaped."""
    return {
        int(pid)
        for file in Path("/proc/self/task").glob("*/children")
        for pid in file.read_text().split()
    }


def test_nothing_is_left_open_or_unreaped() -> None:
    others = own_children()  # such as the worker that an earlier test's probe has kept
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208
    threads = threading.active_count()
    for _ in range(3):
        run(shell("true"), "it")
        with pytest.raises(ToolMissingError):
            run(["/nonexistent"], "it")
    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert threading.active_count() == threads
    assert own_children() <= others


def test_a_child_inherits_no_open_files(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        with Child(("/bin/sh", "-c", EVERYTHING_LEFT)) as child:
            assert {"0", "1", "2"} <= set(child.lines()) <= {"0", "1", "2", "3"}
            child.finish("it")


def test_a_signal_while_a_child_is_started_is_not_lost_and_loses_no_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class StoppedHereError(Exception):
        pass

    def stop(number: int, frame: object) -> None:
        raise StoppedHereError

    started = []
    spawn = process._spawn

    def interrupted_spawn(*arguments: object) -> subprocess.Popen[bytes]:
        started.append(spawn(*arguments))  # type: ignore[arg-type]
        signal.raise_signal(signal.SIGTERM)
        return started[0]

    monkeypatch.setattr(process, "_spawn", interrupted_spawn)
    old = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(StoppedHereError):
            Child(shell("cat /dev/zero >/dev/null"))
    finally:
        signal.signal(signal.SIGTERM, old)
    assert started[0].returncode == -signal.SIGTERM


def test_children_have_bounds_of_memory_and_no_core_dumps() -> None:
    memory = 400 << 20
    program = (
        "import resource as r; print(r.getrlimit(r.RLIMIT_DATA)[0], r.getrlimit(r.RLIMIT_CORE)[0]);"
        f"bytearray({memory})"
    )
    with Child((sys.executable, "-c", program), memory_bytes=memory) as child:
        assert next(child.lines()) == f"{memory} 0"
        with pytest.raises(ChildFailedError, match="MemoryError"):
            child.finish("it")


def test_a_lower_limit_of_the_user_stands() -> None:
    (soft, hard) = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    try:
        run(shell("true"), "it", memory_bytes=1 << 62)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def test_the_bound_of_memory_leaves_ffmpeg_its_threads() -> None:
    """Each of 64 threads reserves address space that it never uses: that must not count."""
    memory = machine_memory_bytes()
    assert memory is not None
    source = "color=gray:size=320x180:rate=30:duration=0.5"
    threads = ("-threads", "64", "-filter_threads", "64")
    argv = (
        imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", *threads, "-f", "lavfi",
        "-i", source, "-c:v", "libx264", *threads, "-f", "null", "-",
    )  # fmt: skip
    run(argv, "it", memory_bytes=min(memory, 2 << 30))


def test_ffmpeg_comes_with_the_install_and_progress_is_read() -> None:
    ffmpeg = find(None)
    assert ffmpeg.version()[0].isdigit()
    source = ("-f", "lavfi", "-i", "anullsrc=r=48000:d=2", "-f", "null", "-")
    with running(ffmpeg, source, "silence") as seconds:
        written = list(seconds)
    assert written == sorted(written)
    assert written[-1] == pytest.approx(2.0, abs=0.03)


@pytest.mark.parametrize("name", ["/nonexistent/ffmpeg", "no-such-ffmpeg", "/etc/passwd"])
def test_an_ffmpeg_that_a_setting_names_and_is_not_there(name: str) -> None:
    with pytest.raises(ToolMissingError) as caught:
        find(name)
    assert "AVPIPE_FFMPEG" in (caught.value.hint or "")


def test_something_else_in_the_place_of_ffmpeg(tmp_path: Path) -> None:
    other = write_program(tmp_path / "ffmpeg", "echo BusyBox v1.36")
    with pytest.raises(ToolMissingError, match="is not ffmpeg"):
        Ffmpeg(str(other)).version()


CRASHING = """
import os, signal
from avpipe.codecs import worker

def probe(*paths):
    for path in paths:
        name = os.path.basename(path)
        if name.startswith("crash"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if name.startswith("hang"):
            signal.pause()
        if name.startswith("leave"):
            os._exit(0)
        worker.probe(path)
        if name.startswith("late"):
            os.kill(os.getpid(), signal.SIGSEGV)

worker.TASKS["probe"] = probe
worker.main()
"""


@pytest.fixture
def fragile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A worker that crashes on some names and hangs on others."""
    (tmp_path / "fragile_worker.py").write_text(CRASHING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(isolate, "WORKER", "fragile_worker")
    return tmp_path


def test_a_file_that_crashes_the_reader_is_unreadable_and_the_others_are_read(
    fragile: Path,
) -> None:
    names = ("good-1.mp4", "crash-1.mp4", "leave-1.mp4", "good-2.mp4")
    for name in names:
        make_video(fragile / name, size=(64, 48), frames=5, flashes=(), audio=None)
    infos = list(isolate.probe_files([str(fragile / name) for name in names]))
    assert [Path(info.path).name for info in infos] == list(names)
    assert [info.supported for info in infos] == [True, False, False, True]
    assert infos[1].problems[0].code == "unreadable"
    assert "SIGSEGV" in infos[1].problems[0].message
    assert "too soon" in infos[2].problems[0].message


def test_a_reader_that_crashes_after_all_was_said_costs_nothing(fragile: Path) -> None:
    make_video(fragile / "late.mp4", size=(64, 48), frames=5, flashes=(), audio=None)
    (info,) = isolate.probe_files([str(fragile / "late.mp4")])
    assert info.supported


def test_a_file_that_hangs_the_reader_is_unreadable(
    fragile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolate, "PROBE_STALL_S", 1.5)
    make_video(fragile / "good.mp4", size=(64, 48), frames=5, flashes=(), audio=None)
    (hanging, good) = isolate.probe_files([str(fragile / "hang.mp4"), str(fragile / "good.mp4")])
    assert "made no progress" in hanging.problems[0].message
    assert good.supported


def test_more_names_than_a_pipe_holds(tmp_path: Path) -> None:
    path = tmp_path / ("long" * 50)
    path.write_text("no media")
    infos = list(isolate.probe_files([str(path)] * 500))
    assert [info.path for info in infos] == [str(path)] * 500


def test_one_worker_does_task_after_task_and_a_crash_costs_only_its_own(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", size=(64, 48), frames=5, flashes=(), audio=None)
    pids = []
    for _ in range(2):
        list(isolate.probe_files([str(tmp_path / "a.mp4")]))
        with standby(isolate.WORKER) as worker:
            pids.append(worker.pid)
    assert pids[0] == pids[1]
    with standby(isolate.WORKER) as worker:
        os.kill(worker.pid, signal.SIGKILL)
        while not worker.has_ended:
            os.sched_yield()
        (form,) = worker.results("probe", str(tmp_path / "a.mp4"), doing="probing")
        assert form["supported"]
        assert worker.pid != pids[0]
    (tmp_path / "text.mp4").write_text("no media")
    with pytest.raises(ChildFailedError, match=r"verifying the output failed: .*Invalid data"):
        isolate.measure_file(str(tmp_path / "text.mp4"), decode_s=1)
    (info,) = isolate.probe_files([str(tmp_path / "a.mp4")])
    assert info.supported


def test_a_worker_of_another_thread_is_not_kept() -> None:
    with standby(isolate.WORKER) as worker:
        pid = worker.pid
        found: list[int] = []

        def other() -> None:
            with standby(isolate.WORKER) as theirs:
                found.append(theirs.pid)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert found[0] != pid
    assert not Path(f"/proc/{found[0]}").exists()


def test_an_encoder_that_fails_is_told_and_not_the_decoder_whose_pipe_broke(
    tmp_path: Path,
) -> None:
    """The worker cannot write into a folder that is not there; ffmpeg has endless sound."""
    endless = ("-f", "lavfi", "-i", "anullsrc=r=48000", "-f", "f32le", "-ac", "2", "pipe:1")
    with pytest.raises(ChildFailedError, match=r"^encoding the audio failed: ") as caught:
        list(isolate.encode_audio(find(None), endless, str(tmp_path / "no" / "a.m4a"), workers=1))
    assert "Traceback" in caught.value.tail  # for --debug
    assert "Traceback" not in caught.value.message
    assert "avpipe.errors" not in caught.value.message


def test_a_decoder_that_fails_is_told(tmp_path: Path) -> None:
    source = ("-i", "file:/nonexistent", "-f", "f32le", "pipe:1")
    with pytest.raises(ChildFailedError, match=r"reading the audio failed: .*No such file"):
        list(isolate.encode_audio(find(None), source, str(tmp_path / "a.m4a"), workers=1))


def test_a_worker_runs_the_installed_avpipe_and_not_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go()
    (tmp_path / "avpipe.py").write_text("raise SystemExit('the wrong one')")
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    make_video(tmp_path / "a.mp4", size=(64, 48), frames=5, flashes=(), audio=None)
    (info,) = isolate.probe_files([str(tmp_path / "a.mp4")])
    assert info.supported


@pytest.mark.parametrize("module", ["codecs.process", "render.workspace", "cli"])
def test_modules_can_be_imported_where_there_is_no_posix(module: str, tmp_path: Path) -> None:
    """As on Windows: without the modules and names that only POSIX has."""
    program = f"""
import os, signal, sys
import subprocess, threading, shutil, secrets  # as they are here
sys.platform = "win32"
for name in ("resource", "fcntl"):
    sys.modules[name] = None
for name in ("sysconf", "killpg", "getppid"):
    delattr(os, name)
del signal.SIGHUP
import avpipe.{module} as module
if "process" in module.__name__:
    assert module.machine_memory_bytes() is None
    assert module._child_setup(1 << 30, None) is None
if "workspace" in module.__name__:
    from pathlib import Path
    with module.workspace(Path(sys.argv[1]) / "out.mp4") as folder:
        (folder / "made").write_bytes(b"x")
        module.publish(folder / "made", Path(sys.argv[1]) / "out.mp4", overwrite=False)
    assert not folder.exists()
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=20)


def test_grandchildren_end_when_avpipe_is_killed(tmp_path: Path) -> None:
    """The parent-death signal reaches children alone; the guard reaches theirs."""
    gate = Gate.make(tmp_path / "gate")
    line = CommandLine(folder=tmp_path)
    program = f"""
from avpipe.codecs.process import Child
Child(("/bin/sh", "-c", "cat {gate.block} & echo x > {gate.ready}; wait")).finish("it")
"""
    parent = subprocess.Popen([sys.executable, "-c", program], env=line.env)
    gate.wait()
    assert any("cat " in command for command in marked(line.mark).values())
    parent.kill()
    parent.wait()
    line.assert_alone()
