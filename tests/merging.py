"""Merges through the real code, and what should be seen of them: shared by the end-to-end tests."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import pytest
from measure import first_frame_time, shown_frames, stream_extents
from media_factory import MadeVideo

from avpipe.plan.request import Request, Sync
from avpipe.plan.values import Plan
from avpipe.settings import Settings
from avpipe.updates import Update
from avpipe.workflow import carry_out, plan_merge

AUDIO_FRAME = Fraction(1024, 48_000)
SAMPLE_S = 0.0001
"""How far a click may be from its place."""

FFMPEGS = {"wheel": imageio_ffmpeg.get_ffmpeg_exe(), "debian": "/usr/bin/ffmpeg"}
"""Two generations of ffmpeg by name: 9 and, on Debian 12, 5.1."""
_MARKS = {
    name: [pytest.mark.skipif(not Path(path).exists(), reason=f"{path} is not there")]
    for name, path in FFMPEGS.items()
}
both_ffmpegs = pytest.mark.parametrize(
    "ffmpeg", [pytest.param(name, marks=_MARKS[name]) for name in FFMPEGS]
)
"""The test is run with each generation."""


def either_ffmpeg(names: str, cases: Iterable[Any]) -> pytest.MarkDecorator:
    """As `parametrize`; each case is run with one generation, in turn."""
    single = "," not in names
    turns = zip(([case] if single else case for case in cases), cycle(FFMPEGS), strict=False)
    parameters = [pytest.param(*case, name, marks=_MARKS[name]) for case, name in turns]
    return pytest.mark.parametrize(f"{names},ffmpeg", parameters)


@dataclass(frozen=True, kw_only=True, slots=True)
class Merged:
    """A finished merge."""

    path: Path
    plan: Plan
    updates: tuple[Update, ...]

    @property
    def duration(self) -> Fraction:
        """As planned."""
        return self.plan.timeline.duration

    @property
    def codes(self) -> set[str]:
        """Of the plan's reasons."""
        return {reason.code for reason in self.plan.reasons}


def merge(
    folder: Path, video: Path, audio: Path, *, ffmpeg: str | None = None, **wanted: Any
) -> Merged:
    """Plan and carry out a merge in-process; the output lies in `folder`.

    Where nothing else is wanted, the starts are lined up and no content is read.
    """
    output = folder / "out.mp4"
    settings = Settings(state_dir=folder / "state", ffmpeg=FFMPEGS.get(ffmpeg or "", ffmpeg))
    wanted = {"sync": Sync.START} | wanted
    request = Request(video=str(video), audio=str(audio), output=str(output), **wanted)
    plan = plan_merge(request, settings)
    updates = tuple(carry_out(plan, settings, overwrite=True))
    return Merged(path=output, plan=plan, updates=updates)


def assert_ends(merged: Merged) -> None:
    """Every stream begins at 0 and ends within an audio frame of the planned duration."""
    assert all(abs(extent.start) <= 0.0001 for extent in stream_extents(merged.path))
    ends = track_ends(merged.path)
    assert {"video", "audio"} <= set(ends)
    for kind, end in ends.items():
        assert abs(end - merged.duration) <= AUDIO_FRAME, (kind, end, merged.duration)


def track_ends(path: Path) -> dict[str, Fraction]:
    """By kind, the end of a stream after its edit list, and of the file by its header."""
    with av.open(f"file:{path.absolute()}") as file:
        ends = {"file": Fraction(file.duration or 0, av.time_base)}
        for stream in file.streams:
            if stream.type in {"video", "audio"} and stream.time_base:
                ends[stream.type] = (stream.duration or 0) * Fraction(stream.time_base)
    return ends


def assert_shows(
    merged: Merged, made: MadeVideo, *, origin: Fraction | float = 0, within_s: float = 0.0
) -> None:
    """The output's frames are the video's from `origin` on, each at its time."""
    assert abs(first_frame_time(merged.path)) <= 0.0001
    expected = shown_from(made, Fraction(origin), merged.duration)
    found = shown_frames(merged.path)
    assert [frame.number for frame in found] == [number for _, number in expected]
    for frame, (time, number) in zip(found, expected, strict=True):
        assert abs(frame.time - time) <= within_s, (number, float(frame.time), float(time))


def shown_from(made: MadeVideo, origin: Fraction, duration: Fraction) -> list[tuple[Fraction, int]]:
    """When which frame is shown in an output that begins at `origin` of the video's time line."""
    times = [time - made.frame_times[0] - origin for time in made.frame_times]
    first = max((index for index, time in enumerate(times) if time <= 0), default=0)
    shown = [(times[index], index) for index in range(first + 1, len(times))]
    return [(Fraction(0), first), *((time, index) for time, index in shown if time < duration)]


def payloads(path: Path, kind: str) -> list[str]:
    """The hash of every packet of the first stream of a kind, in the order of decoding."""
    with av.open(f"file:{path.absolute()}") as file:
        stream = next(stream for stream in file.streams if stream.type == kind)
        packets = [bytes(packet) for packet in file.demux(stream) if packet.size]
    if path.suffix == ".ts":
        packets = [_counted(packet) for packet in packets]
    if path.suffix == ".aac":  # MP4 keeps the ADTS header of each packet in its index
        packets = [packet[7:] for packet in packets]
    return [hashlib.sha256(packet).hexdigest() for packet in packets]


def _counted(packet: bytes) -> bytes:
    """H.264 units that begin with their length, as in MP4, not with a start code."""
    units = [unit for unit in re.split(rb"\x00{2,3}\x01", packet) if unit]
    return b"".join(len(unit).to_bytes(4) + unit for unit in units)
