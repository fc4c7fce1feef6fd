"""What a file is: its streams, exactly, and what is wrong with it.

Runs where a crash of a decoder may happen: in a child process.
"""

from __future__ import annotations

import os
import stat
import time
from fractions import Fraction
from typing import Any, BinaryIO

import av
import av.logging
from av.container import InputContainer
from av.stream import Stream

from avpipe.codecs import pictures
from avpipe.codecs.file_length import declared_length
from avpipe.codecs.packet_scan import Deadline, Scan, Track, scan
from avpipe.codecs.stream_facts import audio_stream, subtitle_stream, video_stream
from avpipe.errors import InputMissingError
from avpipe.media import AudioStream, MediaInfo, Problem, Severity, VideoStream

TIME_LIMIT_S = 60.0
"""How long a scan may take; what was seen until then stands."""
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


class _Findings:
    """The problems of one file, each code once."""

    def __init__(self) -> None:
        self.problems: dict[str, Problem] = {}

    def add(self, code: str, severity: Severity, message: str) -> None:
        self.problems.setdefault(code, Problem(code=code, severity=severity, message=message))

    def error(self, code: str, message: str) -> None:
        self.add(code, Severity.ERROR, message)

    def warn(self, code: str, message: str) -> None:
        self.add(code, Severity.WARNING, message)

    def note(self, code: str, message: str) -> None:
        self.add(code, Severity.INFO, message)

    @property
    def failed(self) -> bool:
        return any(p.severity is Severity.ERROR for p in self.problems.values())


def probe(path: str, *, time_limit_s: float = TIME_LIMIT_S) -> MediaInfo:
    """What the file at `path` is. Raises InputMissingError where there is no file.

    A file that can't be used has `supported=False` and a problem of severity error.
    """
    full = os.path.abspath(path)
    try:
        state = os.stat(full)  # noqa: PTH116
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
        with open(full, "rb") as file:
            return _look(blank, file, time_limit_s)
    except OSError as error:
        reason = error.strerror or "unknown"
        return _failed(blank, "unreadable", f"The file can't be read: {reason.lower()}.")


def _failed(info: MediaInfo, code: str, message: str) -> MediaInfo:
    findings = _Findings()
    findings.error(code, message)
    return _with(info, problems=tuple(findings.problems.values()))


def _with(info: MediaInfo, **changes: Any) -> MediaInfo:
    values = {name: getattr(info, name) for name in MediaInfo.__slots__ if name not in changes}
    return MediaInfo(**values, **changes)


def _look(blank: MediaInfo, file: BinaryIO, time_limit_s: float) -> MediaInfo:
    head = file.read(64)
    if pictures.sniff(head) is not None:
        return pictures.probe_picture(blank)
    if head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS:
        return _failed(blank, "unsupported_format", _UNSUPPORTED)
    cut = (declared_length(file) or 0) > (blank.size_bytes or 0)
    file.seek(0)
    av.logging.set_level(None)
    try:
        with _open(blank.path, file) as container:
            return _describe(blank, container, cut, time_limit_s)
    except (av.ArgumentError, av.DemuxerNotFoundError):
        return _failed(blank, "unsupported_format", _UNSUPPORTED)
    except (av.FFmpegError, ValueError) as error:
        if cut:
            return _failed(blank, "truncated", _TRUNCATED)
        return _failed(blank, "unreadable", f"{_UNREADABLE} ({_reason(error)}).")


_UNSUPPORTED = "This is not a video, sound or picture format that can be used."
_TRUNCATED = "The file is cut off: its own index speaks of more than it holds."
_UNREADABLE = "The file is not a video, sound or picture, or it is too damaged to open"


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()


def _open(path: str, file: BinaryIO) -> InputContainer:
    """The container, which can open no other file.

    A name that is not UTF-8 can't be handed to ffmpeg; the open file is handed over instead.
    """
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": ",".join(DEMUXERS),
        "max_streams": str(MAX_STREAMS),
    }
    try:
        path.encode()
    except UnicodeEncodeError:
        return av.open(file, "r", options=options, metadata_errors="replace")
    return av.open(
        f"file:{path}", "r", options=options, metadata_errors="replace", timeout=(30, 30)
    )


