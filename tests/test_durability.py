"""Whatever ends a run leaves no file under the output's name, no process and no folder."""

from __future__ import annotations

import json
import signal
import textwrap
import wave
from pathlib import Path

import imageio_ffmpeg
import pytest
from commands import STARTS, CommandLine, Gate, names, small_disk, write_program
from media_factory import ffmpeg, make_audio, make_video
from PIL import Image

from avpipe.errors import OutputExistsError
from avpipe.render import workspace as workspaces
from avpipe.render.workspace import PREFIX, publish, workspace

STAGES = ("probe", "sync", "sound", "aac", "plain_samples", "video", "join", "measure")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGKILL: -9}
WORDS = {130: "error: interrupted\n", 143: "error: terminated\n", 129: "error: terminated\n"}


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    make_video(folder / "video.mp4", size=(160, 90), frames=30, flashes=())
    ffmpeg("-i", folder / "video.mp4", "-c", "copy", folder / "video.mkv")  # ffmpeg copies this
    make_audio(folder / "sound.wav", duration=1, rate=44_100, tone_hz=440)  # ffmpeg reads this
    make_audio(folder / "plain.wav", duration=1, tone_hz=440)
    return folder


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return tmp_path / "disk"


def held_at(stage: str, avpipe: CommandLine, gate: Gate) -> CommandLine:
    """The command line whose runs come to a stage and wait there."""
    if stage in ("sync", "sound", "video"):
        passed = f'case "$*" in *f32le*) exec "{imageio_ffmpeg.get_ffmpeg_exe()}" "$@";; esac'
        fake = gate.ffmpeg(gate.ready.parent, first=passed if stage == "video" else "")
        return avpipe.with_env(AVPIPE_FFMPEG=str(fake))
    if stage == "join":
        return avpipe.hooked_at("output.mp4", gate.python)
    return avpipe.hooked(stage, gate.python)


def stop_at(
    stage: str, number: signal.Signals, avpipe: CommandLine, media: Path, *options: str
) -> tuple[int, str, str]:
    """Start a merge, end it by a signal at a stage; gives its exit code and what it printed."""
    gate = Gate.make(avpipe.folder.parent / "gate")
    video = media / ("video.mkv" if stage == "video" else "video.mp4")
    sound = media / ("plain.wav" if stage == "plain_samples" else "sound.wav")
    arguments = (video, sound, "-o", "out.mp4", "--json", *options)
    held = held_at(stage, avpipe, gate)
    process = held.start("merge", *(() if stage == "sync" else STARTS), *arguments)
    gate.wait()
    process.send_signal(number)
    (out, err) = process.communicate(timeout=20)
    return process.returncode, out, err


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("stage", STAGES)
def test_a_signal_at_any_stage_leaves_nothing(
    stage: str, number: signal.Signals, avpipe: CommandLine, media: Path
) -> None:
    (code, out, err) = stop_at(stage, number, avpipe, media)
    assert code == EXIT_CODES[number]
    assert err == WORDS.get(code, "")
    avpipe.assert_alone()
    left = names(avpipe.folder)
    if number is signal.SIGKILL:
        assert all(name.startswith(PREFIX) for name in left)
        assert len(left) == (0 if stage in ("probe", "sync") else 1)
        return
    assert left == set()
    last = json.loads(out.splitlines()[-1])
    assert last["event"] == "failed"
    assert last["error"]["code"] == "interrupted"
    assert last["error"]["exit_code"] == code


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_leaves_the_old_output_as_it_was(
    number: signal.Signals, avpipe: CommandLine, media: Path
) -> None:
    old = avpipe.folder / "out.mp4"
    old.write_bytes(b"the old one")
    stop_at("measure", number, avpipe, media, "-y")
    assert old.read_bytes() == b"the old one"


def test_a_closed_terminal_leaves_nothing(avpipe: CommandLine, media: Path) -> None:
    (code, _, err) = stop_at("measure", signal.SIGHUP, avpipe, media)
    assert (code, err) == (129, WORDS[129])
    assert names(avpipe.folder) == set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_a_signal_during_a_real_encode(
    number: signal.Signals, avpipe: CommandLine, tmp_path: Path
) -> None:
    """The bundled ffmpeg and the AAC worker, in the middle of minutes of work."""
    Image.effect_noise((640, 360), 80).convert("RGB").save(tmp_path / "picture.png")
    with wave.open(str(tmp_path / "long.wav"), "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", "NONE"))
        file.writeframes(bytes(8000 * 600))
    arguments = (tmp_path / "picture.png", tmp_path / "long.wav", "-o", "out.mp4", "--json")
    process = avpipe.start("merge", *STARTS, *arguments, "--quality", "high")
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event.get("stage") == "video" and event["done"] > 0:
            break
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == EXIT_CODES[number]
    avpipe.assert_alone()
    assert not (avpipe.folder / "out.mp4").exists()
    assert number is signal.SIGKILL or names(avpipe.folder) == set()


