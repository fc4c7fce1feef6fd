"""Pairs by their names: the same stem, the usual suffixes, counters of cameras and recorders."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import TypeVar

from avpipe.pairing.values import NameDoubt, NameMatch, NameRule, Take

_WORDS = (
    "audio|sound|snd|mix|mixed|mixdown|music|voice|zoom|tascam|recorder|rec|mic|lav|boom|external"
    "|ext|wav|stereo|mono|lr|tr\\d*|trlr|video|vid|camera|cam|picture|pic"
    "|h1n?|h2n|h4n|h5|h6|h8|f3|f6|f8n?|dr-?\\d{1,3}x?d?"
)
_SUFFIX = re.compile(rf"[-_. ]+(?:{_WORDS})(?:[-_ ]?\d{{1,2}})?$")
_PART = re.compile(r"[-_. ]*(?:\(|\b|_)(?:part|pt)[-_. ]?(\d{1,4})\)?$")
_COUNTER = re.compile(r"(?P<prefix>.*?)(?P<number>\d{1,9})$")
_CAMERAS = frozenset(
    (
        *("mvi", "img", "c", "dsc", "mov", "mah", "clip", "p", "pana", "gopr", "gx", "gh", "dji"),
        *("dscf", "video", "vid", "cam", "camera", "picture", "a", "b", "scene", "shot"),
    )
)
_RECORDERS = frozenset(
    (
        *("zoom", "ste", "tascam", "dr", "rec", "recording", "audio", "sound", "snd", "track"),
        *("mic", "voice", "wav", "mono", "stereo", "take", "f3", "f6", "f8", "h1", "h4n", "h5"),
        *("h6", "h8"),
    )
)

Key = tuple[object, ...]
Entry = TypeVar("Entry")


def match_names(videos: Sequence[str], takes: Sequence[Take]) -> dict[str, NameMatch | NameDoubt]:
    """The recording that each video's name goes with, or those between which it cannot tell.

    Names in one folder are compared first, then those of all folders.
    """
    found: dict[str, NameMatch | NameDoubt] = {}
    for rule, keys in _RULES:
        for within_folder in (True, False):
            left = [video for video in videos if video not in found]
            used = {id(match.take) for match in found.values() if isinstance(match, NameMatch)}
            free = [take for take in takes if id(take) not in used or rule is NameRule.SUFFIX]
            found |= _matched(left, free, rule, keys, within_folder)
    return found


def stem(path: str) -> str:
    """A file's name without its ending, in one spelling, lower case."""
    return unicodedata.normalize("NFC", PurePath(path).stem).casefold()


def part_number(path: str) -> tuple[str, int] | None:
    """The name without `part 2` or the like, and the number; None where there is none."""
    name = stem(path)
    match = _PART.search(name)
    return None if match is None else (name[: match.start()], int(match[1]))


def counter(path: str) -> tuple[str, int, str] | None:
    """What stands before the last number of a name, the number, and what follows it."""
    match = re.fullmatch(r"(.*?)(\d{1,9})(\D*)", stem(path))
    return None if match is None else (match[1], int(match[2]), match[3])


def bare_stem(path: str) -> str:
    """The stem without the words that cameras, recorders and people put behind a name."""
    name = stem(path)
    while (shorter := _SUFFIX.sub("", name)) and shorter != name:
        name = shorter
    return name


def take_stem(take: Take) -> str:
    """What a recording goes by: the stem of its first file, `part 1` left out."""
    numbered = part_number(take.parts[0]) if len(take.parts) > 1 else None
    return stem(take.parts[0]) if numbered is None else numbered[0]


def _matched(
    videos: Sequence[str],
    takes: Sequence[Take],
    rule: NameRule,
    keys: tuple[Callable[[str], Key | None], Callable[[Take], Key | None]],
    within_folder: bool,
) -> Mapping[str, NameMatch | NameDoubt]:
    """The videos that some recording goes with by one rule."""

    def placed(key: Key | None, path: str) -> Key | None:
        if key is None:
            return None
        return (str(PurePath(path).parent), *key) if within_folder else key

    recordings = _grouped((placed(keys[1](take), take.parts[0]), take) for take in takes)
    pictures = _grouped((placed(keys[0](video), video), video) for video in videos)
    found: dict[str, NameMatch | NameDoubt] = {}
    for key, named in pictures.items():
        fitting = recordings.get(key, [])
        # Two cameras may have one number by chance, and each has a recording of its own.
        if not fitting or (rule is NameRule.COUNTER and (len(named) > 1 or len(fitting) > 1)):
            continue
        for video in named:
            found[video] = (
                NameMatch(take=fitting[0], rule=rule)
                if len(fitting) == 1
                else NameDoubt(takes=tuple(fitting))
            )
    return found


def _grouped(entries: Iterable[tuple[Key | None, Entry]]) -> dict[Key, list[Entry]]:
    groups: dict[Key, list[Entry]] = defaultdict(list)
    for key, entry in entries:
        if key is not None:
            groups[key].append(entry)
    return groups


def _camera_number(video: str) -> Key | None:
    return _number(bare_stem(video), _CAMERAS)


def _recorder_number(take: Take) -> Key | None:
    return _number(bare_stem(take.parts[0]), _RECORDERS)


def _number(name: str, devices: frozenset[str]) -> Key | None:
    match = _COUNTER.fullmatch(name)
    if match is None:
        return None
    words = re.split(r"[-_. \d]+", match["prefix"])
    return (int(match["number"]),) if any(word in devices for word in words if word) else None


_RULES: tuple[
    tuple[NameRule, tuple[Callable[[str], Key | None], Callable[[Take], Key | None]]], ...
] = (
    (NameRule.STEM, (lambda video: (stem(video),), lambda take: (take_stem(take),))),
    (NameRule.SUFFIX, (lambda video: (bare_stem(video),), lambda take: (_bare_take(take),))),
    (NameRule.COUNTER, (_camera_number, _recorder_number)),
)


def _bare_take(take: Take) -> str:
    name = take_stem(take)
    return bare_stem(f"{name}.x")
