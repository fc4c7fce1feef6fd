"""`avpipe probe`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import click

from avpipe import jsonform
from avpipe.cli.options import json_option
from avpipe.cli.output import print_json, printable, shown_path, shown_size, shown_time, tell
from avpipe.codecs.isolate import probe_files
from avpipe.media import AudioStream, MediaInfo, Severity, VideoStream
from avpipe.workflow import require_files


@click.command("probe")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@json_option
def command(files: tuple[str, ...], as_json: bool, debug: bool) -> None:
    """Say what each of FILES is: its streams, times and problems."""
    require_files(files)
    infos = []
    for info in probe_files([os.path.abspath(path) for path in files]):  # noqa: PTH100
        infos.append(info)
        if not as_json:
            _print_info(info)
    if as_json:
        print_json({"schema": "avpipe.probe/1", "files": [jsonform.encode(i) for i in infos]})
    if not all(info.supported for info in infos):
        sys.exit(1)


def _print_info(info: MediaInfo) -> None:
    length = "" if info.duration_s is None else f", {shown_time(info.duration_s)}"
    size = "" if info.size_bytes is None else f", {shown_size(info.size_bytes)}"
    click.echo(f"{shown_path(info.path)}: {info.container or 'unreadable'}{length}{size}")
    for line in _lines(info):
        click.echo(f"  {printable(line)}")
    for problem in info.problems:
        if problem.severity is Severity.ERROR:
            tell("error", f"{shown_path(info.path)}: {problem.message}")


def _lines(info: MediaInfo) -> Iterator[str]:
    for video in info.video:
        yield _video_line(video)
    for audio in info.audio:
        yield _audio_line(audio)
    for subtitles in info.subtitles:
        yield f"subtitles {subtitles.index}: {subtitles.codec} {subtitles.language or ''}".rstrip()
    for problem in info.problems:
        if problem.severity is not Severity.ERROR:
            yield f"{problem.severity}: {problem.message}"


def _video_line(video: VideoStream) -> str:
    rate = "" if video.frame_rate is None else f", {float(video.frame_rate):.3f} fps"
    turned = f", turned {video.rotation_deg}°" if video.rotation_deg else ""
    hdr = f", HDR {video.hdr}" if video.hdr else ""
    return (
        f"video {video.index}: {video.codec} {video.profile or ''} {video.width}x{video.height} "
        f"{video.pixel_format or ''}{rate}{' variable' if video.variable_frame_rate else ''}"
        f"{turned}{hdr}{_extent(video.start_s, video.duration_s)}"
    )


def _audio_line(audio: AudioStream) -> str:
    return (
        f"audio {audio.index}: {audio.codec} {audio.profile or ''} {audio.sample_rate} Hz, "
        f"{audio.layout or f'{audio.channels} channels'}"
        f"{_extent(audio.start_s, audio.duration_s)}"
    )


def _extent(start_s: float | None, duration_s: float | None) -> str:
    start = "" if not start_s else f", from {start_s:.3f} s"
    return start + ("" if duration_s is None else f", {duration_s:.3f} s")
