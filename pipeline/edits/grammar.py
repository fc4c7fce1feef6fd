"""From a sentence to the edits that it asks for, in their order. Pure.

The sentence is cut at "and", "then" and commas; the longest run of pieces that is one edit counts
as one ("the first 2 seconds and the last 3"), and a piece without a verb has that of the one before
it. Where a piece is no edit, nothing of the sentence is done.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import Any

from avpipe.edits.concepts import Concept, Word
from avpipe.edits.look_rules import sized
from avpipe.edits.rules import edits_of
from avpipe.edits.scan import narrowed, scan
from avpipe.edits.suggestions import refusal
from avpipe.edits.values import WHOLE, Aspect, Edit, FileSize, Speed, Volume, Wish
from avpipe.edits.verbs import WRITTEN

C = Concept

LONGEST = 2000
"""How many characters a sentence may have."""
_CARRIED = {
    *(C.ADD, C.REMOVE, C.CUT, C.TRIM, C.KEEP, C.SET, C.MUTE, C.UNMUTE, C.MOVE, C.REPLACE, C.USE),
    *(C.LOUDER, C.TITLE, C.MUSIC),
}
"""What a piece may take over from the one before it."""
_VERBS = _CARRIED - {C.TITLE, C.MUSIC, C.LOUDER}
_TAIL = {
    *(C.PLACE, C.COLOR, C.TEXT_SIZE, C.SPAN, C.AT, C.EDGE, C.LENGTH, C.TIME, C.FADE_IN),
    *(C.FADE_OUT, C.FADE_BOTH, C.FILLER),
}
"""What may follow a text that stands without quotes."""


def understand(sentence: str, names: Sequence[str] = ()) -> Wish:
    """What a sentence asks for; `names` are those of the files that there are.

    Raises NotUnderstoodError where a part of it is not understood.
    """
    if len(sentence) > LONGEST:
        raise refusal(sentence[:60] + "…", ())
    words = scan(sentence, names)
    if _QUESTION.match(sentence):
        raise refusal(sentence, words)
    pieces = _pieces(words)
    if not pieces:
        raise refusal(sentence, words)
    found = _parse(sentence, tuple(pieces), 0, frozenset(), {})
    if found is None:
        raise _refusal(sentence, pieces)
    edits = tuple(edit for edit in found if not isinstance(edit, _Export))
    return Wish(edits=edits, export=_EXPORT in found)


class _Export(Enum):
    """Among the edits: the wish for the file."""

    WISH = "export"


_EXPORT = _Export.WISH
_QUESTION = re.compile(
    r"\s*(?:so|and|well|ok(?:ay)?)?[\s,]*(?:should\s+(?:i|we)|shall\s+(?:i|we)"
    r"|do\s+(?:i|we|you)|does|did|is|are|was"
    r"|were|how|what|why|when|where|which|who|if)\b"
    r"|.*(?:怎么|如何|为什么|要不要|该不该|是不是)",
    re.IGNORECASE,
)
"""Something is asked, and nothing told to be done."""
Found = tuple[Edit | _Export, ...]


def _pieces(words: Sequence[Word]) -> list[tuple[Word, ...]]:
    """The words between separators, without those that mean nothing."""
    pieces: list[list[Word]] = [[]]
    for word in words:
        if word.concept is C.SEPARATOR:
            pieces.append([])
        else:
            pieces[-1].append(word)
    return [tuple(piece) for piece in pieces if any(word.concept is not C.FILLER for word in piece)]


def _parse(
    sentence: str,
    pieces: tuple[tuple[Word, ...], ...],
    at: int,
    carried: frozenset[Word],
    known: dict[Any, Found | None],
) -> Found | None:
    """The edits of the pieces from `at` on; None where they cannot all be understood."""
    if at == len(pieces):
        return ()
    key = (at, carried)
    if key in known:
        return known[key]
    known[key] = stretched = None
    for end in _ends(pieces, at):
        words = tuple(word for piece in pieces[at:end] for word in piece)
        said = _clause(sentence, words, carried)
        if said is None:
            continue
        (edits, verbs) = said
        rest = _parse(sentence, pieces, end, verbs, known)
        if rest is None:
            continue
        if end - at > 1 and any(map(_is_of_a_stretch, edits)):
            stretched = stretched or (*edits, *rest)
            continue
        known[key] = (*edits, *rest)
        break
    if known[key] is None:
        known[key] = stretched
    return known[key]


def _is_of_a_stretch(edit: Edit | _Export) -> bool:
    """Whether a level or a pace is for a time only, which may belong to an edit of its own.

    In "music down to 20 %, cut the last second" it does.
    """
    return isinstance(edit, Speed | Volume) and edit.span != WHOLE


def _ends(pieces: tuple[tuple[Word, ...], ...], at: int) -> list[int]:
    """Where the clause that begins at a piece may end: the longest first.

    One that has a text without quotes ends as soon as what follows makes sense.
    """
    ends = list(range(at + 1, min(len(pieces), at + 6) + 1))
    bare = any(word.concept in (C.SAYS, C.UNKNOWN) for word in pieces[at])
    return ends if bare else ends[::-1]


def _clause(
    sentence: str, words: tuple[Word, ...], carried: frozenset[Word]
) -> tuple[Found, frozenset[Word]] | None:
    """The edits of one clause, and the words that the next one may take over."""
    said = _without_fillers(_with_text(sentence, words))
    if exported := _export(said):
        return exported, frozenset()
    candidates = [said]
    has_verb = any(word.concept in _VERBS for word in said)
    if carried and not has_verb:
        verbs = tuple(word for word in carried if word.concept in _VERBS)
        candidates.append((*verbs, *said))
        candidates.append((*sorted(carried, key=lambda word: word.start), *said))
    for candidate in candidates:
        if edits := edits_of(candidate):
            verbs_said = frozenset(
                replace(word, start=0, end=0) for word in candidate if word.concept in _CARRIED
            )
            return edits, verbs_said
    return None


def _export(words: tuple[Word, ...]) -> Found | None:
    """A wish for the file, in a size or shape where one is said."""
    concepts = {word.concept for word in words}
    things = {C.EXPORT, C.VIDEO, C.FORMAT, C.SOUND}
    allowed = things | {C.ASPECT, C.RESOLUTION, C.RESOLUTION_NOUN, C.BYTES}
    if C.EXPORT not in concepts or not concepts <= allowed:
        return None
    wishes = _wishes(words)
    return (*wishes, _EXPORT) if len(set(map(type, wishes))) == len(wishes) else None


def wishes_of_export(sentence: str) -> tuple[Edit, ...]:
    """The size and the shape that a wish for the file names."""
    return _wishes(scan(sentence))


def _wishes(words: Sequence[Word]) -> tuple[Edit, ...]:
    return (
        *(Aspect(width=w.value[0], height=w.value[1]) for w in words if w.concept is C.ASPECT),
        *(sized(word.value) for word in words if word.concept is C.RESOLUTION),
        *(FileSize(max_bytes=word.value) for word in words if word.concept is C.BYTES),
    )


def _without_fillers(words: tuple[Word, ...]) -> tuple[Word, ...]:
    return tuple(word for word in words if word.concept is not C.FILLER)


def _with_text(sentence: str, words: tuple[Word, ...]) -> tuple[Word, ...]:
    """The words, with what follows "that says" as a text where it has no quotes.

    What stands at its end and says where, when or in which colour is not a part of it.
    """
    if any(word.concept is C.TEXT for word in words):
        return words
    begin = next((n for n, word in enumerate(words) if word.concept is C.SAYS), None)
    if begin is None:
        begin = _bare_text(words)
        if begin is None:
            return words
    end = len(words)
    while end > begin + 2 and words[end - 1].concept in _TAIL:
        end -= 1
    if end == begin + 1:
        return words
    (first, last) = (words[begin + 1], words[end - 1])
    text = narrowed(sentence)[first.start : last.end].strip(" :：，,。.")
    if not text:
        return words
    made = Word(
        concept=C.TEXT,
        value=sentence[first.start : last.end].strip(" :：，,。."),
        start=first.start,
        end=last.end,
    )
    return (*words[: begin + 1], made, *words[end:])


def _bare_text(words: tuple[Word, ...]) -> int | None:
    """Where a text begins that follows "title" or "write" at once: a name, or no other word."""
    if not any(word.concept is C.ADD for word in words):
        return None
    for number, word in enumerate(words[:-1]):
        after = words[number + 1]
        begins = word.concept is C.TITLE or word.value == WRITTEN
        if begins and after.concept is C.UNKNOWN:
            capital = after.value[0].isupper() or not after.value[0].isascii()
            return number if capital else None
    return None


def _refusal(sentence: str, pieces: list[tuple[Word, ...]]) -> Exception:
    """Why a sentence was not understood: the first piece at which it goes wrong."""
    good = 0
    while good < len(pieces):
        before = tuple(pieces[: good + 1])
        if _parse(sentence, before, 0, frozenset(), {}) is None:
            break
        good += 1
    piece = pieces[min(good, len(pieces) - 1)]
    return refusal(sentence[piece[0].start : piece[-1].end], piece)
