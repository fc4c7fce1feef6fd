"""`avpipe batch`: a folder in, merged files out, whatever goes wrong on the way."""

from __future__ import annotations

import json
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import STARTS, CommandLine, Ran, digests, names, on_a_terminal, small_disk
from measure import read_sound
from media_factory import make_audio
from shoot import RATE, Samples, film, record, small_pairs, voice

MADE = {"one.merged.mp4", "two.merged.mp4", "three.merged.mp4"}
TIMES = (15.0, 40.0)
"""When the first camera began and ended, in the first voice."""


@pytest.fixture(scope="module")
def said() -> tuple[Samples, Samples]:
    return voice(75, 1), voice(60, 2)


@pytest.fixture(scope="module")
def shoot(tmp_path_factory: pytest.TempPathFactory, said: tuple[Samples, Samples]) -> Path:
    """Two cameras, a long recording, one split in parts, names that mislead, a stranger."""
    folder = tmp_path_factory.mktemp("shoot")
    (first, second) = said
    record(folder / "ZOOM0007.wav", first, 5, 75)
    film(folder / "C0001.mp4", first, *TIMES)
    film(folder / "C0002.mp4", first, 50, 70, seed=2)
    record(folder / "REC_0001.wav", second, 0, 30)
    record(folder / "REC_0002.wav", second, 30, 60)
    film(folder / "split.mp4", second, 17, 43, seed=3)
    film(folder / "talk.mp4", second, 3, 18, seed=4)
    record(folder / "talk_audio.wav", second, 2, 19)
    film(folder / "swapped.mp4", first, 20, 38, seed=5)
    record(folder / "swapped.wav", second, 30, 48)
    film(folder / "stranger.mp4", voice(15, 3), 0, 15)
    return folder


@pytest.fixture
def pairs(avpipe: CommandLine) -> Path:
    """Three pairs that have nothing to compare."""
    return small_pairs(avpipe.folder / "in", "one", "two", "three")


def batch(avpipe: CommandLine, *more: str | Path, folder: str | Path = "in") -> Ran:
    ran = avpipe("batch", folder, "-o", "out", "--json", *more)
    ran.assert_tidy()
    return ran


def outputs(avpipe: CommandLine) -> set[str]:
    return {name for name in names(avpipe.folder / "out") if name != ".avpipe.batch"}


def summary(ran: Ran) -> dict[str, Any]:
    last: dict[str, Any] = ran.events[-1]
    assert (last["event"], last["schema"]) == ("summary", "avpipe.batch/1")
    return last


def counts(ran: Ran) -> tuple[int, int, int, int]:
    last = summary(ran)
    return last["total"], last["done"], last["skipped"], last["failed"]


def paired(ran: Ran) -> dict[str, tuple[str, list[str]]]:
    """By the video's name what the pair rests on, and the names of its audio files."""
    found = {}
    for event in ran.events:
        if event["event"] == "item_paired":
            item = event["item"]
            audio = [Path(path).name for path in (item["audio"], *item.get("more_audio", ()))]
            found[Path(item["video"]).name] = (event["basis"], audio)
    return found


def test_a_shoot_is_paired_by_what_was_heard(
    avpipe: CommandLine, shoot: Path, said: tuple[Samples, Samples]
) -> None:
    before = digests(*shoot.iterdir())
    ran = batch(avpipe, "--report", "report.html", folder=shoot)
    assert ran.code == 0
    assert paired(ran) == {
        "C0001.mp4": ("content", ["ZOOM0007.wav"]),
        "C0002.mp4": ("content", ["ZOOM0007.wav"]),
        "split.mp4": ("content", ["REC_0001.wav", "REC_0002.wav"]),
        "talk.mp4": ("name", ["talk_audio.wav"]),
        "swapped.mp4": ("content", ["ZOOM0007.wav"]),
    }
    assert {Path(one["path"]).name for one in summary(ran)["unpaired"]} == {
        "stranger.mp4",
        "swapped.wav",
    }
    assert all(one["reason"] for one in summary(ran)["unpaired"])
    assert counts(ran) == (5, 5, 0, 0)
    assert digests(*shoot.iterdir()) == before
    (first, second) = said
    out = avpipe.folder / "out"
    assert_is_heard(out / "C0001.merged.mp4", first[round(TIMES[0] * RATE) :])
    assert_is_heard(out / "split.merged.mp4", second[17 * RATE :])
    assert_report(avpipe.folder / "report.html")
    again = batch(avpipe, folder=shoot)
    assert counts(again) == (5, 0, 5, 0)
    assert summary(again)["elapsed_s"] < 5


