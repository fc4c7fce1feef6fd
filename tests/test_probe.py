"""Facts of files whose truth is known: made here, or real recordings described beside them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import wave
import zlib
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import pytest
from PIL import Image

from avpipe import jsonform
from avpipe.codecs import pictures
from avpipe.codecs.frame_rate import measure
from avpipe.codecs.packet_read import Deadline, OutOfTimeError
from avpipe.codecs.probe import probe
from avpipe.errors import InputMissingError, TruncatedError
from avpipe.media import Hdr, MediaInfo, PictureKind, Severity

MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media"
SINE = "sine=frequency=440:sample_rate=48000:duration=2.345"
SAMPLES = 112560
TV = "testsrc2=size=160x120:rate=30000/1001:duration=2"
NTSC = Fraction(30000, 1001)
TWO_SECONDS = Fraction(60 * 1001, 30000)


def ffmpeg(*arguments: str | Path) -> None:
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def encode(target: Path, *options: str, sources: tuple[str, ...] = (TV,)) -> Path:
    inputs = [word for source in sources for word in ("-f", "lavfi", "-i", source)]
    ffmpeg(*inputs, *options, f"file:{target}")
    return target


def codes(info: MediaInfo) -> set[str]:
    return {problem.code for problem in info.problems}


def errors(info: MediaInfo) -> set[str]:
    return {problem.code for problem in info.problems if problem.severity is Severity.ERROR}


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of H.264 with B-frames, and sound, in an MP4."""
    target = tmp_path_factory.mktemp("movie") / "movie.mp4"
    return encode(target, "-c:v", "libx264", "-bf", "2", "-c:a", "aac", sources=(TV, SINE))


@pytest.fixture(scope="module")
def matroska(movie: Path) -> Path:
    target = movie.with_suffix(".mkv")
    ffmpeg("-i", movie, "-c", "copy", target)
    return target


# Containers


@pytest.mark.parametrize(
    ("name", "container", "options"),
    [
        ("v.mp4", "mov", "-c:v libx264 -bf 2"),
        ("edit.mp4", "mov", "-c:v libx264 -bf 2 -use_editlist 0"),
        ("fragments.mp4", "mov", "-c:v libx264 -g 10 -movflags frag_keyframe+empty_moov"),
        ("v.mov", "mov", "-c:v prores"),
        ("v.3gp", "mov", "-c:v libx264"),
        ("v.mkv", "matroska", "-c:v libx264"),
        ("v.webm", "matroska", "-c:v libvpx -cpu-used 8"),
        ("v.avi", "avi", "-c:v mpeg4"),
        ("b.avi", "avi", "-c:v mpeg4 -bf 2"),
        ("v.ts", "mpegts", "-c:v libx264"),
        ("v.m2ts", "mpegts", "-c:v libx264"),
        ("v.mpg", "mpeg", "-c:v mpeg2video"),
        ("v.flv", "flv", "-c:v libx264"),
        ("v.wmv", "asf", "-c:v wmv2"),
        ("v.mxf", "mxf", "-c:v mpeg2video"),
        ("v.ogv", "ogg", "-c:v libtheora"),
    ],
)
def test_every_video_container_tells_the_same(
    tmp_path: Path, name: str, container: str, options: str
) -> None:
    info = probe(str(encode(tmp_path / name, *options.split())))
    (video,) = info.video
    assert info.supported
    assert info.container == container
    assert errors(info) == set()
    assert (video.width, video.height, video.packets) == (160, 120, 60)
    assert (video.frame_rate, video.variable_frame_rate) == (NTSC, False)
    assert video.duration is not None
    assert abs(video.duration - TWO_SECONDS) < Fraction(1, 1000)
    assert video.dts_rises
    assert video.interlaced is False
    assert jsonform.loads(MediaInfo, jsonform.dumps(info)) == info


