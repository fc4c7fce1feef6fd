"""Which of the places is the right one: they are played off at the same moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from avpipe.sync.places import OWN_S, RIVAL_HEIGHT, Place
from avpipe.sync.rivals import WALKOVER, Contest, contest, explained
from avpipe.sync.survey import survey
from avpipe.sync.take import Part, Survey, Take
from avpipe.sync.windows import Map

_MOST_RIVALS, _MORE_RIVALS = 5, 3
"""The highest, and of the others those that explain the most of each second."""
_MOST_ROUNDS, _BEHIND = 3, -2.0
"""How often the best place is changed for a rival, and how far behind one it has to be."""
_SURVEYED = 4
_CLOSE = 0.5


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Best:
    """The place that no other is ahead of, as far as they were compared."""

    place: Place
    found: Survey
    contests: tuple[tuple[Place, Contest], ...]
    """The other places that show anything, and how they do against it."""

    @property
    def main(self) -> Part:
        """Its longest part."""
        return _longest(self.found)


def play_off(take: Take, places: Sequence[Place]) -> Best | None:
    """Survey the best places and hold the others against them; None where no line holds."""
    strength = _Strength(take)
    (place, found) = _surveyed(strength, places)
    if not found.parts:
        return None
    contests = _contests(strength, places, found)
    for _ in range(_MOST_ROUNDS):
        rival = _winner(take, contests)
        if rival is None:
            break
        (place, found) = rival
        contests = _contests(strength, places, found)
    return Best(place=place, found=found, contests=tuple(contests))


class _Strength:
    """How much places explain of what they let both have; each is measured once, if at all."""

    def __init__(self, take: Take) -> None:
        self.take = take
        self._known: dict[Place, tuple[float, float]] = {}

    def of_each_second(self, place: Place) -> float:
        """The mean support of the place's windows."""
        return self._measured(place)[0]

    def of_all(self, place: Place) -> float:
        """The same times the seconds."""
        (mean, length_s) = self._measured(place)
        return mean * length_s

    def _measured(self, place: Place) -> tuple[float, float]:
        if place not in self._known:
            (begin, end) = place.ends or self.take.overlap(place.stack.line)
            mean = explained(self.take, place.stack, (begin, end)) if end > begin else 0.0
            self._known[place] = mean, max(end - begin, 0.0)
        return self._known[place]


def _surveyed(strength: _Strength, places: Sequence[Place]) -> tuple[Place, Survey]:
    """Survey the best place, and those near it in height; give the one that explains the most."""
    best: tuple[Place, Survey] | None = None
    least = max(_CLOSE * places[0].height, RIVAL_HEIGHT)
    near = [place for place in places if place is places[0] or place.height >= least]
    if len(near) > _SURVEYED:
        near.sort(key=lambda place: -strength.of_all(place))
    for place in near[:_SURVEYED]:
        found = _survey(strength.take, place)
        if best is None or found.weight > best[1].weight:
            best = place, found
    assert best is not None
    return best


def _survey(take: Take, place: Place) -> Survey:
    """All that was found along a place's line."""
    own = replace(take, rate=place.rate)
    return survey(own, place.read, place.stack, place.coarse.slope_error, place.ends)


def _longest(found: Survey) -> Part:
    return max(found.parts, key=lambda part: part.end_s - part.begin_s)


def _winner(take: Take, contests: Sequence[tuple[Place, Contest]]) -> tuple[Place, Survey] | None:
    """The rival that is ahead of the best place at the same moments, if there is one.

    Of a song that repeats itself a wrong place may explain more in all, where more of both
    recordings overlaps there.
    """
    place, rival = min(contests, key=lambda one: one[1].margin, default=(None, WALKOVER))
    if place is None or rival.margin > _BEHIND:
        return None
    found = _survey(take, place)
    return (place, found) if found.parts else None


def _contests(
    strength: _Strength, places: Sequence[Place], found: Survey
) -> list[tuple[Place, Contest]]:
    """Compare the best place with the others that show anything; a piece is no rival."""
    rivals = [
        place
        for place in places
        if place.height > RIVAL_HEIGHT
        and not any(_is_on(part, place.stack.line) for part in found.parts)
    ]
    beyond = sorted(rivals[_MOST_RIVALS:], key=lambda place: -strength.of_each_second(place))
    return [
        (place, contest(strength.take, _longest(found), place.read, place.stack))
        for place in (*rivals[:_MOST_RIVALS], *beyond[:_MORE_RIVALS])
    ]


def _is_on(part: Part, line: Map) -> bool:
    """Whether the line is the part's own."""
    middle = part.fine.middle_s
    return abs(line.recorder_time(middle) - part.fine.line.recorder_time(middle)) < OWN_S