def test_a_signal_before_anything_is_imported_gives_no_traceback(avpipe: CommandLine) -> None:
    """As when a script is ended right after it began: held at the first import of click."""
    gate = Gate.make(avpipe.folder.parent / "gate")
    shadow = avpipe.folder.parent / "shadow"
    shadow.mkdir()
    (shadow / "click.py").write_text(f"import sys\nsys.path.remove({str(shadow)!r})\n{gate.python}")
    process = avpipe.with_env(PYTHONPATH=str(shadow)).start("--version")
    gate.wait()
    process.send_signal(signal.SIGINT)
    (_, err) = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, WORDS[130])


def test_a_signal_that_a_finalizer_swallows_ends_the_run_all_the_same(avpipe: CommandLine) -> None:
    """What is raised while an object is taken down is lost; held there, at the import of click."""
    gate = Gate.make(avpipe.folder.parent / "gate")
    shadow = avpipe.folder.parent / "shadow"
    shadow.mkdir()
    program = f"import sys\nsys.path.remove({str(shadow)!r})\nclass Thing:\n  def __del__(self):\n"
    program += textwrap.indent(gate.python, "    ")
    (shadow / "click.py").write_text(f"{program}\nThing()\n{gate.python}")
    process = avpipe.with_env(PYTHONPATH=str(shadow)).start("--version")
    gate.wait()
    process.send_signal(signal.SIGTERM)
    gate.wait()
    (_, err) = process.communicate(timeout=20)
    assert process.returncode == 143
    assert err.endswith(WORDS[143])


def test_the_next_run_tidies_after_a_killed_one_and_leaves_a_running_one_alone(
    avpipe: CommandLine, media: Path
) -> None:
    killed = stop_at("measure", signal.SIGKILL, avpipe, media)
    (left,) = names(avpipe.folder)
    gate = Gate.make(avpipe.folder.parent / "second gate")
    arguments = (media / "video.mp4", media / "sound.wav", "-o")
    neighbour = held_at("measure", avpipe, gate).start(
        "merge", *STARTS, *arguments, "neighbour.mp4"
    )
    gate.wait()
    (theirs,) = names(avpipe.folder)
    assert theirs != left
    ran = avpipe("merge", *STARTS, *arguments, "mine.mp4")
    ran.assert_done()
    assert names(avpipe.folder) == {theirs, "mine.mp4"}
    neighbour.terminate()
    neighbour.communicate(timeout=20)
    assert names(avpipe.folder) == {"mine.mp4"}
    assert killed[0] == -9


