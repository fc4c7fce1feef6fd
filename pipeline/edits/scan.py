"""A sentence cut into words with their meanings: the longest match at each place. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from avpipe.edits.concepts import Concept, Word
from avpipe.edits.lexicon import Lexeme, lexemes

EXTENSIONS = (
    *("mp4", "mov", "m4v", "avi", "webm", "mkv", "jpg", "jpeg", "png", "gif", "webp"),
    *("mp3", "wav", "m4a", "aac", "flac", "ogg", "opus"),
)
PICTURES = EXTENSIONS[:11]
"""The extensions of files that are shown."""
_EXTENSION = rf"\.(?:{'|'.join(EXTENSIONS)})(?![A-Za-z0-9])"
_QUOTED = re.compile(
    r"“([^”]+)”|‘([^’]+)’|「([^」]+)」|『([^』]+)』|《([^》]+)》|\"([^\"]+)\""
    r"|(?<![A-Za-z0-9])'((?:[^']|(?<=\w)'(?=\w))+)'(?![A-Za-z0-9])|`([^`]+)`"
)
_PATH = re.compile(rf"(?:[~./]*/)?(?:\\.|[\w./~%+@-])+?{_EXTENSION}", re.IGNORECASE | re.ASCII)
_BLANK = re.compile(r"\s+")
_RUN = re.compile(r"[A-Za-z0-9_'’\-]+|.", re.DOTALL)
_NARROW = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0x2019: 0x27}
"""Full-width forms and their narrow ones: one character for one, so that places stay."""


def scan(sentence: str, names: Sequence[str] = ()) -> tuple[Word, ...]:
    """The words of a sentence; `names` are those of files that it may speak of."""
    text = sentence.translate(_NARROW)
    return tuple(_joined(_words(sentence, text, _named(names))))


def narrowed(sentence: str) -> str:
    """The sentence with full-width signs made narrow; as long as before."""
    return sentence.translate(_NARROW)


@cache
def _lexemes() -> tuple[Lexeme, ...]:
    return lexemes()


def _named(names: Sequence[str]) -> tuple[tuple[re.Pattern[str], str], ...]:
    """A pattern for each file, by its name and by what stands before its extension."""
    found = []
    for name in names:
        stem = name.rpartition(".")[0]
        texts = [name, *([stem] if len(stem) > 1 else [])]
        for text in texts:
            edge = r"(?![\w])" if text[-1].isascii() and text[-1].isalnum() else ""
            found.append((re.compile(rf"(?<![\w]){re.escape(text)}{edge}", re.IGNORECASE), name))
            if not text[0].isascii():
                found.append((re.compile(re.escape(text), re.IGNORECASE), name))
    return tuple(found)


def _words(
    sentence: str, text: str, names: tuple[tuple[re.Pattern[str], str], ...]
) -> Iterator[Word]:
    place = 0
    titled = False
    while place < len(text):
        if blank := _BLANK.match(text, place):
            place = blank.end()
            continue
        word = _quoted(sentence, place, names, titled=titled) or _longest(text, place, names)
        titled = titled or word.concept is Concept.TITLE
        yield word
        place = word.end


def _quoted(
    sentence: str, place: int, names: tuple[tuple[re.Pattern[str], str], ...], *, titled: bool
) -> Word | None:
    """A text in quotes; one that names a file is that file.

    After the word for a title, what stands before a file's extension is the text of the title.
    """
    match = _QUOTED.match(sentence, place)
    if match is None:
        return None
    text = next(group for group in match.groups() if group)
    name = next((name for pattern, name in names if pattern.fullmatch(text)), None)
    if titled and name is not None and text.casefold() != name.casefold():
        name = None
    if name is None and re.search(rf"{_EXTENSION}$", text, re.IGNORECASE):
        name = text
    if name is not None:
        return Word(concept=Concept.FILE, value=name, start=place, end=match.end())
    return Word(concept=Concept.TEXT, value=text.strip(), start=place, end=match.end())


def _longest(text: str, place: int, names: tuple[tuple[re.Pattern[str], str], ...]) -> Word:
    best = Word(concept=Concept.UNKNOWN, start=place, end=place)
    for lexeme in _lexemes():
        match = lexeme.pattern.match(text, place)
        if match is not None and match.end() > best.end:
            value = lexeme.read(match)
            best = Word(concept=lexeme.concept, value=value, start=place, end=match.end())
    for pattern, name in names:
        match = pattern.match(text, place)
        if match is not None and match.end() > best.end:
            best = Word(concept=Concept.FILE, value=name, start=place, end=match.end())
    match = _PATH.match(text, place)
    if match is not None and match.end() > best.end:
        path = re.sub(r"\\(.)", r"\1", match[0])
        best = Word(concept=Concept.FILE, value=path, start=place, end=match.end())
    if best.end > place:
        return best
    run = _RUN.match(text, place)
    end = place + 1 if run is None else run.end()
    return Word(concept=Concept.UNKNOWN, value=text[place:end], start=place, end=end)


def _joined(words: Iterator[Word]) -> Iterator[Word]:
    """Unknown words that stand side by side, as one."""
    held: Word | None = None
    for word in words:
        if held is not None and word.concept is Concept.UNKNOWN:
            value = f"{held.value}{' ' if word.start > held.end else ''}{word.value}"
            held = Word(concept=Concept.UNKNOWN, value=value, start=held.start, end=word.end)
            continue
        if held is not None:
            yield held
            held = None
        if word.concept is Concept.UNKNOWN:
            held = word
        else:
            yield word
    if held is not None:
        yield held
