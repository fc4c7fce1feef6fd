"""A long MP4 with an index of a few stretches, for what takes memory for each packet.

ffmpeg's libraries hold some 90 bytes of each packet of a file that they open: of a day, 400 MB.
What is looked at is the start, the end and little between. So they are shown the file with an index
of that alone; what is left out is told apart, from the tables of the file itself. A file whose
tables are not plain is opened as it is.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, count, islice, pairwise
from pathlib import Path

from avpipe.codecs.mp4_boxes import (
    Box,
    BoxError,
    Parts,
    box,
    boxes_in,
    bytes_of,
    content_of,
    large_box,
)
from avpipe.codecs.mp4_index import PICTURE, chunks_box, places_box, runs_box, sizes_box
from avpipe.codecs.mp4_runs import Runs
from avpipe.codecs.mp4_track import (
    Movie,
    Mp4Track,
    chunk_starts,
    index_of,
    read_movie,
    track_of,
)
from avpipe.codecs.thin_choice import Range, Windows, kept_of, keys_of
from avpipe.codecs.thin_file import ThinFile

THIN_FROM_BYTES = 4 * 1024 * 1024
"""An index of fewer bytes is shown whole: that of an hour or more is larger."""
SOUND = b"soun"
_TOLD_AS_IT_IS = frozenset((b"stsd", b"cslg"))
_LEFT_OUT = frozenset((b"sdtp", b"sgpd", b"sbgp", b"stdp", b"padb", b"free"))
_TOLD_ANEW = frozenset((b"stts", b"ctts", b"stss", b"stsc", b"stsz", b"stco", b"co64"))
_KEY_GROUPS = frozenset((b"rap ", b"sync"))
"""Groups that say which samples are key frames."""
MOST_TICKS = (1 << 31) - 1
"""The longest step that ffmpeg's libraries take for one."""
TABLES = (b"mdia", b"minf", b"stbl")
"""The boxes of a track that its tables lie in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Omission:
    """Samples in a row that a thinned index leaves out."""

    resumes_at: int
    """Where the sample behind them lies in the file, in bytes."""
    deltas: Runs
    """How long the sample before them and each of them lasts by its decoding time, in ticks."""
    size_bytes: int
    beyond_end: int
    """How many of them lie past the end of the file."""

    @property
    def samples(self) -> int:
        """How many they are."""
        return self.deltas.samples - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Thinned:
    """What a track is beside what its thinned index tells."""

    omissions: tuple[Omission, ...]
    rates: tuple[Fraction, ...]
    """Samples a second, as ffmpeg's libraries would tell them by the whole table."""
    bit_rate: int
    """Bits a second, told in the same way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ThinMovie:
    """A file with a thinned index."""

    file: ThinFile
    """For av.open; whoever asked for it closes it."""
    tracks: Mapping[int, Thinned]
    """By the numbers of the tracks, which are those of ffmpeg's streams."""


def thin(path: str, windows: Windows = lambda _: ()) -> ThinMovie | None:
    """The file with its index thinned; None where that is short or not plain.

    Of each track the edges are kept, and the `windows`. Raises OSError.
    """
    try:
        with Path(path).open("rb") as file:
            index = index_of(file)
        if index.end - index.start < THIN_FROM_BYTES:
            return None
        movie = read_movie(path)
        tracks: dict[int, Thinned] = {}
        content = b"".join(_index(movie, windows, tracks))
    except BoxError:
        return None  # it is shown as it is
    left = index.end - index.start - len(content)
    if not tracks or left < len(box(b"free")):
        return None
    content += struct.pack(">I4s", left, b"free")
    return ThinMovie(file=ThinFile(path, index.start, index.end, content), tracks=tracks)


def _index(
    movie: Movie, windows: Windows, tracks: dict[int, Thinned]
) -> Iterator[bytes | memoryview]:
    """The content of the thinned index; `tracks` is filled in."""
    numbers = count()
    for found in movie.boxes:
        parts: Parts | None = None
        if found.kind == b"trak":
            number = next(numbers)
            if (thinned := _track(movie, found, windows)) is not None:
                (parts, tracks[number]) = thinned
        yield from bytes_of(parts or [box(found.kind, movie.read(found))])


def _track(movie: Movie, found: Box, windows: Windows) -> tuple[Parts, Thinned] | None:
    """A track with thinned tables, and what is left out; None where all of it is kept."""
    content = movie.read(found)
    if not is_plain(content):
        return None
    track = track_of(movie, content)
    bare = bare_of(content)
    del content  # its tables are large
    kept = kept_of(track, movie.scale, windows)
    if len(kept) == 1:
        return None
    (tables, thinned) = _thinned(track, kept, movie.size_bytes)
    ((_, rest),) = boxes_in(memoryview(bare))
    return with_tables(b"trak", rest, TABLES, tables), thinned


def is_plain(content: memoryview) -> bool:
    """Whether all that is told of a track's samples stands in tables that are read here."""
    handler = bytes(content_of(content, b"mdia", b"hdlr")[8:12])
    if handler not in (PICTURE, SOUND):
        return False
    tables = list(boxes_in(content_of(content, *TABLES)))
    groups = {bytes(found[4:8]) for kind, found in tables if kind in (b"sbgp", b"sgpd")}
    sizes = content_of(content, *TABLES, b"stsz")
    durations = content_of(content, *TABLES, b"stts")
    is_raw = len(durations) < 16 or struct.unpack_from(">I4xI", durations, 4) == (1, 1)
    return (
        {kind for kind, _ in tables} <= _TOLD_AS_IT_IS | _LEFT_OUT | _TOLD_ANEW
        and not groups & _KEY_GROUPS
        and bytes(sizes[4:8]) == bytes(4)  # else a packet is a chunk of raw samples
        and not is_raw
    )


