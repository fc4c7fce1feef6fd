"""What a file is: its streams, exactly, and what is wrong with it.

Runs where a crash of a decoder may happen: in a child process.
"""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.logging
from av.container import InputContainer
from av.stream import Stream

from avpipe.codecs import pictures
from avpipe.codecs.file_length import declared_length
from avpipe.codecs.file_problems import (
    TOO_SLOW,
    TRUNCATED,
    Findings,
    find_absence,
    find_damage,
    find_traits,
)
from avpipe.codecs.mp4_boxes import BoxError
from avpipe.codecs.mp4_thin import Thinned, thin
from avpipe.codecs.packet_read import Deadline
from avpipe.codecs.packet_scan import scan
from avpipe.codecs.packet_track import Track
from avpipe.codecs.stream_facts import audio_stream, subtitle_stream, video_stream
from avpipe.codecs.thin_file import ThinFile
from avpipe.codecs.wave_content import packets_to_guess_by
from avpipe.errors import InputMissingError
from avpipe.media import AudioStream, MediaInfo, VideoStream

TIME_LIMIT_S, SLOWEST_BYTES_A_SECOND = 45.0, 1e6
"""How long a scan may take, and how much longer a large file. What takes longer has no figures:
they would be guesses."""
MAX_STREAMS = 100
MAX_SIDE = 16384
"""Pixels of width or height; more is no video that anybody made on purpose."""
DEMUXERS = (
    "mov", "matroska", "avi", "flv", "mpegts", "mpeg", "asf", "mxf", "ogg", "dv", "nut", "ivf",
    "mp3", "aac", "wav", "w64", "aiff", "au", "caf", "flac", "ac3", "eac3", "amr", "ape", "wv",
    "tta", "dts",
)  # fmt: skip
"""Formats that hold media themselves. Playlists are not among them: they would open others."""
_STILL_BRANDS = frozenset((b"heic", b"heix", b"heif", b"mif1", b"msf1", b"avif", b"avis"))

_PLAYLISTS = (b"#EXTM3U", b"\xef\xbb\xbf#EXTM3U", b"ffconcat", b"<?xml", b"<MPD", b"<smil")


def probe(path: str, *, time_limit_s: float | None = None) -> MediaInfo:
    """What the file at `path` is. Raises InputMissingError where there is no file.

    A file that can't be used has `supported=False` and a problem of severity error.
    """
    full = os.path.abspath(path)  # noqa: PTH100 (a link keeps its own name)
    try:
        state = Path(full).stat()
    except (OSError, ValueError) as error:
        raise InputMissingError(f"{path}: there is no such file") from error
    if not stat.S_ISREG(state.st_mode):
        raise InputMissingError(f"{path}: this is not a file")
    blank = MediaInfo(
        path=full, container=None, size_bytes=state.st_size, modified_ns=state.st_mtime_ns
    )
    if not state.st_size:
        return _failed(blank, "empty", "The file is empty: it has 0 bytes.")
    try:
        with Path(full).open("rb") as file:
            usual_s = TIME_LIMIT_S + state.st_size / SLOWEST_BYTES_A_SECOND
            return _look(blank, file, usual_s if time_limit_s is None else time_limit_s)
    except OSError as error:
        reason = error.strerror or "unknown"
        return _failed(blank, "unreadable", f"The file can't be read: {reason.lower()}.")


def _failed(info: MediaInfo, code: str, message: str) -> MediaInfo:
    findings = Findings()
    findings.error(code, message)
    return dataclasses.replace(info, problems=tuple(findings.problems.values()))


def _look(blank: MediaInfo, file: BinaryIO, time_limit_s: float) -> MediaInfo:
    head = file.read(64)
    if pictures.sniff(head) is not None:
        return pictures.probe_picture(blank)
    if head.lstrip().startswith(_PLAYLISTS) or (
        head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS
    ):
        return _failed(blank, "unsupported_format", _UNSUPPORTED)
    cut = (declared_length(file) or 0) > (blank.size_bytes or 0)
    guesses = packets_to_guess_by(file)
    file.seek(0)
    av.logging.set_level(None)
    by_header = head[4:8] == b"ftyp"
    try:
        if by_header and (info := _look_thinly(blank, cut, time_limit_s)) is not None:
            return info
        with _open(blank.path, file, by_header=by_header, guesses=guesses) as container:
            return _describe(blank, container, cut, time_limit_s, {})
    except (av.ArgumentError, av.DemuxerNotFoundError):
        return _failed(blank, "unsupported_format", _UNSUPPORTED)
    except av.ExitError:
        return _failed(blank, "not_read_whole", TOO_SLOW)
    except (av.FFmpegError, ValueError) as error:
        if cut:
            return _failed(blank, "truncated", TRUNCATED)
        return _failed(blank, "unreadable", f"{_UNREADABLE} ({_reason(error)}).")


def _look_thinly(blank: MediaInfo, cut: bool, time_limit_s: float) -> MediaInfo | None:
    """What a long MP4 is, by an index of a few stretches; None where all of it is needed."""
    movie = thin(blank.path)
    if movie is None:
        return None
    with movie.file as file:
        try:
            with _open(None, file, by_header=True, guesses=None) as container:
                return _describe(blank, container, cut, time_limit_s, movie.tracks)
        except BoxError:
            return None


