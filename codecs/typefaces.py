"""Which font draws which character: the one that comes with avpipe, or those of the system.

A character is drawn from a font only where that font's own table (`cmap`) has it, so that what no
font has is known before anything is drawn, and never becomes a box.
"""

from __future__ import annotations

import functools
import shutil
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from avpipe.codecs.process import run
from avpipe.errors import ChildFailedError, RequestError
from avpipe.montage.values import TextStyle

FOLDER = Path(__file__).parent / "fonts"
OWN = {False: "DejaVuSans.ttf", True: "DejaVuSans-Bold.ttf"}
"""The fonts that come with avpipe, by whether they are bold."""
FONT_STALL_S = 60.0
"""fontconfig may build its cache first."""
_INVISIBLE = ("Cc", "Cf", "Zs", "Zl", "Zp", "Mn", "Me")
"""Kinds of characters that need no glyph of their own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Face:
    """One font of a font file."""

    path: str
    index: int = 0
    """Which one, in a file that holds several."""

    def has(self, character: str) -> bool:
        """Whether it has a glyph for a character."""
        return ord(character) in _characters(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Neighbouring characters that one font draws."""

    text: str
    face: Face


@dataclass(frozen=True, kw_only=True, slots=True)
class Typesetting:
    """The fonts for a text."""

    faces: tuple[Face, ...]
    """The first one that has a character draws it."""
    missing: str = ""
    """The characters that none of them has; they are left out."""
    replaced: str | None = None
    """The font that was asked for and is not there."""

    def runs(self, line: str) -> tuple[Run, ...]:
        """A line in the stretches that one font draws."""
        return tuple(_joined(_Assigned(line, self.faces)))


def choose_fonts(text: str, style: TextStyle) -> Typesetting:
    """The fonts that draw a text. Raises RequestError where a font file cannot be used."""
    (asked, replaced) = _asked(style)
    faces = [*asked, Face(path=str(FOLDER / OWN[style.bold]))]
    wanted = [character for character in dict.fromkeys(text) if needs_glyph(character)]
    missing = _lacking(wanted, faces)
    while missing:
        found = _covering(missing, style, text) or _covering(missing[:1], style, text)
        if found is None or found in faces or not any(found.has(one) for one in missing):
            missing_now, missing = missing[:1], missing[1:]
            wanted = [character for character in wanted if character not in missing_now]
            continue
        faces.append(found)
        missing = [character for character in missing if not found.has(character)]
    return Typesetting(
        faces=tuple(faces),
        missing="".join(_lacking(list(dict.fromkeys(text)), faces)),
        replaced=replaced,
    )


def needs_glyph(character: str) -> bool:
    """Whether a reader would miss it."""
    return unicodedata.category(character) not in _INVISIBLE


def _lacking(characters: list[str], faces: list[Face]) -> list[str]:
    return [
        character
        for character in characters
        if needs_glyph(character) and not any(face.has(character) for face in faces)
    ]


def _asked(style: TextStyle) -> tuple[list[Face], str | None]:
    """The font that a style names, and its name where it is not there."""
    if style.font is None:
        return [], None
    if Path(style.font).suffix.lower() in (".ttf", ".otf", ".ttc", ".otc"):
        if not Path(style.font).is_file():
            raise RequestError(f"the font file {style.font} does not exist")
        face = Face(path=style.font)
        _characters(face)
        return [face], None
    weight = ":bold" if style.bold else ""
    found = _match(f"{_escaped(style.font)}{weight}:outline=true")
    families = {family.strip().lower() for family in found[1].split(",")} if found else set()
    if found is None or style.font.strip().lower() not in families:
        return [], style.font
    return [found[0]], None


def _covering(characters: list[str], style: TextStyle, text: str) -> Face | None:
    """The font of the system that fontconfig holds best for some characters."""
    codes = " ".join(f"{ord(character):x}" for character in characters[:200])
    weight = ":bold" if style.bold else ""
    found = _match(f":charset={codes}{weight}{_language(text)}:outline=true")
    if found is None or not found[0].has(characters[0]):
        return None
    return found[0]


def _language(text: str) -> str:
    """Han characters look different in Japan and China; kana tell which is meant."""
    if any("\u3040" <= character <= "\u30ff" for character in text):
        return ":lang=ja"
    if any("\uac00" <= character <= "\ud7a3" for character in text):
        return ":lang=ko"
    return ":lang=zh-cn" if any("\u4e00" <= one <= "\u9fff" for one in text) else ""


def _escaped(family: str) -> str:
    return "".join(f"\\{one}" if one in "\\-:,=_" else one for one in family if one.isprintable())


@functools.cache
def _match(pattern: str) -> tuple[Face, str] | None:
    """The font that fontconfig finds for a pattern, and its families; None without fontconfig."""
    program = shutil.which("fc-match")
    if program is None:
        return None
    try:
        said = run(
            [program, "-f", "%{file}\n%{index}\n%{family}\n", "--", pattern],
            "looking for a font",
            stall_s=FONT_STALL_S,
        )
    except ChildFailedError:
        return None  # no font at all is installed
    lines = said.decode(errors="replace").splitlines()
    if len(lines) < 3 or not Path(lines[0]).is_file():
        return None
    # The upper half of the number names a variation of the font, which is not needed here.
    return Face(path=lines[0], index=int(lines[1]) & 0xFFFF), lines[2]


@functools.cache
def _characters(face: Face) -> frozenset[int]:
    """The characters that a font has glyphs for."""
    from fontTools.ttLib import TTFont, TTLibError  # only where a text is drawn

    try:
        with TTFont(face.path, fontNumber=face.index, lazy=True) as font:
            return frozenset(font.getBestCmap() or ())
    except (TTLibError, OSError, KeyError) as error:
        raise RequestError(f"{face.path} is no font that can be used: {error}") from error


class _Assigned:
    """The characters of a line with their fonts; those that no font has are left out."""

    def __init__(self, line: str, faces: tuple[Face, ...]) -> None:
        self._line = line
        self._faces = faces

    def __iter__(self) -> Iterator[tuple[str, Face]]:
        before = self._faces[0]
        for character in self._line:
            if needs_glyph(character):
                face = next((face for face in self._faces if face.has(character)), None)
                if face is None:
                    continue
                before = face
            elif not before.has(character) and not character.isspace():
                continue  # a joiner or variation that this font knows nothing of
            yield character, before


def _joined(characters: _Assigned) -> Iterator[Run]:
    text = ""
    drawn: Face | None = None
    for character, face in characters:
        if drawn is not None and face != drawn:
            yield Run(text=text, face=drawn)
            text = ""
        (text, drawn) = (text + character, face)
    if drawn is not None and text:
        yield Run(text=text, face=drawn)