@pytest.mark.parametrize(
    ("name", "options", "samples"),
    [
        ("w.wav", "", SAMPLES),
        ("w.w64", "", SAMPLES),
        ("w.aiff", "", SAMPLES),
        ("w.au", "", SAMPLES),
        ("w.caf", "", SAMPLES),
        ("w.mov", "-c:a pcm_s16le", SAMPLES),
        ("w.avi", "-c:a pcm_s16le", SAMPLES),
        ("f.flac", "", SAMPLES),
        ("f.mkv", "-c:a flac", SAMPLES),
        ("f.ogg", "-c:a flac", SAMPLES),
        ("a.m4a", "-c:a aac", SAMPLES),
        ("m.mp4", "-c:a libmp3lame", SAMPLES),
        ("m.mp3", "", SAMPLES),
        ("m.mkv", "-c:a libmp3lame", SAMPLES),
        ("bare.mp3", "-write_xing 0", 99 * 1152),
        ("a.aac", "", 111 * 1024),
        ("a.mkv", "-c:a aac", 110 * 1024),
        ("a.ts", "-c:a aac", 111 * 1024),
        ("o.opus", "", SAMPLES),
        ("o.mkv", "-c:a libopus", SAMPLES),
        ("o.mp4", "-c:a libopus", SAMPLES),
        ("v.ogg", "-c:a libvorbis", SAMPLES),
        ("v.mkv", "-c:a libvorbis", SAMPLES),
        ("a.ac3", "", 74 * 1536),
    ],
)
def test_sound_is_as_long_as_what_is_heard(
    tmp_path: Path, name: str, options: str, samples: int
) -> None:
    info = probe(str(encode(tmp_path / name, *options.split(), sources=(SINE,))))
    (audio,) = info.audio
    assert info.supported
    assert codes(info) == {"no_video_stream"}
    assert audio.duration is not None
    exact = audio.time_base * 48000 <= 1
    assert abs(audio.duration * 48000 - samples) <= (0 if exact else 24)
    assert audio.gaps is False
    assert info.duration == audio.duration


def test_start_of_sound_is_the_files_own(tmp_path: Path) -> None:
    info = probe(str(encode(tmp_path / "m.mp3", sources=(SINE,))))
    assert info.start == Fraction(1105, 48000)  # LAME's delay, which is left out all the same


# Time lines


def test_edit_list_moves_the_start_and_hides_frames(tmp_path: Path, movie: Path) -> None:
    cut = tmp_path / "cut.mp4"
    ffmpeg("-ss", "0.5", "-i", movie, "-c", "copy", cut)
    (video,) = probe(str(cut)).video
    with av.open(str(cut)) as container:
        shown = [frame.pts for frame in container.decode(video=0) if frame.pts is not None]
    with av.open(str(cut)) as container:
        packets = sum(1 for packet in container.demux(video=0) if packet.size)
    assert video.packets == packets
    assert packets > len(shown)
    assert video.start_pts == min(shown)
    assert video.duration_ts is not None
    assert video.last_frame_ts is not None
    assert video.start_pts + video.duration_ts == max(shown) + video.last_frame_ts


