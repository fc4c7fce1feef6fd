"""`python -m avpipe.benchmarks growth`: what a copy-merge takes as videos get longer and larger."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import click

from avpipe.benchmarks.cases import AVPIPE
from avpipe.benchmarks.inputs import Inputs
from avpipe.benchmarks.meter import run
from avpipe.benchmarks.truth.figures import markdown
from avpipe.codecs.ffmpeg import find

LENGTHS_S = {"1min": 60, "10min": 600, "1h": 3600, "4h": 4 * 3600}
SIZES_MB = {"10MB": 10, "100MB": 100, "1GB": 1000, "10GB": 10_000}
CLIP_S = 10
_BLOCK = 4096
_NOTHING = bytes(_BLOCK)
_BUFFER = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Grown:
    """One video of a row that grows."""

    name: str
    video: Path
    audio: Path


@click.command("growth")
@click.argument("names", metavar="[CASE]...", nargs=-1, type=click.Choice([*LENGTHS_S, *SIZES_MB]))
@click.option("--work", type=click.Path(path_type=Path), help="Keeps the inputs.")
@click.option("--markdown", "markdown_file", type=click.Path(path_type=Path))
def main(names: tuple[str, ...], work: Path | None, markdown_file: Path | None) -> None:
    """Merge longer and larger videos, by copy; all of them write 20 GB and take half an hour."""
    folder = work or Path(tempfile.gettempdir(), "avpipe-benchmarks")
    folder.mkdir(parents=True, exist_ok=True)
    inputs = Inputs(folder=folder, ffmpeg=find(os.environ.get("AVPIPE_FFMPEG")))
    rows: list[tuple[str, ...]] = [("case", "MB in", "wall s", "CPU s", "peak MB", "MB/s")]
    with tempfile.TemporaryDirectory(prefix="outputs-", dir=folder) as outputs:
        for name in names or (*LENGTHS_S, *SIZES_MB):
            click.echo(name, err=True)
            rows.append(_row(_grown(inputs, name), Path(outputs)))
    text = markdown(rows)
    click.echo(text)
    if markdown_file is not None:
        markdown_file.write_text(text + "\n")


def _grown(inputs: Inputs, name: str) -> Grown:
    if name in LENGTHS_S:
        seconds = LENGTHS_S[name]
        audio = inputs.music_aac(seconds + 60)
        return Grown(name=name, video=inputs.thin_video(seconds), audio=audio)
    target = inputs.folder / f"sparse-{name}.mp4"
    if not target.exists():
        part = target.with_suffix(".part")
        write_sparse(inputs.thin_video(CLIP_S), part, SIZES_MB[name] * 1_000_000)
        part.replace(target)
    return Grown(name=name, video=target, audio=inputs.music_aac(60))


def write_sparse(clip: Path, target: Path, size_bytes: int) -> None:
    """The clip as an MP4 of that size that takes hardly any disk.

    Each frame is followed by a NAL unit of zeros, of a type that decoders pass over; where all
    bytes of a block are 0, the file has a hole.
    """
    with av.open(f"file:{clip}") as source:
        stream = source.streams.video[0]
        packets = [packet for packet in source.demux(stream) if packet.dts is not None]
        padding = max(0, size_bytes - sum(packet.size for packet in packets)) // len(packets)
        with (
            target.open("wb") as file,
            av.open(_Sparse(file), "w", format="mp4", buffer_size=_BUFFER) as made,
        ):
            copied = made.add_stream_from_template(stream)
            for packet in packets:
                made.mux(_padded(packet, padding, copied))


def _padded(packet: av.Packet[Any], padding: int, stream: av.VideoStream) -> av.Packet[Any]:
    """The packet with that many bytes of nothing behind it."""
    unit = max(0, padding - 4)
    made = av.Packet(bytes(packet) + unit.to_bytes(4, "big") + bytes(unit))
    made.stream, made.time_base = stream, Fraction(packet.time_base)
    made.pts, made.dts, made.duration = packet.pts, packet.dts, packet.duration
    made.is_keyframe = packet.is_keyframe
    return made


class _Sparse:
    """A file that is not written to where it would hold zeros."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        """Write what is not nothing."""
        for start in range(0, len(data), _BLOCK):
            block = bytes(data[start : start + _BLOCK])
            if block == _NOTHING[: len(block)]:
                self._file.seek(len(block), os.SEEK_CUR)
            else:
                self._file.write(block)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go somewhere."""
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        """Where it is."""
        return int(self._file.tell())


def _row(grown: Grown, folder: Path) -> tuple[str, ...]:
    output = folder / "output.mp4"
    output.unlink(missing_ok=True)
    os.sync()
    argv = (*AVPIPE, "merge", str(grown.video), str(grown.audio), "-o", str(output))
    used = run((*argv, "--sync", "start", "--video", "copy"), folder / "log.txt")
    size_mb = grown.video.stat().st_size / 1e6
    return (
        *(grown.name, f"{size_mb:.0f}", f"{used.wall_s:.2f}", f"{used.cpu_s:.2f}"),
        *(f"{(used.peak_bytes or 0) / 1e6:.0f}", f"{size_mb / used.wall_s:.0f}"),
    )
