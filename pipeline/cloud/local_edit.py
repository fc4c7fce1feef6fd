"""A session's timeline on this machine: which of its sources are files here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from avpipe import jsonform
from avpipe.cloud.draft_codec import read_draft
from avpipe.cloud.values import RemoteFile
from avpipe.errors import InputMissingError
from avpipe.journal import UploadRow
from avpipe.montage.summary import one_line
from avpipe.montage.values import Clip, Montage, Track, TrackKind

SOUNDS = (".mp3", ".wav", ".m4a", ".aac")
"""The endings of files that have no picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalEdit:
    """An edit whose every source is a file of this machine."""

    montage: Montage
    sources: dict[str, str]
    """The absolute path of each source, by the id that its clips name."""
    missing: tuple[str, ...] = ()
    """What its clips were of that are left out, since it is not here as it was sent."""


def local_edit(draft: Mapping[str, Any], uploads: Iterable[UploadRow]) -> LocalEdit:
    """The edit that a draft holds, with the files that were uploaded into its session.

    Raises InputMissingError where it uses anything that is not here as it was sent.
    """
    found = parts_here(draft, uploads)
    if found.missing:
        more = f" and {len(found.missing) - 1} more" if len(found.missing) > 1 else ""
        told = f"{found.missing[0]}{more}, which is not here as sent"
        raise InputMissingError(f"its timeline uses {told}")
    return found


def parts_here(draft: Mapping[str, Any], uploads: Iterable[UploadRow]) -> LocalEdit:
    """As much of the edit that a draft holds as is made of files that are here as sent."""
    read = read_draft(draft)
    rows = [row for row in uploads if _is_here(row)]
    missing: list[str] = []

    def with_file(clip: Clip, kind: TrackKind) -> Clip:
        path = _path(clip, kind, rows)
        if path is None:
            missing.append(one_line(clip.source or clip.name))
        return replace(clip, source=path)

    def with_files(track: Track) -> Track:
        if track.kind not in (TrackKind.VIDEO, TrackKind.AUDIO):
            return track
        clips = (with_file(clip, track.kind) for clip in track.clips)
        return replace(track, clips=tuple(clip for clip in clips if clip.source is not None))

    montage = replace(read, tracks=tuple(map(with_files, read.tracks)))
    sources = {path: path for path in montage.sources}
    return LocalEdit(montage=montage, sources=sources, missing=tuple(missing))


def _is_here(row: UploadRow) -> bool:
    path = Path(row.path)
    return path.is_file() and path.stat().st_size == row.size_bytes


def _path(clip: Clip, kind: TrackKind, rows: Sequence[UploadRow]) -> str | None:
    """The one file that a clip can be of; None where there is none, or more than one."""
    words = (clip.source, _file_name(clip.source)) if clip.source else (clip.name,)
    for word in filter(None, words):
        found = {row.path: row for row in rows if word in _words(row)}
        heard = kind is TrackKind.AUDIO
        fitting = [path for path, row in found.items() if row.name.endswith(SOUNDS) is heard]
        paths = fitting if len(found) > 1 else list(found)
        if paths:
            return paths[0] if len(paths) == 1 else None
    return None


def _words(row: UploadRow) -> Iterator[str]:
    """What a draft may call a file: its address, its name, the same without the ending."""
    yield row.name
    yield PurePosixPath(row.name).stem
    if row.remote is not None:
        remote = jsonform.loads(RemoteFile, row.remote)
        yield remote.name
        yield remote.url or ""


def _file_name(source: str) -> str:
    """The name of a file in a path or an address."""
    try:
        return PurePosixPath(unquote(urlsplit(source).path)).name
    except ValueError:  # such as a host in brackets that is none
        return ""