def test_late_sound_starts_late(tmp_path: Path, movie: Path) -> None:
    late = tmp_path / "late.mkv"
    ffmpeg("-i", movie, "-itsoffset", "0.5", "-i", movie, "-map", "0:v", "-map", "1:a",
           "-c:v", "copy", "-c:a", "flac", late)  # fmt: skip
    info = probe(str(late))
    assert info.video[0].start == 0
    assert info.audio[0].start_s == pytest.approx(0.5, abs=0.001)
    assert info.duration_s == pytest.approx(2.845, abs=0.002)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_variable_rate_is_told_with_its_average(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"vfr.{suffix}"
    encode(
        target,
        *("-vf", "select='not(between(n,20,30))'", "-fps_mode", "vfr", "-c:v", "libx264"),
        sources=("testsrc2=size=160x120:rate=25:duration=4",),
    )
    info = probe(str(target))
    assert info.video[0].variable_frame_rate is True
    assert info.problem("variable_frame_rate") is not None
    assert info.video[0].packets == 89
    assert info.video[0].frame_rate == pytest.approx(Fraction(89, 4), rel=0.001)


@pytest.mark.parametrize(
    "rate", ["24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60", "12", "15"]
)
@pytest.mark.parametrize("ticks", [600, 1000, 90000, 15360])
def test_nominal_rate_survives_rounded_stamps(rate: str, ticks: int) -> None:
    truth = Fraction(rate)
    times = [round(count / truth * ticks) for count in range(400)]
    rhythm = measure([times], Fraction(1, ticks))
    assert (rhythm.rate, rhythm.variable) == (truth, False)


def test_a_dropped_frame_makes_the_rate_variable() -> None:
    times = [count * 20 for count in range(100) if count != 50]
    assert measure([times], Fraction(1, 600)).variable is True


def test_a_changed_rate_is_variable() -> None:
    times = [*range(0, 40_000, 400), *range(40_000, 80_000, 392)]
    assert measure([times], Fraction(1, 10_000)).variable is True


def test_sound_with_a_hole_has_gaps(tmp_path: Path) -> None:
    whole = encode(tmp_path / "whole.mkv", "-c:a", "aac", sources=(SINE,))
    torn = tmp_path / "torn.mkv"
    ffmpeg("-i", whole, "-c", "copy", "-bsf:a", "noise=drop='between(n,40,45)'", torn)
    assert probe(str(whole)).audio[0].gaps is False
    assert probe(str(torn)).audio[0].gaps is True


def test_lengths_apart_are_told(tmp_path: Path) -> None:
    target = encode(tmp_path / "apart.mp4", "-c:v", "mpeg4", "-c:a", "aac",
                    sources=(TV, "sine=duration=4"))  # fmt: skip
    assert "lengths_apart" in codes(probe(str(target)))


# Traits


@pytest.mark.parametrize(("stored", "clockwise"), [(90, 270), (180, 180), (270, 90), (0, 0)])
def test_rotation_is_clockwise(tmp_path: Path, movie: Path, stored: int, clockwise: int) -> None:
    target = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", str(stored), "-i", movie, "-c", "copy", target)
    assert probe(str(target)).video[0].rotation_deg == clockwise


@pytest.mark.parametrize(
    ("transfer", "hdr"), [("smpte2084", Hdr.PQ), ("arib-std-b67", Hdr.HLG), ("bt709", None)]
)
def test_hdr_is_told_by_its_transfer(tmp_path: Path, transfer: str, hdr: Hdr | None) -> None:
    target = encode(
        tmp_path / "hdr.mp4",
        *("-c:v", "libx265", "-x265-params", "log-level=none", "-pix_fmt", "yuv420p10le"),
        "-vf",
        f"setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range=tv",
        *("-frames:v", "5"),
    )
    info = probe(str(target))
    (video,) = info.video
    assert video.hdr is hdr
    assert (info.problem("hdr") is not None) == (hdr is not None)
    assert video.pixel_format == "yuv420p10le"
    assert (video.color_primaries, video.color_transfer) == ("bt2020", transfer)
    assert (video.color_matrix, video.color_range) == ("bt2020nc", "tv")


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_interlaced_is_told(tmp_path: Path, codec: str) -> None:
    target = encode(tmp_path / "i.mkv", "-vf", "setfield=tff", "-c:v", codec,
                    "-flags", "+ildct+ilme")  # fmt: skip
    info = probe(str(target))
    assert info.video[0].interlaced is True
    assert "interlaced" in codes(info)


def test_best_stream_comes_first_and_cover_art_is_no_video(tmp_path: Path) -> None:
    cover = tmp_path / "cover.png"
    Image.new("RGB", (900, 900), "red").save(cover)
    target = tmp_path / "two.mp4"
    ffmpeg("-f", "lavfi", "-i", TV, "-f", "lavfi", "-i", TV.replace("160x120", "320x240"),
           "-f", "lavfi", "-i", SINE, "-i", cover, "-map", "0", "-map", "1", "-map", "2",
           "-map", "3", "-c:v", "mpeg4", "-c:v:2", "png", "-disposition:v:0", "0",
           "-disposition:v:1", "default",
           "-disposition:v:2", "attached_pic", "-c:a", "aac", target)  # fmt: skip
    info = probe(str(target))
    assert [video.width for video in info.video] == [320, 160]
    assert info.video[0].index == 1


def test_tags_chapters_and_subtitles(tmp_path: Path, movie: Path) -> None:
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n", encoding="utf-8")
    marks = tmp_path / "marks.txt"
    marks.write_text(
        ";FFMETADATA1\ntitle=Ein Titel\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=900\n"
        "title=One\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=900\nEND=2000\ntitle=Two\n",
        encoding="utf-8",
    )
    target = tmp_path / "rich.mp4"
    ffmpeg("-i", movie, "-i", words, "-i", marks, "-map", "0", "-map", "1", "-map_metadata", "2",
           "-c", "copy", "-c:s", "mov_text", "-metadata:s:s:0", "language=deu",
           target)  # fmt: skip
    info = probe(str(target))
    assert info.metadata["title"] == "Ein Titel"
    assert info.chapters == 2
    (subtitle,) = info.subtitles
    assert (subtitle.codec, subtitle.language, subtitle.text) == ("mov_text", "deu", True)


# Bad files


@pytest.mark.parametrize("kind", ["mp4", "wav"])
def test_a_file_that_is_slow_to_read_has_no_figures(tmp_path: Path, movie: Path, kind: str) -> None:
    target = movie if kind == "mp4" else encode(tmp_path / "long.wav", sources=(SINE,))
    info = probe(str(target), time_limit_s=0)
    assert (info.supported, errors(info)) == (False, {"not_read_whole"})


def test_a_machine_that_stood_still_is_no_slow_file() -> None:
    moments = iter([0.0, 0.1, 3600.0, 3601.9, 3602.5])
    deadline = Deadline(left_s=2.5, clock=lambda: next(moments))
    for _ in range(3):
        deadline.check()
    with pytest.raises(OutOfTimeError):
        deadline.check()


def test_missing_file_and_folder_are_requests_gone_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError):
        probe(str(tmp_path / "none.mp4"))
    with pytest.raises(InputMissingError):
        probe(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"hello, this is text\n" * 40, "unreadable"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{movie}\n#EXT-X-ENDLIST\n",
         "unsupported_format"),
        (b"ffconcat version 1.0\nfile '{movie}'\n", "unsupported_format"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\xbb\x00\x00"
         b"\x00\x77\x01\x00\x02\x00\x10\x00data\x00\x00\x00\x00", "empty"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["a.mp4", "a.m3u8"])
