"""The command line as scripts and people rely on it (contracts: names, JSON, exit codes)."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import STARTS, CommandLine, digests, names, on_a_terminal
from media_factory import ffmpeg, make_audio, make_video

VIDEO, SOUND = "video.mp4", "sound.wav"
HEAVY = ("av", "numpy", "httpx", "rich", "PIL", "ffmpeg", "imageio_ffmpeg", "subprocess")


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    make_video(folder / VIDEO, size=(160, 90), frames=30, flashes=())
    make_audio(folder / SOUND, duration=2, tone_hz=440)
    return folder


@pytest.fixture(scope="module")
def merged(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished merge."""
    line = CommandLine(folder=tmp_path_factory.mktemp("merged"))
    line("merge", media / VIDEO, media / SOUND, *STARTS, "-o", "out.mp4").assert_done()
    return line.folder / "out.mp4"


@pytest.fixture
def avpipe(tmp_path: Path, media: Path) -> CommandLine:
    """In a folder with a video and a sound."""
    folder = tmp_path / "work"
    folder.mkdir()
    for name in (VIDEO, SOUND):
        shutil.copy2(media / name, folder / name)
    return CommandLine(folder=folder)


def test_the_version_starts_light(avpipe: CommandLine) -> None:
    argv = [sys.executable, "-X", "importtime", "-m", "avpipe", "--version"]
    ran = subprocess.run(argv, env=avpipe.env, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert "click" in imported
    assert not [name for name in imported if name.partition(".")[0] in HEAVY]
    assert re.fullmatch(r"avpipe \d+\.\d+\.\d+\n", ran.stdout)


@pytest.mark.parametrize("command", ["probe", "merge", "plan", "verify", "doctor"])
def test_the_help_of_a_command_starts_without_the_heavy_ones(
    command: str, avpipe: CommandLine
) -> None:
    argv = [sys.executable, "-X", "importtime", "-m", "avpipe", command, "-h"]
    ran = subprocess.run(argv, env=avpipe.env, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert not imported & {"av", "rich", "PIL", "httpx"}
    assert ran.stdout.startswith(f"Usage: avpipe {command} ")


def test_help(avpipe: CommandLine) -> None:
    bare = avpipe()
    bare.assert_done()
    assert bare.out.startswith("Usage: avpipe ")
    assert avpipe("-h") == avpipe("--help") == bare
    for command in ("doctor", "merge", "plan", "probe", "verify"):
        assert f"  {command} " in bare.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("frobnicate",), "No such command 'frobnicate'"),
        (("--frobnicate",), "No such option"),
        (("merge", "--frobnicate", "a", "b"), "No such option"),
        (("merge",), "a merge takes a video and its sound"),
        (("merge", "a.mp4"), "a merge takes a video and its sound"),
        (("merge", VIDEO, SOUND, "c"), "c does not exist"),
        (("merge", VIDEO, SOUND, SOUND, "--offset", "1"), "there are several"),
        (("merge", "a", "b", "--drift", "fast"), "not a drift: fast"),
        (("merge", "a", "b", "--camera-distance", "-1"), "not in the range"),
        (("merge", "a", "b", "-o"), "requires an argument"),
        (("probe",), "Missing argument"),
        (("plan", "a"), "Missing argument"),
        (("verify",), "Missing argument"),
        (("merge", "a", "b", "--fit", "tight"), "'tight' is not one of 'video', 'audio'"),
        (("merge", "a", "b", "--offset", "soon"), "'soon' is not a time"),
        (("merge", "a", "b", "--offset", "1:2:3:4"), "is not a time"),
        (("merge", "a", "b", "--camera-gain", "loud"), "not a valid float"),
        (("merge", "a", "b", "--resolution", "huge"), "not a resolution: huge"),
        (("merge", "a", "b", "--sync", "none", "--offset", "1"), "contradict"),
        (("merge", "a", "b", "--plan", "p.json"), "give --plan alone"),
        (("merge", "--plan", "no.json"), "cannot be read: No such file"),
        (("merge", "no\nsuch", SOUND), "no\\nsuch does not exist"),
        (("verify", "no.mp4"), "does not exist"),
    ],
)
def test_wrong_requests(arguments: tuple[str, ...], words: str, avpipe: CommandLine) -> None:
    ran = avpipe(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.error


def test_a_wrong_request_with_json_is_an_event_too(avpipe: CommandLine) -> None:
    ran = avpipe("merge", "--json", "no.mp4", SOUND)
    (event,) = ran.events
    assert event["event"] == "failed"
    assert event["error"]["code"] == "input_missing"
    assert (ran.code, event["error"]["exit_code"]) == (2, 2)
    assert event["error"]["message"] == ran.error


def test_probe_tells_of_each_file_whatever_the_others_are(avpipe: CommandLine) -> None:
    (avpipe.folder / "bad.mp4").write_text("no media")
    ran = avpipe("probe", VIDEO, "bad.mp4", SOUND)
    assert ran.code == 1
    assert ran.error.startswith("bad.mp4: ")
    assert ran.out.count("\n  ") == 4  # two streams, one, and a remark
    assert re.search(r"audio 0: pcm_s16le 48000 Hz, (mono|1 channel), 2\.\d{3} s\n", ran.out)
    ran = avpipe("probe", "--json", VIDEO, "no.mp4", "bad.mp4", SOUND)
    assert (ran.code, ran.err) == (2, "")
    assert ran.json["schema"] == "avpipe.probe/1"
    assert [entry["supported"] for entry in ran.json["files"]] == [True, False, False, True]
    (video, absent, _, sound) = ran.json["files"]
    assert absent["problems"][0]["code"] == "input_missing"
    assert video["video"][0]["frame_rate"] == "30000/1001"
    assert (video["video"][0]["width"], video["video"][0]["height"]) == (160, 90)
    assert sound["audio"][0] | {"duration_s": 2.0, "channels": 1} == sound["audio"][0]


def test_merge_for_scripts(avpipe: CommandLine) -> None:
    ran = avpipe("merge", "--json", VIDEO, SOUND, *STARTS)
    assert (ran.code, ran.err) == (0, "")
    (started, *middle, done) = ran.events
    assert started["event"] == "started"
    assert {event["event"] for event in middle} == {"progress"}
    stages = [event["stage"] for event in middle]
    assert [stage for stage, _ in itertools.groupby(stages)] == ["audio", "video", "verify"]
    assert all(0 <= event["done"] <= 1 for event in middle)
    assert set(middle[0]) == {"event", "stage", "done", "speed", "eta_s"}
    assert (done["event"], done["schema"]) == ("done", "avpipe.merge/1")
    output = avpipe.folder / "video.merged.mp4"
    assert done["output"] == {
        "path": str(output),
        "size_bytes": output.stat().st_size,
        "duration_s": pytest.approx(1.001),
        "width": 160,
        "height": 90,
    }
    assert (done["route"], done["fallback"]) == ("local", None)
    assert (done["video"], done["audio"]) == ("copy", "encode")
    assert done["alignment"]["offset_s"] == 0.0
    assert done["checks"]
    assert all(check["ok"] for check in done["checks"])
    assert done["elapsed_s"] > 0


def test_merge_for_people_in_a_pipe(avpipe: CommandLine) -> None:
    ran = avpipe("merge", VIDEO, SOUND, *STARTS, "--fit", "longest")
    assert ran.code == 0
    (line,) = ran.out.splitlines()
    assert line.startswith("video.merged.mp4: 0:02.0, 160x90, ")
    (note,) = ran.err.splitlines()
    assert note.startswith("note: the picture is held on its last frame")


def test_what_exists_is_told_before_anything_else(avpipe: CommandLine) -> None:
    (avpipe.folder / "video.merged.mp4").write_bytes(b"there")
    ran = avpipe("merge", VIDEO, SOUND, *STARTS)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[1] == "hint: -y overwrites it"
    avpipe("merge", VIDEO, SOUND, *STARTS, "-y").assert_done()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1.5", 1.5), ("01:30", 90), ("00:01:30.500", 90.5), ("-1.5", -1.5), (".5", 0.5),
     ("-01:30", -90), ("+2", 2)],
)  # fmt: skip
def test_times(text: str, seconds: float, media: Path) -> None:
    from avpipe.cli.options import Seconds

    assert Seconds().convert(text, None, None) == seconds


