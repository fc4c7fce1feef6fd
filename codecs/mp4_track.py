"""One track of an MP4's index: where its samples lie and when each is shown (ISO 14496-12, 8).

"Sample" is that standard's word for a packet: a frame of the picture, 1024 samples of sound.
Only what needs no interpretation is read; of anything else BoxError is raised, and ffmpeg, which
knows all forms, does the work.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from operator import mul
from pathlib import Path
from typing import BinaryIO

from avpipe.codecs.mp4_boxes import Box, BoxError, boxes_in, boxes_of
from avpipe.codecs.mp4_runs import Runs

MOST_INDEX_BYTES = 512 * 1024 * 1024
"""Of an index that is read: a day of 60 frames a second has 100 MB."""
MOST_SAMPLES = 1 << 25
"""Of a track: a day of 60 frames a second has five million."""
REORDERED = 64
"""Among so many samples the one that is shown first, or last, is looked for: H.264 holds 16."""
_OF_THE_WHOLE = (b"mvhd", b"udta")


@dataclass(frozen=True, kw_only=True, slots=True)
class Movie:
    """What an MP4's index says of the whole."""

    path: str
    size_bytes: int
    boxes: tuple[Box, ...]
    """Those of the `moov` box. They are read one by one: one may be large."""
    created: int
    """In seconds since 1904; 0 where it is not told."""
    scale: int
    """Ticks a second of what is told of the whole."""
    texts: memoryview | None
    """The content of `udta`."""

    @property
    def tracks(self) -> tuple[Box, ...]:
        """The `trak` boxes, in their order, which is that of ffmpeg's streams."""
        return tuple(box for box in self.boxes if box.kind == b"trak")

    def read(self, box: Box) -> memoryview:
        """The content of a box. Raises OSError."""
        with Path(self.path).open("rb") as file:
            return _content(file, box)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mp4Track:
    """One track, as its index tells it."""

    path: str
    handler: bytes
    """`vide` or `soun`."""
    scale: int
    """Ticks a second."""
    told_ticks: int
    """How long it lasts by its header; 0 where that does not say."""
    language: int
    """Three letters in 15 bits."""
    shape: bytes
    """The matrix, width and height of `tkhd`: how the picture is turned."""
    entry: bytes
    """The one sample entry of `stsd`: what the decoder is told."""
    deltas: Runs
    """How long samples last, in ticks, in the order of decoding."""
    shifts: Runs
    """How much later than decoded they are shown, in ticks; none where no frame is reordered."""
    keys: bytes | None
    """The content of `stss`; None where every sample is a key frame."""
    sizes: array[int]
    """In bytes."""
    places: array[int]
    """Where the chunks begin in the file."""
    chunks: Runs
    """How many in a row hold how many samples each."""
    media_time: int
    """The tick that is shown first, by the edit list."""
    edit_ticks: int
    """How long it is shown by the edit list, in ticks of the whole; 0 where that does not say."""

    @property
    def ticks(self) -> int:
        """How long it lasts by its decoding times."""
        return self.deltas.total

    @property
    def shown_until(self) -> int:
        """When the last of its samples has been shown, in ticks."""
        count = len(self.sizes)
        return max(at + length for at, length in _shown(self, max(0, count - REORDERED), count))

    @property
    def shown_from(self) -> int:
        """When the first of its samples is shown, in ticks."""
        return min(at for at, _ in _shown(self, 0, min(REORDERED, len(self.sizes))))


def index_of(file: BinaryIO) -> Box:
    """Where the index of an MP4 lies. Raises BoxError where there is not one, OSError."""
    size = file.seek(0, 2)
    found = [box for box in boxes_of(file, 0, size) if box.kind == b"moov"]
    if len(found) != 1 or found[0].end > size:
        raise BoxError("it has not one index")
    return found[0]


def read_movie(path: str) -> Movie:
    """Read the index of an MP4. Raises BoxError where it is of another form, OSError."""
    with Path(path).open("rb") as file:
        index = index_of(file)
        if index.end - index.start > MOST_INDEX_BYTES:
            raise BoxError("its index is too large")
        boxes = tuple(boxes_of(file, index.start, index.end))
        if any(box.end > index.end for box in boxes):
            raise BoxError("a box ends beyond the one that holds it")
        if {b"mvex", b"cmov"} & {box.kind for box in boxes}:
            raise BoxError("its index is in parts, or compressed")
        small = [(box.kind, _content(file, box)) for box in boxes if box.kind in _OF_THE_WHOLE]
        size = file.seek(0, 2)
    header = _only(small, b"mvhd")
    return Movie(
        path=path,
        size_bytes=size,
        boxes=boxes,
        created=_number(header, 4, 4 if header[0] == 0 else 8),
        scale=_positive(_number(header, 12 if header[0] == 0 else 20, 4)),
        texts=next((content for kind, content in small if kind == b"udta"), None),
    )


