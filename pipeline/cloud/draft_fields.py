"""What stands below `sg` in a draft: how each figure is read, and its key. Pure.

Below the documented keys all names are this project's choice (docs/draft.md). Reading is lenient:
a figure may go by several names and stand on the segment, in its metadata or in a range of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from avpipe.cloud.envelope import number_of, pick
from avpipe.montage.values import Fitting

INNER = ("m", "meta", "metadata", "target", "target_timerange", "range", "props", "style")
_PERCENT_ABOVE = 4.0
"""A volume above this is percent: nobody makes a sound five times as loud."""
_COLOURS = {
    "white": "#ffffff",
    "black": "#000000",
    "red": "#ff0000",
    "green": "#008000",
    "blue": "#0000ff",
    "yellow": "#ffff00",
    "orange": "#ffa500",
    "purple": "#800080",
    "pink": "#ffc0cb",
    "gray": "#808080",
    "grey": "#808080",
    "cyan": "#00ffff",
}
TEXT_WITHIN = ("text", "content", "title", "txt", "name")
_FULL_HEIGHT = 1080
"""Of the picture that sizes in pixels are taken to be meant for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One figure of a segment."""

    field: str
    """Of the clip, or of its style, place or crop."""
    names: tuple[str, ...]
    """The keys that it is looked for under; the first is the one that it is written under."""
    read: Callable[[Any], Any]
    """Its value from what stands there; None where that is no such figure."""
    write: Callable[[Any], Any] = lambda value: value


def places_of(form: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Where a segment may keep a figure: on itself, in its metadata, in a range."""
    yield form
    for key in INNER:
        inner = form.get(key)
        if isinstance(inner, Mapping):
            yield inner


def read_figure(form: Mapping[str, Any], figure: Figure) -> Any:
    """The value of a figure, None where the form has none."""
    for place in places_of(form):
        for name in figure.names:
            value = figure.read(place.get(name))
            if value is not None:
                return value
    return None


def write_figure(form: dict[str, Any], figure: Figure, value: Any) -> None:
    """Put a figure into a form that was read, in place of what stood there under other names."""
    for place in places_of(form):
        for name in figure.names:
            if isinstance(place, dict) and figure.read(place.get(name)) is not None:
                del place[name]
    form[figure.names[0]] = figure.write(value)


def seconds(value: Any) -> Fraction | None:
    """Milliseconds as exact seconds."""
    number = number_of({"n": value}, "n")
    return None if number is None else Fraction(str(number)) / 1000


def milliseconds(value: Fraction) -> int | float:
    """Seconds as milliseconds: whole where they are, else to the nanosecond."""
    exact = round(value * 1000, 6)
    return int(exact) if exact.denominator == 1 else float(exact)


def _at_least_zero(value: Any) -> Fraction | None:
    found = seconds(value)
    return None if found is None else max(found, Fraction(0))


def volume(value: Any) -> float | None:
    """A linear volume; large figures are percent."""
    number = number_of({"n": value}, "n")
    if number is None or number < 0:
        return None
    return round(number / 100 if number > _PERCENT_ABOVE else number, 4)


def _ratio(value: Any) -> Fraction | None:
    match = re.fullmatch(r"(\d{1,9})[:/](\d{1,9})", value) if isinstance(value, str) else None
    if match is not None:
        return Fraction(int(match[1]), int(match[2])) if int(match[1]) * int(match[2]) else None
    number = number_of({"n": value}, "n")
    return None if number is None or number <= 0 else Fraction(str(number))


def _ratio_text(value: Fraction) -> int | float | str:
    """A decimal number where it is one, else a fraction."""
    if value.denominator == 1:
        return int(value)
    near = float(value)
    same = Fraction(str(near)) == value
    return near if same else f"{value.numerator}/{value.denominator}"


def aspect_text(value: Fraction) -> str:
    """An aspect as people write it: `9:16`."""
    return f"{value.numerator}:{value.denominator}"


def _number(value: Any) -> float | None:
    return number_of({"n": value}, "n") if isinstance(value, int | float) else None


