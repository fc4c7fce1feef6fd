"""The files that an edit may speak of, and which of them is meant. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import PurePath

from avpipe.edits.values import FileRef
from avpipe.errors import EditRefusedError
from avpipe.media import MediaInfo, PictureKind
from avpipe.montage.values import Montage

STILL_S = Fraction(5)
"""How long a picture is shown where no sound says it."""


class FileKind(StrEnum):
    """What a file is to an edit."""

    VIDEO = "video"
    IMAGE = "image"
    AUDIO = "audio"


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionFile:
    """A file of the session."""

    source: str
    """Its id in the timeline."""
    name: str
    """What people call it: the name with its extension."""
    kind: FileKind
    duration: Fraction | None = None
    """Of its picture, or of its sound where it has none; None of a still picture."""
    has_sound: bool = True
    width: int | None = None
    """Of its picture, upright, in square pixels."""
    height: int | None = None

    @property
    def stem(self) -> str:
        """The name without its extension."""
        return PurePath(self.name).stem or self.name

    @property
    def is_shown(self) -> bool:
        """Whether it has a picture."""
        return self.kind is not FileKind.AUDIO

    @property
    def length(self) -> Fraction:
        """How long it lasts; of a still picture, how long it is shown."""
        return STILL_S if self.duration is None else self.duration


def session_file(source: str, info: MediaInfo) -> SessionFile:
    """A file as edits see it."""
    if not info.video:
        duration = info.audio[0].duration if info.audio else info.duration
        return SessionFile(source=source, name=source, kind=FileKind.AUDIO, duration=duration)
    video = info.video[0]
    still = info.picture is PictureKind.STILL
    (width, height) = video.upright_size
    return SessionFile(
        source=source,
        name=source,
        kind=FileKind.IMAGE if info.picture else FileKind.VIDEO,
        duration=None if still else video.duration or info.duration,
        has_sound=bool(info.audio),
        width=width,
        height=height,
    )


def file_of(source: str | None, files: Sequence[SessionFile]) -> SessionFile | None:
    """The file of that id."""
    return next((file for file in files if file.source == source), None)


def named_file(ref: FileRef, files: Sequence[SessionFile]) -> SessionFile:
    """The file of that name. Raises EditRefusedError where there is none."""
    wanted = PurePath(ref.name or "").name.casefold()
    matching = [file for file in files if wanted in (file.name.casefold(), file.stem.casefold())]
    if not matching:
        raise EditRefusedError(f"there is no file {ref.name} in the session", hint=_known(files))
    return matching[-1]


def sound_meant(
    ref: FileRef, files: Sequence[SessionFile], montage: Montage, *, what: str
) -> SessionFile:
    """The file whose sound is meant: the named one, else the only one that is not used yet.

    Raises EditRefusedError where that is not clear.
    """
    if ref.name is not None:
        file = named_file(ref, files)
        if not file.has_sound:
            raise EditRefusedError(f"{file.name} has no sound")
        return file
    sounds = [file for file in files if file.kind is FileKind.AUDIO]
    fresh = [file for file in sounds if file.source not in montage.sources]
    for candidates in (fresh, sounds):
        if len(candidates) == 1:
            return candidates[0]
    if not sounds:
        raise EditRefusedError(f"there is no file for {what}", hint='give one: avpipe ask "…" FILE')
    listed = ", ".join(file.name for file in fresh or sounds)
    raise EditRefusedError(f"which file is {what}? There are {listed}", hint="name the file")


def _known(files: Sequence[SessionFile]) -> str:
    if not files:
        return 'give it: avpipe ask "…" FILE'
    return f"there are {', '.join(file.name for file in files)}"