def read_track(movie: Movie, number: int) -> Mp4Track:
    """Read the track of that number. Raises BoxError where it is of a form not read here."""
    if number >= len(movie.tracks):
        raise BoxError("there is no such track")
    return track_of(movie, movie.read(movie.tracks[number]))


def track_of(movie: Movie, content: memoryview) -> Mp4Track:
    """The track that the content of a `trak` box tells. Errors as `read_track`."""
    parts = list(boxes_in(content))
    media = list(boxes_in(_only(parts, b"mdia")))
    inner = list(boxes_in(_only(media, b"minf")))
    _require_own_data(_only(list(boxes_in(_only(inner, b"dinf"))), b"dref"))
    table = list(boxes_in(_only(inner, b"stbl")))
    if {b"stz2", b"stps"} & {kind for kind, _ in table}:
        raise BoxError("its table of samples is of an unusual form")
    header = _only(parts, b"tkhd")
    timing = _only(media, b"mdhd")
    (scale, width, language) = (12, 4, 20) if timing[0] == 0 else (20, 8, 32)
    told_ticks = _number(timing, scale + 4, width)
    sizes = _sizes(_only(table, b"stsz"))
    if sum(sizes) > movie.size_bytes:
        raise BoxError("its samples lie over one another, or beyond the end")
    places = _places(table)
    deltas = _runs(_only(table, b"stts"), "I")
    if deltas.samples != len(sizes):
        raise BoxError("its samples have not all a time")
    (media_time, edit_ticks) = _edit([content for kind, content in parts if kind == b"edts"])
    return Mp4Track(
        path=movie.path,
        handler=bytes(_only(media, b"hdlr")[8:12]),
        scale=_positive(_number(timing, scale, 4)),
        told_ticks=0 if told_ticks == (1 << 8 * width) - 1 else told_ticks,
        language=_number(timing, language, 2),
        shape=bytes(header[40:84] if header[0] == 0 else header[52:96]),
        entry=_entry(_only(table, b"stsd")),
        deltas=deltas,
        shifts=_shifts(table, len(sizes)),
        keys=next((bytes(content) for kind, content in table if kind == b"stss"), None),
        sizes=sizes,
        places=places,
        chunks=_chunks(_only(table, b"stsc"), len(places), len(sizes)),
        media_time=media_time,
        edit_ticks=edit_ticks,
    )


def spans_of(track: Mp4Track, bounds: Sequence[int]) -> Iterator[list[tuple[int, int]]]:
    """Where the samples from one bound to the next lie: (place, bytes), neighbours joined.

    The first bound is the first sample.
    """
    chunks = chunk_starts(track)
    at = behind = 0
    for begin, end in pairwise(bounds):
        found: list[tuple[int, int]] = []
        while begin < end:
            while begin >= behind:
                (at, behind) = next(chunks)
            until = min(behind, end)
            size = sum(track.sizes[begin:until])
            if found and sum(found[-1]) == at:
                found[-1] = (found[-1][0], found[-1][1] + size)
            else:
                found.append((at, size))
            at += size
            begin = until
        yield found


def chunk_starts(track: Mp4Track) -> Iterator[tuple[int, int]]:
    """For each chunk its place, and the sample behind its last."""
    chunk = sample = 0
    for count, samples in track.chunks:
        for _ in range(count):
            sample += samples
            yield track.places[chunk], sample
            chunk += 1


def _shown(track: Mp4Track, first: int, end: int) -> Iterator[tuple[int, int]]:
    """When each of some samples is shown and for how long, in ticks."""
    late = _spread(track.shifts, first)
    decoded = number = 0
    for count, delta in track.deltas:
        skipped = min(max(first - number, 0), count)
        decoded += skipped * delta
        number += skipped
        for _ in range(min(count - skipped, end - number)):
            yield decoded + next(late, 0), delta
            decoded += delta
            number += 1


def _spread(runs: Runs, first: int) -> Iterator[int]:
    """The values of samples from `first` on, one by one."""
    for count, value in runs:
        skipped = min(first, count)
        first -= skipped
        for _ in range(count - skipped):
            yield value


def _content(file: BinaryIO, box: Box) -> memoryview:
    file.seek(box.start)
    return memoryview(file.read(box.end - box.start))


def _only(parts: Sequence[tuple[bytes, memoryview]], kind: bytes) -> memoryview:
    found = [content for name, content in parts if name == kind]
    if len(found) != 1 or len(found[0]) < 8:
        raise BoxError(f"it has no box {kind.decode('latin-1')}, or several, or an empty one")
    return found[0]