def _describe(
    blank: MediaInfo, container: InputContainer, cut: bool, time_limit_s: float
) -> MediaInfo:
    findings = _Findings()
    name = container.format.name.split(",")[0]
    streams = _usable(container, findings)
    deadline = Deadline(at=time.monotonic() + time_limit_s)
    seen = scan(container, streams, blank.size_bytes or 0, deadline)
    video = _best_video([track for track in seen.tracks if track.is_video], name)
    audio = _best_audio([track for track in seen.tracks if not track.is_video], name)
    start, duration = _span((*video, *audio))
    _find_damage(findings, seen, cut, name)
    _find_absence(findings, container, seen, video, audio)
    _find_traits(findings, video, audio)
    return _with(
        blank,
        container=name,
        duration=duration,
        start=start,
        supported=bool(video or audio) and not findings.failed,
        video=video,
        audio=audio,
        subtitles=tuple(subtitle_stream(stream) for stream in container.streams.subtitles),
        chapters=len(container.chapters()),
        metadata=dict(container.metadata),
        problems=tuple(findings.problems.values()),
    )


def _usable(container: InputContainer, findings: _Findings) -> list[Stream]:
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


# Problems


def _find_damage(findings: _Findings, seen: Scan, cut: bool, container: str) -> None:
    if any(track.cut for track in seen.tracks) or (cut and container != "mov"):
        findings.error("truncated", _TRUNCATED)
    elif container != "mpegts" and any(track.damaged for track in seen.tracks):
        findings.error("truncated", "The file is cut off: its last packet is not whole.")
    if seen.error is not None:
        findings.error("truncated", f"The file breaks off before its end ({seen.error.lower()}).")
    if seen.timed_out:
        findings.warn("not_read_whole", "The file takes too long to read; its figures are partial.")
    if any(track.untimed for track in seen.tracks):
        findings.warn("missing_timestamps", "Parts of the file don't say when they are to be shown.")
    elif any(track.unstamped for track in seen.tracks if track.is_video):
        findings.warn("missing_timestamps", "Some frames don't say when they are to be shown.")
    if any(track.falls for track in seen.tracks):
        findings.warn("non_monotonic_dts", "The time stamps of the file run backwards in places.")


def _find_absence(
    findings: _Findings,
    container: InputContainer,
    seen: Scan,
    video: tuple[VideoStream, ...],
    audio: tuple[AudioStream, ...],
) -> None:
    if not any(stream.duration for stream in (*video, *audio)):
        unknown = findings.problems.get("unknown_codec") or findings.problems.get(
            "unreadable_stream"
        )
        if unknown is not None and not seen.tracks:
            findings.problems[unknown.code] = Problem(
                code=unknown.code, severity=Severity.ERROR, message=unknown.message
            )
        elif not findings.failed:
            findings.error("empty", "The file holds no picture and no sound.")
        return
    if not video:
        findings.note("no_video_stream", "The file holds no picture, only sound.")
    if not audio:
        findings.note("no_audio_stream", "The file holds no sound, only a picture.")


def _find_traits(
    findings: _Findings, video: tuple[VideoStream, ...], audio: tuple[AudioStream, ...]
) -> None:
    if video and audio and video[0].duration and audio[0].duration:
        lengths = video[0].duration, audio[0].duration
        if abs(lengths[0] - lengths[1]) > max(Fraction(1, 2), max(lengths) / 100):
            findings.warn(
                "lengths_apart",
                f"The picture lasts {float(lengths[0]):.2f} s and the sound"
                f" {float(lengths[1]):.2f} s.",
            )
    if not video:
        return
    if video[0].variable_frame_rate:
        findings.note("variable_frame_rate", "The frames don't come at a constant rate.")
    if video[0].hdr is not None:
        findings.note("hdr", "The picture has a high dynamic range (HDR).")
    if video[0].interlaced:
        findings.note("interlaced", "The picture is interlaced, as of television.")