def assert_is_heard(path: Path, wanted: Samples) -> None:
    """The output's sound is that of the recorder, at its place, across the joint of two files."""
    sound = read_sound(path)
    step = round(sound.rate / RATE)
    heard = sound.samples.mean(axis=0)[::step]
    part = wanted[: heard.size]
    spectra = np.fft.rfft(heard, 2 * heard.size) * np.fft.rfft(part, 2 * heard.size).conj()
    lag = int(np.argmax(np.fft.irfft(spectra)))
    assert min(lag, 2 * heard.size - lag) <= 2
    likeness = [
        np.corrcoef(heard[at : at + RATE], part[at : at + RATE])[0, 1]
        for at in range(0, heard.size - RATE, RATE)
        if part[at : at + RATE].std() > 0.01
    ]
    assert min(likeness) > 0.95


def assert_report(path: Path) -> None:
    """One file that needs no other, with a picture and both wave forms of each pair."""
    page = path.read_text()
    assert page.count("data:image/jpeg;base64,") == 5
    assert page.count('class="camera"') == page.count('class="sound"') == 5
    assert not re.search(r"(src|href)=\"?(https?:|//)", page)
    assert 'href="out/C0001.merged.mp4"' in page
    assert "stranger.mp4" in page


def test_content_alone_and_names_alone(avpipe: CommandLine, shoot: Path) -> None:
    found = paired(batch(avpipe, "--pair", "name", "--dry-run", folder=shoot))
    assert found["swapped.mp4"] == ("name", ["swapped.wav"])
    assert found["talk.mp4"] == ("name", ["talk_audio.wav"])
    assert set(found) == {"swapped.mp4", "talk.mp4", "C0001.mp4", "C0002.mp4"}
    assert names(avpipe.folder) == set()


def test_one_that_fails_does_not_stop_the_rest(avpipe: CommandLine, pairs: Path) -> None:
    (pairs / "broken.mp4").write_bytes(b"nothing")
    shutil.copy(pairs / "one.wav", pairs / "broken.wav")
    ran = batch(avpipe)
    assert (ran.code, counts(ran)) == (8, (4, 3, 0, 1))
    assert outputs(avpipe) == MADE
    (failed,) = [event for event in ran.events if event["event"] == "item_failed"]
    assert failed["item"]["video"] == str(pairs / "broken.mp4")
    assert failed["error"]["code"] == "unreadable"
    told = [event["event"] for event in ran.events if event["event"] != "item_paired"]
    assert sorted(told[:-1]) == ["item_done"] * 3 + ["item_failed"] + ["item_started"] * 4
    again = batch(avpipe)
    assert (again.code, counts(again)) == (8, (4, 0, 3, 1))


def test_a_broken_video_fails_though_its_sound_serves_another(
    avpipe: CommandLine, said: tuple[Samples, Samples]
) -> None:
    folder = avpipe.folder / "in"
    folder.mkdir()
    record(folder / "take.wav", said[0], 0, 30)
    film(folder / "other.mp4", said[0], 5, 25)
    (folder / "take.mp4").write_bytes(b"nothing")
    ran = batch(avpipe)
    assert (ran.code, counts(ran)) == (8, (2, 1, 0, 1))
    assert paired(ran)["other.mp4"] == ("content", ["take.wav"])
    (failed,) = [event for event in ran.events if event["event"] == "item_failed"]
    assert Path(failed["item"]["video"]).name == "take.mp4"
    assert summary(ran)["unpaired"] == []


def test_what_is_done_and_unchanged_is_skipped(avpipe: CommandLine, pairs: Path) -> None:
    batch(avpipe)
    out = avpipe.folder / "out"
    before = digests(*(out / name for name in MADE))
    assert counts(batch(avpipe)) == (3, 0, 3, 0)
    assert digests(*before) == before
    make_audio(pairs / "two.wav", duration=1, rate=RATE, tone_hz=880)
    assert counts(batch(avpipe)) == (3, 1, 2, 0)
    changed = digests(*before)
    assert {path.name for path in before if changed[path] != before[path]} == {"two.merged.mp4"}
    assert counts(batch(avpipe, "--fit", "longest")) == (3, 3, 0, 0)
    (out / "one.merged.mp4").unlink()
    assert counts(batch(avpipe, "--fit", "longest")) == (3, 1, 2, 0)


