"""Media made by the test, with the answer known: what was asked for is what `measure` finds."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc, VideoReformatter
from numpy.typing import NDArray

from avpipe.benchmarks.scene import click_track, pink_noise

Samples = NDArray[np.float32]
Time = Fraction | int

FINE = 240_000
"""Ticks a second in which every usual frame rate is whole."""
NUMBER_BITS = 16
"""Blocks along the lower edge that say the frame's number, the highest bit at the left."""
SUFFIX_CODECS = {
    ".wav": "pcm_s16le", ".flac": "flac", ".mp3": "libmp3lame", ".m4a": "aac", ".aac": "aac",
    ".opus": "libopus", ".aiff": "pcm_s16be", ".caf": "pcm_s16be", ".mka": "flac",
    ".mov": "pcm_s16le", ".w64": "pcm_s16le", ".ac3": "ac3",
}  # fmt: skip
_TRANSFER = {None: ColorTrc.BT709, "pq": ColorTrc.SMPTE2084, "hlg": ColorTrc.ARIB_STD_B67}
_BT709, _BT2020_NCL = 1, 9  # AVColorSpace; PyAV has no name for the second
_CLICK_HEIGHT = 0.7


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoSpec:
    """A video to make; its defaults are those of `make_video`."""

    duration: Time = 2
    """Of the picture; rounded to whole frames."""
    frames: int | None = None
    """Instead of a duration."""
    rate: Time = Fraction(30000, 1001)
    times: Sequence[Time] | None = None
    """Presentation times of the frames, for a variable rate; the last one lasts 1 / rate."""
    size: tuple[int, int] = (320, 180)
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    codec_options: Mapping[str, str] = field(default_factory=dict)
    gop: int = 30
    b_frames: int = 2
    flashes: Sequence[Time] = (Fraction(1, 2), Fraction(3, 2))
    """After the first frame; each lights the frame nearest to it."""
    rotation: int = 0
    """Clockwise turn, in degrees, that shows it upright; kept in the display matrix."""
    sar: Fraction | None = None
    interlaced: bool = False
    hdr: str | None = None
    """None, pq or hlg; the tags alone, wants a 10-bit pixel format."""
    start: Time = 0
    """Presentation time of the first frame."""
    audio: str | Samples | Sequence[str | Samples] | None = "clicks"
    """clicks, noise, tone, silence, or (samples,) or (channels, samples) in -1..1; one or more."""
    audio_codec: str = "aac"
    audio_rate: int = 48_000
    audio_bit_rate: int = 192_000
    channels: int = 2
    audio_start: Time = 0
    """Presentation time of the first sample."""
    audio_duration: Time | None = None
    """Where it is not as long as the picture."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    chapters: Sequence[tuple[Time, Time, str]] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    """The muxer's, such as movflags."""
    seed: int = 1

    def frame_times(self) -> tuple[Fraction, ...]:
        """When each frame is shown."""
        if self.times is not None:
            return tuple(Fraction(time) + self.start for time in self.times)
        count = self.frames if self.frames is not None else round(self.duration * self.rate)
        return tuple(index / Fraction(self.rate) + self.start for index in range(count))


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeVideo:
    """The truth about a file that was made."""

    path: Path
    frame_times: tuple[Fraction, ...]
    """On the file's own time line."""
    flash_times: tuple[Fraction, ...]
    """After the first frame; the clicks were put at the same times."""
    duration: Fraction
    """From the first frame shown to the end of the last."""


def make_video(path: Path, **spec: Any) -> MadeVideo:
    """Write the video that a `VideoSpec` of these fields describes."""
    wanted = VideoSpec(**spec)
    times = wanted.frame_times()
    lit = {_nearest(times, times[0] + flash) for flash in wanted.flashes}
    truth = MadeVideo(
        path=path,
        frame_times=times,
        flash_times=tuple(times[index] - times[0] for index in sorted(lit)),
        duration=times[-1] + 1 / Fraction(wanted.rate) - times[0],
    )
    with av.open(f"file:{path.absolute()}", "w", options=dict(wanted.options)) as file:
        file.metadata.update(wanted.metadata)
        if wanted.chapters:
            file.set_chapters(_chapters(wanted.chapters))
        packets = _encode_video(_add_video(file, wanted), wanted, times, lit)
        for kind in _tracks(wanted.audio):
            stream = _add_audio(file, wanted.audio_codec, wanted.audio_rate, wanted.channels)
            stream.bit_rate = wanted.audio_bit_rate
            sound = _video_sound(kind, wanted, truth)
            packets += encode_sound(stream, sound, wanted.audio_rate, start=wanted.audio_start)
        _mux(file, packets)
    return truth