def _number(content: memoryview, place: int, width: int) -> int:
    if place + width > len(content):
        raise BoxError("a box is too short")
    return int.from_bytes(content[place : place + width])


def _positive(number: int) -> int:
    if number <= 0:
        raise BoxError("it has a clock of no ticks")
    return number


def _rows(content: memoryview, form: str) -> Iterator[tuple[int, ...]]:
    """The rows of a table that tells how many it has."""
    count = _number(content, 4, 4)
    size = struct.calcsize(form)
    if 8 + count * size > len(content):
        raise BoxError("a table is cut off")
    return struct.iter_unpack(form, content[8 : 8 + count * size])


def _runs(content: memoryview, kind: str) -> Runs:
    """A table of counts and values; those are signed where `kind` says so."""
    end = 8 + 8 * _number(content, 4, 4)
    if end > len(content):
        raise BoxError("a table is cut off")
    numbers = big_endian(kind, content[8:end])
    counts = array("I")
    counts.frombytes(memoryview(numbers[::2]).cast("B"))
    return Runs(counts, numbers[1::2])


def _shifts(table: Sequence[tuple[bytes, memoryview]], count: int) -> Runs:
    if not any(kind == b"ctts" for kind, _ in table):
        return Runs(array("I"), array("i"))
    # Signed in version 1; QuickTime writes negative ones in version 0 too.
    found = _runs(_only(table, b"ctts"), "i")
    if found.samples != count:
        raise BoxError("its samples are not all told when they are shown")
    return found


def big_endian(kind: str, content: memoryview) -> array[int]:
    """Numbers of that kind of array, as files have them."""
    numbers = array(kind)
    numbers.frombytes(content)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _sizes(content: memoryview) -> array[int]:
    (each, count) = (_number(content, 4, 4), _number(content, 8, 4))
    if not 0 < count <= MOST_SAMPLES:
        raise BoxError("it has no samples, or too many")
    if each:
        return array("I", [each]) * count
    if 12 + 4 * count > len(content):
        raise BoxError("its table of sizes is cut off")
    return big_endian("I", content[12 : 12 + 4 * count])


def _places(table: Sequence[tuple[bytes, memoryview]]) -> array[int]:
    wide = any(kind == b"co64" for kind, _ in table)
    content = _only(table, b"co64" if wide else b"stco")
    (count, width) = (_number(content, 4, 4), 8 if wide else 4)
    if 8 + width * count > len(content):
        raise BoxError("its table of places is cut off")
    return big_endian("Q" if wide else "I", content[8 : 8 + width * count])


def _chunks(content: memoryview, chunks: int, samples: int) -> Runs:
    """How many chunks in a row have how many samples each."""
    end = 8 + 12 * _number(content, 4, 4)
    if end > len(content):
        raise BoxError("a table is cut off")
    numbers = big_endian("I", content[8:end])
    (firsts, sizes, entries) = (numbers[::3], numbers[1::3], numbers[2::3])
    if not firsts or firsts[0] != 1 or entries.count(1) != len(entries):
        raise BoxError("its chunks are of several kinds")
    bounds = chain(firsts, [chunks + 1])
    counts = array("q", (after - first for first, after in pairwise(bounds)))
    if min(counts) < 0 or sum(map(mul, counts, sizes)) != samples:
        raise BoxError("its chunks do not hold its samples")
    return Runs(array("I", counts), sizes)


def _entry(content: memoryview) -> bytes:
    if _number(content, 4, 4) != 1:
        raise BoxError("it has not one form throughout")
    return bytes(content[8 : 8 + _number(content, 8, 4)])


def _edit(edits: Sequence[memoryview]) -> tuple[int, int]:
    """The first tick shown and for how long, where the track is shown in one piece."""
    if not edits:
        return 0, 0
    table = _only(list(boxes_in(edits[0])), b"elst")
    rows = list(_rows(table, ">Iihh" if table[0] == 0 else ">Qqhh"))
    if rows and rows[0][1] == -1:  # a wait before it
        rows = rows[1:]
    if len(rows) != 1 or rows[0][1] < 0 or rows[0][2:] != (1, 0):
        raise BoxError("it is cut by its edit list")
    return rows[0][1], rows[0][0]


def _require_own_data(content: memoryview) -> None:
    """Raise BoxError where samples lie in another file."""
    entries = list(boxes_in(content[8:]))
    if len(entries) != 1 or not _number(entries[0][1], 0, 4) & 1:
        raise BoxError("its samples lie in another file")
