"""Between an edit and the cloud's short-key draft, both ways, without loss. Pure.

`t` tracks, `tt` a track's type (0 video, 1 audio, 7 text), `sg` its segments, `d` a duration in
milliseconds, `m` metadata. Each value keeps the form that it was read from. Writing begins with
that form and changes the figures that are different now, so that what avpipe does not know, and
how others spell what it does, stays as it is.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from avpipe.cloud import draft_fields as fields
from avpipe.cloud.draft_fields import Figure, places_of, read_figure, write_figure
from avpipe.cloud.envelope import items_of, number_of, text_of, whole_of
from avpipe.montage.values import (
    Canvas,
    Clip,
    Crop,
    Montage,
    Place,
    Role,
    TextStyle,
    Track,
    TrackKind,
)

KINDS = {0: TrackKind.VIDEO, 1: TrackKind.AUDIO, 7: TrackKind.TEXT}
_NUMBERS = {kind: number for number, kind in KINDS.items()}
_TEXT = ("text", "content", "title", "txt")
_NAME = ("name", "title", "filename", "label", "text")
_SOURCE = ("src", "source", "url", "path", "file", "cdn_url")
_HARMLESS = ("id", "type", "hash", "file_type", "role", "duck", "tt", "sg", "segments", "kind")
"""Keys that change nothing that is seen or heard, or are read with the track."""
_ALL_FIGURES = (
    *fields.OF_CLIP,
    *fields.OF_SOUND,
    *fields.OF_PICTURE,
    *fields.OF_TEXT,
    *fields.OF_STYLE,
    *fields.OF_PLACE,
    *fields.OF_CROP,
)


def read_draft(form: Mapping[str, Any]) -> Montage:
    """The edit that a draft holds; what it does not say is filled from the order of segments."""
    return Montage(
        tracks=tuple(_read_track(track) for track in _mappings(form, "t", "tracks")),
        canvas=_read_canvas(form),
        title=text_of(_metadata(form), "title", "name") or "",
        loudness_lufs=number_of(_metadata(form), "loudness"),
        max_bytes=whole_of(_metadata(form), "max_bytes"),
        kept=dict(form),
    )


def is_read_whole(form: Mapping[str, Any]) -> bool:
    """Whether all is known here that a draft's tracks and segments say.

    Then what a renderer makes of it can be foretold.
    """
    return all(_is_known(track) for track in _mappings(form, "t", "tracks"))


def _is_known(track: Mapping[str, Any]) -> bool:
    segments = _mappings(track, "sg", "segments")
    if _read_track(track).kind is TrackKind.OTHER:
        return not segments
    figures = (*_ALL_FIGURES, fields.START, fields.DURATION, fields.END, fields.SOURCE_IN)
    names = {name for figure in (*figures, fields.VOLUME) for name in figure.names}
    names.update(_TEXT, _NAME, _SOURCE, _HARMLESS)
    return all(
        name in names or (name in fields.INNER and isinstance(value, Mapping))
        for form in (track, *segments)
        for place in places_of(form)
        for name, value in place.items()
        if value is not None and name not in ("sg", "segments")
    )


def write_draft(montage: Montage) -> dict[str, Any]:
    """The draft of an edit; that of one that was read and not changed is the one read."""
    form = copy.deepcopy(montage.kept or {})
    before = read_draft(form)
    if montage == before:
        return form
    tracks = [write_track(track) for track in montage.tracks]
    form[_key(form, "t", "tracks")] = tracks + _others(form, "t", "tracks")
    if montage.kept is None or ("d" in form and montage.duration != before.duration):
        form["d"] = fields.milliseconds(montage.duration)
    _write_metadata(form, montage, before)
    return form


def write_track(track: Track) -> dict[str, Any]:
    """A track's form."""
    form: dict[str, Any] = copy.deepcopy(track.kept or {})
    before = _read_track(form)
    if track == before:
        return form
    if track.kind is not before.kind:
        form["tt"] = _NUMBERS[track.kind]
    if track.role is not before.role:
        form["role"] = None if track.role is None else track.role.value
    if track.ducked is not before.ducked:
        form["duck"] = track.ducked
    segments: list[Any] = []
    follows = Fraction(0)
    for clip in track.clips:
        segments.append(_write_clip(clip, track, form, follows))
        follows = clip.end
    form[_key(form, "sg", "segments")] = segments + _others(form, "sg", "segments")
    return form


def _mappings(form: Mapping[str, Any], *names: str) -> list[Mapping[str, Any]]:
    return [item for item in items_of(form, *names) if isinstance(item, Mapping)]


