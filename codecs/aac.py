"""AAC-LC encoded on several cores at once, in chunks that join without a seam.

ffmpeg's encoder holds one core. Here each chunk has an encoder of its own, so the chunks are
encoded side by side, and always at the same places: the file does not depend on the workers.

Packet `k` of a stream codes the samples `(k - 1) * 1024` to `(k + 1) * 1024`, and its decoder gives
the first half of them after it has seen packet `k - 1`. So a chunk's encoder is started early, and
the packets that it makes before its own first one are dropped.

Starting early is not enough. The encoder's rate control (`lambda`) starts low and climbs for
hundreds of frames: on a guitar the frames after a joint had 9 dB less than one encoder gave them
with 8 frames of pre-roll, 7 dB less with 32 and 4 dB less with 128. One frame of silence first
sends it to its upper end, from where it falls to its place within a few frames: 0.0 +- 0.6 dB from
the fourth frame on (FFmpeg 8.1; tests/test_aac.py measures it). The start of the file gains by it.

The file says exactly how many samples it holds: in its track's duration, its edit list and its last
packet's duration. ffmpeg 9 decodes to that; demuxers before it (PyAV 18, ffmpeg 5.1) give the last
frame whole, of every AAC in MP4. To keep it through a copy, `-movie_timescale` must be the sample
rate: in ffmpeg 5.1 the edit list's milliseconds cut up to 32 samples otherwise.
"""

from __future__ import annotations

import errno
import os
import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from io import RawIOBase
from pathlib import Path
from typing import IO, TYPE_CHECKING

import av
from av.audio.codeccontext import AudioCodecContext

from avpipe.errors import DiskFullError, RenderError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from av.audio.stream import AudioStream
    from av.container import OutputContainer

    Samples = IO[bytes] | RawIOBase

FRAME = 1024
"""Samples of each channel in one packet."""
CHUNK_FRAMES = 384
"""8.2 s at 48 kHz, 3.1 MB in stereo: the pre-roll costs 2.6 %, and ten chunks are 31 MB."""
PREROLL_FRAMES = 8
"""With 4, speech lost 0.6 dB at the joints on average and 8 dB at worst; with 8, nothing."""
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}
"""By number of channels."""

_BYTES = {"flt": 4, "s16": 2, "s32": 4}
_BLOCK_FRAMES = 32
"""Given to an encoder at once, so that no whole chunk is copied: 0.25 MB in stereo."""
_PIPE_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """What was written."""

    samples: int
    """Of each channel: as many as were read, and as the file decodes to."""
    packets: int
    sample_rate: int
    """In Hz."""

    @property
    def duration(self) -> Fraction:
        """In seconds."""
        return Fraction(self.samples, self.sample_rate)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Format:
    """What the encoders of all chunks are opened with."""

    sample_rate: int
    channels: int
    bit_rate: int
    sample_format: str

    @property
    def sample_bytes(self) -> int:
        """The size of one sample of all channels."""
        return self.channels * _BYTES[self.sample_format]

    @property
    def frame_bytes(self) -> int:
        """The size of the samples of one packet."""
        return FRAME * self.sample_bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class _Chunk:
    """Pre-roll, the chunk's own samples and, but for the last one, one frame to look ahead."""

    pcm: bytes
    preroll_frames: int
    samples: int
    """The chunk's own."""
    last: bool


def encode_stream(
    pcm: Samples,
    output: str,
    *,
    sample_rate: int = 48000,
    channels: int = 2,
    sample_format: str = "flt",
    bit_rate: int = 192_000,
    workers: int,
    report: Callable[[int], None] | None = None,
) -> Encoded:
    """Write an MP4 file with the interleaved samples of `pcm` as AAC-LC: `flt`, `s16` or `s32`.

    It holds `workers + 2` chunks at most. `report` is told the samples that are written so far.
    Raises RenderError where `pcm` ends within a sample or the encoder fails, DiskFullError where
    there is no room; what is written of `output` by then is left to the caller.
    """
    if channels not in LAYOUTS:
        raise ValueError(f"no layout for {channels} channels")
    form = _Format(
        sample_rate=sample_rate,
        channels=channels,
        bit_rate=bit_rate,
        sample_format=sample_format,
    )
    _widen_pipe(pcm)
    with _translated(output), _open_output(output, sample_rate) as container:
        writer = _Writer(container, form)
        with closing(_encode_chunks(pcm, form, max(1, workers))) as chunks:
            for packets, samples in chunks:
                writer.write(packets, samples)
                if report is not None:
                    report(writer.samples)
    return Encoded(samples=writer.samples, packets=writer.packets, sample_rate=sample_rate)


