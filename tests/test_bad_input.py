"""Bad files and odd names through the real command line: one clear line, nothing left behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import STARTS, CommandLine, digests, names
from media_factory import ffmpeg, make_audio, make_video

REAL = Path(__file__).parents[2] / "shared" / "media" / "bad"
NEEDED = pytest.mark.skipif(not REAL.is_dir(), reason=f"{REAL} is not there")
VIDEO, SOUND = "video.mp4", "sound.wav"
CUT_VIDEOS = ("front.mp4", "video.mp4", "video.mkv")
CUT_SOUNDS = ("sound.wav", "sound.mp3", "sound.m4a", "sound.flac")
"""The MP3 with a header that counts its frames; a part of one without is a whole MP3."""


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    make_video(folder / VIDEO, size=(160, 90), frames=30, gop=10, flashes=())
    ffmpeg("-i", folder / VIDEO, "-c", "copy", "-movflags", "+faststart", folder / "front.mp4")
    ffmpeg("-i", folder / VIDEO, "-c", "copy", folder / "video.mkv")
    make_video(folder / "silent.mp4", size=(160, 90), frames=10, flashes=(), audio=None)
    for name in CUT_SOUNDS:
        make_audio(folder / name, duration=2, noise=0.1)
    return folder


@pytest.fixture
def avpipe(tmp_path: Path, media: Path) -> Iterator[CommandLine]:
    """In a folder with a good video and a good sound, which stay as they are."""
    folder = tmp_path / "work"
    folder.mkdir()
    for name in (VIDEO, SOUND):
        shutil.copy2(media / name, folder / name)
    before = digests(folder / VIDEO, folder / SOUND)
    line = CommandLine(folder=folder)
    yield line
    assert digests(folder / VIDEO, folder / SOUND) == before
    line.assert_alone()


def refused(avpipe: CommandLine, code: int, *arguments: str | bytes | Path) -> str:
    """The error line of a merge that ends with that code and leaves nothing behind."""
    before = names(avpipe.folder)
    ran = avpipe("merge", *STARTS, *arguments)
    assert ran.code == code, ran
    assert ran.out == ""
    assert names(avpipe.folder) == before
    return ran.error


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text("this is no media, whatever its name says\n" * 40)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def playlist(path: Path) -> None:
    path.write_text(f"#EXTM3U\n#EXTINF:1,\nfile://{path.parent / VIDEO}\n")


BAD: dict[str, tuple[int, Callable[[Path], None], str]] = {
    "empty": (1, empty, "empty"),
    "text": (1, text, ""),
    "folder": (2, Path.mkdir, "is a folder"),
    "missing": (2, lambda path: None, "does not exist"),
    "fifo": (2, fifo, "is not a file"),
    "dangling": (2, dangling, ""),
    "loop": (2, loop, ""),
    "playlist": (1, playlist, ""),
}


@pytest.mark.parametrize("place", ["video", "audio"])
@pytest.mark.parametrize("kind", BAD)
def test_a_file_that_is_no_media(kind: str, place: str, avpipe: CommandLine) -> None:
    (code, make, words) = BAD[kind]
    bad = avpipe.folder / "bad.mp4"
    make(bad)
    pair = (bad, SOUND) if place == "video" else (VIDEO, bad)
    error = refused(avpipe, code, *pair)
    assert "bad.mp4" in error
    assert words in error


def test_sound_given_as_the_video_and_no_sound_as_the_audio(
    avpipe: CommandLine, media: Path
) -> None:
    assert "has no picture" in refused(avpipe, 2, SOUND, SOUND)
    assert "has no sound" in refused(avpipe, 2, VIDEO, media / "silent.mp4")
    swapped = avpipe("merge", *STARTS, SOUND, VIDEO)
    assert swapped.code == 2
    assert "hint: give the video first and the audio second" in swapped.err


TRUNCATED = [
    *((name, share) for name in CUT_VIDEOS for share in (0.02, 0.3, 0.9)),
    *((name, share) for name in CUT_SOUNDS for share in (0.01, 0.5)),
]


def cut(media: Path, folder: Path, name: str, share: float) -> str:
    """The name of a file that holds only a part of another."""
    whole = (media / name).read_bytes()
    (folder / f"{share}-{name}").write_bytes(whole[: int(len(whole) * share)])
    return f"{share}-{name}"


def test_truncated_files_are_told_wherever_they_are_cut(avpipe: CommandLine, media: Path) -> None:
    paths = [cut(media, avpipe.folder, name, share) for name, share in TRUNCATED]
    ran = avpipe("probe", "--json", *paths)
    assert ran.code == 1
    assert [entry["path"] for entry in ran.json["files"] if entry["supported"]] == []
    assert len(ran.json["files"]) == len(paths)


@pytest.mark.parametrize("name", CUT_VIDEOS)
def test_a_truncated_video(name: str, avpipe: CommandLine, media: Path) -> None:
    path = cut(media, avpipe.folder, name, 0.7)
    assert path in refused(avpipe, 1, path, SOUND)


@pytest.mark.parametrize("name", CUT_SOUNDS)
def test_a_truncated_sound(name: str, avpipe: CommandLine, media: Path) -> None:
    path = cut(media, avpipe.folder, name, 0.7)
    assert path in refused(avpipe, 1, VIDEO, path)


def test_files_of_no_length(avpipe: CommandLine) -> None:
    header = (avpipe.folder / SOUND).read_bytes()[:44]
    assert header[36:40] == b"data" or b"LIST" in header
    riff = b"RIFF" + (36).to_bytes(4, "little") + header[8:36] + b"data" + bytes(4)
    (avpipe.folder / "none.wav").write_bytes(riff)
    assert "none.wav" in refused(avpipe, 1, VIDEO, "none.wav")


@NEEDED
def test_real_bad_files(avpipe: CommandLine) -> None:
    """Each is one entry, of which the readable ones say what they lack; one command, one crash."""
    paths = sorted(REAL.iterdir())
    ran = avpipe("probe", "--json", *paths)
    assert ran.code == 1
    entries = {Path(entry["path"]).name: entry for entry in ran.json["files"]}
    assert set(entries) == {path.name for path in paths}
    readable = {name for name, entry in entries.items() if entry["supported"]}
    assert {"audio_only.mp4", "video_only.mp4", "avi_named.mp4"} <= readable
    for name, entry in entries.items():
        errors = [p for p in entry["problems"] if p["severity"] == "error"]
        assert bool(errors) == (name not in readable)


@NEEDED
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("audio_only.mp4", 2),
        ("bogus.wav", 1),
        ("broken_header.mp4", 1),
        ("corrupt.mkv", 1),
        ("empty.flv", 1),
        ("nostreams.mp4", 1),
        ("partial_file.mp4", 1),
        ("text_named.mp4", 1),
        ("truncated.mkv", 1),
        ("zero_bytes.wav", 1),
    ],
)
def test_a_real_bad_file_as_the_video(name: str, code: int, avpipe: CommandLine) -> None:
    assert name in refused(avpipe, code, REAL / name, SOUND)


@NEEDED
def test_real_files_that_only_look_bad(avpipe: CommandLine) -> None:
    assert "has no sound" in refused(avpipe, 2, VIDEO, REAL / "video_only.mp4")
    for video in ("avi_named.mp4", "end_of_file.mp4"):  # all five frames of the second are there
        avpipe(
            "merge", *STARTS, REAL / video, REAL / "audio_only.mp4", "-o", f"made-{video}"
        ).assert_done()


ODD = [
    b"new\nline.mp4", b"-x.mp4", b"-y", b"a:b.mp4", b"http:x.mp4", b"file:x.mp4", b"%d-%03d.mp4",
    b"it's \"quoted\" [a],b;c=d\\e'.mp4", b"  two  spaces .mp4", "Zoë – 日本語 🎬.mp4".encode(),
    b"\xff\xfe not UTF-8.mp4", b"tab\t\x1b[31mred.mp4", b"*?{a,b}$HOME`id`.mp4",
    b"x" * 251 + b".mp4",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD, ids=[ascii(name)[2:30] for name in ODD])
def test_files_of_odd_names_are_merged(name: bytes, avpipe: CommandLine, media: Path) -> None:
    folder = os.fsencode(avpipe.folder)
    sound = name[:200] + b".m4a"
    shutil.copyfile(avpipe.folder / VIDEO, os.path.join(folder, name))
    shutil.copyfile(media / "sound.m4a", os.path.join(folder, sound))
    output = name[:240] + b".mp4"
    ran = avpipe("merge", *STARTS, "--json", b"-o" + output, "--", name, sound)
    assert (ran.code, ran.err) == (0, "")
    done = ran.events[-1]
    assert os.fsencode(done["output"]["path"]) == os.path.join(folder, output)
    assert (avpipe.folder / os.fsdecode(output)).stat().st_size == done["output"]["size_bytes"]


def test_odd_names_are_told_in_lines_that_any_terminal_takes(avpipe: CommandLine) -> None:
    folder = os.fsencode(avpipe.folder)
    for name in ODD:
        shutil.copyfile(avpipe.folder / VIDEO, os.path.join(folder, name))
    for line in (avpipe, avpipe.with_env(PYTHONIOENCODING="ascii")):
        found = line("probe", "--", *ODD)
        assert (found.code, found.err) == (0, "")
        missing = line("probe", "--", *(name[:200] + b"-not-there" for name in ODD))
        missing.assert_tidy()
        assert (missing.code, missing.out) == (2, "")
        assert len(missing.err.splitlines()) == len(ODD)
        lines = (found.out + missing.err).splitlines()
        assert all(line.isprintable() for line in lines)
        assert sum(not line.startswith(" ") for line in found.out.splitlines()) >= len(ODD) - 1
    found = avpipe("probe", "--json", "--", *ODD)
    paths = [os.fsencode(entry["path"]) for entry in found.json["files"]]
    assert paths == [os.path.join(folder, name) for name in ODD]


def test_a_name_of_two_lines_is_told_in_one(avpipe: CommandLine, media: Path) -> None:
    shutil.copyfile(media / "silent.mp4", avpipe.folder / "silent.mp4")
    shutil.copyfile(avpipe.folder / SOUND, avpipe.folder / "two\nlines.wav")
    said = r"two\nlines.wav is lined up with the video by their starts"
    for command in ("plan", "merge"):
        ran = avpipe(command, "silent.mp4", "two\nlines.wav")
        (note,) = (line for line in (ran.out + ran.err).splitlines() if line.startswith("note:"))
        assert said in note


def test_a_name_that_starts_with_a_dash_needs_no_folder_before_it(avpipe: CommandLine) -> None:
    shutil.copyfile(avpipe.folder / VIDEO, avpipe.folder / "-x.mp4")
    assert avpipe("merge", *STARTS, "--", "-x.mp4", SOUND).code == 0
    assert (avpipe.folder / "-x.merged.mp4").is_file()
    assert avpipe("merge", *STARTS, "./-x.mp4", SOUND, "-o", "./-y.mp4").code == 0


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("nowhere/out.mp4", "the folder {0}/nowhere does not exist"),
        (f"{VIDEO}/out.mp4", "the folder {0}/video.mp4 does not exist"),
        ("folder.mp4", "the output {0}/folder.mp4 is a folder"),
        ("folder.mp4/", "the output {0}/folder.mp4 is a folder"),
        (".", "the output {0} is a folder"),
        ("out.mkv", "the output {0}/out.mkv is not named as an MP4"),
        ("out", "the output {0}/out is not named as an MP4"),
        (VIDEO, "the output {0}/video.mp4 is the input {0}/video.mp4"),
        (f"../work/{VIDEO}", "the output {0}/video.mp4 is the input {0}/video.mp4"),
        ("hard.mp4", "the output {0}/hard.mp4 is the input {0}/video.mp4"),
        ("soft.mp4", "the output {0}/soft.mp4 is the input {0}/video.mp4"),
        ("there.mp4", "{0}/there.mp4 exists"),
        ("dangling.mp4", "{0}/dangling.mp4 exists"),
        ("y" * 252 + ".mp4", "cannot be made: File name too long"),
    ],
)
def test_outputs_that_must_not_be_written(output: str, words: str, avpipe: CommandLine) -> None:
    folder = avpipe.folder
    (folder / "folder.mp4").mkdir()
    (folder / "hard.mp4").hardlink_to(folder / VIDEO)
    (folder / "soft.mp4").symlink_to(VIDEO)
    (folder / "dangling.mp4").symlink_to("nowhere")
    (folder / "there.mp4").write_bytes(b"there")
    assert words.format(folder) in refused(avpipe, 2, VIDEO, SOUND, "-o", output)
    if "is the input" in words:
        assert words.format(folder) in refused(avpipe, 2, VIDEO, SOUND, "-y", "-o", output)


def test_overwriting_replaces_the_name_and_nothing_else(avpipe: CommandLine) -> None:
    target = avpipe.folder / "target.mp4"
    target.write_bytes(b"theirs")
    (avpipe.folder / "link.mp4").symlink_to(target.name)
    (avpipe.folder / "there.mp4").write_bytes(b"old")
    avpipe("merge", *STARTS, VIDEO, SOUND, "-o", "there.mp4", "-y").assert_done()
    avpipe("merge", *STARTS, VIDEO, SOUND, "-o", "link.mp4", "--overwrite").assert_done()
    assert (avpipe.folder / "there.mp4").stat().st_size > 1000
    assert target.read_bytes() == b"theirs"


def test_an_output_name_as_long_as_names_may_be(avpipe: CommandLine) -> None:
    name = "z" * 251 + ".mp4"
    avpipe("merge", *STARTS, VIDEO, SOUND, "-o", name).assert_done()
    assert names(avpipe.folder) == {VIDEO, SOUND, name}


def test_a_folder_that_may_not_be_written(avpipe: CommandLine) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere (test_durability has a read-only disk for that)")
    locked = avpipe.folder / "locked"
    locked.mkdir(mode=0o555)
    assert "cannot be written" in refused(avpipe, 2, VIDEO, SOUND, "-o", "locked/out.mp4")
