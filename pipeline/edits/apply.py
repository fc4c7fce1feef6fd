"""Edits done to a timeline: each gives the new one and says in words what it did. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from avpipe.edits import holding, looks, merging, pace, reshape, sound
from avpipe.edits.beside import Alignments
from avpipe.edits.files import SessionFile, named_file
from avpipe.edits.reshape import Told
from avpipe.edits.values import (
    AddAudio,
    AddMusic,
    AddTitle,
    Aspect,
    ChangeTitle,
    CrossFade,
    Cut,
    Duck,
    Edit,
    Fade,
    FileSize,
    Framing,
    Hold,
    Join,
    Keep,
    Loudness,
    Merge,
    Move,
    Mute,
    Remove,
    RemoveClip,
    ReplaceAudio,
    ReplaceMusic,
    Resolution,
    ReverseOrder,
    Speed,
    Split,
    Swap,
    Undo,
    Unmute,
    Volume,
)
from avpipe.errors import EditRefusedError
from avpipe.montage.faults import find_faults
from avpipe.montage.summary import size
from avpipe.montage.values import Montage


def apply(
    edit: Edit, montage: Montage, files: Sequence[SessionFile], alignments: Alignments
) -> Told:
    """The timeline after an edit, and what was done, in words.

    Raises EditRefusedError where this timeline has nothing that it could be done to, or would
    become one that cannot be rendered. `Undo` is not among them: it needs the timelines before.
    """
    (made, said) = _applied(edit, montage, files, alignments)
    if made == montage:
        raise EditRefusedError(f"that changes nothing: {said}")
    known = {fault.code for fault in find_faults(montage)}
    for fault in find_faults(made):
        if fault.code not in known:
            raise EditRefusedError(fault.message)
    return made, said


def _applied(
    edit: Edit, montage: Montage, files: Sequence[SessionFile], alignments: Alignments
) -> Told:
    match edit:
        case Merge() | ReplaceAudio():
            return merging.merge(montage, edit, files, alignments)
        case Cut():
            return reshape.cut(montage, edit.spans, files)
        case Keep():
            return reshape.keep(montage, edit.spans, files)
        case Hold():
            return holding.hold(montage, edit, files)
        case Split():
            return reshape.split(montage, edit.at)
        case Move():
            return reshape.move(montage, edit, files)
        case Swap():
            return reshape.swap(montage, edit.one, edit.other, files)
        case ReverseOrder():
            return reshape.reverse_order(montage, files)
        case Join():
            return reshape.join(montage, edit, _to_join(edit, montage, files), files)
        case Speed():
            return pace.speed(montage, edit, files)
        case CrossFade():
            return reshape.cross_fade(montage, edit, files)
        case RemoveClip():
            return reshape.remove_clip(montage, edit.clip, files)
        case Volume():
            return sound.volume(montage, edit)
        case Mute():
            return sound.mute(montage, edit)
        case Unmute():
            return sound.unmute(montage, edit)
        case Fade():
            return sound.fade(montage, edit)
        case AddMusic():
            return sound.add_music(montage, edit, files)
        case AddAudio():
            return sound.add_audio(montage, edit, files)
        case ReplaceMusic():
            return sound.replace_music(montage, edit, files)
        case Remove():
            return sound.remove(montage, edit)
        case Duck():
            return sound.duck(montage, edit)
        case AddTitle():
            return looks.add_title(montage, edit)
        case ChangeTitle():
            return looks.change_title(montage, edit)
        case Aspect():
            return looks.aspect(montage, edit)
        case Framing():
            return looks.framing(montage, edit)
        case Resolution():
            return looks.resolution(montage, edit, files)
        case Loudness():
            return replace(montage, loudness_lufs=edit.lufs), f"loudness {edit.lufs:g} LUFS"
        case FileSize():
            return replace(montage, max_bytes=edit.max_bytes), f"file {size(edit.max_bytes)}"
        case Undo():
            raise EditRefusedError("there is nothing to undo")
        case _:
            assert_never(edit)


def _to_join(edit: Join, montage: Montage, files: Sequence[SessionFile]) -> tuple[SessionFile, ...]:
    """The files to be shown: those named, else all that are not shown yet."""
    if edit.files:
        named = tuple(named_file(ref, files) for ref in edit.files)
        if sounds := [file.name for file in named if not file.is_shown]:
            raise EditRefusedError(f"{sounds[0]} has no picture")
        shown = {clip.source for track in montage.tracks for clip in track.clips}
        return tuple(file for file in named if file.source not in shown) or named
    fresh = tuple(file for file in files if file.is_shown and file.source not in montage.sources)
    if not fresh:
        raise EditRefusedError("there is no further video or picture to join", hint="give a file")
    return fresh