def test_files_that_are_no_media(
    tmp_path: Path, movie: Path, content: bytes, code: str, name: str
) -> None:
    target = tmp_path / name
    target.write_bytes(content.replace(b"{movie}", os.fsencode(movie)))
    info = probe(str(target))
    assert not info.supported
    assert errors(info) == {code}


def test_a_cut_transport_stream_is_used_and_told(tmp_path: Path, movie: Path) -> None:
    """It may end anywhere and tells no length, but its packets are of one size."""
    whole = tmp_path / "whole.ts"
    ffmpeg("-i", movie, "-c", "copy", whole)
    assert probe(str(whole)).problem("truncated") is None
    whole.write_bytes(whole.read_bytes()[:-100])
    info = probe(str(whole))
    assert info.supported
    problem = info.problem("truncated")
    assert problem is not None
    assert problem.severity is Severity.WARNING


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("kind", ["mp4", "faststart", "mkv", "wav", "avi", "mp3", "aiff", "flv"])
def test_truncated_files_are_told(tmp_path: Path, movie: Path, kind: str, kept: float) -> None:
    whole = tmp_path / f"whole.{kind.replace('faststart', 'mp4')}"
    options: dict[str, tuple[str, ...]] = {
        "mp4": ("-c", "copy"), "mkv": ("-c", "copy"), "flv": ("-c", "copy"),
        "faststart": ("-c", "copy", "-movflags", "+faststart"),
        "avi": ("-c:v", "mpeg4", "-c:a", "pcm_s16le"),
    }  # fmt: skip
    ffmpeg("-i", movie, *options.get(kind, ("-vn",)), whole)
    assert probe(str(whole)).supported
    data = whole.read_bytes()
    whole.write_bytes(data[: int(len(data) * kept)])
    info = probe(str(whole))
    assert not info.supported
    assert errors(info) == {"truncated"}


@pytest.mark.parametrize("size", [b"\x00\x00\x00\x00", b"\xff\xff\xff\xff"])
def test_streamed_wav_without_a_size_is_whole(tmp_path: Path, size: bytes) -> None:
    target = encode(tmp_path / "s.wav", "-bitexact", sources=(SINE,))
    data = target.read_bytes()
    place = data.index(b"data") + 4
    target.write_bytes(data[:4] + size + data[8:place] + size + data[place + 4 :])
    info = probe(str(target))
    assert info.supported
    assert info.duration == Fraction(SAMPLES, 48000)


