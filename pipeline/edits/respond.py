"""A sentence answered: the one door to this package for whoever holds a session. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from avpipe.edits.apply import apply
from avpipe.edits.beside import Alignments, Pair
from avpipe.edits.files import SessionFile
from avpipe.edits.grammar import understand, wishes_of_export
from avpipe.edits.merging import merged_files
from avpipe.edits.order import plain_order
from avpipe.edits.values import Merge, ReplaceAudio, Undo
from avpipe.errors import EditRefusedError
from avpipe.montage.difference import describe_changes
from avpipe.montage.values import Clip, Montage, Track, TrackKind

MOST_UNDONE = 100
"""How many earlier timelines are kept."""
History = tuple[Montage, ...]
"""The timelines before, the oldest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """What came of a sentence."""

    text: str
    """What was done, for people."""
    changes: tuple[str, ...]
    """What is different in the timeline."""
    montage: Montage
    history: History
    """With what the timeline was before: one step for a sentence."""
    export: bool = False
    """Whether the file is asked for as well."""


def respond(
    sentence: str,
    montage: Montage,
    files: Sequence[SessionFile],
    *,
    history: History = (),
    alignments: Alignments | None = None,
) -> Response:
    """Do what a sentence asks for, all of it or nothing.

    `alignments` holds those of `pairs_to_align`; a pair that is missing has its starts lined up.
    Raises NotUnderstoodError or EditRefusedError, and then nothing was done.
    """
    wish = understand(plain_order(sentence) or sentence, [file.name for file in files])
    said: list[str] = []
    now = _State(montage=montage, kept=montage, history=history)
    for edit in wish.edits:
        if isinstance(edit, Undo):
            now = _undone(now, edit.steps)
            said.append("undone" if edit.steps == 1 else f"{edit.steps} steps undone")
        else:
            (made, words) = apply(edit, now.montage, files, alignments or {})
            now = replace(now, montage=made)
            said.append(words)
    return Response(
        text=f"{'; '.join(said)}." if said else "",
        changes=describe_changes(montage, now.montage) if now.montage != montage else (),
        montage=now.montage,
        history=now.settled,
        export=wish.export,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _State:
    """A timeline on the way through a sentence."""

    montage: Montage
    kept: Montage
    """What the next undo goes back to, once there is a difference."""
    history: History

    @property
    def settled(self) -> History:
        """The history after the sentence."""
        if self.montage == self.kept:
            return self.history
        return (*self.history, self.kept)[-MOST_UNDONE:]


def _undone(now: _State, steps: int) -> _State:
    """The timeline some steps ago. Raises EditRefusedError where there were not so many."""
    steps_kept = now.settled
    if not 1 <= steps <= len(steps_kept):
        raise EditRefusedError(f"{len(steps_kept) or 'no'} steps can be undone")
    earlier = steps_kept[-steps]
    return _State(montage=earlier, kept=earlier, history=steps_kept[:-steps])


def pairs_to_align(
    sentence: str, montage: Montage, files: Sequence[SessionFile]
) -> tuple[Pair, ...]:
    """The pictures and sounds that `respond` wants compared before: their sources.

    Raises as `respond` does.
    """
    if plain_order(sentence) is not None:
        return ()
    wish = understand(sentence, [file.name for file in files])
    merged = [
        merged_files(edit, montage, files)
        for edit in wish.edits
        if isinstance(edit, Merge | ReplaceAudio)
    ]
    return tuple(
        (video.source, sound.source)
        for videos, sound in merged
        for video in videos
        if video.has_sound and video.duration is not None
    )


def as_exported(sentence: str, montage: Montage, files: Sequence[SessionFile]) -> Montage:
    """The timeline in the size and shape that a wish for the file names; the session keeps its."""
    for edit in wishes_of_export(sentence):
        with suppress(EditRefusedError):  # it has them already
            (montage, _) = apply(edit, montage, files, {})
    return montage


def with_first_picture(montage: Montage, files: Sequence[SessionFile]) -> Montage:
    """The timeline with the first picture among the files shown, where none is shown yet."""
    shown = next((file for file in files if file.is_shown), None)
    if shown is None or any(track.clips for track in montage.of(TrackKind.VIDEO)):
        return montage
    clip = Clip(name=shown.stem, source=shown.source, source_out=shown.length)
    track = Track(kind=TrackKind.VIDEO, clips=(clip,))
    return replace(montage, tracks=(track, *montage.tracks))
