"""The session's timeline: from the API's short keys to entries, a summary, and what changed. Pure.

`t` tracks, `tt` a track's type (0 video, 1 audio, 7 text), `sg` its segments, `d` a duration in
milliseconds, `m` metadata. What stands below `sg` is not documented: the names that are looked for
are guesses, in one table here, and what is not found is filled from the order of the segments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from avpipe.cloud.envelope import items_of, number_of, pick, text_of
from avpipe.cloud.values import EntryKind, SessionState, TimelineEntry

KINDS = {0: EntryKind.VIDEO, 1: EntryKind.AUDIO, 7: EntryKind.TEXT}
LABELS = {
    EntryKind.VIDEO: "Video",
    EntryKind.AUDIO: "BGM",
    EntryKind.TEXT: "Title",
    EntryKind.OTHER: "Other",
}
_START = ("start", "st", "start_ms", "startTime", "start_time", "s", "from", "offset")
_DURATION = ("d", "duration", "duration_ms", "dur")
_END = ("end", "e", "end_ms", "endTime", "end_time", "to")
_VOLUME = ("volume", "vol", "v", "gain")
_TEXT = ("text", "content", "title", "txt")
_NAME = ("name", "title", "filename", "label", "text")
_SOURCE = ("src", "source", "url", "path", "file", "cdn_url")
_PERCENT_ABOVE = 4.0
"""A volume above this is percent: nobody makes a sound five times as loud."""


def is_exportable(draft: Mapping[str, Any]) -> bool:
    """Whether there is anything to render: a track that has a segment."""
    return any(_segments(track) for track in _tracks(draft))


def entries_of(draft: Mapping[str, Any]) -> tuple[TimelineEntry, ...]:
    """Every segment, track by track, in the order of time."""
    return tuple(entry for track in _tracks(draft) for entry in _entries(track))


def duration_s(draft: Mapping[str, Any]) -> float:
    """Where the last segment ends, in seconds."""
    return max((entry.end_s for entry in entries_of(draft)), default=0.0)


def summary(draft: Mapping[str, Any]) -> str:
    """One line for people: `Timeline (2 tracks): 1. Video: … 2. BGM: … (0-10s, 35%)`."""
    tracks = _tracks(draft)
    if not tracks:
        return "Timeline: empty"
    count = f"{len(tracks)} track{'' if len(tracks) == 1 else 's'}"
    lines = (f"{number}. {_track_line(track)}" for number, track in enumerate(tracks, 1))
    return f"Timeline ({count}): {' '.join(lines)}"


def described(entry: TimelineEntry) -> str:
    """An entry with its label: `BGM: Lo-fi (0-10s, 35%)`."""
    return f"{LABELS[entry.kind]}: {_body(entry)}"


def changes_between(before: SessionState, after: SessionState) -> tuple[str, ...]:
    """What is different, in words: added, removed and changed segments, and new files."""
    return tuple(_changes(before, after))


def _changes(before: SessionState, after: SessionState) -> Iterator[str]:
    (old, new) = (entries_of(before.draft), entries_of(after.draft))
    gone = list((Counter(old) - Counter(new)).elements())
    come = list((Counter(new) - Counter(old)).elements())
    told = bool(gone or come)
    for entry in list(come):
        was = next((other for other in gone if _is_same_thing(other, entry)), None)
        if was is not None:
            gone.remove(was)
            come.remove(entry)
            yield f"changed {described(was)} -> {_body(entry)}"
    yield from (f"removed {described(entry)}" for entry in gone)
    yield from (f"added {described(entry)}" for entry in come)
    files = Counter(file.name for file in after.files) - Counter(file.name for file in before.files)
    yield from (f"added the file {name}" for name in files.elements())
    if not told and before.draft != after.draft:
        yield "changed the timeline in a way that its tracks don't show"
    if not told and before.media != after.media:
        yield "made new media"


def _is_same_thing(one: TimelineEntry, other: TimelineEntry) -> bool:
    return one.kind is other.kind and (
        one.name == other.name or (one.start_s, one.end_s) == (other.start_s, other.end_s)
    )


def _tracks(draft: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [track for track in items_of(draft, "t", "tracks") if isinstance(track, Mapping)]


def _segments(track: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [entry for entry in items_of(track, "sg", "segments") if isinstance(entry, Mapping)]


def _entries(track: Mapping[str, Any]) -> Sequence[TimelineEntry]:
    kind = _kind(track)
    found: list[TimelineEntry] = []
    for segment in _segments(track):
        found.append(_entry(kind, segment, track, found[-1].end_s if found else 0.0))
    return sorted(found, key=lambda entry: (entry.start_s, entry.end_s))


def _kind(track: Mapping[str, Any]) -> EntryKind:
    number = number_of(track, "tt", "type")
    return EntryKind.OTHER if number is None else KINDS.get(round(number), EntryKind.OTHER)


def _entry(
    kind: EntryKind, segment: Mapping[str, Any], track: Mapping[str, Any], follows_s: float
) -> TimelineEntry:
    start = _milliseconds(segment, _START)
    start_s = follows_s if start is None else start / 1000
    length = _milliseconds(segment, _DURATION)
    end = _milliseconds(segment, _END)
    if length is None and end is None:
        length = number_of(track, *_DURATION)
    end_s = start_s + length / 1000 if length is not None else (end or 0.0) / 1000
    return TimelineEntry(
        kind=kind,
        name=_name(kind, segment, track),
        start_s=round(max(start_s, 0.0), 3),
        end_s=round(max(end_s, start_s, 0.0), 3),
        volume=_volume(kind, segment, track),
    )


def _places(form: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Where a segment may keep a figure: on itself, in its metadata, in a range."""
    yield form
    for key in ("m", "meta", "metadata", "target", "target_timerange", "range", "props"):
        inner = form.get(key)
        if isinstance(inner, Mapping):
            yield inner