def test_a_second_signal_does_not_disturb_the_tidying(avpipe: CommandLine, media: Path) -> None:
    gate = Gate.make(avpipe.folder.parent / "gate")
    stubborn = gate.ffmpeg(avpipe.folder.parent / "bin", first="trap '' TERM INT")
    process = avpipe.with_env(AVPIPE_FFMPEG=str(stubborn)).start(
        "merge", *STARTS, media / "video.mp4", media / "sound.wav", "-o", "out.mp4"
    )
    gate.wait()
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    (_, err) = process.communicate(timeout=20)
    assert process.returncode in (130, 143)  # the two kinds may arrive in either order
    assert err == WORDS[process.returncode]
    assert names(avpipe.folder) == set()


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """A video that no encoder can make small."""
    path = tmp_path / "noisy.mp4"
    source = "color=gray:size=320x180:rate=30:duration=2,noise=alls=100:allf=t"
    ffmpeg("-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "ultrafast", path)
    return path


def test_a_disk_too_small_is_told_before_anything_is_written(
    avpipe: CommandLine, media: Path, noisy: Path, disk: Path
) -> None:
    try:
        with small_disk(disk, "64k") as remount:
            before = disk.stat().st_mtime_ns
            ran = avpipe("merge", *STARTS, noisy, media / "sound.wav", "-o", disk / "out.mp4")
            assert ran.code == 1
            assert "MB left" in ran.error
            assert str(disk) in ran.error
            assert "hint: " in ran.err
            assert (names(disk), disk.stat().st_mtime_ns) == (set(), before)
            remount("ro")
            ran = avpipe("merge", *STARTS, noisy, media / "sound.wav", "-o", disk / "out.mp4")
            assert (ran.code, ran.error) == (2, f"the folder {disk} cannot be written")
    except PermissionError as error:
        pytest.skip(str(error))


def test_a_disk_that_runs_full_while_the_video_is_made(
    avpipe: CommandLine, media: Path, noisy: Path, disk: Path
) -> None:
    arguments = ("--video", "encode", "--json", "-o", disk / "out.mp4")
    try:
        with small_disk(disk, "300k"):
            ran = avpipe("merge", *STARTS, noisy, media / "sound.wav", *arguments)
            assert ran.code == 1
            assert ran.error == f"the disk is full: {disk}"
            assert any(event.get("stage") == "video" for event in ran.events)
            assert ran.events[-1]["error"]["code"] == "disk_full"
            assert names(disk) == set()
    except PermissionError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("stage", ["aac", "join", "measure"])
def test_a_disk_that_others_fill(stage: str, avpipe: CommandLine, media: Path, disk: Path) -> None:
    """Full while the output is made; and when all is written it does no harm any more."""
    fill = f"open({str(disk / 'theirs')!r}, 'wb', 0).write(bytes(1 << 22))"
    code = f"try: {fill}\nexcept OSError: pass"
    held = avpipe.hooked_at("output.mp4", code) if stage == "join" else avpipe.hooked(stage, code)
    try:
        with small_disk(disk, "1m"):
            ran = held(
                "merge", *STARTS, media / "video.mp4", media / "sound.wav", "-o", disk / "out.mp4"
            )
            if stage == "measure":
                assert (ran.code, names(disk)) == (0, {"out.mp4", "theirs"})
            else:
                assert (ran.code, ran.error) == (1, f"the disk is full: {disk}")
                assert names(disk) == {"theirs"}
    except PermissionError as error:
        pytest.skip(str(error))


def test_a_full_disk_under_a_plan_file(avpipe: CommandLine, media: Path, disk: Path) -> None:
    arguments = (media / "video.mp4", media / "sound.wav", "-o", disk / "plan.json")
    try:
        with small_disk(disk, "8k"):
            (disk / "theirs").write_bytes(bytes(4096))
            ran = avpipe("plan", *STARTS, *arguments)
            assert ran.code == 1
            assert "No space left" in ran.error
            assert names(disk) == {"theirs"}
    except PermissionError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 0", "made nothing"),
        ("echo '[mov @ 0x55aa] a reason' >&2; echo 'Conversion failed!' >&2; exit 9", "a reason"),
        ("kill -SEGV $$", "SIGSEGV"),
        ("while :; do echo a long line of complaint; done | head -c 300000 >&2; exit 1", "compl"),
    ],
    ids=["nothing", "reason", "crash", "noise"],
)
def test_an_ffmpeg_that_fails_is_one_error(
    script: str, words: str, avpipe: CommandLine, media: Path
) -> None:
    program = write_program(avpipe.folder.parent / "bin" / "ffmpeg", script)
    (avpipe.folder / "picture.png").write_bytes(b"")
    ran = avpipe.with_env(AVPIPE_FFMPEG=str(program))(
        "merge", *STARTS, media / "video.mp4", media / "sound.wav", "--video", "encode",
        "--quality", "high", "-o", "out.mp4",
    )  # fmt: skip
    assert ran.code == 1
    assert words in ran.error
    assert names(avpipe.folder) == {"picture.png"}


def test_an_output_that_is_not_what_was_planned_gets_no_name(
    avpipe: CommandLine, media: Path
) -> None:
    """An ffmpeg that says that it did all, and did a part."""
    real = imageio_ffmpeg.get_ffmpeg_exe()
    # The last file named is the output: one second is made 0.3 s.
    script = f"""for word; do case $word in file:*) last=$word;; esac; done
path=${{last#file:}}
'{real}' "$@" &&
'{real}' -v error -nostdin -i "$path" -c copy -t 0.3 -movflags +faststart -y "$path.mp4" &&
mv "$path.mp4" "$path"
"""
    program = write_program(avpipe.folder.parent / "bin" / "ffmpeg", script)
    ran = avpipe.with_env(AVPIPE_FFMPEG=str(program))(
        "merge", *STARTS, media / "video.mkv", media / "video.mp4", "-o", "out.mp4"
    )
    assert ran.code == 1
    assert ran.error.startswith("the output is not what was planned: video_packets is ")
    assert names(avpipe.folder) == set()


def test_a_name_that_was_taken_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    with workspace(output) as folder:
        made = folder / "made"
        made.write_bytes(b"new")
        output.write_bytes(b"theirs")
        with pytest.raises(OutputExistsError):
            publish(made, output, overwrite=False)
        assert output.read_bytes() == b"theirs"
        publish(made, output, overwrite=True)
    assert output.read_bytes() == b"new"
    assert names(tmp_path) == {"out.mp4"}


def test_a_folder_that_a_neighbour_took_for_a_left_over_one_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = workspaces._lock
    calls = []

    def late_lock(folder: Path, *, wait: bool = True) -> int | None:
        calls.append(folder)
        if len(calls) == 1:
            folder.rmdir()
        return lock(folder, wait=wait)

    monkeypatch.setattr(workspaces, "_lock", late_lock)
    with workspace(tmp_path / "out.mp4") as folder:
        assert folder.is_dir()
    assert calls == [folder, folder]
    assert names(tmp_path) == set()
