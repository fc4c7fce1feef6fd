"""`python -m avpipe.benchmarks peers`: merging and loudness by other tools, on the same files."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from avpipe.benchmarks.cases import AVPIPE
from avpipe.benchmarks.inputs import Inputs
from avpipe.benchmarks.meter import Usage, run
from avpipe.benchmarks.peers import Peer, installed
from avpipe.benchmarks.truth.figures import markdown
from avpipe.codecs.encoders import X264
from avpipe.codecs.ffmpeg import Ffmpeg, find
from avpipe.codecs.isolate import measure_file
from avpipe.recipe import Quality

SECONDS = 60
LOUDNESS = -14
_MOVIEPY = """
import sys
from moviepy import AudioFileClip, VideoFileClip
camera, recorder, output = sys.argv[1:]
with VideoFileClip(camera) as video, AudioFileClip(recorder) as audio:
    video.with_audio(audio).write_videofile(
        output, codec="libx264", preset="fast", ffmpeg_params=["-crf", "20"], audio_codec="aac",
        audio_bitrate="192k", logger=None,
    )
"""
_NORMALIZE = """
import sys
from ffmpeg_normalize import FFmpegNormalize
merged, _, output = sys.argv[1:]
work = FFmpegNormalize(
    target_level=-14, true_peak=-1, audio_codec="aac", audio_bitrate="192k", sample_rate=48000
)
work.add_media_file(merged, output)
work.run_normalization()
"""
MERGES = (Peer(name="moviepy", requirement="moviepy==2.2.1", program=_MOVIEPY),)
LOUDNESSES = (
    Peer(name="ffmpeg-normalize", requirement="ffmpeg-normalize==1.34.0", program=_NORMALIZE),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """A tool that does a job; its inputs and its output are in the command."""

    job: str
    tool: str
    commands: tuple[tuple[str, ...], ...]
    """Run one after the other; the last one writes the output."""


@click.command("peers")
@click.option("--seconds", type=click.IntRange(10), default=SECONDS, show_default=True)
@click.option("--work", type=click.Path(path_type=Path), help="Keeps inputs and tools.")
@click.option("--markdown", "markdown_file", type=click.Path(path_type=Path))
def main(seconds: int, work: Path | None, markdown_file: Path | None) -> None:
    """Merge, encode and level one pair by avpipe, bare ffmpeg and tools from PyPI."""
    folder = work or Path(tempfile.gettempdir(), "avpipe-benchmarks")
    folder.mkdir(parents=True, exist_ok=True)
    inputs = Inputs(folder=folder, ffmpeg=find(os.environ.get("AVPIPE_FFMPEG")))
    rows: list[tuple[str, ...]] = [("job", "tool", "wall s", "CPU s", "peak MB", "MB", "LUFS")]
    with tempfile.TemporaryDirectory(prefix="outputs-", dir=folder) as name:
        output = Path(name, "output.mp4")
        for way in _ways(inputs, seconds, folder, output):
            click.echo(f"{way.job}: {way.tool}", err=True)
            rows.append(_row(way, output, inputs.ffmpeg))
    text = markdown(rows)
    click.echo(text)
    if markdown_file is not None:
        markdown_file.write_text(text + "\n")


def _ways(inputs: Inputs, seconds: int, folder: Path, output: Path) -> Iterator[Way]:
    (video, audio) = (str(inputs.plain_video(seconds)), str(inputs.music_wav(seconds)))
    merge = (*AVPIPE, "merge", video, audio, "-o", str(output), "-y", "--sync", "start")
    yield Way(job="copy", tool="avpipe", commands=(merge,))
    yield Way(job="copy", tool="ffmpeg", commands=(_plain(inputs, video, audio, output, _COPY),))
    yield Way(job="encode", tool="avpipe", commands=((*merge, "--video", "encode"),))
    yield Way(job="encode", tool="ffmpeg", commands=(_plain(inputs, video, audio, output, _CRF),))
    two = [
        _plain(inputs, video, audio, output, (*_RATE, "-pass", "1"), null=True),
        _plain(inputs, video, audio, output, (*_RATE, "-pass", "2")),
    ]
    log = ("-passlogfile", str(output.with_name("pass")))
    passes = tuple((*one[:-1], *log, one[-1]) for one in two)
    yield Way(job="encode, two passes", tool="ffmpeg", commands=passes)

    def told(line: str) -> None:
        click.echo(line, err=True)

    for peer, argv in installed(MERGES, folder / "peers", told):
        yield Way(job="encode", tool=peer.name, commands=((*argv, video, audio, str(output)),))
    level = (*merge, "--loudness", str(LOUDNESS))
    yield Way(job="loudness", tool="avpipe", commands=(level,))
    for peer, argv in installed(LOUDNESSES, folder / "peers", told):
        merged = str(output.with_name("merged.mp4"))
        first = _plain(inputs, video, audio, Path(merged), _COPY)
        commands = (first, (*argv, merged, audio, str(output)))
        yield Way(job="loudness", tool=f"ffmpeg, {peer.name}", commands=commands)


_COPY = ("-c:v", "copy")
_SETTINGS = X264.options[Quality.STANDARD].items()
_CRF = (
    *("-c:v", "libx264", "-pix_fmt", "yuv420p"),
    *(text for name, value in _SETTINGS for text in (f"-{name}", value)),
)
_RATE = ("-c:v", "libx264", "-preset", "fast", "-pix_fmt", "yuv420p", "-b:v", "4M")


def _plain(
    inputs: Inputs,
    video: str,
    audio: str,
    output: Path,
    options: tuple[str, ...],
    *,
    null: bool = False,
) -> tuple[str, ...]:
    """What a person types."""
    start = (inputs.ffmpeg.path, "-hide_banner", "-nostdin", "-v", "error", "-y")
    sound = ("-c:a", "aac", "-b:a", "192k", "-shortest")
    target = ("-f", "null", os.devnull) if null else (f"file:{output}",)
    files = ("-i", f"file:{video}", "-i", f"file:{audio}", "-map", "0:v:0", "-map", "1:a:0")
    return (*start, *files, *options, *sound, *target)


def _row(way: Way, output: Path, ffmpeg: Ffmpeg) -> tuple[str, ...]:
    """What a way took and made; one that fails says so."""
    output.unlink(missing_ok=True)
    log = output.with_name("log.txt")
    try:
        used = [run(argv, log) for argv in way.commands]
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1][:60]
        return (way.job, way.tool, f"failed: {reason}", "", "", "", "")
    if any(stream.errors for stream in measure_file(str(output), decode_s=2.0).streams):
        return (way.job, way.tool, "failed: its output cannot be decoded", "", "", "", "")
    peaks = [usage.peak_bytes or 0 for usage in used]
    return (
        *(way.job, way.tool),
        *(f"{_sum(used, 'wall_s'):.1f}", f"{_sum(used, 'cpu_s'):.1f}", f"{max(peaks) / 1e6:.0f}"),
        f"{output.stat().st_size / 1e6:.1f}",
        f"{_loudness(output, ffmpeg):.1f}",
    )


def _sum(used: list[Usage], name: str) -> float:
    return float(sum(getattr(usage, name) for usage in used))


def _loudness(path: Path, ffmpeg: Ffmpeg) -> float:
    """The integrated loudness, by ffmpeg's first pass of loudnorm."""
    log = path.with_name("loudness.txt")
    graph = "loudnorm=print_format=json"
    argv = (ffmpeg.path, "-hide_banner", "-nostdin", "-nostats", "-i", f"file:{path}", "-vn")
    run((*argv, "-af", graph, "-f", "null", os.devnull), log, memory=False)
    text = log.read_text(errors="replace")
    return float(json.loads(text[text.rindex("{") : text.rindex("}") + 1])["input_i"])
