"""Whether a WAV file holds samples, as its header says, or a coded stream that stands for them.

A disc's DTS is kept in WAV files that call it samples. ffmpeg holds such a file against all that it
knows, packet after packet: 25 ms for what opening takes half a millisecond.
"""

from __future__ import annotations

from typing import BinaryIO

_LOOKED_AT_BYTES = 5_000_000
"""What ffmpeg itself looks at."""
_DTS = (b"\x7f\xfe\x80\x01", b"\xfe\x7f\x01\x80", b"\x1f\xff\xe8\x00", b"\xff\x1f\x00\xe8")
"""The beginning of a frame: 16 or 14 bits in a word, either byte first."""


def holds_samples(file: BinaryIO) -> bool:
    """Whether it is a WAV file in which no frame of DTS begins."""
    file.seek(0)
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
        return False
    begin = file.read(_LOOKED_AT_BYTES)
    return not any(mark in begin for mark in _DTS)
