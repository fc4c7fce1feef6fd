"""Which files of a folder are media that a batch may use."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path, PurePath

from avpipe.errors import InputMissingError

PICTURE_ENDINGS = frozenset((".gif", ".jpeg", ".jpg", ".png", ".webp"))
VIDEO_ENDINGS = PICTURE_ENDINGS | frozenset(
    (
        *(".3g2", ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg"),
        *(".mpg", ".mts", ".mxf", ".ogv", ".ts", ".webm", ".wmv"),
    )
)
AUDIO_ENDINGS = frozenset(
    (
        *(".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".au", ".caf", ".flac", ".m4a", ".mka"),
        *(".mp3", ".oga", ".ogg", ".opus", ".rf64", ".w64", ".wav", ".wma"),
    )
)


def media_files(folder: Path, *, recursive: bool, without: Collection[Path]) -> list[str]:
    """Paths of what ends like media, in order; hidden files and the folders `without` are left out.

    Raises InputMissingError where the folder cannot be read.
    """
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise InputMissingError(f"{folder} {what}", hint="avpipe batch FOLDER -o OUTDIR")
    try:
        return sorted(_walk(folder, recursive, {path.resolve() for path in without}))
    except OSError as error:
        raise InputMissingError(f"{error.filename} cannot be read: {error.strerror}") from error


def is_media(name: str) -> bool:
    """Whether a file's name ends like that of media, and is not hidden."""
    return not name.startswith(".") and _ending(name) in VIDEO_ENDINGS | AUDIO_ENDINGS


def is_picture(path: str) -> bool:
    """Whether a name ends like that of a picture."""
    return _ending(path) in PICTURE_ENDINGS


def is_video_name(path: str) -> bool:
    """Whether a name ends like that of a video or a picture."""
    return _ending(path) in VIDEO_ENDINGS


def _ending(path: str) -> str:
    return PurePath(path).suffix.lower()


def _walk(folder: Path, recursive: bool, without: Collection[Path]) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                # A link to a folder may lead round in circles.
                inside = recursive and not entry.is_symlink() and not entry.name.startswith(".")
                if inside and Path(entry.path).resolve() not in without:
                    yield from _walk(Path(entry.path), recursive, without)
            elif entry.is_file() and is_media(entry.name):
                yield os.path.abspath(entry.path)  # noqa: PTH100 - links are kept
