"""The session's timeline in words and entries: what a draft holds, and what changed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from avpipe.cloud.draft_codec import read_draft
from avpipe.cloud.values import SessionState, TimelineEntry
from avpipe.montage.difference import describe_changes
from avpipe.montage.summary import in_order, one_line, summarise
from avpipe.montage.values import Clip, Montage, TrackKind


def is_exportable(draft: Mapping[str, Any]) -> bool:
    """Whether there is anything to render: a track that has a segment."""
    return any(track.clips for track in read_draft(draft).tracks)


def entries_of(draft: Mapping[str, Any]) -> tuple[TimelineEntry, ...]:
    """Every segment, track by track, in the order of time."""
    return entries_of_montage(read_draft(draft))


def entries_of_montage(montage: Montage) -> tuple[TimelineEntry, ...]:
    """The entries of an edit, whether it was a draft or not."""
    return tuple(_entry(clip, track.kind) for track in montage.tracks for clip in in_order(track))


def duration_s(draft: Mapping[str, Any]) -> float:
    """Where the last segment ends, in seconds."""
    return max((entry.end_s for entry in entries_of(draft)), default=0.0)


def summary(draft: Mapping[str, Any]) -> str:
    """One line for people: `Timeline (2 tracks): 1. Video: … 2. BGM: … (0-10s, 35%)`."""
    return summarise(read_draft(draft))


def changes_between(before: SessionState, after: SessionState) -> tuple[str, ...]:
    """What is different, in words: added, removed and changed segments, and new files."""
    return tuple(_changes(before, after))


def _changes(before: SessionState, after: SessionState) -> Iterator[str]:
    told = describe_changes(read_draft(before.draft), read_draft(after.draft))
    yield from told
    files = Counter(file.name for file in after.files) - Counter(file.name for file in before.files)
    yield from (f"file '{name}' added" for name in files.elements())
    if not told and before.media != after.media:
        yield "new media made"


def _entry(clip: Clip, kind: TrackKind) -> TimelineEntry:
    heard = kind in (TrackKind.VIDEO, TrackKind.AUDIO)
    return TimelineEntry(
        kind=kind,
        name=one_line(clip.name) or "untitled",
        start_s=round(float(clip.start), 3),
        end_s=round(float(clip.end), 3),
        volume=clip.volume if heard else None,
    )
