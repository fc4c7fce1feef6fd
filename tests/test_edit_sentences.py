"""Every sentence of the tables is understood as it is meant, and nothing else is."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from fractions import Fraction
from typing import Any

import pytest
from edit_paraphrases import LATER, PARAPHRASES, THIRD
from edit_sentences import NOT_UNDERSTOOD, SENTENCES
from edit_words import ANYTHING, FILES

from avpipe.edits.grammar import understand
from avpipe.errors import NotUnderstoodError


def is_same(found: Any, meant: Any) -> bool:
    """Equal, where numbers may be written as text and levels are equal to a millionth."""
    if meant is ANYTHING:
        return True
    if is_dataclass(meant):
        names = [field.name for field in fields(meant)]
        alike = (is_same(getattr(found, name, None), getattr(meant, name)) for name in names)
        return type(found) is type(meant) and all(alike)
    if isinstance(meant, tuple | list):
        alike = (is_same(one, other) for one, other in zip(found, meant, strict=False))
        return len(found) == len(meant) and all(alike)
    if isinstance(found, Fraction) and isinstance(meant, str):
        return found == Fraction(meant)
    if isinstance(found, float) and isinstance(meant, int | float):
        return abs(found - meant) < 1e-6
    return bool(found == meant)


@pytest.mark.parametrize(("sentence", "meant"), SENTENCES + PARAPHRASES + LATER + THIRD)
def test_means(sentence: str, meant: list[Any]) -> None:
    assert is_same(list(understand(sentence, FILES).edits), meant), understand(sentence, FILES)


@pytest.mark.parametrize("sentence", NOT_UNDERSTOOD)
def test_is_not_guessed_at(sentence: str) -> None:
    with pytest.raises(NotUnderstoodError) as caught:
        understand(sentence, FILES)
    assert caught.value.hint


def test_the_tables_are_as_long_as_they_should_be() -> None:
    sentences = [sentence for sentence, _ in SENTENCES + PARAPHRASES + LATER + THIRD]
    assert len(sentences) >= 200
    assert len(set(sentences)) == len(sentences)
    assert len(PARAPHRASES) >= 60
    assert sum(not sentence.isascii() for sentence in sentences) >= 60
