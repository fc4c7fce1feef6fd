"""Texts as pictures with transparency, drawn with Pillow: they look the same with every ffmpeg."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from avpipe.codecs.typefaces import Face, Run, Typesetting, choose_fonts
from avpipe.montage.values import TextStyle

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

WIDEST = 0.92
"""Of a line, in canvas widths; longer ones are broken."""
HIGHEST = 0.6
"""Of all lines, in canvas heights; where there are more, they are drawn smaller."""
SMALLEST = 4
"""In pixels: no text is drawn smaller."""
LINE_HEIGHT = 1.2
OUTLINE = 0.06
"""The width of the edge, in sizes of the text."""
BOX_MARGIN = 0.3
"""What a box is larger than its text on each side, in sizes of the text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """A text as a picture, and where that goes on the canvas; all even."""

    path: str
    x: int
    y: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    runs: tuple[Run, ...]
    width: float


def draw_text(text: str, style: TextStyle, canvas: tuple[int, int], target: str) -> Drawn:
    """Draw a text as a PNG of its own size, which lies on the canvas as far as it fits there.

    Raises RequestError where a font cannot be used.
    """
    from PIL import Image, ImageDraw

    fonts = choose_fonts(text, style)
    (size, lines) = _fitted(text, fonts, max(SMALLEST, round(style.size * canvas[1])), canvas)
    edge = max(1, round(size * OUTLINE)) if style.outline else 0
    margin = edge + (round(size * BOX_MARGIN) if style.box else 2)
    height = _even(len(lines) * size * LINE_HEIGHT + 2 * margin + size * 0.3)
    width = _even(max(line.width for line in lines) + 2 * margin)
    (ink, rim) = (_rgba(style.colour), _rgba(style.outline or style.colour))
    ground = _rgba(style.box) if style.box else (*rim[:3], 0)
    image = Image.new("RGBA", (width, height), ground)
    # Each layer has its colour everywhere and only its opacity varies: edges keep their colour.
    top = margin
    for number, line in enumerate(lines):
        baseline = top + number * size * LINE_HEIGHT + size
        for colour, stroke in ((rim, edge), (ink, 0)) if edge else ((ink, 0),):
            mask = Image.new("L", (width, height), 0)
            draw = ImageDraw.Draw(mask)
            x = (width - line.width) / 2
            for run in line.runs:
                font = _font(run.face, size)
                draw.text((x, baseline), run.text, 255, font, anchor="ls", stroke_width=stroke)
                x += font.getlength(run.text)
            mask = mask.point([round(value * colour[3] / 255) for value in range(256)])
            layer = Image.new("RGBA", (width, height), (*colour[:3], 0))
            layer.putalpha(mask)
            image = Image.alpha_composite(image, layer) if image.getbbox() else layer
    image.save(target, format="PNG", compress_level=1)
    return Drawn(
        path=target,
        x=_inside(style.x * canvas[0] - width / 2, width, canvas[0]),
        y=_inside(style.y * canvas[1] - height / 2, height, canvas[1]),
    )


def _fitted(
    text: str, fonts: Typesetting, size: int, canvas: tuple[int, int]
) -> tuple[int, list[_Line]]:
    """The lines of a text, and the size at which they fit on the canvas; that one or a smaller."""
    while True:
        lines = list(_lines(text, fonts, size, WIDEST * canvas[0]))
        wide = max(line.width for line in lines) > WIDEST * canvas[0]
        high = len(lines) * size * LINE_HEIGHT > HIGHEST * canvas[1] and len(lines) > 1
        if size <= SMALLEST or not (wide or high):
            return size, lines
        size = max(SMALLEST, min(size - 1, round(size * 0.95)))


def _inside(start: float, length: int, canvas: int) -> int:
    """An even place from which a length lies on the canvas; where it is longer, in the middle."""
    if length > canvas:
        return _even((canvas - length) / 2)
    return min(max(0, _even(start)), (canvas - length) // 2 * 2)


def _lines(text: str, fonts: Typesetting, size: int, widest: float) -> Iterator[_Line]:
    """The lines of a text, broken where they are too wide."""
    for line in text.splitlines() or [text]:
        yield from (_set(part, fonts, size) for part in _broken(line, fonts, size, widest))


def _set(text: str, fonts: Typesetting, size: int) -> _Line:
    runs = fonts.runs(text)
    return _Line(runs=runs, width=sum(_font(run.face, size).getlength(run.text) for run in runs))


def _broken(line: str, fonts: Typesetting, size: int, widest: float) -> Iterator[str]:
    part = ""
    for piece in _pieces(line):
        if part.strip() and _set((part + piece).rstrip(), fonts, size).width > widest:
            yield part.rstrip()
            part = piece.lstrip()
        else:
            part += piece
    yield part.rstrip()


def _pieces(line: str) -> Iterator[str]:
    """What may not be broken: words with the space after them, and single characters of Asia."""
    word = ""
    for character in line:
        if "\u2e80" <= character <= "\uffdc":
            yield from (piece for piece in (word, character) if piece)
            word = ""
        elif character.isspace():
            yield word + character
            word = ""
        else:
            word += character
    if word:
        yield word


@lru_cache(maxsize=64)
def _font(face: Face, size: int) -> FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.truetype(face.path, size, index=face.index)


def _rgba(colour: str) -> tuple[int, int, int, int]:
    (red, green, blue, *alpha) = bytes.fromhex(colour[1:])
    return red, green, blue, alpha[0] if alpha else 255


def _even(value: float) -> int:
    return round(value / 2 + 0.499) * 2
