"""What is in a file, by decoding it: the measuring half of `media_factory`.

Times are those of the presentation: edit lists and priming are counted as the demuxer tells them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from avpipe.benchmarks.scene import PULSE_SIGMA_S, pulse

Samples = NDArray[np.float32]

_GAP = Fraction(2, 1000)  # a smaller step in the times is the container's rounding (mkv: 1 ms)


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    """What a stream covers on the file's own time line."""

    index: int
    kind: str
    """video or audio."""
    start: Fraction
    end: Fraction
    """Of what is decoded; the last AAC frame is decoded whole."""
    told_end: Fraction
    """As the last packet's duration tells it, which is what players go by."""
    count: int
    """Decoded frames of a video, samples of a sound."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """One frame of a video, in the order of presentation."""

    time: Fraction
    """After the first frame."""
    brightness: float
    """Mean, 0 to 255."""
    number: int
    """What the blocks of the factory's picture say; -1 where they are unreadable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sound:
    """A decoded audio stream on its file's time line; gaps are silence."""

    start: Fraction
    rate: int
    samples: Samples
    """(channels, samples)"""
    count: int
    """Decoded samples, gaps not counted."""


def flash_times(path: Path) -> list[Fraction]:
    """When the picture turns bright, after the first frame shown; the first frame of each flash."""
    frames = shown_frames(path)
    brightness = np.array([frame.brightness for frame in frames])
    usual, most = float(np.median(brightness)), float(brightness.max())
    if most - usual < 20:
        return []
    bright = brightness > (usual + most) / 2
    rises = np.flatnonzero(bright & ~np.concatenate(([False], bright[:-1])))
    return [frames[index].time for index in rises]


def shown_frames(path: Path) -> list[Shown]:
    """Every frame of the first video stream."""
    with _open(path) as file:
        grey = VideoReformatter()
        shown = [(_time(f), *_read_picture(_gray(f, grey))) for f in file.decode(video=0)]
    shown.sort(key=lambda frame: frame[0])
    return [
        Shown(time=time - shown[0][0], brightness=brightness, number=number)
        for time, brightness, number in shown
    ]


def frame_gray(path: Path, time: Fraction | float) -> NDArray[np.uint8]:
    """(height, width) as coded, not turned: the frame on show `time` s after the first one."""
    last, origin = None, None
    with _open(path) as file:
        for frame in file.decode(video=0):
            origin = _time(frame) if origin is None else origin
            if last is not None and _time(frame) - origin > time:
                break
            last = frame
        if last is None:
            raise ValueError(f"no frame in {path}")
        return _gray(last, VideoReformatter())


def click_times(path: Path, stream: int = 0, *, threshold: float = 0.5) -> NDArray[np.float64]:
    """When `click_track`'s pulses are heard, s after the first video frame shown.

    `stream` counts the audio streams. In a file without video the times count from its first
    sample. Fainter than `threshold` of the loudest, or than 0.02, is no click; to 0.01 samples.
    """
    sound = read_sound(path, stream)
    match = _matched(sound.samples.mean(axis=0), sound.rate)
    floor = max(threshold * float(match.max(initial=0)), 0.02)
    reach = round(0.02 * sound.rate)
    peaks: list[int] = []
    for at in np.flatnonzero(match > floor):
        if peaks and at - peaks[-1] < reach:
            peaks[-1] = int(at) if match[at] > match[peaks[-1]] else peaks[-1]
        else:
            peaks.append(int(at))
    origin = sound.start - (first_frame_time(path) if _has_video(path) else sound.start)
    return np.array([(peak + _vertex(match, peak)) / sound.rate + float(origin) for peak in peaks])


def level_db(path: Path, start: float, end: float, stream: int = 0) -> float:
    """RMS of all channels between two times after the first video frame, dB of full scale."""
    sound = read_sound(path, stream)
    origin = sound.start - (first_frame_time(path) if _has_video(path) else sound.start)
    first, last = (round((Fraction(edge) - origin) * sound.rate) for edge in (start, end))
    part = sound.samples[:, max(first, 0) : max(last, 0)].astype(np.float64)
    if not part.any():
        return float("-inf")
    return float(10 * np.log10(np.mean(part**2)))


def stream_extents(path: Path) -> list[Extent]:
    """Where each video and audio stream begins and ends, on the file's own time line."""
    with _open(path) as file:
        kinds = [(s.index, s.type) for s in file.streams if s.type in {"video", "audio"}]
        told = _packet_ends(file)
    extents, sounds = [], 0
    for index, kind in kinds:
        if kind == "video":
            start, end, count = _video_extent(path, index)
        else:
            sound = read_sound(path, sounds)
            start, count = sound.start, sound.count
            end = start + Fraction(sound.samples.shape[1], sound.rate)
            sounds += 1
        extents.append(
            Extent(index=index, kind=kind, start=start, end=end, told_end=told[index], count=count)
        )
    return extents


