"""Pairs by what both hold: of the matches of a video the one that serves it best, and its parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from avpipe.media import Alignment, Doubt, Verdict
from avpipe.pairing.names import counter, part_number
from avpipe.pairing.values import Match, Take

CANDIDATES = 3
"""How many of the recordings that fit best by their fingerprints are compared exactly."""
LEAST_SCORE = 3.0
"""Of two fingerprints: what is less is chance."""
LEAST_CONFIDENCE = 0.9
"""Of a pair that no name speaks for."""
WORTH = 0.4
"""The share of the best fingerprint's score from which another is compared when one matched."""
_ENOUGH_S = 0.5
"""What may be missing of a video at either end before further parts are looked for."""
_APART_S = 0.1
"""How much two parts of one recording may overlap."""


def is_sure(match: Match) -> bool:
    """Whether the content says that the two belong together."""
    return match.alignment.verdict is Verdict.MATCHED


def speaks_against(match: Match) -> bool:
    """Whether the content says that the two do not belong together."""
    alignment = match.alignment
    return alignment.verdict is Verdict.UNRELATED and alignment.reason is Doubt.UNRELATED


def best_match(matches: Sequence[Match], video_s: float) -> Match | None:
    """Of those that are sure the one that covers most of the video, then the surest."""
    sure = [match for match in matches if is_sure(match) and _confidence(match) >= LEAST_CONFIDENCE]
    return max(sure, key=lambda match: _worth(match, video_s), default=None)


def _worth(match: Match, video_s: float) -> tuple[float, float, str]:
    covered = round(match.covers_s(video_s) / max(video_s, 1e-3), 2)
    return covered, _confidence(match), match.audio


def _confidence(match: Match) -> float:
    return match.alignment.confidence or 0.0


def is_covered(match: Match, video_s: float) -> bool:
    """Whether a recording lasts as long as the video, at both ends."""
    (begin, end) = match.span(video_s)
    return begin < _ENOUGH_S and end > video_s - _ENOUGH_S


def are_neighbours(one: str, other: str) -> bool:
    """Whether two names are those of files that a recorder made one after the other."""
    for numbered in (part_number, counter):
        (ours, theirs) = (numbered(one), numbered(other))
        if ours is not None and theirs is not None:
            same = (ours[0], *ours[2:]) == (theirs[0], *theirs[2:])
            return same and abs(int(ours[1]) - int(theirs[1])) == 1
    return False


def further_parts(chosen: Match, others: Sequence[Match], video_s: float) -> tuple[Match, ...]:
    """The chosen recording and those of the same series that go on where it ends, in order."""
    parts = [chosen]
    for match in others:
        series = any(are_neighbours(match.audio, part.audio) for part in parts)
        if is_sure(match) and match.covers_s(video_s) > 0 and series:
            apart = all(_overlap_s(match, part, video_s) <= _APART_S for part in parts)
            parts += [match] if apart else []
    return tuple(sorted(parts, key=lambda match: match.alignment.offset_s or 0.0))


def _overlap_s(one: Match, other: Match, video_s: float) -> float:
    (a, b), (c, d) = one.span(video_s), other.span(video_s)
    return min(b, d) - max(a, c)


def with_neighbours(
    chosen: Match, take: Take, duration_s: Callable[[str], float], video_s: float
) -> tuple[Match, ...]:
    """The chosen part of a recording and the others that the video needs, each at its place.

    Parts follow each other without a gap: where one belongs says where all do.
    """
    at = take.parts.index(chosen.audio)
    found = [chosen]
    for direction in (1, -1):
        beside = chosen
        number = at + direction
        while 0 <= number < len(take.parts):
            path = take.parts[number]
            beside = _beside(beside, path, duration_s(path), direction)
            if beside.covers_s(video_s) <= 0:
                break
            found.append(beside)
            number += direction
    return tuple(sorted(found, key=lambda match: match.alignment.offset_s or 0.0))


def _beside(match: Match, path: str, duration_s: float, direction: int) -> Match:
    """The part after (1) or before (-1) a part whose place is known."""
    scale = 1 + (match.alignment.drift_ppm or 0.0) * 1e-6
    length_s = match.duration_s if direction > 0 else duration_s
    offset_s = (match.alignment.offset_s or 0.0) + direction * length_s / scale
    return Match(
        audio=path, duration_s=duration_s, alignment=_moved(match.alignment, offset_s, duration_s)
    )


def _moved(alignment: Alignment, offset_s: float, duration_s: float) -> Alignment:
    pieces = tuple(
        replace(piece, audio_start_s=0.0, audio_end_s=duration_s, offset_s=offset_s)
        for piece in alignment.pieces[:1]
    )
    return replace(alignment, offset_s=offset_s, pieces=pieces, candidates=())