def _encode_chunks(pcm: Samples, form: _Format, workers: int) -> Generator[tuple[list[bytes], int]]:
    """Yield each chunk's packets and samples in order; an error in any thread is raised here.

    Threads, because PyAV lets go of the GIL: two of them encode 1.7 to 1.9 times as fast as one,
    and PyAV's encoder needs the CPU time of the ffmpeg 9 binary's (2.2 s for 2 minutes of music).
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="aac")
    under_way: deque[tuple[Future[list[bytes]], int]] = deque()
    try:
        for chunk in _read_chunks(pcm, form):
            under_way.append((pool.submit(_encode_chunk, chunk, form), chunk.samples))
            while len(under_way) > workers + 1 or (under_way and under_way[0][0].done()):
                future, samples = under_way.popleft()
                yield future.result(), samples
        while under_way:
            future, samples = under_way.popleft()
            yield future.result(), samples
    finally:
        pool.shutdown(cancel_futures=True)


def _read_chunks(pcm: Samples, form: _Format) -> Iterator[_Chunk]:
    """Yield the chunks of `pcm`, each with the pre-roll before it and the frame after it."""
    held = b""
    preroll = 0
    while True:
        size = (preroll + CHUNK_FRAMES + 1) * form.frame_bytes
        data = held + _read(pcm, size - len(held))
        if len(data) % form.sample_bytes:
            raise RenderError("the sound ended within a sample: its source was cut off")
        last = len(data) < size
        own = len(data) // form.sample_bytes - preroll * FRAME if last else CHUNK_FRAMES * FRAME
        yield _Chunk(pcm=data, preroll_frames=preroll, samples=own, last=last)
        if last:
            return
        held = data[-(PREROLL_FRAMES + 1) * form.frame_bytes :]
        preroll = PREROLL_FRAMES


def _read(pcm: Samples, size: int) -> bytes:
    """Read `size` bytes, or as many as there are before the end."""
    parts = []
    while size > 0 and (part := pcm.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _encode_chunk(chunk: _Chunk, form: _Format) -> list[bytes]:
    """Encode the chunk's own samples to packets; the file's first one holds the priming."""
    encoder = _open_encoder(form)
    packets = []
    for frame in _frames(chunk.pcm, form):
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    if chunk.last:
        packets += [bytes(packet) for packet in encoder.encode(None)]
    # Packet 0 codes the silence. Of the first chunk packet 1 codes silence and the first frame,
    # which is the priming packet of a single encoder: no more has to be dropped there.
    first = 1 + chunk.preroll_frames
    count = -(-chunk.samples // FRAME) + 1 if chunk.last else CHUNK_FRAMES
    kept = packets[first : first + count]
    if len(kept) != count:
        raise RenderError(f"the AAC encoder made {len(kept)} packets of {count}")
    return kept


def _frames(pcm: bytes, form: _Format) -> Iterator[av.AudioFrame]:
    """Yield one frame's length of silence, then the samples in blocks that PyAV cuts to frames."""
    silence = bytes(form.frame_bytes)
    step = _BLOCK_FRAMES * form.frame_bytes
    position = 0
    for block in (silence, *(pcm[at : at + step] for at in range(0, len(pcm), step))):
        samples = len(block) // form.sample_bytes
        frame = av.AudioFrame(
            format=form.sample_format, layout=LAYOUTS[form.channels], samples=samples
        )
        frame.sample_rate = form.sample_rate
        frame.pts = position
        frame.planes[0].update(block)
        yield frame
        position += samples


def _open_encoder(form: _Format) -> AudioCodecContext:
    """Make an encoder; its options are the defaults, those of the single encoder compared with.

    `aac_coder=fast` halves the time, but a tone has 33 dB of signal to noise instead of 61. Without
    PNS, intensity stereo and TNS it takes 3 to 15 % less, but drum hits lose 2 dB.
    """
    encoder = av.CodecContext.create("aac", "w")
    if not isinstance(encoder, AudioCodecContext):
        raise TypeError("aac is not a sound encoder")
    encoder.sample_rate = form.sample_rate
    encoder.layout = LAYOUTS[form.channels]
    encoder.format = "fltp"
    encoder.bit_rate = form.bit_rate
    return encoder


class _Writer:
    """Gives the packets of all chunks their times and writes them.

    The times are set by hand: left to PyAV, the file is up to 1,023 samples too long.
    """

    def __init__(self, container: OutputContainer, form: _Format) -> None:
        self._container = container
        self._time_base = Fraction(1, form.sample_rate)
        self._stream = _add_stream(container, form)
        self.samples = 0
        self.packets = 0

    def write(self, packets: list[bytes], samples: int) -> None:
        """Write the next chunk; a last packet that codes more than there is gets a shorter time."""
        self.samples += samples
        for data in packets:
            # The priming stands before 0: the muxer makes the edit list of it.
            start = (self.packets - 1) * FRAME
            packet = av.Packet(data)
            packet.stream = self._stream
            packet.time_base = self._time_base
            packet.pts = packet.dts = start
            packet.duration = min(FRAME, self.samples - start)
            packet.is_keyframe = True
            self._container.mux_one(packet)
            self.packets += 1


def _add_stream(container: OutputContainer, form: _Format) -> AudioStream:
    """Add the track, its encoder opened only for the parameters that it tells the muxer."""
    stream = container.add_stream("aac", rate=form.sample_rate)
    stream.layout = LAYOUTS[form.channels]
    stream.bit_rate = form.bit_rate
    container.start_encoding()
    return stream


def _open_output(output: str, sample_rate: int) -> OutputContainer:
    """Open an MP4 whose edit list is exact to the sample, and not to the millisecond."""
    return av.open(
        f"file:{Path(output).absolute()}",
        "w",
        format="ipod",
        options={"movie_timescale": str(sample_rate)},
    )


@contextmanager
def _translated(output: str) -> Iterator[None]:
    """Raise PyAV's errors as ours."""
    try:
        yield
    except av.FFmpegError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFullError(f"no room for {output}") from error
        raise RenderError(f"the sound could not be encoded to {output}: {error}") from error


def _widen_pipe(pcm: Samples) -> None:
    """Make a pipe 1 MiB where the system lets us; 64 KiB do as well, with more waits."""
    if sys.platform != "linux":
        return
    import fcntl
    import stat

    try:
        if stat.S_ISFIFO(os.fstat(pcm.fileno()).st_mode):
            fcntl.fcntl(pcm.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except OSError:
        return