def make_audio(
    path: Path,
    *,
    duration: Time = 2,
    rate: int = 48_000,
    channels: int = 1,
    codec: str | None = None,
    bit_rate: int = 192_000,
    clicks: Sequence[Time] = (),
    tone_hz: float | None = None,
    noise: float = 0.0,
    samples: Samples | None = None,
    metadata: Mapping[str, str] | None = None,
    seed: int = 1,
) -> Path:
    """Write clicks, a tone (peak 0.25), pink noise (of this RMS) or given samples, summed.

    The codec follows the name's ending (Vorbis for .ogg, through the bundled ffmpeg).
    """
    if samples is None:
        samples = np.zeros((channels, round(duration * rate)), np.float32)
    sound = np.atleast_2d(samples)
    sound = sound + click_track(clicks, sound.shape[1], rate) * np.float32(_CLICK_HEIGHT)
    if tone_hz is not None:
        sound = sound + tone(sound.shape[1], rate, tone_hz)
    if noise:
        pink = pink_noise(sound.shape[1], np.random.default_rng(seed))
        sound = sound + pink * np.float32(noise)
    _write_sound(path, sound, rate, codec, bit_rate, metadata or {})
    return path


def _write_sound(
    path: Path,
    sound: Samples,
    rate: int,
    codec: str | None,
    bit_rate: int,
    metadata: Mapping[str, str],
) -> None:
    """Write (channels, samples) to a file of one audio stream."""
    if path.suffix == ".ogg":
        wave = path.with_suffix(".tmp.wav")
        _write_sound(wave, sound, rate, None, bit_rate, metadata)
        ffmpeg("-i", wave, "-c:a", codec or "libvorbis", "-b:a", str(bit_rate), path)
        wave.unlink()
        return
    with av.open(f"file:{path.absolute()}", "w") as file:
        file.metadata.update(metadata)
        name = codec or SUFFIX_CODECS[path.suffix]
        stream = _add_audio(file, name, rate, sound.shape[0])
        if not name.startswith("pcm_") and name not in {"flac", "alac"}:
            stream.bit_rate = bit_rate
        _mux(file, encode_sound(stream, sound, rate))


def ffmpeg(*arguments: str | Path) -> None:
    """Run the bundled ffmpeg for what PyAV cannot do, paths given with their protocol."""
    words = [f"file:{a.absolute()}" if isinstance(a, Path) else a for a in arguments]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", *words]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True, timeout=120)


def add_subtitles(source: Path, target: Path, cues: Sequence[tuple[float, float, str]]) -> Path:
    """Copy a file and add a subtitle track (mov_text in MP4 and MOV, SubRip elsewhere)."""
    text = target.with_suffix(".tmp.srt")
    lines = [f"{i}\n{_srt(a)} --> {_srt(b)}\n{cue}\n" for i, (a, b, cue) in enumerate(cues, 1)]
    text.write_text("\n".join(lines), "utf-8")
    codec = "mov_text" if target.suffix in {".mp4", ".mov", ".m4v"} else "srt"
    maps = ("-map", "0", "-map", "1", "-c", "copy", "-c:s", codec)
    ffmpeg("-i", source, "-i", text, *maps, target)
    text.unlink()
    return target


def tone(size: int, rate: int, frequency: float) -> Samples:
    """(size,) of a sine of peak 0.25."""
    phase = 2 * np.pi * frequency / rate * np.arange(size)
    return np.asarray(0.25 * np.sin(phase), np.float32)