def _others(form: Mapping[str, Any], *names: str) -> list[Any]:
    """What stands in a list and is nothing that can be read."""
    return [copy.deepcopy(i) for i in items_of(form, *names) if not isinstance(i, Mapping)]


def _key(form: Mapping[str, Any], *names: str) -> str:
    """The name that a form uses for a thing; the first where it has none."""
    return next((name for name in names if form.get(name) is not None), names[0])


def _metadata(form: Mapping[str, Any]) -> Mapping[str, Any]:
    found = form.get("m")
    return found if isinstance(found, Mapping) else {}


def _read_canvas(form: Mapping[str, Any]) -> Canvas:
    metadata = _metadata(form)
    sides = (whole_of(metadata, "width"), whole_of(metadata, "height"))
    known = all(side is not None and side > 0 for side in sides)
    return Canvas(
        width=sides[0] if known else None,
        height=sides[1] if known else None,
        **_figures(metadata, fields.OF_CANVAS),
    )


def _write_metadata(form: dict[str, Any], montage: Montage, before: Montage) -> None:
    written = dict(_metadata(form))
    (now, was) = (montage.canvas, before.canvas)
    if (now.width, now.height) != (was.width, was.height):
        written |= {"width": now.width, "height": now.height}
    for figure in fields.OF_CANVAS:
        value = getattr(now, figure.field)
        if value is None and getattr(was, figure.field) is not None:
            written.pop(figure.names[0])
        elif value != getattr(was, figure.field):
            written[figure.names[0]] = figure.write(value)
    if montage.title != before.title:
        written["title"] = montage.title
    if montage.loudness_lufs != before.loudness_lufs:
        written["loudness"] = montage.loudness_lufs
    if montage.max_bytes != before.max_bytes:
        written["max_bytes"] = montage.max_bytes
    if written or "m" in form:
        form["m"] = written if written != dict(_metadata(form)) else form.get("m", written)


def _read_track(form: Mapping[str, Any]) -> Track:
    number = number_of(form, "tt", "type")
    kind = TrackKind.OTHER if number is None else KINDS.get(round(number), TrackKind.OTHER)
    clips: list[Clip] = []
    for segment in _mappings(form, "sg", "segments"):
        clips.append(_read_clip(segment, kind, form, clips[-1].end if clips else Fraction(0)))
    role = form.get("role")
    return Track(
        kind=kind,
        clips=tuple(clips),
        role=Role(role) if role in list(Role) else None,
        ducked=form.get("duck") is True,
        kept=dict(form),
    )


def _read_clip(
    form: Mapping[str, Any], kind: TrackKind, track: Mapping[str, Any], follows: Fraction
) -> Clip:
    start = read_figure(form, fields.START)
    start = follows if start is None else max(start, Fraction(0))
    source_in = read_figure(form, fields.SOURCE_IN) or Fraction(0)
    if kind is not TrackKind.VIDEO:  # of which a frame could be held before the file begins
        source_in = max(source_in, Fraction(0))
    ratios = _figures(form, fields.OF_CLIP)
    tempo = ratios.get("speed", Fraction(1)) * ratios.get("clock", Fraction(1))
    clip = Clip(
        name=_name(kind, form, track),
        source=None if kind is TrackKind.TEXT else _source(form),
        start=start,
        source_in=source_in,
        source_out=source_in + _length(form, track, start) * tempo,
        volume=_volume(kind, form, track),
        kept=dict(form),
        **ratios,
        **_figures(form, _ramps(kind)),
    )
    if kind is TrackKind.TEXT:
        return dataclasses.replace(clip, style=_style(form))
    crop = Crop(**_figures(form, fields.OF_CROP))
    return dataclasses.replace(clip, place=Place(crop=crop, **_figures(form, fields.OF_PLACE)))


def _ramps(kind: TrackKind) -> tuple[Figure, ...]:
    return fields.OF_TEXT if kind is TrackKind.TEXT else (*fields.OF_SOUND, *fields.OF_PICTURE)


def _figures(form: Mapping[str, Any], figures: tuple[Figure, ...]) -> dict[str, Any]:
    """The figures that a form has, by the field that they belong to."""
    found = ((figure.field, read_figure(form, figure)) for figure in figures)
    return {field: value for field, value in found if value is not None}


def _style(form: Mapping[str, Any]) -> TextStyle:
    found = _figures(form, fields.OF_STYLE)
    for edge in ("outline", "box"):
        if found.get(edge) == "none":
            found[edge] = None
    return TextStyle(**found)