_UNSUPPORTED = "This is not a video, sound or picture format that can be used."
_UNREADABLE = "The file is not a video, sound or picture, or it is too damaged to open"


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()


def _open(
    path: str | None, file: BinaryIO | ThinFile, *, by_header: bool, guesses: int | None
) -> InputContainer:
    """The container, which can open no other file.

    Without a path, or with one that is not UTF-8, which can't be handed to ffmpeg, the open file is
    handed over instead.
    With `by_header` no frame is decoded for what the header leaves out: the scan decodes one
    anyhow, and of a picture of a high bit rate that takes half of the time. With `guesses`
    so many packets are held against what else they might be than what the header says.
    """
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": ",".join(DEMUXERS),
        "max_streams": str(MAX_STREAMS),
    }
    if by_header:
        options["skip_frame"] = "all"
    if guesses is not None:
        options["max_probe_packets"] = str(guesses)
    if path is None or not _is_utf8(path):
        return av.open(file, "r", options=options, metadata_errors="replace")
    return av.open(
        f"file:{path}", "r", options=options, metadata_errors="replace", timeout=(30, 30)
    )


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _describe(
    blank: MediaInfo,
    container: InputContainer,
    cut: bool,
    time_limit_s: float,
    thinned: Mapping[int, Thinned],
) -> MediaInfo:
    findings = Findings()
    name = container.format.name.split(",")[0]
    streams = _usable(container, findings)
    deadline = Deadline(left_s=time_limit_s)
    seen = scan(container, streams, blank.size_bytes or 0, deadline, thinned)
    video = _best_video([track for track in seen.tracks if track.is_video], name)
    audio = _best_audio([track for track in seen.tracks if not track.is_video], name)
    start, duration = _span((*video, *audio))
    find_damage(findings, seen, cut, name, blank.size_bytes or 0)
    find_absence(findings, seen, video, audio)
    find_traits(findings, video, audio)
    return dataclasses.replace(
        blank,
        container=name,
        duration=duration,
        start=start,
        supported=bool(video or audio) and not findings.failed,
        video=video,
        audio=audio,
        subtitles=tuple(subtitle_stream(stream) for stream in container.streams.subtitles),
        chapters=len(container.chapters()),
        metadata=_tags(container),
        problems=tuple(findings.problems.values()),
    )


def _tags(container: InputContainer) -> dict[str, str]:
    """The file's own tags; a time code may stand in that of a stream."""
    codes = (stream.metadata.get("timecode") for stream in container.streams)
    code = next((code for code in codes if code), None)
    return ({} if code is None else {"timecode": code}) | dict(container.metadata)


def _usable(container: InputContainer, findings: Findings) -> list[Stream]:
    """The picture and sound streams that a decoder is there for; cover art is none of them."""
    usable: list[Stream] = []
    for stream in container.streams:
        if stream.type not in ("video", "audio") or _is_cover(stream):
            continue
        context: Any = stream.codec_context
        kind = "picture" if stream.type == "video" else "sound"
        if context is None:
            findings.warn("unknown_codec", f"The coding of the {kind} is not known.")
        elif stream.type == "audio":
            if context.sample_rate > 0 and context.channels > 0:
                usable.append(stream)
            else:
                findings.warn("unreadable_stream", "A sound stream of the file can't be decoded.")
        elif max(context.width, context.height) > MAX_SIDE:
            findings.error("too_large", f"The picture is {context.width}x{context.height} pixels.")
        elif min(context.width, context.height) > 0:
            usable.append(stream)
        else:
            findings.warn("unreadable_stream", "A picture stream of the file can't be decoded.")
    return usable


def _is_cover(stream: Stream) -> bool:
    kinds = type(stream.disposition)
    return bool(stream.disposition & (kinds.attached_pic | kinds.timed_thumbnails))


def _best_video(tracks: list[Track], container: str) -> tuple[VideoStream, ...]:
    def rank(track: Track) -> tuple[bool, int, int]:
        context: Any = track.stream.codec_context
        return (not _is_default(track), -context.width * context.height, track.stream.index)

    return tuple(video_stream(track, container) for track in sorted(tracks, key=rank))


def _best_audio(tracks: list[Track], container: str) -> tuple[AudioStream, ...]:
    def rank(track: Track) -> tuple[bool, int, int]:
        context: Any = track.stream.codec_context
        return (not _is_default(track), -context.channels, track.stream.index)

    return tuple(audio_stream(track, container) for track in sorted(tracks, key=rank))


def _is_default(track: Track) -> bool:
    return bool(track.stream.disposition & type(track.stream.disposition).default)


def _span(
    streams: tuple[VideoStream | AudioStream, ...],
) -> tuple[Fraction | None, Fraction | None]:
    """The earliest start, and the time from there to the latest end."""
    timed = [(s.start, s.start + s.duration) for s in streams if s.start is not None and s.duration]
    if not timed:
        return None, None
    start = min(begin for begin, _ in timed)
    return start, max(end for _, end in timed) - start