def test_what_is_not_ours_is_never_overwritten(avpipe: CommandLine, pairs: Path) -> None:
    batch(avpipe)
    theirs = avpipe.folder / "out" / "one.merged.mp4"
    theirs.write_bytes(b"theirs")
    ran = batch(avpipe)
    assert (ran.code, counts(ran)) == (8, (3, 0, 2, 1))
    assert theirs.read_bytes() == b"theirs"
    assert counts(batch(avpipe, "-y")) == (3, 1, 2, 0)
    assert theirs.stat().st_size > 1000


def test_outputs_that_would_meet_are_told_before_the_start(
    avpipe: CommandLine, pairs: Path
) -> None:
    ran = batch(avpipe, "--template", "all.mp4")
    assert ran.code == 2
    assert "one.mp4" in ran.error
    assert not (avpipe.folder / "out").exists()
    for wrong in ("{stem}.avi", "{name}.mp4", "../{stem}.mp4", "{index:x!}.mp4", "{stem"):
        assert batch(avpipe, "--template", wrong).code == 2
    ran = batch(avpipe, "--template", "{index:03}-{stem}.mp4")
    assert outputs(avpipe) == {"001-one.mp4", "002-three.mp4", "003-two.mp4"}


def test_the_output_folder_may_be_the_input_folder(avpipe: CommandLine, pairs: Path) -> None:
    for expected in ((3, 3, 0, 0), (3, 0, 3, 0)):
        ran = avpipe("batch", "in", "-o", "in", "--json")
        assert (ran.code, counts(ran)) == (0, expected)
    ran = avpipe("batch", ".", "-o", "in/out", "--recursive", "--json", "--template", "{audio}.mp4")
    assert ran.code == 0
    assert names(pairs / "out") - {".avpipe.batch"} == {"one.mp4", "two.mp4", "three.mp4"}


def write_manifest(avpipe: CommandLine, text: str, name: str = "m.csv") -> str:
    (avpipe.folder / name).write_text(text)
    return name


def test_a_manifest_has_the_last_word(avpipe: CommandLine, pairs: Path) -> None:
    csv = "video,audio,output,fit,camera-gain\nin/one.mp4,in/two.wav,x.mp4,audio,\n"
    csv += '"in/two.mp4",in/one.wav,,,-3\n'
    ran = avpipe("batch", "--manifest", write_manifest(avpipe, csv), "-o", "out", "--json", *STARTS)
    assert (ran.code, counts(ran)) == (0, (2, 2, 0, 0))
    assert outputs(avpipe) == {"x.mp4", "two.merged.mp4"}
    rows = [
        {"video": "in/one.mp4", "audio": ["in/one.wav"], "output": "y.mp4", "camera_gain": -3},
        {"video": "in/two.mp4", "audio": "in/one.wav", "output": "sub/z.mp4"},
    ]
    text = "\n".join(json.dumps(row) for row in rows)
    ran = avpipe("batch", "--manifest", write_manifest(avpipe, text, "m.jsonl"), "-o", "out")
    assert ran.code == 0
    assert outputs(avpipe) == {"x.mp4", "two.merged.mp4", "y.mp4", "sub"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("video,sound\n", "line 1: the columns"),
        ("video,audio\nin/one.mp4,in/one.wav\n\nin/none.mp4,in/one.wav\n", "line 4: the video"),
        ("video,audio,fit\nin/one.mp4,in/one.wav,wide\n", "line 2: "),
        ("video,audio,colour\nin/one.mp4,in/one.wav,red\n", "line 2: no such option: colour"),
        ("video,audio\nin/one.mp4\n", "line 2: 1 fields"),
        ("video,audio\nin/one.mp4,\n", "line 2: the audio is missing"),
        (
            "video,audio,output\nin/one.mp4,in/one.wav,a.mp4\nin/two.mp4,in/one.wav,a.mp4\n",
            "line 3: the output a.mp4 is that of line 2",
        ),
    ],
)
def test_a_bad_row_is_told_by_its_line(
    text: str, words: str, avpipe: CommandLine, pairs: Path
) -> None:
    ran = avpipe("batch", "--manifest", write_manifest(avpipe, text), "-o", "out")
    assert ran.code == 2
    assert words in ran.error
    assert not (avpipe.folder / "out").exists()


def errors(ran: Ran) -> list[str]:
    ran.assert_tidy()
    lines = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    return [line.removeprefix("error: ") for line in lines]