def test_dts_in_a_wav_that_says_pcm_is_dts(tmp_path: Path) -> None:
    """Little of a WAV is looked into, and that is enough, after some silence too."""
    sound = encode(
        *(tmp_path / "s.dts", "-c:a", "dca", "-strict", "-2", "-ac", "2", "-b:a", "768k"),
        sources=(SINE,),
    ).read_bytes()
    target = encode(tmp_path / "s.wav", "-ac", "2", "-bitexact", sources=(SINE,))
    head = target.read_bytes()[:44]
    words = bytearray(len(sound))
    words[0::2], words[1::2] = sound[1::2], sound[0::2]
    for lead in (0, 40_000):
        target.write_bytes(head + bytes(lead) + words)
        assert probe(str(target)).audio[0].codec == "dts"


def _patch_duration(path: Path, box: bytes, value: int) -> None:
    data = bytearray(path.read_bytes())
    place = data.index(box) + 4
    assert data[place] == 0
    offset = {b"mvhd": 16, b"mdhd": 16, b"tkhd": 20}[box]
    data[place + offset : place + offset + 4] = value.to_bytes(4, "big")
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("box", [b"mvhd", b"tkhd", b"mdhd"])
@pytest.mark.parametrize("value", [0xFFFFFFF0, 1])
def test_absurd_mp4_headers_are_not_believed(tmp_path: Path, box: bytes, value: int) -> None:
    target = encode(tmp_path / "absurd.mp4", "-c:v", "libx264", "-bf", "0")
    _patch_duration(target, box, value)
    info = probe(str(target))
    assert info.supported
    assert info.duration == TWO_SECONDS


def test_absurd_matroska_header_is_not_believed(tmp_path: Path, matroska: Path) -> None:
    target = tmp_path / "absurd.mkv"
    data = bytearray(matroska.read_bytes())
    place = data.index(b"\x44\x89\x88") + 3  # Duration, a double of eight bytes
    data[place : place + 8] = b"\x41\xa1\x11\x11\x11\x11\x11\x11"
    target.write_bytes(bytes(data))
    info = probe(str(target))
    assert info.supported
    assert info.duration_s == pytest.approx(2.345, abs=0.003)


def test_time_that_runs_backwards_is_told(tmp_path: Path, matroska: Path) -> None:
    """Clusters in the wrong order."""
    whole = tmp_path / "clusters.mkv"
    ffmpeg("-i", matroska, "-map", "0:v", "-c", "copy", "-cluster_time_limit", "500",
           "-live", "1", "-f", "matroska", whole)  # fmt: skip
    data = whole.read_bytes()
    marks = [match.start() for match in re.finditer(b"\x1f\x43\xb6\x75", data)]
    assert len(marks) > 2
    whole.write_bytes(data[: marks[0]] + data[marks[1] : marks[2]] + data[marks[0] : marks[1]]
                      + data[marks[2] :])  # fmt: skip
    info = probe(str(whole))
    assert "non_monotonic_dts" in codes(info)
    assert info.video[0].dts_rises is False


# Names