def _length(form: Mapping[str, Any], track: Mapping[str, Any], start: Fraction) -> Fraction:
    """How long a segment lasts on the timeline."""
    length = read_figure(form, fields.DURATION)
    if length is None:
        end = read_figure(form, fields.END)
        if end is not None:
            return max(Fraction(end) - start, Fraction(0))
        numbers = (fields.seconds(track.get(name)) for name in fields.DURATION.names)
        length = next((number for number in numbers if number is not None), Fraction(0))
    return max(Fraction(length), Fraction(0))


def _source(form: Mapping[str, Any]) -> str | None:
    found = (text_of(place, *_SOURCE) for place in places_of(form))
    return next((source for source in found if source is not None), None)


def _name(kind: TrackKind, form: Mapping[str, Any], track: Mapping[str, Any]) -> str:
    names = (*_TEXT, *_NAME) if kind is TrackKind.TEXT else _NAME
    for place in places_of(form):
        if (text := fields.text_within(place, *names)) is not None:
            return text
    source = _source(form)
    if source is not None:
        return PurePosixPath(unquote(_path(source))).stem or source
    named = (text_of(place, *_NAME) for place in places_of(track))
    return next(filter(None, named), "untitled")


def _path(source: str) -> str:
    try:
        return urlsplit(source).path
    except ValueError:  # such as a host in brackets that is none
        return source


def _volume(kind: TrackKind, form: Mapping[str, Any], track: Mapping[str, Any]) -> float:
    if kind not in (TrackKind.VIDEO, TrackKind.AUDIO):
        return 1.0
    found = (read_figure(place, fields.VOLUME) for place in (form, track))
    return next((float(volume) for volume in found if volume is not None), 1.0)


def _write_clip(
    clip: Clip, track: Track, track_form: Mapping[str, Any], follows: Fraction
) -> dict[str, Any]:
    """A clip's form: the one that it was read from, with what is different now."""
    form: dict[str, Any] = copy.deepcopy(clip.kept or {})
    before = _read_clip(form, track.kind, track_form, follows)
    for figure, now, was in _values(clip, before, track.kind):
        if now is None and was is not None:
            _remove(form, figure)
        elif now is not None and (was is None or figure.write(now) != figure.write(was)):
            write_figure(form, figure, now)
    if clip.duration != before.duration:
        _remove(form, fields.END)
    if clip.source != before.source:
        _replace_text(form, _SOURCE, clip.source)
    if clip.name != before.name or clip.kept is None:
        names = _TEXT if track.kind is TrackKind.TEXT else _NAME
        _replace_text(form, names, clip.name)
    return form


def _values(clip: Clip, before: Clip, kind: TrackKind) -> Iterator[tuple[Figure, Any, Any]]:
    """Each figure with its value now and that of the form."""
    new = clip.kept is None
    yield fields.START, clip.start, None if new else before.start
    yield fields.DURATION, clip.duration, None if new else before.duration
    single: list[Figure] = [fields.SOURCE_IN, *fields.OF_CLIP, *_ramps(kind)]
    if kind in (TrackKind.VIDEO, TrackKind.AUDIO):
        single.append(fields.VOLUME)
    pairs: list[tuple[tuple[Figure, ...], Any, Any]] = [(tuple(single), clip, before)]
    if kind is TrackKind.TEXT:
        pairs.append((fields.OF_STYLE, clip.style, before.style))
    else:
        pairs.append((fields.OF_PLACE, clip.place, before.place))
        pairs.append((fields.OF_CROP, clip.place.crop, before.place.crop))
    for figures, now, was in pairs:
        for figure in figures:
            (value, old) = (getattr(now, figure.field), getattr(was, figure.field))
            if value != old:
                edge = figure.field in ("outline", "box") and value is None
                yield figure, "none" if edge else value, old


def _remove(form: dict[str, Any], figure: Figure) -> None:
    for place in places_of(form):
        for name in figure.names:
            if isinstance(place, dict):
                place.pop(name, None)


def _replace_text(form: dict[str, Any], names: tuple[str, ...], text: str | None) -> None:
    """Put a text where the form has it under one of these names, else under the first."""
    for place in places_of(form):
        for name in names:
            if isinstance(place, dict) and fields.text_within(place, name) is not None:
                if isinstance(place[name], dict) and text is not None:
                    return _replace_text(place[name], _found_within(place[name]), text)
                del place[name]
    if text is not None:
        form[names[0]] = text
    return None


def _found_within(form: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in fields.TEXT_WITHIN if form.get(name) is not None)