def _milliseconds(form: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    return next(
        (number for place in _places(form) if (number := number_of(place, *names)) is not None),
        None,
    )


def _name(kind: EntryKind, segment: Mapping[str, Any], track: Mapping[str, Any]) -> str:
    names = (*_TEXT, *_NAME) if kind is EntryKind.TEXT else _NAME
    for place in _places(segment):
        if (text := text_of(place, *names)) is not None:
            return _one_line(text)
        inner = pick(place, "text", "content")
        if isinstance(inner, Mapping) and (text := text_of(inner, *names)) is not None:
            return _one_line(text)
    for place in _places(segment):
        if (source := text_of(place, *_SOURCE)) is not None:
            return _one_line(PurePosixPath(unquote(urlsplit(source).path)).stem or source)
    named = (text_of(place, *_NAME) for place in _places(track))
    return _one_line(next(filter(None, named), "untitled"))


def _volume(kind: EntryKind, segment: Mapping[str, Any], track: Mapping[str, Any]) -> float | None:
    if kind not in (EntryKind.VIDEO, EntryKind.AUDIO):
        return None
    for form in (segment, track):
        for place in _places(form):
            volume = number_of(place, *_VOLUME)
            if volume is not None and volume >= 0:
                return round(volume / 100 if volume > _PERCENT_ABOVE else volume, 4)
    return 1.0


def _track_line(track: Mapping[str, Any]) -> str:
    return f"{LABELS[_kind(track)]}: {', '.join(map(_body, _entries(track))) or 'empty'}"


def _body(entry: TimelineEntry) -> str:
    name = f'"{entry.name}"' if entry.kind is EntryKind.TEXT else entry.name
    loudness = "" if entry.volume in (None, 1.0) else f", {entry.volume:.0%}"
    return f"{name} ({_seconds(entry.start_s)}-{_seconds(entry.end_s)}s{loudness})"


def _seconds(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:120]
