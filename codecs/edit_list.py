"""The end of each track of an MP4, set in its edit list (ISO 14496-12, 8.6.6).

A copied video can only be cut between packets, and the packets that later ones need stay in the
file: the edit list is what says where the picture ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

from avpipe.codecs.mp4_boxes import Box, BoxError, boxes_of
from avpipe.errors import RenderError


def end_tracks_at(path: str, duration: Fraction) -> None:
    """Cut the tracks of an MP4 that last longer than `duration` seconds; nothing else changes.

    Raises RenderError where the file has no index.
    """
    with open(path, "r+b") as file:  # noqa: PTH123
        size = file.seek(0, 2)
        movie = next((box for box in _boxes(file, 0, size) if box.kind == b"moov"), None)
        if movie is None:
            raise RenderError(f"{path} has no index")
        inner = list(_boxes(file, movie.start, movie.end))
        header = next(box for box in inner if box.kind == b"mvhd")
        # mvhd: version and flags, creation, modification, time scale, duration
        (place, width) = (12, 4) if _version(file, header) == 0 else (20, 8)
        scale = _number(file, header.start + place, 4)
        end = round(duration * scale)
        for track in (box for box in inner if box.kind == b"trak"):
            _end_track(file, track, end)
        _lower(file, header.start + place + 4, width, end)


def _end_track(file: BinaryIO, track: Box, end: int) -> None:
    parts = list(_boxes(file, track.start, track.end))
    header = next(box for box in parts if box.kind == b"tkhd")
    # tkhd: version and flags, creation, modification, track id, reserved, duration
    (place, width) = (20, 4) if _version(file, header) == 0 else (28, 8)
    _lower(file, header.start + place, width, end)
    for edits in (box for box in parts if box.kind == b"edts"):
        for table in _boxes(file, edits.start, edits.end):
            if table.kind == b"elst":
                _end_edits(file, table, end)


def _end_edits(file: BinaryIO, table: Box, end: int) -> None:
    # elst: version and flags, count, then for each edit its duration, media time and rate
    width = 4 if _version(file, table) == 0 else 8
    left = end
    for number in range(_number(file, table.start + 4, 4)):
        place = table.start + 8 + number * (2 * width + 4)
        _lower(file, place, width, left)
        left -= _number(file, place, width)


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    try:
        yield from boxes_of(file, start, end)
    except BoxError as error:
        raise RenderError(f"the output's index is damaged: {error}") from error


def _version(file: BinaryIO, box: Box) -> int:
    return _number(file, box.start, 1)


def _number(file: BinaryIO, place: int, width: int) -> int:
    file.seek(place)
    return int.from_bytes(file.read(width))


def _lower(file: BinaryIO, place: int, width: int, most: int) -> None:
    if _number(file, place, width) > most:
        file.seek(place)
        file.write(most.to_bytes(width))