def test_a_negative_offset_and_a_time_with_minutes(avpipe: CommandLine) -> None:
    for option, offset in (("-0.5", -0.5), ("00:00.25", 0.25)):
        ran = avpipe("plan", "--json", VIDEO, SOUND, *STARTS, "--offset", option)
        assert ran.json["alignment"]["offset_s"] == offset


def test_a_plan_is_read_back_byte_for_byte_and_makes_the_same(avpipe: CommandLine) -> None:
    assert avpipe("plan", VIDEO, SOUND, *STARTS, "-o", "p.json", "--offset", "0.1").code == 0
    saved = avpipe.folder / "p.json"
    from avpipe import jsonform
    from avpipe.cli.merge import read_plan

    assert jsonform.dumps(read_plan(str(saved)), indent=2) + "\n" == saved.read_text()
    assert json.loads(saved.read_text())["schema"] == "avpipe.plan/1"
    avpipe("merge", "--plan", "p.json").assert_done()
    planned = (avpipe.folder / "video.merged.mp4").read_bytes()
    avpipe("merge", VIDEO, SOUND, *STARTS, "--offset", "0.1", "-o", "direct.mp4").assert_done()
    assert (avpipe.folder / "direct.mp4").read_bytes() == planned
    assert avpipe("merge", "--plan", "p.json").code == 2  # it exists now


