"""`avpipe probe`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import click

from avpipe import jsonform
from avpipe.cli.output import print_json, printable, shown_path, shown_size, shown_time, tell
from avpipe.cli.switches import json_option
from avpipe.codecs.isolate import probe_files
from avpipe.errors import InputMissingError
from avpipe.files import require_files
from avpipe.media import AudioStream, MediaInfo, Problem, Severity, VideoStream


@click.command("probe")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@json_option
def command(files: tuple[str, ...], as_json: bool, debug: bool) -> None:
    """Say what each of FILES is: its streams, times and problems."""
    infos = []
    for info in _all(files):
        infos.append(info)
        if not as_json:
            _print_info(info)
    if as_json:
        print_json({"schema": "avpipe.probe/1", "files": [jsonform.encode(i) for i in infos]})
    if not all(info.supported for info in infos):
        sys.exit(2 if any(_is_missing(info) for info in infos) else 1)


def _all(files: tuple[str, ...]) -> Iterator[MediaInfo]:
    """The facts of each file in order; one that is not there does not keep back the others."""
    missing = {}
    for path in files:
        try:
            require_files((path,))
        except InputMissingError as error:
            missing[path] = error.message
    found = probe_files([os.path.abspath(path) for path in files if path not in missing])  # noqa: PTH100
    for path in files:
        yield _absent(path, missing[path]) if path in missing else next(found)


def _absent(path: str, message: str) -> MediaInfo:
    problem = Problem(code=InputMissingError.code, severity=Severity.ERROR, message=message)
    return MediaInfo(
        path=path, container=None, size_bytes=None, modified_ns=None, problems=(problem,)
    )


def _is_missing(info: MediaInfo) -> bool:
    return any(problem.code == InputMissingError.code for problem in info.problems)


def _print_info(info: MediaInfo) -> None:
    if _is_missing(info):
        tell("error", printable(info.problems[0].message))
        return
    length = "" if info.duration_s is None else f", {shown_time(info.duration_s)}"
    size = "" if info.size_bytes is None else f", {shown_size(info.size_bytes)}"
    click.echo(f"{shown_path(info.path)}: {info.container or 'unreadable'}{length}{size}")
    for line in _lines(info):
        click.echo(f"  {printable(line)}")
    for problem in info.problems:
        if problem.severity is Severity.ERROR:
            tell("error", f"{shown_path(info.path)}: {printable(problem.message)}")


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
    size = f"{video.width}x{video.height}"
    return (
        f"video {video.index}: {_words(video.codec, video.profile, size, video.pixel_format)}"
        f"{rate}{' variable' if video.variable_frame_rate else ''}"
        f"{turned}{hdr}{_extent(video.start_s, video.duration_s)}"
    )


def _audio_line(audio: AudioStream) -> str:
    channels = f"{audio.channels} channel{'' if audio.channels == 1 else 's'}"
    return (
        f"audio {audio.index}: {_words(audio.codec, audio.profile, f'{audio.sample_rate} Hz')}, "
        f"{audio.layout or channels}{_extent(audio.start_s, audio.duration_s)}"
    )


def _words(*words: str | None) -> str:
    """Those that are known, one blank apart."""
    return " ".join(word for word in words if word)


def _extent(start_s: float | None, duration_s: float | None) -> str:
    start = "" if not start_s else f", from {start_s:.3f} s"
    return start + ("" if duration_s is None else f", {duration_s:.3f} s")
