"""The words of a clause by their meaning, and what a rule about them is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

from avpipe.edits import phrases
from avpipe.edits.concepts import Concept, Word
from avpipe.edits.scan import PICTURES
from avpipe.edits.values import WHOLE, ClipRef, Edit, FileRef, Part, Span

C = Concept

FADE_S = Fraction(1)
"""How long a fade takes where no time is said."""


TITLE_S = Fraction(3)
"""How long a title stands where nothing is said."""


_EVERYWHERE = {C.EVERYTHING}
"""What an edit may name without meaning more by it."""


class Clause:
    """The words of one clause by their meaning, in the order in which they were said."""

    def __init__(self, words: Sequence[Word]) -> None:
        self.words = tuple(words)
        self.concepts = {word.concept for word in words}

    def all(self, concept: C) -> list[Any]:
        """The values of every word of that meaning."""
        return [word.value for word in self.words if word.concept is concept]

    def first(self, concept: C, default: Any = None) -> Any:
        """The value of the first word of that meaning."""
        return next(iter(self.all(concept)), default)

    def has(self, *concepts: C) -> bool:
        """Whether it holds one of those meanings."""
        return not self.concepts.isdisjoint(concepts)

    def neighbours(self) -> list[set[C]]:
        """The meanings of each two words that stand side by side."""
        return [{one.concept, other.concept} for one, other in pairwise(self.words)]

    def count(self, *concepts: C) -> int:
        """How many words have one of those meanings."""
        return sum(word.concept in concepts for word in self.words)


Built = Sequence[Edit] | Edit | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One kind of edit."""

    needs: tuple[set[C], ...]
    """Of each set at least one."""
    may: set[C] = field(default_factory=set)
    """What it can use, or does not mind, besides."""
    of_video: bool = True
    """Whether "the video" may be named without meaning more by it."""
    build: Callable[[Clause], Built]
    """The edits of a clause; None where it is no such edit after all."""

    def edits(self, clause: Clause) -> tuple[Edit, ...]:
        """What the clause asks for by this rule; empty where it is another kind."""
        if any(clause.concepts.isdisjoint(alternatives) for alternatives in self.needs):
            return ()
        known = self.may.union(*self.needs) | _EVERYWHERE | ({C.VIDEO} if self.of_video else set())
        if not clause.concepts <= known:
            return ()
        built = self.build(clause)
        if built is None:
            return ()
        return tuple(built) if isinstance(built, Sequence) else (built,)


_PARTS = {
    C.MUSIC: Part.MUSIC,
    C.OWN_SOUND: Part.VIDEO_SOUND,
    C.RECORDING: Part.AUDIO,
    C.SPEECH: Part.SPEECH,
    C.SOUND: Part.ALL,
    C.TITLE: Part.TITLE,
}


HEARD = {C.MUSIC, C.OWN_SOUND, C.RECORDING, C.SPEECH, C.SOUND}


def parts_of(clause: Clause, default: Part) -> tuple[Part, ...]:
    """What the clause speaks of, in its order; "the video" alone means its own sound."""
    parts = dict(_PARTS)
    if not clause.has(C.SOUND, C.OWN_SOUND, C.EVERYTHING):
        parts[C.VIDEO] = Part.VIDEO_SOUND
    found = [parts[word.concept] for word in clause.words if word.concept in parts]
    return tuple(dict.fromkeys(found)) or (default,)


def files_of(clause: Clause) -> tuple[FileRef, ...]:
    """The files that are named."""
    return tuple(FileRef(name=name) for name in clause.all(C.FILE))


def first_file(clause: Clause) -> FileRef:
    """The file that is named first, or the one that is obviously meant."""
    return next(iter(files_of(clause)), FileRef())


def is_shown(name: str) -> bool:
    """Whether a file of that name has a picture."""
    return name.rpartition(".")[2].lower() in PICTURES


def spans_of(clause: Clause) -> tuple[Span, ...]:
    """The stretches of time that are named, also as "5 seconds" and "at the end"."""
    found = [*clause.all(C.SPAN), *clause.all(C.ONLY_SPAN)]
    lengths = [*clause.all(C.TIME), *clause.all(C.LENGTH)]
    edges = clause.all(C.EDGE)
    if edges and len(lengths) == 1:
        found += [phrases.span_at(edge, lengths[0]) for edge in edges]
    return tuple(found)


def stretches_of(clause: Clause) -> tuple[Span, ...] | None:
    """The one stretch that is meant, or the whole; None of a time that says no such thing."""
    spans = spans_of(clause)
    if not spans:
        return None if clause.has(C.TIME, C.LENGTH, C.EDGE) else (WHOLE,)
    return spans if len(spans) == 1 else None


def clip_refs(clause: Clause) -> list[ClipRef]:
    """The clips that are named, by number or by file, in order."""
    return [
        word.value if word.concept is C.CLIP else ClipRef(name=word.value)
        for word in clause.words
        if word.concept in (C.CLIP, C.FILE)
    ]
