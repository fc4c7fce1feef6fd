"""Sound as it will be rendered, decoded for comparison: which part, which channels, from when.

Time 0 is that of the render. A camera's sound is placed by its time stamps against the first frame
shown; a recorder's is counted from its first decoded sample. The same ffmpeg and the same filters
do it (`codecs/graph.py`), so that whatever a container hides or adds cancels out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.process import Child, machine_memory_bytes
from avpipe.codecs.timing import UNTIMED
from avpipe.errors import UnreadableError
from avpipe.media import AudioStream, MediaInfo
from avpipe.recipe import AUDIO_RATE, FEWER_CHANNELS_HINT, MOST_CHANNELS

if TYPE_CHECKING:
    from avpipe.codecs.mp4_sound import LongSound, Shown

Samples = NDArray[np.float32]
Raw = NDArray[Any]
"""Samples as they are handed over: 16-bit whole numbers, or floats."""
SampleType = np.dtype[Any]

LISTEN_RATE = 16_000
"""Samples a second of what is decoded here."""
MIX = -1
"""In the place of a channel's number: the mean of all."""
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0"}
_FORMATS: dict[SampleType, str] = {np.dtype(np.int16): "s16le", np.dtype(np.float32): "f32le"}
_FILTER_SIZE = 16
"""Half of swr's own: the same on both sides, it moves nothing, and takes a third less time."""
_LOUDEST = 8.0
_READ_BYTES = 1 << 18
_INDEXED = ("mov",)
"""Containers whose index tells where every sample is."""
_SAMPLES = ("wav", "w64")
"""Containers in which the place of a PCM sample is its time."""
_LARGE_PACKETS = ("-max_size", "65536")
"""WAV's demuxer gives 4 kB at a time, and handing them from thread to thread costs more than all
that is done with them."""
_ONE_PACKET = ("-probesize", "65536")
"""What the demuxers of PCM may look at for DTS in disguise: over 32 packets that takes longer than
to decode 20 s, and the probe has looked already."""
IN_PARTS_FROM_S = 4 * 3600.0
"""From here on it is looked whether an index is so large that decoders are shown parts of it."""
_PROTOCOLS = "file,concat,subfile"
_RUN_UP_S = 1
"""Decoded and dropped before a stretch: decoders need some packets to come in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """One sound stream of a file, and what its time 0 is."""

    info: MediaInfo
    stream: AudioStream
    shown_from: Fraction | None
    """The time of the first frame shown; None where the file has no picture that counts."""
    damaged: bool = False
    """Whether packets are lost, so that the index does not tell where samples are."""
    long: LongSound | None = field(default=None, compare=False)
    """What decoders are shown of it in place of the file, where that is very long."""

    @property
    def counted(self) -> bool:
        """Whether samples are counted from the first one, and not placed by their time stamps."""
        return self.shown_from is None or self.sought

    @property
    def sought(self) -> bool:
        """Whether decoding can begin anywhere, to the sample."""
        if self.damaged:
            return False
        if self.info.container in _SAMPLES and (self.stream.codec or "").startswith("pcm"):
            return True
        return self.info.container in _INDEXED and self.stream.gaps is False

    @property
    def sample_type(self) -> SampleType:
        """How samples are handed over: whole numbers, but of a file that has floats."""
        return np.dtype(np.float32 if "_f" in (self.stream.codec or "") else np.int16)

    @property
    def lead_s(self) -> float:
        """Where the first counted sample is on the time line of the picture."""
        if self.shown_from is None or not self.counted:
            return 0.0
        return float((self.stream.start or 0) - self.shown_from)

    @property
    def duration_s(self) -> float | None:
        """From time 0 of what is decoded to its end; None where the file does not tell."""
        if self.stream.duration is None:
            return None
        if self.counted or self.shown_from is None:
            return float(self.stream.duration)
        return max(float(self.stream.duration + (self.stream.start or 0) - self.shown_from), 0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A part of a track, in whole seconds so that every sample rate has a sample there."""

    begin_s: int
    end_s: int | None = None
    """None for all that follows."""


WHOLE = Stretch(begin_s=0)


def camera_track(info: MediaInfo, stream: AudioStream) -> Track:
    """A sound stream of the video, on the time line of its picture, where it has one.

    Raises UnreadableError where it has more channels than ffmpeg's filters take.
    """
    _require_few_channels(info, stream)
    if not info.video:
        return Track(info=info, stream=stream, shown_from=None)
    start = None if info.container in UNTIMED else info.video[0].start
    return Track(info=info, stream=stream, shown_from=start or Fraction(0))


def recorder_track(info: MediaInfo) -> Track:
    """The best sound stream of the audio file, counted from its first sample.

    Raises UnreadableError where it has more channels than ffmpeg's filters take.
    """
    _require_few_channels(info, info.audio[0])
    return Track(info=info, stream=info.audio[0], shown_from=None)


def _require_few_channels(info: MediaInfo, stream: AudioStream) -> None:
    if stream.channels > MOST_CHANNELS:
        raise UnreadableError(
            f"{info.path} has {stream.channels} channels, more than the {MOST_CHANNELS} "
            "that can be worked with",
            hint=FEWER_CHANNELS_HINT,
        )


