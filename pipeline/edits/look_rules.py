"""What a clause asks for that changes how something looks: titles and the frame. Pure."""

from __future__ import annotations

from fractions import Fraction

from avpipe.edits import phrases
from avpipe.edits.clause import FADE_S, TITLE_S, Built, Clause
from avpipe.edits.concepts import Concept
from avpipe.edits.values import (
    AddTitle,
    Aspect,
    ChangeTitle,
    FileSize,
    Framing,
    Moment,
    Resolution,
    Shape,
    Span,
    TitleLook,
)

C = Concept


def _look(clause: Clause) -> TitleLook | None:
    """How and when a title is shown; None where the clause contradicts itself."""
    for concept in (C.PLACE, C.TEXT_SIZE, C.SPAN, C.AT, C.EDGE):
        if len(set(clause.all(concept))) > 1:
            return None
    colors = [color for color in clause.all(C.COLOR) if color is not None]
    lengths = [*clause.all(C.LENGTH), *clause.all(C.TIME)]
    if len(colors) > 1 or len(lengths) > 1:
        return None
    length = lengths[0] if lengths else None
    fades = clause.has(C.FADE_IN, C.FADE_OUT, C.FADE_BOTH)
    return TitleLook(
        span=_title_span(clause, length),
        length_s=length,
        place=clause.first(C.PLACE),
        color=colors[0] if colors else None,
        size=clause.first(C.TEXT_SIZE),
        fade_s=FADE_S / 2 if fades else None,
    )


def _title_span(clause: Clause, length: Fraction | None) -> Span | None:
    """When a title stands. Without a length, one that begins somewhere has no end yet."""
    if clause.has(C.SPAN, C.ONLY_SPAN):
        said: Span = clause.first(C.SPAN) or clause.first(C.ONLY_SPAN)
        return said
    usual = length if length is not None else TITLE_S
    if clause.has(C.AT):
        at = clause.first(C.AT)
        end = Moment(share=at.share, offset_s=at.offset_s + usual)
        return Span(start=at, end=end)
    edge = clause.first(C.EDGE)
    if edge is not None:
        return phrases.span_at(edge, usual)
    return None


def add_title(clause: Clause) -> Built:
    """A new title."""
    look = _look(clause)
    if look is None or clause.count(C.TEXT) != 1:
        return None
    return AddTitle(text=clause.first(C.TEXT), look=look)


def change_title(clause: Clause) -> Built:
    """Another text, look or time for a title that is there."""
    look = _look(clause)
    texts = clause.all(C.TEXT)
    if look is None or len(texts) > 2:
        return None
    if look == TitleLook() and not texts:
        return None
    if len(texts) == 2:
        return ChangeTitle(which=texts[0], text=texts[1], look=look)
    if texts and look != TitleLook():
        return ChangeTitle(which=texts[0], look=look)
    return ChangeTitle(text=texts[0] if texts else None, look=look)


def aspect(clause: Clause) -> Built:
    """The shape of the frame, with its size where that is said too."""
    shapes = set(clause.all(C.SHAPE))
    if clause.has(C.CROP):
        shapes.add(Shape.FILL)
    if {Shape.BLUR, Shape.FIT} == shapes:
        shapes = {Shape.BLUR}
    aspects = set(clause.all(C.ASPECT))
    if len(aspects) != 1 or len(shapes) > 1:
        return None
    ((width, height),) = aspects
    aspect = Aspect(width=width, height=height, shape=shapes.pop() if shapes else None)
    sizes = map(sized, clause.all(C.RESOLUTION))
    return [aspect, *sizes]


def framing(clause: Clause) -> Built:
    """How the picture goes into the frame."""
    shapes = set(clause.all(C.SHAPE))
    if clause.has(C.REMOVE):
        return Framing(shape=Shape.FILL) if shapes == {Shape.FIT} else None
    if shapes == {Shape.BLUR, Shape.FIT}:
        shapes = {Shape.BLUR}
    return Framing(shape=shapes.pop()) if len(shapes) == 1 else None


def resolution(clause: Clause) -> Built:
    """The size of the frame."""
    sizes = set(clause.all(C.RESOLUTION))
    if len(sizes) != 1:
        return None
    (size,) = sizes
    return sized(size)


def sized(value: int | tuple[int, int]) -> Resolution:
    """A size by its short side, or by both."""
    return Resolution(size=value) if isinstance(value, tuple) else Resolution(short_side=value)


def file_size(clause: Clause) -> Built:
    """What the file stays under."""
    sizes = clause.all(C.BYTES)
    return FileSize(max_bytes=sizes[0]) if len(sizes) == 1 else None