def _packet_ends(file: InputContainer) -> dict[int, Fraction]:
    """By stream index, when the last packet ends of those that the edit list shows."""
    ends: dict[int, Fraction] = {}
    for packet in file.demux():
        if packet.pts is None or not packet.time_base or packet.is_discard:
            continue
        end = (packet.pts + (packet.duration or 0)) * _exact(packet.time_base)
        ends[packet.stream_index] = max(end, ends.get(packet.stream_index, end))
    return ends


def read_sound(path: Path, stream: int = 0) -> Sound:
    """All of an audio stream, from the time of its first frame on.

    Beside a video, gaps in the times become silence. In a file of its own samples are counted:
    the times of MP3 and Vorbis do not fit their samples.
    """
    parts: list[Samples] = []
    start, rate, size, count = Fraction(0), 0, 0, 0
    with _open(path) as file:
        timed = bool(file.streams.video)
        for frame in file.decode(audio=stream):
            if not parts:
                start, rate = _time(frame), frame.sample_rate
            samples = _floats(frame)
            gap = _time(frame) - start - Fraction(size, rate) if timed else Fraction(0)
            if abs(gap) > _GAP:
                silence = round(gap * rate)
                if silence < 0:
                    raise ValueError(f"sound overlaps by {-silence} samples in {path}")
                parts.append(np.zeros((samples.shape[0], silence), np.float32))
                size += silence
            parts.append(samples)
            size, count = size + samples.shape[1], count + samples.shape[1]
    if not parts:
        raise ValueError(f"no sound in {path}")
    return Sound(start=start, rate=rate, samples=np.concatenate(parts, axis=1), count=count)


def first_frame_time(path: Path) -> Fraction:
    """Presentation time of the first frame of the first video stream."""
    with _open(path) as file:
        return _time(next(file.decode(video=0)))


def _video_extent(path: Path, index: int) -> tuple[Fraction, Fraction, int]:
    """First frame's time, end of the last, and how many; a length not told is the one before's."""
    with _open(path) as file:
        stream = file.streams[index]
        assert isinstance(stream, av.VideoStream)
        frames = sorted((_time(f), _length(f)) for f in file.decode(stream))
    time, length = frames[-1]
    if not length and len(frames) > 1:
        length = time - frames[-2][0]
    return frames[0][0], time + length, len(frames)


def _open(path: Path) -> InputContainer:
    return av.open(f"file:{path.absolute()}")


def _has_video(path: Path) -> bool:
    with _open(path) as file:
        return bool(file.streams.video)


def _time(frame: av.VideoFrame | av.AudioFrame) -> Fraction:
    """The frame's exact presentation time."""
    if frame.pts is None or not frame.time_base:
        raise ValueError("a frame without a time")
    return frame.pts * _exact(frame.time_base)


def _length(frame: av.VideoFrame) -> Fraction:
    """How long a frame is shown, 0 where the file does not tell."""
    return (frame.duration or 0) * _exact(frame.time_base) if frame.time_base else Fraction(0)


def _exact(base: Fraction) -> Fraction:
    """PyAV 19 has a rational type of its own."""
    return Fraction(base.numerator, base.denominator)


def _gray(frame: av.VideoFrame, reformatter: VideoReformatter) -> NDArray[np.uint8]:
    """(height, width), full range."""
    return np.asarray(reformatter.reformat(frame, format="gray").to_ndarray(), np.uint8)


def _read_picture(gray: NDArray[np.uint8]) -> tuple[float, int]:
    """Mean brightness and the number in the sixteen blocks along the lower edge."""
    row = gray[-max(gray.shape[0] // 16, 1) :].mean(axis=0)
    edges = np.arange(17) * row.size // 16
    blocks = np.array([row[(a + b) // 2] for a, b in pairwise(edges)])
    number = -1
    if row.size >= 64 and np.all((blocks < 80) | (blocks > 140)):
        number = int("".join("1" if block > 110 else "0" for block in blocks), 2)
    return float(gray.mean()), number


def _floats(frame: av.AudioFrame) -> Samples:
    """(channels, samples) in -1..1 of a frame of any sample format."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        return np.asarray(samples / 128 - 1, np.float32)
    scale = {"int16": 2.0**15, "int32": 2.0**31}.get(samples.dtype.name, 1.0)
    return np.asarray(samples / scale, np.float32)


def _matched(mono: Samples, rate: int) -> NDArray[np.float64]:
    """(samples,) height of the pulse that fits best at each sample, either way up."""
    reach = int(6 * PULSE_SIGMA_S * rate) + 1
    shape = pulse(np.arange(-reach, reach + 1) / rate)
    size = mono.size + shape.size
    spectrum = np.fft.rfft(mono.astype(np.float64), size) * np.fft.rfft(shape[::-1], size)
    match = np.fft.irfft(spectrum, size)[reach : reach + mono.size]
    return np.asarray(np.abs(match) / (shape**2).sum())


def _vertex(curve: NDArray[np.float64], peak: int) -> float:
    """How far the parabola's top through three points lies from the middle one, in samples."""
    if not 0 < peak < curve.size - 1:
        return 0.0
    before, at, after = curve[peak - 1 : peak + 2]
    bend = before - 2 * at + after
    return 0.0 if bend == 0 else float(0.5 * (before - after) / bend)
