"""Whether the disk has room for what is to be made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from avpipe.batch.places import free_bytes, size_of
from avpipe.batch.tasks import Result
from avpipe.batch.values import Item
from avpipe.updates import Failed, Update

_SOUND_BYTES_S = 25_000
"""What a second of AAC takes in the output."""
_SPARE_BYTES = 1_000_000
_MOST_FULL = 3
"""How often an item is tried again because the disk was full."""


class Room:
    """What an output folder's disk has left, and what the items of a batch need of it."""

    def __init__(self, outdir: str) -> None:
        self._outdir = outdir
        self._need: dict[int, int] = {}
        self._full: dict[int, int] = defaultdict(int)

    def space(self, item: Item, running: Iterable[Item]) -> tuple[int, int]:
        """What the item needs beside the running ones, and what the disk has."""
        free = free_bytes(self._outdir)
        if free is None:
            return 0, 0
        needed = self._need.get(item.number, _size_bytes(item)) + _SPARE_BYTES
        needed += sum(_size_bytes(one) for one in running)
        return needed, free

    def is_full(self, item: Item, update: Update | Result) -> bool:
        """Whether an item failed for want of room, and is to be tried again when there is some."""
        if not (isinstance(update, Failed) and update.error.code == "disk_full"):
            return False
        self._full[item.number] += 1
        self._need[item.number] = 2 * _size_bytes(item)
        return self._full[item.number] <= _MOST_FULL


def _size_bytes(item: Item) -> int:
    """About what the output takes: the picture as it is, and an encoded sound."""
    return size_of(item.request.video) + int(item.duration_s * _SOUND_BYTES_S)
