"""The index of an MP4 that holds a copied picture and finished sound (ISO 14496-12, 8)."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from avpipe.codecs.mp4_boxes import Later, Parts, box, full_box, large_box
from avpipe.codecs.mp4_runs import Runs
from avpipe.codecs.mp4_track import Mp4Track

FILE_TYPE = box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2avc1mp41")
PICTURE = b"vide"
UNITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
"""The matrix that turns nothing."""
TEXTS = {
    "title": b"\xa9nam",
    "artist": b"\xa9ART",
    "album_artist": b"aART",
    "composer": b"\xa9wrt",
    "album": b"\xa9alb",
    "date": b"\xa9day",
    "comment": b"\xa9cmt",
    "genre": b"\xa9gen",
    "copyright": b"cprt",
    "grouping": b"\xa9grp",
    "lyrics": b"\xa9lyr",
    "description": b"desc",
    "synopsis": b"ldes",
    "show": b"tvsh",
    "episode_id": b"tven",
    "network": b"tvnn",
    "keywords": b"keyw",
}
"""The tags that are kept, by ffmpeg's names; it keeps the same ones."""
ENGLISH = 0x15C7
"""The language of a text that is none."""
_WIDE = 1 << 32


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexedTrack:
    """A track as the index of the output tells it."""

    source: Mp4Track
    samples: int
    """How many of the source's, from its first on."""
    duration: int
    """How long it is shown or heard, in ticks of the whole."""
    deltas: Runs
    """How long each of them lasts, in ticks of the track, in the order of decoding."""
    chunks: Sequence[int]
    """How many samples each chunk holds."""
    places: Sequence[int]
    """Where the chunks begin, in bytes from where the media begin."""
    is_default: bool
    """Whether it is what players take of its kind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """What the index tells of the whole beside its tracks."""

    created: int
    """In seconds since 1904."""
    texts: Mapping[str, str]
    """By ffmpeg's names; those that are neither in `TEXTS` nor `location` are left out."""


def movie_box(
    tracks: Sequence[IndexedTrack], labels: Labels, *, scale: int, begin: int, is_wide: bool
) -> Parts:
    """The index: `moov`. `scale` is how many ticks a second has for the whole.

    The media begin at `begin`, which changes nothing of how long the index is; `is_wide` is whether
    they may end beyond 4 GiB.
    """
    duration = max(track.duration for track in tracks)
    version = int(max(duration, labels.created) >= _WIDE)
    created = labels.created
    header = full_box(
        b"mvhd",
        struct.pack(">QQIQ" if version else ">IIII", created, created, scale, duration),
        struct.pack(">IHH8x", 0x10000, 0x100, 0),
        UNITY,
        struct.pack(">24xI", len(tracks) + 1),
        version=version,
    )
    return large_box(
        b"moov",
        header,
        *(
            _track_box(track, number, created, places_box(track.places, begin, is_wide=is_wide))
            for number, track in enumerate(tracks, 1)
        ),
        _text_box(labels.texts),
    )


def _track_box(track: IndexedTrack, number: int, created: int, places: Parts) -> Parts:
    is_picture = track.source.handler == PICTURE
    wide = int(max(track.duration, created) >= _WIDE)
    header = full_box(
        b"tkhd",
        struct.pack(">QQI4xQ" if wide else ">III4xI", created, created, number, track.duration),
        struct.pack(">8xhhh2x", 0, 0 if is_picture else 1, 0 if is_picture else 0x100),
        track.source.shape if is_picture else UNITY + bytes(8),
        version=wide,
        flags=3 if track.is_default else 2,
    )
    wide = int(track.duration >= _WIDE)
    edit = full_box(
        b"elst",
        struct.pack(">I", 1),
        struct.pack(">Qqhh" if wide else ">Iihh", track.duration, track.source.media_time, 1, 0),
        version=wide,
    )
    return large_box(b"trak", header, box(b"edts", edit), _media_box(track, created, places))


def _media_box(track: IndexedTrack, created: int, places: Parts) -> Parts:
    source = track.source
    is_picture = source.handler == PICTURE
    length = track.deltas.total
    wide = int(max(length, created) >= _WIDE)
    header = full_box(
        b"mdhd",
        struct.pack(
            ">QQIQHH" if wide else ">IIIIHH",
            created,
            created,
            source.scale,
            length,
            source.language,
            0,
        ),
        version=wide,
    )
    name = b"VideoHandler\0" if is_picture else b"SoundHandler\0"
    handler = full_box(b"hdlr", struct.pack(">4x4s12x", source.handler), name)
    kind = full_box(b"vmhd", bytes(8), flags=1) if is_picture else full_box(b"smhd", bytes(4))
    own_data = box(b"dinf", full_box(b"dref", struct.pack(">I", 1), full_box(b"url ", flags=1)))
    tables = _sample_tables(track, places)
    return large_box(b"mdia", header, handler, large_box(b"minf", kind, own_data, tables))


