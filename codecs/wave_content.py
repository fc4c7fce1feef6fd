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
_FEW_PACKETS = 8
_FIRST_BYTES = 2048
"""Of the samples. Two packets are 16 KB at least: six of the largest frames that AC-3 has."""


def packets_to_guess_by(file: BinaryIO) -> int | None:
    """How many packets have to be held against what else they might be; None where all have to.

    That is where it is no WAV file, or one in which a frame of DTS begins. Two are enough where
    something is heard from the beginning; eight take 12 ms, two take 4.
    """
    file.seek(0)
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
        return None
    begin = file.read(_LOOKED_AT_BYTES)
    if any(mark in begin for mark in _DTS):
        return None
    first = begin.find(b"data") + 8
    return 2 if first >= 8 and any(begin[first : first + _FIRST_BYTES]) else _FEW_PACKETS
