"""The sound of a very long MP4, shown to a decoder stretch by stretch.

ffmpeg holds 24 bytes of each packet of every track that a file's index tells, in each decoder that
is at work: of a day, 160 MB. So a decoder is shown the file with an index of one track's first
packets and of the stretch that it decodes. A file whose tables are not plain is opened as it is.
"""

from __future__ import annotations

import struct
import sys
import tempfile
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avpipe.codecs.mp4_boxes import Box, BoxError, box, boxes_in, bytes_of
from avpipe.codecs.mp4_runs import Runs
from avpipe.codecs.mp4_thin import SOUND, TABLES, bare_of, is_plain, tables_of, with_tables
from avpipe.codecs.mp4_track import Movie, Mp4Track, index_of, read_movie, track_of
from avpipe.codecs.thin_choice import EDGE, LONGEST_STEP, Range, Times, joined

LONG_FROM_BYTES = 8 * 1024 * 1024
"""An index of fewer bytes is shown whole: that of a few hours."""
AROUND = 64
"""How many packets are kept before a stretch and behind it."""
_BETWEEN_FILES = "|"
"""In the names of files that ffmpeg puts together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A file as a decoder is shown it."""

    url: str
    """Of ffmpeg's protocols concat, subfile and file."""
    handle: int
    """The number of an open file that the decoder inherits."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LongSound:
    """One track of sound as the tables of its file tell it."""

    path: str
    size_bytes: int
    index: Box
    """The file's index."""
    header: bytes
    """The box that tells of the whole."""
    bare: bytes
    """The track's box without its tables."""
    track: Mp4Track
    times: Times
    ends: NDArray[np.uint32]
    """(chunks,) the sample behind the last of each."""

    @contextmanager
    def shown(self, begin_s: float, end_s: float | None) -> Iterator[Shown | None]:
        """The file with an index of that stretch, in seconds from the track's first sample.

        `end_s` is None for all that follows. The track is the file's only one. Gives None where
        the stretch is so much of the file that its index has no room in the place of the file's.
        """
        index = self._index(begin_s, end_s)
        (start, end) = (self.index.start, self.index.end)
        left = end - start - len(index)
        if left < len(box(b"free")):
            yield None
            return
        with tempfile.TemporaryFile() as file:
            file.write(index + struct.pack(">I4s", left, b"free"))
            file.truncate(end - start)
            file.seek(0)
            parts = [self._part(0, start), f"/dev/fd/{file.fileno()}"]
            if end < self.size_bytes:
                parts.append(self._part(end, self.size_bytes))
            yield Shown(url=f"concat:{_BETWEEN_FILES.join(parts)}", handle=file.fileno())

    def _part(self, start: int, end: int) -> str:
        return f"subfile,,start,{start},end,{end},,:file:{self.path}"

    def _index(self, begin_s: float, end_s: float | None) -> bytes:
        kept = self._kept(begin_s, end_s)
        places = array("Q")
        for begin, end in kept:
            self._locate(begin, end, places)
        (tables, _) = tables_of(self.track, kept, places)
        ((_, bare),) = boxes_in(memoryview(self.bare))
        return self.header + b"".join(bytes_of(with_tables(b"trak", bare, TABLES, tables)))

    def _kept(self, begin_s: float, end_s: float | None) -> tuple[Range, ...]:
        samples = len(self.track.sizes)
        first = max(0, self._sample_at(begin_s) - AROUND)
        behind = samples if end_s is None else min(samples, self._sample_at(end_s) + AROUND)
        steps = range(0, self.times.of(first), LONGEST_STEP)
        single = [(sample, sample + 1) for sample in map(self.times.sample_at, steps)]
        return joined([(0, min(EDGE, behind)), *single, (first, behind)])

    def _sample_at(self, time_s: float) -> int:
        track = self.track
        return self.times.sample_at(round(time_s * track.scale) + track.media_time)

    def _locate(self, begin: int, end: int, places: array[int]) -> None:
        """Add where each of some samples lies in the file."""
        sizes = np.frombuffer(self.track.sizes, np.uint32)
        chunk = int(np.searchsorted(self.ends, begin, side="right"))
        while begin < end:
            first = int(self.ends[chunk - 1]) if chunk else 0
            until = min(int(self.ends[chunk]), end)
            at = self.track.places[chunk] + int(sizes[first:begin].sum(dtype=np.int64))
            places.extend(accumulate(sizes[begin : until - 1].tolist(), initial=at))
            (begin, chunk) = (until, chunk + 1)


def long_sound(path: str, number: int) -> LongSound | None:
    """The track of that number; None where the file's index is short, or not plain.

    Also where a decoder cannot be shown it. Raises OSError.
    """
    if sys.platform == "win32" or _BETWEEN_FILES in path:
        return None
    try:
        with Path(path).open("rb") as file:
            index = index_of(file)
        if index.end - index.start < LONG_FROM_BYTES:
            return None
        return _read(read_movie(path), index, number)
    except BoxError:
        return None  # it is shown as it is


def _read(movie: Movie, index: Box, number: int) -> LongSound | None:
    """As `long_sound`. Raises BoxError."""
    if number >= len(movie.tracks):
        return None
    content = movie.read(movie.tracks[number])
    if not is_plain(content):
        return None
    track = track_of(movie, content)
    bare = bare_of(content)
    times = Times(track.deltas)
    begins = times.sample_at(track.media_time)
    if track.handler != SOUND or 0 in track.sizes or begins >= EDGE // 2:
        return None
    (header,) = (found for found in movie.boxes if found.kind == b"mvhd")
    held = np.repeat(np.array(track.chunks.values), np.array(track.chunks.counts))
    return LongSound(
        path=movie.path,
        size_bytes=movie.size_bytes,
        index=index,
        header=box(b"mvhd", movie.read(header)),
        bare=bare,
        track=replace(track, chunks=Runs(array("I"), array("I"))),  # they are told by `ends`
        times=times,
        ends=np.cumsum(held, dtype=np.uint32),
    )
