"""The alignment that is used, after what the comparison found, and what users are told of it."""

from __future__ import annotations

import dataclasses
from pathlib import PurePath

from avpipe.errors import SyncUncertainError
from avpipe.media import Alignment, AlignmentMethod, Doubt, MediaInfo, Verdict
from avpipe.plan.request import Request, Sync
from avpipe.plan.values import Reason


def used_alignment(
    request: Request, video: MediaInfo, audio: MediaInfo, found: Alignment | None
) -> tuple[Alignment, tuple[Reason, ...]]:
    """The alignment of one recording, and why it is used.

    `found` is what the comparison said, None where there was none. Raises SyncUncertainError where
    certainty was required.
    """
    certain = found is not None and found.verdict is Verdict.MATCHED
    if request.offset_s is not None:
        return _given(request.offset_s, found if certain else None), ()
    if found is not None and certain:
        return found, ()
    if request.sync is Sync.REQUIRE:
        raise SyncUncertainError(
            f"where {PurePath(audio.path).name} belongs is not certain: {_doubt(found)}",
            hint=_way_out(found),
        )
    if request.sync is not Sync.AUTO or video.picture is not None:
        return Alignment(method=AlignmentMethod.START), ()
    return _started(found), (_note(audio, found),)


def _started(found: Alignment | None) -> Alignment:
    """What was found, a best guess at most: it is not used."""
    if found is None:
        return Alignment(
            method=AlignmentMethod.START,
            verdict=Verdict.UNRELATED,
            offset_s=None,
            drift_ppm=None,
            confidence=0.0,
            overlap_s=0.0,
            reason=Doubt.NO_AUDIO,
        )
    return dataclasses.replace(found, method=AlignmentMethod.START)


def _given(offset_s: float, found: Alignment | None) -> Alignment:
    """The user's offset, with the drift that was found around it."""
    if found is None:
        return Alignment(method=AlignmentMethod.OFFSET, offset_s=offset_s)
    return dataclasses.replace(
        found,
        method=AlignmentMethod.OFFSET,
        offset_s=offset_s,
        offset_error_s=None,
        pieces=(),
        candidates=(),
    )


def _note(audio: MediaInfo, found: Alignment | None) -> Reason:
    name = PurePath(audio.path).name
    message = f"{name} is lined up with the video by their starts: {_doubt(found)}"
    guess = _guess(found)
    if guess is not None:
        message += f"; the best guess is --offset {guess:.4f}"
    return Reason(code="starts_lined_up", message=message, note=True)


def _doubt(found: Alignment | None) -> str:
    if found is None:
        return Doubt.NO_AUDIO.in_words
    return "the comparison is not sure" if found.reason is None else found.reason.in_words


def _guess(found: Alignment | None) -> float | None:
    if found is None or found.verdict is Verdict.UNRELATED or found.offset_s is None:
        return None
    return round(found.offset_s, 4) + 0.0  # no minus before a zero


def _way_out(found: Alignment | None) -> str:
    guess = _guess(found)
    if guess is None:
        return "--offset places it by hand, --sync auto lines up the starts"
    return f"--offset places it by hand; the best guess is {guess:.4f}"