def draw_frame(index: int, size: tuple[int, int], *, lit: bool) -> NDArray[np.uint8]:
    """(height, width) grey: a moving bar, white throughout when lit, the frame's number below."""
    width, height = size
    grey = np.full((height, width), 235 if lit else 60, np.uint8)
    if not lit:
        left = index * width // 60 % width
        grey[:, left : left + max(width // 16, 2)] = 110
    top = height - max(height // 8, 2)
    edges = np.arange(NUMBER_BITS + 1) * width // NUMBER_BITS
    for bit in range(NUMBER_BITS):
        on = index >> (NUMBER_BITS - 1 - bit) & 1
        grey[top:, edges[bit] : edges[bit + 1]] = 200 if on else 20
    return grey


def encode_sound(
    stream: av.AudioStream, sound: Samples, rate: int, *, start: Time = 0
) -> list[av.Packet[Any]]:
    """All packets of (channels, samples) in -1..1, moved to begin at `start`."""
    layout = stream.layout.name
    size = sound.shape[-1]
    packets: list[av.Packet[Any]] = []
    for begin in range(0, size, rate):
        part = np.ascontiguousarray(sound[:, begin : begin + rate], np.float32)
        frame = av.AudioFrame.from_ndarray(part, "fltp", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
        packets += stream.encode(frame)
    packets += stream.encode(None)
    for packet in packets:
        _shift(packet, Fraction(start), end=start + Fraction(size, rate))
    return [packet for packet in packets if packet.size]


def _shift(packet: av.Packet[Any], start: Fraction, *, end: Fraction) -> None:
    """Move a packet by `start`, in ticks that can say it, and let none last beyond `end`."""
    if packet.pts is None or packet.time_base is None:
        return
    finer = (start / packet.time_base).denominator
    base = packet.time_base / finer
    pts = packet.pts * finer + int(start / base)
    length = min((packet.duration or 0) * finer, max(int(end / base) - pts, 0))
    packet.time_base, packet.pts, packet.dts, packet.duration = base, pts, pts, length


def _add_video(file: av.container.OutputContainer, spec: VideoSpec) -> av.VideoStream:
    """The video stream as described, not yet opened."""
    options = dict(spec.codec_options)
    if spec.codec == "libx264":
        options = {"preset": "ultrafast", "crf": "18"} | options
        if spec.interlaced:
            options |= {"x264-params": "interlaced=1:tff=1"}
    if spec.codec == "libx265":
        options = {"preset": "ultrafast", "x265-params": "log-level=error"} | options
    stream = file.add_stream(spec.codec, rate=Fraction(spec.rate), options=options)
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height = spec.size
    stream.pix_fmt = spec.pixel_format
    stream.gop_size, stream.max_b_frames = spec.gop, spec.b_frames
    stream.color_range = ColorRange.MPEG
    stream.colorspace = _BT2020_NCL if spec.hdr else _BT709
    stream.color_primaries = ColorPrimaries.BT2020 if spec.hdr else ColorPrimaries.BT709
    stream.color_trc = _TRANSFER[spec.hdr]
    if spec.sar is not None:
        stream.codec_context.sample_aspect_ratio = spec.sar
    if spec.rotation:
        stream.set_display_rotation(-spec.rotation)
    return stream


def _encode_video(
    stream: av.VideoStream, spec: VideoSpec, times: Sequence[Fraction], lit: set[int]
) -> list[av.Packet[Any]]:
    """All packets, encoded at a constant rate and then moved to their times."""
    packets: list[av.Packet[Any]] = []
    reformatter = VideoReformatter()  # one for all frames: making it costs more than using it
    for index in range(len(times)):
        grey = draw_frame(index, spec.size, lit=index in lit)
        drawn = av.VideoFrame.from_ndarray(grey, "gray")
        frame = reformatter.reformat(drawn, format=spec.pixel_format)
        frame.pts, frame.time_base = index, 1 / Fraction(spec.rate)
        packets += stream.encode(frame)
    packets += stream.encode(None)
    if spec.times is not None or spec.start:
        stream.time_base = Fraction(1, FINE)
        ends = [*times[1:], times[-1] + 1 / Fraction(spec.rate)]
        for packet in packets:
            _retime(packet, times, ends)
    return packets


def _retime(packet: av.Packet[Any], times: Sequence[Fraction], ends: Sequence[Fraction]) -> None:
    """Give a packet numbered by frames the time of its frame."""
    assert packet.pts is not None
    assert packet.dts is not None
    index, order = packet.pts, packet.dts
    early = (ends[0] - times[0]) * min(order, 0)  # before the first frame, in decoding order
    packet.time_base = Fraction(1, FINE)
    packet.pts = round(times[index] * FINE)
    packet.dts = round((times[max(order, 0)] + early) * FINE)
    packet.duration = round((ends[index] - times[index]) * FINE)


def _add_audio(
    file: av.container.OutputContainer, codec: str, rate: int, channels: int
) -> av.AudioStream:
    """The audio stream as described, not yet opened."""
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    stream = file.add_stream(codec, rate=rate, layout=layout)
    assert isinstance(stream, av.AudioStream)
    return stream


def _tracks(audio: str | Samples | Sequence[str | Samples] | None) -> list[str | Samples]:
    """One entry for each audio track."""
    if audio is None:
        return []
    return [audio] if isinstance(audio, str | np.ndarray) else list(audio)


def _video_sound(kind: str | Samples, spec: VideoSpec, truth: MadeVideo) -> Samples:
    """(channels, samples) of a track; clicks stand at the flashes, wherever the track begins."""
    rate = spec.audio_rate
    if isinstance(kind, np.ndarray):
        return np.broadcast_to(kind, (spec.channels, kind.shape[-1]))
    length = truth.duration if spec.audio_duration is None else spec.audio_duration
    size = round(length * rate)
    shown = (truth.frame_times[0] + time for time in truth.flash_times)
    if kind == "clicks":
        sound = click_track(shown, size, rate, start=spec.audio_start) * np.float32(_CLICK_HEIGHT)
    elif kind == "noise":
        sound = pink_noise(size, np.random.default_rng(spec.seed)) * np.float32(0.1)
    elif kind == "tone":
        sound = tone(size, rate, 440.0)
    elif kind == "silence":
        sound = np.zeros(size, np.float32)
    else:
        raise ValueError(f"no such sound: {kind}")
    return np.broadcast_to(sound, (spec.channels, size))


def _mux(file: av.container.OutputContainer, packets: list[av.Packet[Any]]) -> None:
    """Write packets of all streams in the order of their decoding times."""
    for packet in sorted(packets, key=lambda p: (p.dts or 0) * (p.time_base or Fraction(1))):
        file.mux(packet)


def _nearest(times: Sequence[Fraction], wanted: Fraction) -> int:
    return min(range(len(times)), key=lambda index: abs(times[index] - wanted))


def _chapters(chapters: Sequence[tuple[Time, Time, str]]) -> list[Any]:
    base = Fraction(1, 1000)
    return [
        {"id": i, "start": int(a / base), "end": int(b / base), "time_base": base,
         "metadata": {"title": title}}
        for i, (a, b, title) in enumerate(chapters)
    ]  # fmt: skip


def _srt(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d},{rest % 1000:03d}"
