"""What the tables of sentences are written with."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from avpipe.edits.values import END, START, FileRef, Moment, Span, TitleLook


class _Anything:
    """Equal to whatever it is compared with."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "ANYTHING"


ANYTHING: Any = _Anything()
Sentence = tuple[str, list[Any]]
"""A sentence and the edits that it asks for."""

FILES = ("camera.mp4", "talk.wav", "lofi.mp3", "clip2.mp4", "photo.jpg")
"""The files of the session in which they are said."""


def moment(seconds: float) -> Moment:
    return Moment(offset_s=Fraction(str(seconds)))


def between(start: float, end: float) -> Span:
    return Span(start=moment(start), end=moment(end))


def first(seconds: float) -> Span:
    return Span(end=moment(seconds))


def last(seconds: float) -> Span:
    return Span(start=Moment(share=Fraction(1), offset_s=-Fraction(str(seconds))))


def first_share(above: int, below: int) -> Span:
    return Span(end=Moment(share=Fraction(above, below)))


def last_share(above: int, below: int) -> Span:
    return Span(start=Moment(share=1 - Fraction(above, below)))


def from_on(seconds: float) -> Span:
    return Span(start=moment(seconds))


def until(seconds: float) -> Span:
    return Span(end=moment(seconds))


def at(seconds: float, length: float = 3) -> Span:
    return between(seconds, seconds + length)


def file(name: str) -> FileRef:
    return FileRef(name=name)


def look(**values: Any) -> TitleLook:
    return TitleLook(**values)


def db(decibels: float) -> float:
    return float(10 ** (decibels / 20))


__all__ = ["END", "START"]
