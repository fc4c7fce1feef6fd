"""What a decoder is told of a track, as MP4 has it: QuickTime's own forms are brought to it.

ISO 14496-12, 8.5.2 and 12.1.5; ISO 14496-14, 5.6; ISO 14496-15, 5.4.2.
"""

from __future__ import annotations

import struct

from avpipe.codecs.mp4_boxes import BoxError, box, boxes_in

_PICTURE_HEAD = 78
_SOUND_HEAD = 28
_LEFT_OUT = frozenset((b"fiel", b"gama", b"chrm", b"btrt"))
"""What other boxes, or the stream itself, tell too."""


def plain_picture_entry(entry: bytes, *, full_range: bool) -> bytes:
    """The entry of an H.264 track. Raises BoxError where it has more than MP4 knows."""
    (kind, content) = _one(entry)
    if kind != b"avc1" or len(content) < _PICTURE_HEAD:
        raise BoxError("the picture is not told as avc1")
    inner = []
    for name, value in _boxes(content[_PICTURE_HEAD:]):
        if name == b"colr":
            inner.append(_colours(value, full_range=full_range))
        elif name in (b"avcC", b"pasp"):
            inner.append(box(name, value))
        elif name not in _LEFT_OUT:
            raise BoxError(f"the picture is told a {name.decode('latin-1')} too")
    if not any(part[4:8] == b"avcC" for part in inner):
        raise BoxError("the picture is not told its parameters")
    (width, height) = struct.unpack_from(">HH", content, 24)
    head = struct.pack(
        ">6xH16xHHIIIH32sHh", 1, width, height, 0x480000, 0x480000, 0, 1, b"", 0x18, -1
    )
    return box(b"avc1", head, *inner)


def plain_sound_entry(entry: bytes) -> bytes:
    """The entry of an AAC track. Raises BoxError where it is of QuickTime's second form."""
    (kind, content) = _one(entry)
    if kind != b"mp4a" or len(content) < _SOUND_HEAD or content[8:10] != b"\0\0":
        raise BoxError("the sound is not told as mp4a")
    inner = [box(name, value) for name, value in _boxes(content[_SOUND_HEAD:])]
    kept = [part for part in inner if part[4:8] in (b"esds", b"btrt")]
    if not kept or kept[0][4:8] != b"esds" or len(kept) != len(inner):
        raise BoxError("the sound is told more than its parameters")
    return box(b"mp4a", content[:_SOUND_HEAD], *kept)


def _boxes(content: bytes) -> list[tuple[bytes, bytes]]:
    return [(kind, bytes(value)) for kind, value in boxes_in(memoryview(content))]


def _one(entry: bytes) -> tuple[bytes, bytes]:
    found = _boxes(entry)
    if len(found) != 1:
        raise BoxError("a track is not told one form")
    return found[0]


def _colours(content: bytes, *, full_range: bool) -> bytes:
    if content[:4] != b"nclc":
        return box(b"colr", content)
    return box(b"colr", b"nclx", content[4:10], bytes([0x80 * full_range]))