def _sample_tables(track: IndexedTrack, places: Parts) -> Parts:
    (source, count) = (track.source, track.samples)
    tables: list[bytes | Parts] = [
        full_box(b"stsd", struct.pack(">I", 1), source.entry),
        runs_box(b"stts", track.deltas),
    ]
    if source.keys is not None:
        tables.append(box(b"stss", source.keys))
    if source.shifts.counts:
        tables.append(runs_box(b"ctts", source.shifts.first(count)))
    tables += [chunks_box(track.chunks), sizes_box(source.sizes, count), places]
    if source.handler != PICTURE:
        tables += _warming_up(count)
    return large_box(b"stbl", *tables)


def lasting(deltas: Runs, length: int) -> Runs:
    """The same with a last sample that makes them last `length` ticks together, at least."""
    more = length - deltas.total
    if more <= 0:
        return deltas
    (counts, values) = (deltas.counts[:], deltas.values[:])
    counts[-1] -= 1
    counts.append(1)
    values.append(values[-1] + more)
    return Runs(counts, values)


def runs_box(kind: bytes, runs: Runs) -> Parts:
    """A table of counts and values: `stts` or `ctts`."""
    signed = min(runs.values) < 0
    rows = len(runs.counts)

    def table() -> memoryview:
        numbers = array("i" if signed else "I", bytes(8 * rows))
        numbers[::2] = array(numbers.typecode, runs.counts)
        numbers[1::2] = array(numbers.typecode, runs.values)
        return _big_endian(numbers)

    head = struct.pack(">B3xI", signed, rows)
    return large_box(kind, head, Later(size=8 * rows, make=table))


def sizes_box(sizes: array[int], count: int) -> Parts:
    """How large the first `count` samples are: `stsz`."""
    head = struct.pack(">4xII", 0, count)
    return large_box(b"stsz", head, Later(size=4 * count, make=lambda: _big_endian(sizes[:count])))


def places_box(places: Sequence[int], begin: int, *, is_wide: bool) -> Parts:
    """Where chunks begin, in bytes from `begin` on: `stco` or `co64`."""

    def table() -> memoryview:
        return _big_endian(array("Q" if is_wide else "I", (begin + place for place in places)))

    size = (8 if is_wide else 4) * len(places)
    head = struct.pack(">4xI", len(places))
    return large_box(b"co64" if is_wide else b"stco", head, Later(size=size, make=table))


def chunks_box(chunks: Sequence[int]) -> bytes:
    """How many samples each chunk holds: `stsc`."""
    rows = []
    first = 1
    for size, run in groupby(chunks):
        rows.append(struct.pack(">III", first, size, 1))
        first += len(list(run))
    return full_box(b"stsc", struct.pack(">I", len(rows)), *rows)


def _warming_up(count: int) -> list[bytes]:
    """That a decoder of AAC has to decode one packet before the one that is wanted."""
    roll = struct.pack(">4sIIh", b"roll", 2, 1, -1)
    which = struct.pack(">4sIII", b"roll", 1, count, 1)
    return [full_box(b"sgpd", roll, version=1), full_box(b"sbgp", which)]


def _text_box(texts: Mapping[str, str]) -> bytes:
    items = [
        box(TEXTS[name], box(b"data", struct.pack(">II", 1, 0), text.encode(errors="replace")))
        for name, text in texts.items()
        if name in TEXTS
    ]
    found = []
    if items:
        handler = full_box(b"hdlr", struct.pack(">4x4s4s9x", b"mdir", b"appl"))
        found.append(full_box(b"meta", handler, box(b"ilst", *items)))
    if place := texts.get("location", "").encode(errors="replace"):
        found.append(box(b"\xa9xyz", struct.pack(">HH", len(place), ENGLISH), place))
    return box(b"udta", *found) if found else b""


def _big_endian(numbers: array[int]) -> memoryview:
    """An array's bytes as files have them; the array itself is used up."""
    if sys.byteorder == "little":
        numbers.byteswap()
    return memoryview(numbers).cast("B")
