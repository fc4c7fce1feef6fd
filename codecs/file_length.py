"""How long a file's own header says it is, to tell a file that was cut off.

Reads headers alone, a few bytes a piece. A length that a streaming writer left open (0 or all
ones) is no statement.
"""

from __future__ import annotations

import os
from typing import BinaryIO

_OPEN_SIZES = (0, 0xFFFFFFFF)
_MAX_PIECES = 4096


def declared_length(file: BinaryIO) -> int | None:
    """The bytes that the file should have at least, by its header; None where it doesn't say.

    Knows RIFF and RF64 (WAV, AVI), W64, AIFF, AU, CAF, ISO media boxes (MP4, MOV), Matroska and
    MP3 with a Xing header.
    """
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    head = file.read(64)
    if head[:4] in (b"RIFF", b"RF64"):
        return _wave(file, size) if head[8:12] == b"WAVE" else _riff(file, size)
    if head[:4] == b"FORM":
        return 8 + int.from_bytes(head[4:8], "big") if head[8:12] in (b"AIFF", b"AIFC") else None
    if head[:4] == b".snd":
        length = int.from_bytes(head[8:12], "big")
        return None if length in _OPEN_SIZES else int.from_bytes(head[4:8], "big") + length
    if head[:4] == b"riff" and head[4:8] == b"\x2e\x91\xcf\x11":
        return int.from_bytes(head[16:24], "little") or None
    if head[:4] == b"caff":
        return _caf(file)
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return _matroska(head)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
        return _boxes(file, size)
    return _mp3(file) if head[:3] == b"ID3" or head[:1] == b"\xff" else None


def _wave(file: BinaryIO, size: int) -> int | None:
    """The end of the `data` chunk, with the 64-bit length of RF64 where it has one."""
    place, wide = 12, None
    for _ in range(_MAX_PIECES):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return None
        length = int.from_bytes(head[4:8], "little")
        if head[:4] == b"ds64":
            wide = int.from_bytes(file.read(16)[8:16], "little")
        if head[:4] == b"data":
            if length == 0xFFFFFFFF and wide:
                return place + 8 + wide
            return None if length in _OPEN_SIZES else place + 8 + length
        place += 8 + length + length % 2
        if place > size:
            return place
    return None


def _riff(file: BinaryIO, size: int) -> int | None:
    """The end of the last RIFF part of an AVI (OpenDML has several)."""
    place = 0
    for _ in range(_MAX_PIECES):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8 or head[:4] != b"RIFF":
            break
        length = int.from_bytes(head[4:8], "little")
        if length in _OPEN_SIZES:
            return None
        place += 8 + length
        if place > size:
            return place
    return place or None


def _caf(file: BinaryIO) -> int | None:
    place = 8
    for _ in range(_MAX_PIECES):
        file.seek(place)
        head = file.read(12)
        if len(head) < 12:
            return None
        length = int.from_bytes(head[4:12], "big", signed=True)
        if length < 0:
            return None
        place += 12 + length
        if head[:4] == b"data":
            return place
    return None


def _boxes(file: BinaryIO, size: int) -> int | None:
    """The end of the last box at the top level."""
    place = 0
    for _ in range(_MAX_PIECES):
        file.seek(place)
        head = file.read(16)
        if len(head) < 8 or not head[4:8].isascii():
            break
        length = int.from_bytes(head[:4], "big")
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:
            break
        place += length
        if place > size:
            return place
    return place or None


def _matroska(head: bytes) -> int | None:
    """The end of the segment, which follows the EBML header."""
    length, used = _vint(head, 4)
    if length is None:
        return None
    place = 4 + used + length
    if head[place : place + 4] != b"\x18\x53\x80\x67":
        return None
    segment, used = _vint(head, place + 4)
    return None if segment is None else place + 4 + used + segment


def _vint(data: bytes, place: int) -> tuple[int | None, int]:
    """An EBML length and the bytes it takes; None where it is open or not there."""
    if place >= len(data) or not data[place]:
        return None, 0
    used = 9 - data[place].bit_length()
    raw = data[place : place + used]
    if len(raw) < used:
        return None, used
    value = int.from_bytes(raw, "big") & ((1 << 7 * used) - 1)
    return (None if value == (1 << 7 * used) - 1 else value), used


def _mp3(file: BinaryIO) -> int | None:
    """The end of the audio by the byte count of a Xing header, less 1 % or a frame."""
    file.seek(0)
    head = file.read(10)
    place = 0
    if head[:3] == b"ID3" and len(head) == 10:
        length = 0
        for byte in head[6:10]:
            length = length << 7 | byte & 0x7F
        place = 10 + length
    file.seek(place)
    frame = file.read(256)
    if len(frame) < 4 or frame[0] != 0xFF or frame[1] & 0xE0 != 0xE0:
        return None
    tag = max(frame.find(b"Xing"), frame.find(b"Info"))
    if not 4 < tag < 64:
        return None
    flags = int.from_bytes(frame[tag + 4 : tag + 8], "big")
    if not flags & 2:
        return None
    count = tag + 8 + (4 if flags & 1 else 0)
    length = int.from_bytes(frame[count : count + 4], "big")
    return place + length - min(1500, length // 100)
