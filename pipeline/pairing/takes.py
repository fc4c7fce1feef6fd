"""Recordings that a recorder split in parts: joined where the one ends as the next begins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from avpipe.pairing.names import counter, part_number
from avpipe.pairing.values import Sound, Take

_FULL_BYTES = (2**31, 2**32, 4 * 10**9, 2 * 10**9)
"""Where recorders begin another file: the bounds of WAV and of FAT."""
_FULL_SHARE = 0.02
_LEAST_S = 1.0


def join_parts(sounds: Iterable[Sound]) -> tuple[Take, ...]:
    """All recordings, their parts in order; most are one file."""
    series: dict[tuple[object, ...], list[tuple[int, Sound]]] = defaultdict(list)
    for sound in sounds:
        (key, number) = _series(sound)
        series[key].append((number, sound))
    return tuple(take for numbered in series.values() for take in _joined(_in_order(numbered)))


def _in_order(numbered: list[tuple[int, Sound]]) -> list[tuple[int, Sound]]:
    return sorted(numbered, key=lambda entry: (entry[0], entry[1].path))


def _series(sound: Sound) -> tuple[tuple[object, ...], int]:
    """What all parts of one recording have in common, and the part's number."""
    folder = str(PurePath(sound.path).parent)
    if named := part_number(sound.path):
        return (folder, "part", named[0], sound.form), named[1]
    if counted := counter(sound.path):
        (before, number, after) = counted
        return (folder, "count", before, after, sound.form), number
    return (sound.path,), 0


def _joined(numbered: Sequence[tuple[int, Sound]]) -> list[Take]:
    takes: list[Take] = []
    before: tuple[int, Sound] | None = None
    for number, sound in numbered:
        why = None
        if before is not None and number == before[0] + 1:
            why = _follows(before[1], sound)
        if why is None:
            takes.append(Take(parts=(sound.path,)))
        else:
            takes[-1] = Take(parts=(*takes[-1].parts, sound.path), why=why)
        before = (number, sound)
    return takes


def _follows(first: Sound, second: Sound) -> str | None:
    """What says that the second file goes on where the first one ends; None where nothing does."""
    if first.began_s is not None and second.began_s is not None:
        gap_s = second.began_s - first.began_s - first.duration_s
        # Of short files the times of two takes are as near as those of two parts.
        bound_s = min(first.within_s + second.within_s, 0.1 * first.duration_s)
        if abs(gap_s) <= bound_s and first.duration_s > _LEAST_S:
            return "each begins when the one before it ends"
        if first.told and second.told:
            return None
    if part_number(second.path):
        return "they are numbered as parts"
    if any(abs(first.size_bytes - full) < _FULL_SHARE * full for full in _FULL_BYTES):
        return "the first is as large as a recorder makes a file, and the next has the next number"
    return None
