"""What is wrong with a file, or worth knowing, in words for people who don't know ffmpeg."""

from __future__ import annotations

from fractions import Fraction

from avpipe.codecs.packet_read import Scan
from avpipe.codecs.packet_track import Track
from avpipe.media import AudioStream, Problem, Severity, VideoStream

TRUNCATED = "The file is cut off: it holds less than it says it does."
TOO_SLOW = "The file takes too long to read."
_LAST_PACKET = "The file is cut off: its last packet is not whole."
_TS_PACKETS = (188, 192, 204)
"""How long each packet of MPEG-TS may be: plain, with a time code, with parity."""
_KEEPS_FLAGS = frozenset(("flv", "asf", "mxf", "mpeg"))
"""Containers where only a packet that was cut off is marked as damaged."""


class Findings:
    """The problems of one file, each code once."""

    def __init__(self) -> None:
        self.problems: dict[str, Problem] = {}

    def add(self, code: str, severity: Severity, message: str) -> None:
        """Note a problem, unless one of that code is known."""
        self.problems.setdefault(code, Problem(code=code, severity=severity, message=message))

    def error(self, code: str, message: str) -> None:
        """Note something that makes the file useless."""
        self.add(code, Severity.ERROR, message)

    def warn(self, code: str, message: str) -> None:
        """Note something that may spoil the result."""
        self.add(code, Severity.WARNING, message)

    def note(self, code: str, message: str) -> None:
        """Note something worth knowing."""
        self.add(code, Severity.INFO, message)

    @property
    def failed(self) -> bool:
        """Whether the file is of no use."""
        return any(p.severity is Severity.ERROR for p in self.problems.values())


def find_damage(findings: Findings, seen: Scan, cut: bool, container: str, size_bytes: int) -> None:
    """Note what the packets tell of damage to the file."""
    if (
        any(track.cut for track in seen.tracks)
        or (cut and container != "mov")
        or (container == "flac" and any(_ends_early(track) for track in seen.tracks))
    ):
        findings.error("truncated", TRUNCATED)
    elif container in _KEEPS_FLAGS and any(track.damaged for track in seen.tracks):
        findings.error("truncated", _LAST_PACKET)
    elif container == "mpegts" and all(size_bytes % size for size in _TS_PACKETS):
        findings.warn("truncated", _LAST_PACKET)  # as many broadcasts begin and end
    if seen.error is not None:
        findings.error("truncated", f"The file breaks off before its end ({seen.error.lower()}).")
    if seen.timed_out:
        findings.error("not_read_whole", TOO_SLOW)
    if any(track.untimed for track in seen.tracks):
        findings.warn("missing_timestamps", "Parts of the file don't say when they belong.")
    elif any(track.unstamped for track in seen.tracks if track.is_video):
        findings.warn("missing_timestamps", "Some frames don't say when they are to be shown.")
    if any(track.falls for track in seen.tracks):
        findings.warn("non_monotonic_dts", "The time stamps of the file run backwards in places.")


def _ends_early(track: Track) -> bool:
    """Whether the packets end before the length that the stream's own header gives."""
    told = track.stream.duration or 0
    return track.whole and (track.end or 0) < told - track.longest


def find_absence(
    findings: Findings,
    seen: Scan,
    video: tuple[VideoStream, ...],
    audio: tuple[AudioStream, ...],
) -> None:
    """Note which of picture and sound the file lacks."""
    streams: tuple[VideoStream | AudioStream, ...] = (*video, *audio)
    if not any(stream.duration for stream in streams):
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
    known = not findings.problems.keys() & {"unknown_codec", "unreadable_stream"}
    if not video:
        lack = "The file holds no picture, only sound." if known else "No picture can be used."
        findings.note("no_video_stream", lack)
    if not audio:
        lack = "The file holds no sound, only a picture." if known else "No sound can be used."
        findings.note("no_audio_stream", lack)


def find_traits(
    findings: Findings, video: tuple[VideoStream, ...], audio: tuple[AudioStream, ...]
) -> None:
    """Note what sets the picture apart."""
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