def test_a_dry_run_is_the_plan_and_makes_nothing(avpipe: CommandLine) -> None:
    before = names(avpipe.folder)
    for style in ((), ("--json",)):
        planned = avpipe("plan", VIDEO, SOUND, *STARTS, *style)
        assert planned == avpipe("merge", "--dry-run", VIDEO, SOUND, *STARTS, *style)
        assert (planned.code, planned.err) == (0, "")
    assert planned.json["schema"] == "avpipe.plan/1"
    assert (planned.json["video"], planned.json["audio"]) == ("copy", "encode")
    assert planned.json["output"]["path"] == str(avpipe.folder / "video.merged.mp4")
    assert names(avpipe.folder) == before


def test_a_plan_whose_input_changed_is_refused(avpipe: CommandLine) -> None:
    avpipe("plan", VIDEO, SOUND, *STARTS, "-o", "p.json")
    with (avpipe.folder / SOUND).open("ab") as file:
        file.write(b"more")
    ran = avpipe("merge", "--plan", "p.json", "--json")
    assert ran.code == 2
    assert "has changed since the plan was made" in ran.error
    assert ran.events[-1]["error"]["code"] == "input_changed"
    (avpipe.folder / SOUND).unlink()
    assert "does not exist" in avpipe("merge", "--plan", "p.json").error


def test_a_plan_file_is_an_output_like_any_other(avpipe: CommandLine) -> None:
    before = digests(avpipe.folder / VIDEO, avpipe.folder / SOUND)
    for arguments, words in (
        (("-o", VIDEO, "-y"), "is the input"),
        (("-o", "nowhere/p.json"), "does not exist"),
        (("-o", "."), "is a folder"),
        (("-o", SOUND), "is the input"),
    ):
        ran = avpipe("plan", VIDEO, SOUND, *STARTS, *arguments)
        assert (ran.code, ran.out) == (2, "")
        assert words in ran.error
    (avpipe.folder / "p.json").write_text("mine")
    assert avpipe("plan", VIDEO, SOUND, *STARTS, "-o", "p.json").code == 2
    assert avpipe("plan", VIDEO, SOUND, *STARTS, "-o", "p.json", "-y").code == 0
    assert digests(avpipe.folder / VIDEO, avpipe.folder / SOUND) == before