def _share(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and -1 <= number <= 2 else None


def _text_size(value: Any) -> float | None:
    number = _number(value)
    if number is None or number <= 0:
        return None
    return number / _FULL_HEIGHT if number > 1 else number


def colour(value: Any) -> str | None:
    """A colour as #rrggbb; English names and #rgb are known."""
    if not isinstance(value, str):
        return None
    text = value.strip().lower()
    if re.fullmatch(r"#[0-9a-f]{3}", text):
        return "#" + "".join(2 * digit for digit in text[1:])
    return text if re.fullmatch(r"#([0-9a-f]{2}){3,4}", text) else _COLOURS.get(text)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _yes_or_no(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def fitting(value: Any) -> Fitting | None:
    """How a picture goes into the canvas."""
    return Fitting(value) if value in list(Fitting) else None


def _edge(value: Any) -> str | None:
    return "none" if value == "none" else colour(value)


START = Figure(
    field="start",
    names=("start", "st", "start_ms", "startTime", "start_time", "s", "from", "offset"),
    read=seconds,
    write=milliseconds,
)
DURATION = Figure(
    field="duration",
    names=("d", "duration", "duration_ms", "dur"),
    read=seconds,
    write=milliseconds,
)
END = Figure(field="end", names=("end", "e", "end_ms", "endTime", "end_time", "to"), read=seconds)
VOLUME = Figure(field="volume", names=("volume", "vol", "v", "gain"), read=volume)
SOURCE_IN = Figure(
    field="source_in",
    names=("in", "in_ms", "source_in", "trim_start"),
    read=seconds,
    write=milliseconds,
)
OF_CLIP = (
    Figure(field="speed", names=("speed", "playback_rate"), read=_ratio, write=_ratio_text),
    Figure(field="clock", names=("clock",), read=_ratio, write=_ratio_text),
    Figure(field="fitting", names=("fit",), read=fitting),
)
OF_SOUND = (
    Figure(
        field="fade_in",
        names=("fade_in", "fadeIn", "fade_in_ms"),
        read=_at_least_zero,
        write=milliseconds,
    ),
    Figure(
        field="fade_out",
        names=("fade_out", "fadeOut", "fade_out_ms"),
        read=_at_least_zero,
        write=milliseconds,
    ),
)
OF_PICTURE = (
    Figure(field="appear", names=("appear",), read=_at_least_zero, write=milliseconds),
    Figure(field="vanish", names=("vanish",), read=_at_least_zero, write=milliseconds),
)
OF_TEXT = (
    Figure(
        field="appear",
        names=("appear", "fade_in", "fadeIn", "fade_in_ms"),
        read=_at_least_zero,
        write=milliseconds,
    ),
    Figure(
        field="vanish",
        names=("vanish", "fade_out", "fadeOut", "fade_out_ms"),
        read=_at_least_zero,
        write=milliseconds,
    ),
)
OF_STYLE = (
    Figure(field="font", names=("font", "font_family", "fontFamily"), read=_text),
    Figure(field="bold", names=("bold",), read=_yes_or_no),
    Figure(field="size", names=("size", "font_size", "fontSize"), read=_text_size),
    Figure(field="colour", names=("color", "colour", "fill"), read=colour),
    Figure(
        field="outline",
        names=("outline", "stroke"),
        read=_edge,
        write=lambda value: value or "none",
    ),
    Figure(
        field="box", names=("box", "background"), read=_edge, write=lambda value: value or "none"
    ),
    Figure(field="x", names=("x",), read=_share),
    Figure(field="y", names=("y",), read=_share),
)
OF_PLACE = (
    Figure(field="x", names=("x",), read=_share),
    Figure(field="y", names=("y",), read=_share),
    Figure(field="scale", names=("scale",), read=_number),
)
OF_CROP = tuple(
    Figure(field=side, names=(f"crop_{side}",), read=_share)
    for side in ("left", "top", "right", "bottom")
)
OF_CANVAS = (
    Figure(field="aspect", names=("aspect",), read=_ratio, write=aspect_text),
    Figure(field="frame_rate", names=("fps",), read=_ratio, write=_ratio_text),
    Figure(field="background", names=("background",), read=colour),
    Figure(field="fitting", names=("fit",), read=fitting),
)


def text_within(form: Mapping[str, Any], *names: str) -> str | None:
    """A text, or the text within a mapping of that name: `{"text": {"content": "…"}}`."""
    for name in names:
        value = pick(form, name)
        inner = pick(value, *TEXT_WITHIN)
        for found in (value, inner):
            if isinstance(found, str) and found:
                return found
    return None