CSV = """video,audio,fit,output
in/one.mp4,in/one.wav,wide,
in/two.mp4,in/two.wav,,
in/none.mp4,in/one.wav,,
in/one.mp4,in/one.wav
in/one.mp4,"in/one.wav"x,,
in/one.mp4,in/one.wav,,a.mp4
in/two.mp4,in/two.wav,,a.mp4
"""
JSONL = """{"video": "in/one.mp4", "audio": "in/one.wav"}
[1]
{"video": "in/one.mp4"
{"video": "in/one.mp4", "audio": 7}
"""


@pytest.mark.parametrize(
    ("name", "text", "lines"), [("m.csv", CSV, (2, 4, 5, 6, 8)), ("m.jsonl", JSONL, (2, 3, 4))]
)
def test_all_bad_rows_are_told(
    name: str, text: str, lines: tuple[int, ...], avpipe: CommandLine, pairs: Path
) -> None:
    ran = avpipe("batch", "--manifest", write_manifest(avpipe, text, name), "-o", "out", "--json")
    told = errors(ran)
    assert [line.split(": ")[0] for line in told] == [f"{name} line {line}" for line in lines]
    assert (ran.code, ran.json["event"]) == (2, "failed")
    assert set(ran.json["error"]) == {"code", "message", "hint", "exit_code"}
    assert ran.json["error"]["message"] == "; ".join(told)
    assert not (avpipe.folder / "out").exists()


def test_of_many_bad_rows_some_are_told_and_the_rest_counted(
    avpipe: CommandLine, pairs: Path
) -> None:
    text = "video,audio\n" + "in/one.mp4,in/none.wav\n" * 25
    told = errors(avpipe("batch", "--manifest", write_manifest(avpipe, text), "-o", "out"))
    assert [line.split(": ")[0] for line in told[:-1]] == [f"m.csv line {n}" for n in range(2, 22)]
    assert told[-1] == "and 5 more"


def test_rows_that_meet_are_told_by_their_lines(avpipe: CommandLine, pairs: Path) -> None:
    text = "video,audio,output\nin/one.mp4,in/one.wav,A.mp4\nin/two.mp4,in/two.wav,a.mp4\n"
    text += "in/three.mp4,in/three.wav,../in/one.mp4\n"
    told = errors(avpipe("batch", "--manifest", write_manifest(avpipe, text), "-o", "out"))
    assert len(told) == 2
    assert all(f"line {number} of the manifest" in told[0] for number in (2, 3))
    assert "line 4 of the manifest" in told[1]
    assert not (avpipe.folder / "out").exists()


@pytest.mark.parametrize("after", ["item_started", "item_done", "second item_done"])
def test_a_kill_at_any_point_leaves_a_batch_that_can_be_finished(
    after: str, avpipe: CommandLine, pairs: Path
) -> None:
    process = avpipe.start("batch", "in", "-o", "out", "--json", "--jobs", "1", *STARTS)
    assert process.stdout is not None
    wanted = [after] if not after.startswith("second") else ["item_done"] * 2
    for line in process.stdout:
        if json.loads(line)["event"] == wanted[0]:
            wanted.pop(0)
        if not wanted:
            break
    process.kill()
    process.communicate(timeout=20)
    avpipe.assert_alone()
    kept = digests(*(avpipe.folder / "out" / name for name in outputs(avpipe)))
    ran = batch(avpipe, *STARTS)
    assert (ran.code, outputs(avpipe)) == (0, MADE)
    assert summary(ran)["done"] + summary(ran)["skipped"] == 3
    assert digests(*kept) == kept
    for name in MADE:
        assert avpipe("verify", Path("out") / name).code == 0
    assert names(avpipe.folder / "out" / ".avpipe.batch" / "made") == set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_leaves_nothing_half_made(
    number: signal.Signals, avpipe: CommandLine, pairs: Path
) -> None:
    process = avpipe.start("batch", "in", "-o", "out", "--json", "--jobs", "1", *STARTS)
    assert process.stdout is not None
    next(line for line in process.stdout if '"item_started"' in line)
    process.send_signal(number)
    (_, err) = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert err.count("error: ") == 1
    avpipe.assert_alone()
    assert outputs(avpipe) <= MADE
    assert counts(batch(avpipe, *STARTS))[0] == 3