@pytest.mark.parametrize(
    "name",
    ["-i.mp4", "a:b.mp4", "http:x.mp4", "100%d.mp4", "two\nlines.mp4", "'q\"`$.mp4", "é日本🎬.mp4",
     " .mp4", "#EXT?.mp4", "back\\slash.mp4", os.fsdecode(b"latin-\xe9.mp4")],
)  # fmt: skip
def test_any_name_works(
    tmp_path: Path, movie: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(movie.read_bytes())
    info = probe(name)
    assert info.supported
    assert info.path == str(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "codec"), [("ac3", "ac3"), ("eac3", "eac3"), ("dts", "dca"), ("mp2", "mp2")]
)
def test_what_a_wav_calls_samples_may_be_coded(name: str, codec: str, tmp_path: Path) -> None:
    """Frames as large as they come, so that there are few of them in a packet."""
    rate = {"ac3": "640k", "eac3": "640k", "dts": "1536k", "mp2": "384k"}[name]
    options = ("-ar", "48000", "-ac", "2", "-c:a", codec, "-strict", "-2", "-b:a", rate)
    coded = encode(tmp_path / f"coded.{name}", *options, sources=(SINE,)).read_bytes()
    target = tmp_path / "a.wav"
    with wave.open(str(target), "wb") as file:
        file.setparams((2, 2, 48000, 0, "NONE", "NONE"))
        file.writeframes(coded[: len(coded) // 4 * 4])
    (audio,) = probe(str(target)).audio
    assert audio.codec == name


@pytest.mark.parametrize("silent_s", [0, 1])
def test_dts_in_a_wav_that_calls_it_samples(tmp_path: Path, silent_s: int) -> None:
    """As from a disc, where what is silent stands before the first frame."""
    options = [
        "-ac",
        "2",
        "-ar",
        "44100",
        "-c:a",
        "dca",
        "-strict",
        "-2",
        "-b:a",
        "1411200",
        "-f",
        "dts",
    ]
    coded = encode(tmp_path / "coded.dts", *options, sources=(SINE,)).read_bytes()
    target = tmp_path / "disc.wav"
    with wave.open(str(target), "wb") as file:
        file.setparams((2, 2, 44100, 0, "NONE", "NONE"))
        file.writeframes(bytes(4 * 44100 * silent_s) + coded[: len(coded) // 4 * 4])
    (audio,) = probe(str(target)).audio
    assert audio.codec == "dts"


# Speed


def _sparse_mp4(path: Path, frames: int) -> None:
    """An MP4 of that many frames whose media are mostly a hole in the file."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        picture = av.VideoFrame(64, 64, "yuv420p")
        (first,) = stream.encode(picture) or stream.encode(None)
        body = bytes(first)
        for count in range(frames):
            packet = av.Packet(body + bytes(200))
            packet.stream, packet.time_base = stream, Fraction(1, 30)
            packet.pts = packet.dts = count
            packet.duration, packet.is_keyframe = 1, True
            container.mux(packet)


def test_an_hour_of_mp4_is_not_read_whole(tmp_path: Path) -> None:
    target = tmp_path / "hour.mp4"
    _sparse_mp4(target, 30 * 3600)
    assert target.stat().st_size > 25_000_000
    script = (
        "import sys\nfrom avpipe.codecs.probe import probe\n"
        "read = lambda: int(open('/proc/self/io').read().split()[1])\n"
        "before = read()\ninfo = probe(sys.argv[1])\n"
        "print(read() - before, info.duration, info.video[0].packets, info.supported)"
    )
    if not Path("/proc/self/io").exists():
        pytest.skip("bytes read are counted by Linux only")
    run = subprocess.run([sys.executable, "-c", script, target], check=True, capture_output=True)
    read, duration, packets, supported = run.stdout.split()
    index = 8 * 30 * 3600  # sizes and places, four bytes each
    assert int(read) < index + 500_000
    assert (duration, packets, supported) == (b"3600", b"108000", b"True")


def test_a_large_matroska_is_seen_in_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = encode(
        tmp_path / "long.mkv",
        *("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "50", "-c:a", "libmp3lame"),
        sources=("testsrc2=size=64x48:rate=25:duration=90", "sine=duration=90"),
    )
    whole = probe(str(target))
    monkeypatch.setattr("avpipe.codecs.packet_read.SCAN_LIMIT", 1000)
    seen = probe(str(target))
    assert seen.supported
    assert seen.video[0].packets is None
    assert seen.video[0].dts_rises is None
    assert seen.video[0].duration == whole.video[0].duration
    assert seen.video[0].start_pts == whole.video[0].start_pts
    assert (seen.video[0].frame_rate, seen.video[0].variable_frame_rate) == (25, False)
    assert seen.duration_s == pytest.approx(whole.duration_s, abs=0.002)


def test_only_av_is_imported() -> None:
    script = "import sys, avpipe.codecs.probe\nprint('numpy' in sys.modules, 'PIL' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    assert run.stdout.split() == [b"False", b"False"]


# Pictures


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif"])
def test_still_pictures(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"named.{suffix}.mp4"
    Image.new("RGB", (40, 30), "blue").save(target, format=suffix.replace("jpg", "jpeg"))
    info = probe(str(target))
    assert info.supported
    assert info.picture is PictureKind.STILL
    assert info.container == suffix.replace("jpg", "jpeg")
    assert info.duration is None
    assert (info.video[0].width, info.video[0].height) == (40, 30)
    ((frame, _),) = pictures.frames(str(target))
    assert (frame.mode, frame.size) == ("RGB", (40, 30))


@pytest.mark.parametrize(
    ("orientation", "turn"), [(1, 0), (2, 0), (3, 180), (4, 180), (5, 90), (6, 90), (8, 270)]
)
def test_exif_orientation(tmp_path: Path, orientation: int, turn: int) -> None:
    target = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.new("RGB", (40, 32), "black")
    picture.paste("white", (0, 0, 8, 8))
    picture.save(target, exif=exif)
    info = probe(str(target))
    assert info.video[0].rotation_deg == turn
    assert (info.problem("mirrored") is not None) == (orientation in (2, 4, 5))
    ((frame, _),) = pictures.frames(str(target))
    assert frame.size == info.video[0].upright_size
    corners = {1: (2, 2), 2: (37, 2), 3: (37, 29), 4: (2, 29), 5: (2, 2), 6: (29, 2), 8: (2, 37)}
    assert frame.getpixel(corners[orientation])[0] > 200  # type: ignore[index]


def _animation(path: Path, stands: list[int], **options: object) -> Path:
    colors = ("red", "green", "blue", "white", "gray")
    first, *rest = [Image.new("RGBA", (20, 10), color) for color in colors[: len(stands)]]
    first.save(path, save_all=True, append_images=rest, duration=stands, loop=0, **options)
    return path


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_animations(tmp_path: Path, suffix: str) -> None:
    target = _animation(tmp_path / f"a.{suffix}", [100, 200, 300], lossless=True)
    info = probe(str(target))
    assert info.picture is PictureKind.ANIMATION
    assert info.duration == Fraction(6, 10)
    assert info.video[0].frame_rate == 5
    assert info.video[0].variable_frame_rate is True
    assert info.video[0].packets == 3
    shown = list(pictures.frames(str(target)))
    assert [stand for _, stand in shown] == [Fraction(n, 10) for n in (1, 2, 3)]
    assert shown[0][0].getpixel((5, 5)) == (255, 0, 0)


def test_hasty_frames_stand_as_in_browsers(tmp_path: Path) -> None:
    info = probe(str(_animation(tmp_path / "fast.gif", [0, 10, 20])))
    assert info.duration == Fraction(22, 100)


def test_transparent_is_black_and_cmyk_is_rgb(tmp_path: Path) -> None:
    clear = tmp_path / "clear.png"
    Image.new("RGBA", (4, 4), (255, 255, 255, 0)).save(clear)
    ((frame, _),) = pictures.frames(str(clear))
    assert frame.getpixel((0, 0)) == (0, 0, 0)
    print_ = tmp_path / "print.jpg"
    Image.new("CMYK", (8, 8), (0, 0, 0, 0)).save(print_)
    ((frame, _),) = pictures.frames(str(print_))
    assert frame.mode == "RGB"
    deep = tmp_path / "deep.png"
    Image.new("I;16", (4, 4), 0x8000).save(deep)
    ((frame, _),) = pictures.frames(str(deep))
    assert frame.getpixel((0, 0)) == (128, 128, 128)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif"])
def test_truncated_pictures(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"cut.{suffix}"
    Image.effect_noise((200, 200), 60).convert("RGB").save(target)
    data = target.read_bytes()
    target.write_bytes(data[: len(data) // 2])
    info = probe(str(target))
    assert not info.supported
    assert errors(info) == {"truncated"}
    with pytest.raises(TruncatedError):
        list(pictures.frames(str(target)))


def test_unknown_coding_is_told(tmp_path: Path, movie: Path) -> None:
    target = tmp_path / "unknown.mp4"
    target.write_bytes(movie.read_bytes().replace(b"avc1", b"zzzz").replace(b"avcC", b"zzzC"))
    info = probe(str(target))
    assert info.supported
    assert info.problem("unknown_codec") is not None
    absence = info.problem("no_video_stream")
    assert absence is not None
    assert absence.message == "No picture can be used."
    assert not info.video
    silent = tmp_path / "silent.mp4"
    ffmpeg("-i", movie, "-an", "-c", "copy", silent)
    target.write_bytes(silent.read_bytes().replace(b"avc1", b"zzzz").replace(b"avcC", b"zzzC"))
    assert errors(probe(str(target))) == {"unknown_codec"}


def test_decompression_bomb_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "bomb.png"
    Image.new("1", (8, 8)).save(target)
    data = bytearray(target.read_bytes())
    data[16:24] = (20_000).to_bytes(4, "big") * 2  # of the header, whose sum is next
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    target.write_bytes(bytes(data))
    assert errors(probe(str(target))) == {"too_large"}


# Real recordings


def _described() -> list[tuple[str, str, str]]:
    if not (MEDIA / "README.md").exists():
        return []
    rows = (
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in (MEDIA / "README.md").read_text(encoding="utf-8").splitlines()
        if re.match(r"\| (video|audio|dual|img)/", line)
    )
    return [(row[0], row[2], row[-1]) for row in rows]


@pytest.mark.parametrize(
    ("name", "facts", "note"),
    _described() or [pytest.param("", "", "", marks=pytest.mark.skip("no shared/media folder"))],
)
def test_real_recordings(name: str, facts: str, note: str) -> None:
    info = probe(str(MEDIA / name))
    if name == "img/truncated.png":
        assert errors(info) == {"truncated"}
        return
    assert info.supported, info.problems
    assert errors(info) == set()
    if name.startswith("img/"):
        assert (info.video[0].rotation_deg == 90) == ("exif6" in name)
        return
    for codec, width, height in re.findall(r"v:(\w+) (\d+)x(\d+)", facts):
        (video,) = [v for v in info.video if (v.width, v.height) == (int(width), int(height))]
        assert video.codec == codec
    for codec, rate, channels in re.findall(r"a:(\w+) (\d+)Hz (\d+)ch", facts):
        assert any(
            (a.codec, a.sample_rate, a.channels) == (codec, int(rate), int(channels))
            for a in info.audio
        )
    if info.video:
        assert info.video[0].rotation_deg == (90 if "rot=-90" in facts else 0)
        assert info.video[0].variable_frame_rate is ("VFR" in facts)
        assert info.video[0].hdr is (
            Hdr.DOLBY_VISION if "DOVI" in facts else Hdr.PQ if "smpte2084" in facts else None
        )
    seconds = re.search(r"; ([\d.]+)s ;", facts)
    if seconds and "subtitle" not in facts:
        assert info.duration_s == pytest.approx(float(seconds[1]), abs=0.1)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("audio_only.mp4", None), ("avi_named.mp4", None), ("bogus.wav", "unreadable"),
        ("broken_header.mp4", "unreadable"), ("corrupt.mkv", "unreadable"),
        ("empty.flv", "unreadable"), ("nostreams.mp4", "empty"), ("partial_file.mp4", "truncated"),
        ("text_named.mp4", "unreadable"), ("truncated.mkv", "unreadable"),
        ("video_only.mp4", None), ("zero_bytes.wav", "empty"),
    ],
)  # fmt: skip
def test_real_bad_files(name: str, problem: str | None) -> None:
    path = MEDIA / "bad" / name
    if not path.exists():
        pytest.skip("no shared/media folder")
    info = probe(str(path))
    assert info.supported is (problem is None)
    assert errors(info) == ({problem} if problem else set())


@pytest.mark.parametrize(
    "name",
    ["audio/guitar.mp3", "audio/guitar.ogg", "audio/guitar.wav", "audio/jfk_speech.mp3",
     "audio/speech_librivox_fr_177s.mp3", "audio/adts.aac", "audio/tone.m4a",
     "audio/alac_22k.m4a", "video/gizmo_vp9_opus.webm", "video/sintel_vp8_opus.mkv",
     "video/flower_960x540_vp8.webm", "video/theora_vorbis_short.ogv"],
)  # fmt: skip
def test_sound_of_real_recordings_is_what_a_decoder_gives(name: str) -> None:
    path = MEDIA / name
    if not path.exists():
        pytest.skip("no shared/media folder")
    audio = probe(str(path)).audio[0]
    with av.open(str(path)) as container:
        decoded = list(container.decode(container.streams[audio.index]))
    samples = sum(frame.samples for frame in decoded)  # type: ignore[union-attr]
    exact = audio.time_base * audio.sample_rate <= 1
    assert audio.duration is not None
    assert abs(audio.duration * audio.sample_rate - samples) <= (
        0 if exact else audio.sample_rate / 2000
    )
    assert audio.start_pts == decoded[0].pts  # type: ignore[union-attr]
