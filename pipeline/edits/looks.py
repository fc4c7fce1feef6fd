"""Edits of what is seen: titles and the frame. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from avpipe.edits.clause import TITLE_S
from avpipe.edits.files import SessionFile, file_of
from avpipe.edits.reshape import Told, stretch_of
from avpipe.edits.tracks import length_of, main_clips, tracks_of, with_clips
from avpipe.edits.values import (
    AddTitle,
    Aspect,
    ChangeTitle,
    Framing,
    Part,
    Place,
    Resolution,
    Shape,
    TextSize,
    TitleLook,
)
from avpipe.errors import EditRefusedError
from avpipe.montage.summary import seconds
from avpipe.montage.values import Clip, Fitting, Montage, TextStyle, Track, TrackKind

_NEAR, _MIDDLE, _FAR = 0.12, 0.5, 0.88
_LEFT, _RIGHT = 0.25, 0.75
_PLACES = {
    Place.TOP: (_MIDDLE, _NEAR),
    Place.BOTTOM: (_MIDDLE, _FAR),
    Place.CENTER: (_MIDDLE, _MIDDLE),
    Place.LEFT: (_LEFT, _MIDDLE),
    Place.RIGHT: (_RIGHT, _MIDDLE),
    Place.TOP_LEFT: (_LEFT, _NEAR),
    Place.TOP_RIGHT: (_RIGHT, _NEAR),
    Place.BOTTOM_LEFT: (_LEFT, _FAR),
    Place.BOTTOM_RIGHT: (_RIGHT, _FAR),
}
"""Where the middle of a text is, in shares of the frame."""
_SIZES = {TextSize.SMALL: 0.05, TextSize.LARGE: 0.12}
"""Of a line, in shares of the frame's height."""
_FITTINGS = {
    Shape.FIT: Fitting.LETTERBOX,
    Shape.FILL: Fitting.CROP,
    Shape.BLUR: Fitting.BLUR,
}
_FRAME_WORDS = {
    Shape.FIT: "with bars",
    Shape.FILL: "cropped",
    Shape.BLUR: "before a blurred copy",
}


def add_title(montage: Montage, edit: AddTitle) -> Told:
    """Write something over the picture, from 0 to 3 s where no time is said."""
    length = length_of(montage)
    (start, end) = _title_stretch(edit.look, length)
    clip = Clip(name=edit.text, start=start, source_out=end - start, style=TextStyle())
    clip = _styled(clip, edit.look)
    texts = montage.of(TrackKind.TEXT)
    words = f"title “{edit.text}” from {seconds(start)} to {seconds(end)} s"
    if texts:
        return with_clips(montage, texts[-1], (*texts[-1].clips, clip)), words
    track = Track(kind=TrackKind.TEXT, clips=(clip,))
    return replace(montage, tracks=(*montage.tracks, track)), words


def _title_stretch(look: TitleLook, length: Fraction) -> tuple[Fraction, Fraction]:
    if look.span is not None:
        return stretch_of(look.span, length)
    return Fraction(0), min(look.length_s or TITLE_S, length)


def _styled(clip: Clip, look: TitleLook) -> Clip:
    style = clip.style
    if look.place is not None:
        (x, y) = _PLACES[look.place]
        style = replace(style, x=x, y=y)
    if look.color is not None:
        style = replace(style, colour=look.color, outline=_outline(look.color))
    if look.size is not None:
        style = replace(style, size=_SIZES[look.size])
    if look.fade_s is not None:
        fade = min(look.fade_s, clip.duration / 2)
        clip = replace(clip, appear=fade, vanish=fade)
    return replace(clip, style=style)


def _outline(color: str) -> str:
    """An edge that is seen around that colour."""
    (red, green, blue) = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return "#ffffff" if 2 * red + 5 * green + blue < 8 * 64 else "#000000"


def change_title(montage: Montage, edit: ChangeTitle) -> Told:
    """Change the title that was added last, or the one with that text."""
    track = tracks_of(montage, Part.TITLE)[-1]
    (which, text) = (edit.which, edit.text)
    named = [clip for clip in track.clips if which and clip.name.casefold() == which.casefold()]
    if which and not named and text is None:
        (which, text) = (None, which)  # one text alone: the new one, unless a title has it
    if which and not named:
        raise EditRefusedError(f"there is no title “{which}”")
    old = named[-1] if named else track.clips[-1]
    new = _styled(replace(old, name=old.name if text is None else text), edit.look)
    new = _retimed(new, edit.look, length_of(montage))
    clips = tuple(new if clip is old else clip for clip in track.clips)
    return with_clips(montage, track, clips), f"title “{new.name}” changed"


def _retimed(clip: Clip, look: TitleLook, length: Fraction) -> Clip:
    if look.span is not None:
        (start, end) = stretch_of(look.span, length)
    elif look.length_s is not None:
        (start, end) = (clip.start, min(clip.start + look.length_s, length))
    else:
        return clip
    half = (end - start) / 2
    return replace(
        clip,
        start=start,
        source_out=end - start,
        appear=min(clip.appear, half),
        vanish=min(clip.vanish, half),
    )


def aspect(montage: Montage, edit: Aspect) -> Told:
    """Give the frame another shape; a size that was asked for keeps its short side."""
    ratio = Fraction(edit.width, edit.height)
    canvas = replace(montage.canvas, aspect=ratio)
    if canvas.width is not None and canvas.height is not None:
        (width, height) = sized(min(canvas.width, canvas.height), ratio)
        canvas = replace(canvas, width=width, height=height)
    words = f"frame {edit.width}:{edit.height}"
    if edit.shape is not None:
        canvas = replace(canvas, fitting=_FITTINGS[edit.shape])
        words += f", {_FRAME_WORDS[edit.shape]}"
    return replace(montage, canvas=canvas), words


def framing(montage: Montage, edit: Framing) -> Told:
    """Put pictures into the frame in another way."""
    canvas = replace(montage.canvas, fitting=_FITTINGS[edit.shape])
    return replace(montage, canvas=canvas), f"the picture is put in {_FRAME_WORDS[edit.shape]}"


def resolution(montage: Montage, edit: Resolution, files: Sequence[SessionFile]) -> Told:
    """Give the frame another size, in the shape that it has."""
    if edit.size is not None:
        (width, height) = edit.size
        canvas = replace(montage.canvas, width=width, height=height, aspect=Fraction(width, height))
    else:
        (width, height) = sized(edit.short_side or 1080, _ratio(montage, files))
        canvas = replace(montage.canvas, width=width, height=height)
    return replace(montage, canvas=canvas), f"size {width}x{height}"


def _ratio(montage: Montage, files: Sequence[SessionFile]) -> Fraction:
    """Width over height of the frame as it is."""
    canvas = montage.canvas
    if canvas.aspect is not None:
        return canvas.aspect
    if canvas.width and canvas.height:
        return Fraction(canvas.width, canvas.height)
    file = file_of(main_clips(montage)[0].source, files)
    if file is None or not file.width or not file.height:
        return Fraction(16, 9)
    return Fraction(file.width, file.height)


def sized(short_side: int, ratio: Fraction) -> tuple[int, int]:
    """Width and height, both even, of a frame with that short side."""
    short = short_side - short_side % 2
    long = 2 * round(short_side * max(ratio, 1 / ratio) / 2)
    return (long, short) if ratio >= 1 else (short, long)