def in_parts(track: Track) -> Track:
    """The same; where it is very long, decoders need no index of the whole. Raises OSError."""
    if not (track.sought and track.counted and track.info.container in _INDEXED):
        return track
    if (track.duration_s or 0.0) < IN_PARTS_FROM_S:
        return track
    from avpipe.codecs.mp4_sound import long_sound  # only for what lasts for hours

    return replace(track, long=long_sound(track.info.path, track.stream.index))


def decode_arguments(
    track: Track, picks: Sequence[int], stretch: Stretch, shown: Shown | None = None
) -> list[str]:
    """ffmpeg's arguments that write `picks` of a stretch, interleaved, at LISTEN_RATE."""
    filters = [
        *_cut(track, stretch),
        _chosen(picks, track.stream.channels),
        *_timed(track, stretch),
        f"aresample={LISTEN_RATE}:filter_size={_FILTER_SIZE}",
    ]
    return [
        *("-copyts", *_sought(track, stretch)),
        *("-protocol_whitelist", "file" if shown is None else _PROTOCOLS),
        *("-f", str(track.info.container), *_reading(track)),
        *("-i", f"file:{track.info.path}" if shown is None else shown.url),
        *("-map", f"0:{track.stream.index if shown is None else 0}"),
        *("-af", ",".join(filters), "-f", _FORMATS[track.sample_type], "pipe:1"),
    ]


def _reading(track: Track) -> tuple[str, ...]:
    """The options of the input that set how much of a WAV is read at once."""
    large = _LARGE_PACKETS if track.info.container == "wav" else ()
    is_pcm = (track.stream.codec or "").startswith("pcm")
    return (*large, *(_ONE_PACKET if is_pcm and track.info.container in _SAMPLES else ()))


def _sought(track: Track, stretch: Stretch) -> tuple[str, ...]:
    """The options of the input that set its times, and where reading begins."""
    if not track.counted:
        return ("-itsoffset", f"{float(-(track.shown_from or 0)):.6f}")
    if stretch.begin_s <= _RUN_UP_S:
        return ()
    begin = stretch.begin_s - _RUN_UP_S + (track.stream.start or 0)
    return ("-noaccurate_seek", "-seek_timestamp", "1", "-ss", f"{float(begin):.6f}")


def _cut(track: Track, stretch: Stretch) -> tuple[str, ...]:
    """The filters that leave the stretch alone."""
    if stretch == WHOLE:
        return ()
    rate = track.stream.sample_rate
    first = round((track.stream.start or 0) * rate)
    end = "" if stretch.end_s is None else f":end_pts={stretch.end_s * rate + first}"
    return (f"asettb=1/{rate}", f"atrim=start_pts={stretch.begin_s * rate + first}{end}")


def _chosen(picks: Sequence[int], channels: int) -> str:
    """The filter that makes the picks of the channels."""
    mix = "+".join(f"{1 / channels:.6f}*c{n}" for n in range(channels))
    made = (f"c{place}={mix if pick == MIX else f'c{pick}'}" for place, pick in enumerate(picks))
    return f"pan={_LAYOUTS[len(picks)]}|{'|'.join(made)}"


def _timed(track: Track, stretch: Stretch) -> tuple[str, ...]:
    """The filters that give samples the times of the render."""
    silence = f"aresample={AUDIO_RATE}:async=1:first_pts=0:min_hard_comp=0.01"
    if not track.counted:
        return (silence,)
    if track.stream.gaps:
        return ("asetpts=PTS-STARTPTS", silence)
    if track.shown_from is None:
        return ("asetpts=N/SR/TB",)
    first = (track.stream.start or 0) + stretch.begin_s
    return (f"asetpts=PTS-{float(first):.9f}/TB", silence)


class Decoder:
    """A running ffmpeg that decodes a track; a context manager that never leaves it behind."""

    def __init__(
        self, ffmpeg: Ffmpeg, track: Track, picks: Sequence[int], stretch: Stretch = WHOLE
    ) -> None:
        self._track = track
        self._type = track.sample_type
        self._frame = self._type.itemsize * len(picks)
        self._picks = len(picks)
        argv = [ffmpeg.path, "-hide_banner", "-nostdin", "-nostats", "-v", "error"]
        with (
            nullcontext()
            if track.long is None
            else track.long.shown(stretch.begin_s - _RUN_UP_S, stretch.end_s) as shown
        ):
            self._child = Child(
                [*argv, *decode_arguments(track, picks, stretch, shown)],
                memory_bytes=machine_memory_bytes(),
                handles=() if shown is None else (shown.handle,),
            )

    def blocks(self) -> Iterator[Raw]:
        """(picks, n) samples after samples. Raises ChildFailedError or StalledError."""
        rest = b""
        while data := self._child.stdout.read(_READ_BYTES):
            self._child.sign_of_life()
            data = rest + data
            whole = len(data) - len(data) % self._frame
            rest = data[whole:]
            yield np.frombuffer(data[:whole], self._type).reshape(-1, self._picks).T
        self._child.finish(f"listening to {self._track.info.path}")

    def close(self) -> None:
        """End ffmpeg, where it still runs; whoever reads from it comes to an end."""
        self._child.close()

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def floats(raw: Raw) -> Samples:
    """Samples in -1..1; what is no number is 0, and nothing is louder than any sound."""
    if raw.dtype == np.int16:
        return np.asarray(raw * np.float32(1 / 32768), np.float32)
    return np.asarray(np.clip(np.nan_to_num(raw, nan=0.0), -_LOUDEST, _LOUDEST), np.float32)