def test_two_batches_do_not_work_in_one_folder(avpipe: CommandLine, pairs: Path) -> None:
    first = avpipe.start("batch", "in", "-o", "out", "--json", "--jobs", "1", *STARTS)
    assert first.stdout is not None
    next(line for line in first.stdout if '"item_started"' in line)
    first.send_signal(signal.SIGSTOP)  # three small pairs are made while another one starts
    try:
        ran = avpipe("batch", "in", "-o", "out")
        assert (ran.code, "another batch is at work" in ran.error) == (2, True)
    finally:
        first.send_signal(signal.SIGCONT)
    (out, _) = first.communicate(timeout=60)
    assert json.loads(out.splitlines()[-1])["done"] == 3


def test_a_full_disk_makes_it_wait(avpipe: CommandLine, pairs: Path) -> None:
    out = avpipe.folder / "out"
    try:
        with small_disk(out, "3m"):
            theirs = out / "theirs"
            theirs.write_bytes(bytes(2_400_000))
            process = avpipe.start("batch", "in", "-o", "out", "--json", *STARTS)
            assert process.stderr is not None
            assert process.stderr.readline().startswith("note: waiting for room on the disk")
            theirs.unlink()
            (stdout, err) = process.communicate(timeout=60)
            assert "there is room" in err
            assert json.loads(stdout.splitlines()[-1])["done"] == 3
            assert outputs(avpipe) == MADE
    except PermissionError as error:
        pytest.skip(str(error))


def test_lines_for_people(avpipe: CommandLine, pairs: Path) -> None:
    (pairs / "lonely.mp4").write_bytes((pairs / "one.mp4").read_bytes())
    ran = avpipe("batch", "in", "-o", "out", "--report", "r.html", *STARTS)
    ran.assert_tidy()
    assert ran.code == 0
    (*lines, last, report) = ran.out.splitlines()
    assert len(lines) == 3
    assert all(re.match(r"\[\d/3\] out/\w+\.merged\.mp4: ", line) for line in lines)
    assert last.startswith("3 pairs, 3 made, 0 unchanged, 0 failed, 1 file not paired")
    assert report == "report: r.html"
    assert "warning: not paired: in/lonely.mp4: " in ran.err


def test_on_a_terminal_there_are_bars(avpipe: CommandLine, pairs: Path) -> None:
    (pairs / "broken.mp4").write_bytes(b"nothing")
    shutil.copy(pairs / "one.wav", pairs / "broken.wav")
    (code, seen) = on_a_terminal(avpipe, "batch", "in", "-o", "out", *STARTS, "--jobs", "1")
    assert code == 8
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen)
    assert re.search(r"reading files .* 0 of 8\b", plain)
    assert re.search(r"all +\S* *\d+% 0 of 4", plain)
    assert re.search(r"all .*[123] of 4  [\d.]+ a minute  \d+:[\d.]+ left", plain)
    assert re.search(r"  (one|two|three)\.mp4 +\S+ +\d+% ", plain)
    assert "error: [1/4] in/broken.mp4: " in plain
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h") > 0


def test_what_is_wrong_with_the_request(avpipe: CommandLine, pairs: Path) -> None:
    for arguments in (
        ("nowhere", "-o", "out"),
        ("in/one.mp4", "-o", "out"),
        ("in",),
        ("in", "-o", "in/one.mp4"),
        ("in", "-o", "out", "--pair", "luck"),
        ("in", "-o", "out", "--resolution", "huge"),
        ("in", "-o", "out", "--jobs", "0"),
        ("-o", "out"),
    ):
        ran = avpipe("batch", *arguments)
        assert ran.code == 2, arguments
        assert ran.error
        assert not (avpipe.folder / "out").exists(), arguments
    assert avpipe("watch", "nowhere", "-o", "out").code == 2
    assert avpipe.with_env(AVPIPE_JOBS="few")("batch", "in", "-o", "out").code == 2
    assert avpipe.with_env(AVPIPE_FFMPEG="none")("batch", "in", "-o", "out").code == 3
    assert avpipe("batch", "in", "-o", "out/in/it", "--template", "a.mp4").code == 2
    assert not (avpipe.folder / "out").exists()


def test_a_refused_run_removes_nothing_that_was_there(avpipe: CommandLine, pairs: Path) -> None:
    (avpipe.folder / "out").mkdir()
    assert batch(avpipe, "--template", "all.mp4").code == 2
    assert outputs(avpipe) == set()
    assert batch(avpipe, *STARTS).code == 0
    assert batch(avpipe, "--template", "all.mp4", *STARTS).code == 2
    assert outputs(avpipe) == MADE
    assert counts(batch(avpipe, *STARTS)) == (3, 0, 3, 0)