def _thinned(
    track: Mp4Track, kept: Sequence[Range], size_bytes: int
) -> tuple[Sequence[bytes | Parts], Thinned]:
    """The tables of the samples that are kept, and what is left out."""
    (places, beyond) = _places(track, kept, size_bytes)
    gaps = [(before[1], after[0]) for before, after in pairwise(kept)]
    (tables, omitted) = tables_of(track, kept, places)
    resumed = accumulate(end - begin for begin, end in kept[:-1])
    omissions = tuple(
        Omission(
            resumes_at=places[number],
            deltas=deltas,
            size_bytes=sum(track.sizes[begin:end]),
            beyond_end=past,
        )
        for number, deltas, (begin, end), past in zip(resumed, omitted, gaps, beyond, strict=True)
    )
    ticks = max(1, min(track.ticks, track.told_ticks or track.ticks))
    bit_rate = sum(track.sizes) * 8 * track.scale // ticks
    return tables, Thinned(omissions=omissions, rates=_rates(track, ticks), bit_rate=bit_rate)


def tables_of(
    track: Mp4Track, kept: Sequence[Range], places: Sequence[int]
) -> tuple[Sequence[bytes | Parts], Sequence[Runs]]:
    """The tables of the samples that are kept, which lie at these places.

    Also how long the last sample before each gap and those in it last. Raises BoxError.
    """
    # The sample before a gap lasts until the one behind it.
    edges = [edge for begin, end in kept for edge in (begin, end - 1)]
    spans = list(track.deltas.split([*edges, kept[-1][1]]))
    omitted = spans[1:-1:2]
    sizes = array("I", (size for begin, end in kept for size in track.sizes[begin:end]))
    tables: list[bytes | Parts] = [
        runs_box(b"stts", _lengths(spans[::2], [*omitted, spans[-1]])),
        chunks_box(array("I", [1]) * len(sizes)),
        sizes_box(sizes, len(sizes)),
        places_box(places, 0, is_wide=True),
    ]
    if track.shifts.counts:
        bounds = [bound for both in kept for bound in both]
        tables.append(runs_box(b"ctts", _chained(islice(track.shifts.split(bounds), 0, None, 2))))
    if (keys := keys_of(track)) is not None:
        tables.append(_keys_box(keys, kept))
    return tables, omitted


def _lengths(kept: Sequence[Runs], last: Sequence[Runs]) -> Runs:
    """The durations of the samples of each range, and of its last one up to the next range."""
    if any(runs.total > MOST_TICKS for runs in last):
        raise BoxError("a sample lasts for too long")
    ends = [Runs(array("I", [1]), array("I", [runs.total])) for runs in last]
    return _chained([runs for pair in zip(kept, ends, strict=True) for runs in pair])


def _chained(parts: Iterable[Runs]) -> Runs:
    left = iter(parts)
    first = next(left)
    (counts, values) = (first.counts[:], first.values[:])
    for part in left:
        counts.extend(part.counts)
        values.extend(part.values)
    return Runs(counts, values)


def _keys_box(keys: array[int], kept: Sequence[Range]) -> bytes:
    numbers = array("I")
    before = 0
    for begin, end in kept:
        inside = keys[bisect_right(keys, begin) : bisect_right(keys, end)]
        numbers.extend(key - begin + before for key in inside)
        before += end - begin
    return box(b"stss", struct.pack(f">4x{len(numbers) + 1}I", len(numbers), *numbers))


def _places(
    track: Mp4Track, kept: Sequence[Range], size_bytes: int
) -> tuple[array[int], array[int]]:
    """Where each sample that is kept lies, and how many of each gap lie past the file's end."""
    bounds = [bound for both in kept for bound in both]
    (places, beyond) = (array("Q"), array("I", bytes(4 * (len(kept) - 1))))
    span = sample = 0  # even spans are kept, odd ones are gaps
    for at, behind in chunk_starts(track):
        while sample < behind:
            end = min(behind, bounds[span + 1])
            sizes = track.sizes[sample:end]
            if span % 2 == 0:
                places.extend(accumulate(sizes[:-1], initial=at))
            at += sum(sizes)
            if span % 2 and at > size_bytes:
                begin = at - sum(sizes)
                beyond[span // 2] += sum(begin + past > size_bytes for past in accumulate(sizes))
            sample = end
            span += sample == bounds[span + 1]
    return places, beyond


def _rates(track: Mp4Track, ticks: int) -> tuple[Fraction, ...]:
    (counts, values) = (track.deltas.counts, track.deltas.values)
    average = Fraction(len(track.sizes) * track.scale, ticks)
    steady = len(counts) == 1 or (len(counts) == 2 and counts[1] == 1)
    return (Fraction(track.scale, values[0]), average) if steady and values[0] else (average,)


def bare_of(content: memoryview) -> bytes:
    """A track's box without its tables, which are large."""
    return b"".join(bytes_of(with_tables(b"trak", content, TABLES, [])))


def with_tables(
    kind: bytes, content: memoryview, path: Sequence[bytes], tables: Sequence[bytes | Parts]
) -> Parts:
    """A box with other tables of samples in the box that lies in it by that path."""
    parts: list[bytes | Parts] = []
    for name, inner in boxes_in(content):
        if path and name == path[0]:
            parts.append(with_tables(name, inner, path[1:], tables))
        elif path or name in _TOLD_AS_IT_IS:
            parts.append(box(name, bytes(inner)))
    return large_box(kind, *parts, *([] if path else tables))