def _without(key: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        form = json.loads(text)
        del form[key]
        return json.dumps(form)

    return change


def _with(path: str, value: Any) -> Callable[[str], str]:
    def change(text: str) -> str:
        form = inner = json.loads(text)
        *way, last = path.split(".")
        for key in way:
            inner = inner[int(key) if key.isdigit() else key]
        inner[last] = value
        return json.dumps(form)

    return change


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[" * 100_000,
        lambda text: "null",
        lambda text: "[]",
        _without("timeline"),
        _without("inputs"),
        _with("schema", "avpipe.plan/2"),
        _with("video", "paint"),
        _with("inputs.video", None),
        _with("output.path", 7),
        _with("output.duration_s", "long"),
        _with("timeline.duration", "1/0"),
        _with("timeline.duration", "soon"),
        _with("inputs.audio.audio", {"0": 1}),
    ],
)
def test_a_damaged_plan_is_a_wrong_request(
    damage: Callable[[str], str], avpipe: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from avpipe.cli.merge import read_plan
    from avpipe.errors import RequestError

    saved = tmp_path_factory.getbasetemp() / "good-plan.json"
    if not saved.exists():
        assert avpipe("plan", VIDEO, SOUND, *STARTS, "-o", saved).code == 0
    damaged = avpipe.folder / "p.json"
    damaged.write_text(damage(saved.read_text()))
    with pytest.raises(RequestError, match=re.escape(str(damaged))):
        read_plan(str(damaged))


def test_a_damaged_plan_ends_with_2(avpipe: CommandLine) -> None:
    (avpipe.folder / "p.json").write_bytes(b'{"schema": "avpipe.plan/1", \xff')
    ran = avpipe("merge", "--plan", "p.json")
    assert (ran.code, ran.error[:20]) == (2, "p.json is not a plan")


def test_verify_passes_what_merge_made(merged: Path, media: Path, avpipe: CommandLine) -> None:
    ran = avpipe("verify", "--json", merged, "--video", media / VIDEO)
    assert (ran.code, ran.err) == (0, "")
    assert (ran.json["schema"], ran.json["ok"]) == ("avpipe.verify/1", True)
    assert all(check["ok"] for check in ran.json["checks"])
    assert avpipe("verify", merged).out.splitlines()[-1].endswith("out.mp4: verified")
    make_video(avpipe.folder / "other.mp4", size=(64, 48), frames=90, audio=None)
    ran = avpipe("verify", "--json", merged, "--video", "other.mp4")
    failed = [check["name"] for check in ran.json["checks"] if not check["ok"]]
    assert (ran.code, failed) == (1, ["length_s"])


def flip(good: Path, bad: Path) -> None:
    """Other bytes in the middle of the media, where the picture is."""
    data = bytearray(good.read_bytes())
    begin = data.index(b"mdat") + 4
    for place in range(begin + 800, begin + 2000):
        data[place] ^= 0x5A
    bad.write_bytes(data)


def cut(good: Path, bad: Path) -> None:
    bad.write_bytes(good.read_bytes()[:-1000])


def index_last(good: Path, bad: Path) -> None:
    ffmpeg("-i", good, "-c", "copy", bad)


def sound_longer(good: Path, bad: Path) -> None:
    sound = ("-f", "lavfi", "-i", "sine=duration=3")
    ffmpeg("-i", good, *sound, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-movflags",
           "+faststart", bad)  # fmt: skip


def no_sound(good: Path, bad: Path) -> None:
    ffmpeg("-i", good, "-an", "-c", "copy", "-movflags", "+faststart", bad)


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        (flip, "decode_errors"),
        (cut, None),
        (index_last, "index_first"),
        (sound_longer, "ends_apart_s"),
        (no_sound, "audio_streams"),
    ],
)
def test_verify_rejects(
    damage: Callable[[Path, Path], None], check: str | None, merged: Path, avpipe: CommandLine
) -> None:
    bad = avpipe.folder / "bad.mp4"
    damage(merged, bad)
    ran = avpipe("verify", "--json", bad)
    assert ran.code == 1
    if check is None:
        assert "cut off" in ran.error
        return
    assert check in [found["name"] for found in ran.json["checks"] if not found["ok"]]
    assert ran.json["ok"] is False


@pytest.mark.parametrize("reader", ["probe", "merge"])
def test_a_reader_that_goes_away(reader: str, avpipe: CommandLine) -> None:
    """`avpipe … | head -0`, and the same with standard error."""
    arguments = [reader, VIDEO] if reader == "probe" else [reader, VIDEO, SOUND, "--json"]
    (reading, writing) = os.pipe()
    os.close(reading)
    process = avpipe.start(*arguments, stdout=writing)
    (_, err) = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, "")
    process = avpipe.start("probe", "no.mp4", stdout=writing, stderr=writing)
    process.communicate(timeout=60)
    os.close(writing)
    assert process.returncode == 1
    assert names(avpipe.folder) == {VIDEO, SOUND}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is not there")
def test_output_that_cannot_be_written(avpipe: CommandLine) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        process = avpipe.start("probe", VIDEO, stdout=full)
        (_, err) = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, "error: the disk is full\n")


def test_output_that_is_closed(avpipe: CommandLine) -> None:
    ran = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -m avpipe probe --json video.mp4 >&- 2>&-', sys.executable],
        cwd=avpipe.folder, env=avpipe.env, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0


COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def test_a_bar_is_for_terminals_alone(avpipe: CommandLine) -> None:
    (code, seen) = on_a_terminal(avpipe, "merge", VIDEO, SOUND, *STARTS, "--video", "encode")
    assert code == 0
    assert "making video" in seen
    assert "100%" in COLOUR.sub("", seen)
    assert re.search(r"\x1b\[[0-9;]*3[0-9]", seen)  # a colour
    plain = avpipe.with_env(NO_COLOR="1")
    (code, seen) = on_a_terminal(plain, "merge", VIDEO, SOUND, *STARTS, "-y")
    assert "encoding audio" in seen
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", seen)
    (code, seen) = on_a_terminal(avpipe, "merge", VIDEO, SOUND, *STARTS, "-y", "--json")
    assert (code, seen) == (0, "")


def test_a_failure_takes_the_bar_down_and_gives_the_cursor_back(avpipe: CommandLine) -> None:
    false = avpipe.with_env(AVPIPE_FFMPEG=str(shutil.which("false")))
    make_audio(avpipe.folder / "a.flac", duration=1)  # ffmpeg reads this
    (code, seen) = on_a_terminal(false, "merge", VIDEO, "a.flac", *STARTS)
    assert code == 1
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h") == 1
    assert seen.index("\x1b[?25h") < seen.index("error: ")


def test_tracebacks_are_for_debug(avpipe: CommandLine) -> None:
    false = avpipe.with_env(AVPIPE_FFMPEG=str(shutil.which("false")))
    make_audio(avpipe.folder / "a.flac", duration=1)  # ffmpeg reads this
    ran = false("merge", VIDEO, "a.flac", *STARTS)
    assert ran.code == 1
    assert ran.error == "reading the audio failed: exit code 1"
    assert "Traceback" in false("merge", "--debug", VIDEO, "a.flac", *STARTS).err


def test_no_ffmpeg(avpipe: CommandLine) -> None:
    without = avpipe.with_env(AVPIPE_FFMPEG="/nonexistent")
    ran = without("merge", VIDEO, SOUND, *STARTS, "--json")
    assert ran.code == 3
    assert ran.error == "the ffmpeg binary /nonexistent is not there or cannot be run"
    assert "hint: AVPIPE_FFMPEG names it" in ran.err
    assert ran.events[-1]["error"]["code"] == "tool_missing"
    assert names(avpipe.folder) == {VIDEO, SOUND}
    ran = without("doctor", "--json")
    assert (ran.code, ran.json["schema"], ran.json["ok"]) == (3, "avpipe.doctor/1", False)
    assert ran.error.startswith("ffmpeg: ")
    assert without("plan", VIDEO, SOUND, *STARTS).code == 0  # a copy needs no ffmpeg to be planned


def test_doctor(avpipe: CommandLine) -> None:
    ran = avpipe("doctor")
    assert ran.code == 0, ran.out
    ran.assert_done()
    assert "ok   ffmpeg: " in ran.out
    assert "ok   ffmpeg encoders: libx264, aac" in ran.out


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("colour = 'red'", "unknown setting: colour"),
        ("ffmpeg = 3", "has ffmpeg = 3, which is not text"),
        ("jobs = true", "has jobs = True, which is not a number"),
        ("jobs = 0", "at least 1"),
        ("jobs = ", "cannot be read"),
        (None, "does not exist"),
    ],
)
def test_a_wrong_config_file(config: str | None, words: str, avpipe: CommandLine) -> None:
    path = avpipe.folder / "config.toml"
    if config is not None:
        path.write_text(config)
    ran = avpipe.with_env(AVPIPE_CONFIG=str(path))("doctor")
    assert ran.code == 2
    assert words in ran.error


def test_the_environment_goes_before_the_config_file(avpipe: CommandLine) -> None:
    path = avpipe.folder / "config.toml"
    path.write_text("ffmpeg = '/nonexistent'\njobs = 1\n")
    configured = avpipe.with_env(AVPIPE_CONFIG=str(path))
    assert "/nonexistent" in configured("merge", VIDEO, SOUND, *STARTS).error
    import imageio_ffmpeg

    named = configured.with_env(AVPIPE_FFMPEG=imageio_ffmpeg.get_ffmpeg_exe(), AVPIPE_JOBS="2")
    named("merge", VIDEO, SOUND, *STARTS).assert_done()
    wrong = configured.with_env(AVPIPE_JOBS="many")("doctor")
    assert (wrong.code, wrong.error) == (2, "the setting jobs is not a number: many")
