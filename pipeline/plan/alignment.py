"""The alignment that is used, after what the comparison found, and what users are told of it."""

from __future__ import annotations

import dataclasses
from pathlib import PurePath

from avpipe.errors import SyncUncertainError
from avpipe.media import Alignment, AlignmentMethod, Candidate, Doubt, MediaInfo, Verdict
from avpipe.plan.request import Request, Sync
from avpipe.plan.values import Reason

_DOUBTS = {
    Doubt.UNRELATED: "nothing of it is heard in the video",
    Doubt.AMBIGUOUS: "it fits at more than one place",
    Doubt.TOO_SHORT: "they share too little",
    Doubt.SILENT: "one of them is silent",
    Doubt.NO_AUDIO: "the video has no sound to compare with",
    Doubt.OUT_OF_RANGE: "its clock runs too differently",
    Doubt.BROKEN: "only parts of it fit",
}


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
    """The starts lined up, beside what was found; a best guess is one of the candidates."""
    if found is None:
        return Alignment(method=AlignmentMethod.START, reason=Doubt.NO_AUDIO)
    guess: tuple[Candidate, ...] = ()
    if (offset_s := _guess(found)) is not None:
        guess = (
            Candidate(
                offset_s=offset_s,
                drift_ppm=found.drift_ppm or 0.0,
                confidence=found.confidence or 0.0,
            ),
        )
    return Alignment(
        method=AlignmentMethod.START,
        verdict=found.verdict,
        reason=found.reason,
        confidence=found.confidence,
        overlap_s=found.overlap_s,
        candidates=(*guess, *found.candidates),
    )


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
        return _DOUBTS[Doubt.NO_AUDIO]
    return "the comparison is not sure" if found.reason is None else _DOUBTS[found.reason]


def _guess(found: Alignment | None) -> float | None:
    if found is None or found.verdict is Verdict.UNRELATED:
        return None
    return found.offset_s


def _way_out(found: Alignment | None) -> str:
    guess = _guess(found)
    if guess is None:
        return "--offset places it by hand, --sync auto lines up the starts"
    return f"--offset places it by hand; the best guess is {guess:.4f}"
