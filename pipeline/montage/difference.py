"""What is different between two edits, in words: `title 'Urban Dreams' added, 0-3 s`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from avpipe.montage.summary import in_order, label_of, one_line, percent, seconds, size, span
from avpipe.montage.values import Clip, Crop, Montage, Track, TrackKind

_THINGS = {"Video": "video", "BGM": "music", "Audio": "audio", "Title": "title", "Other": "other"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Placed:
    """A clip and its track."""

    clip: Clip
    track: Track

    @property
    def kind(self) -> TrackKind:
        return self.track.kind

    @property
    def name(self) -> str:
        return f"{_THINGS[label_of(self.track)]} '{one_line(self.clip.name) or 'untitled'}'"

    def is_as(self, other: _Placed) -> bool:
        """Whether it is the same in everything that avpipe knows."""
        return self.kind is other.kind and _known(self.clip) == _known(other.clip)


def describe_changes(before: Montage, after: Montage) -> tuple[str, ...]:
    """What was added, removed and changed; empty where nothing was."""
    said = (*_clip_changes(before, after), *_track_changes(before, after))
    said = (*said, *_whole_changes(before, after))
    if not said and before != after:
        return ("the timeline changed in a way that its tracks do not show",)
    return said


def _clip_changes(before: Montage, after: Montage) -> Iterator[str]:
    (gone, come) = _unmatched(_placed(before), _placed(after))
    pairs = [*_pairs(gone, come, same_name=True), *_pairs(gone, come, same_name=False)]
    for old, new in pairs:
        yield f"{old.name} {', '.join(_changed(old.clip, new.clip, new.kind))}"
    yield from (f"{placed.name} removed" for placed in gone)
    for placed in come:
        loud = "" if placed.clip.volume == 1 else f", {percent(placed.clip.volume)}"
        yield f"{placed.name} added, {span(placed.clip)} s{loud}"


def _placed(montage: Montage) -> list[_Placed]:
    return [_Placed(clip=c, track=track) for track in montage.tracks for c in in_order(track)]


def _unmatched(old: list[_Placed], new: list[_Placed]) -> tuple[list[_Placed], list[_Placed]]:
    """What is in the one and not in the other."""
    (gone, come) = (list(old), [])
    for placed in new:
        same = next((other for other in gone if other.is_as(placed)), None)
        if same is None:
            come.append(placed)
        else:
            gone.remove(same)
    return gone, come


def _pairs(
    gone: list[_Placed], come: list[_Placed], *, same_name: bool
) -> Iterator[tuple[_Placed, _Placed]]:
    """What is the same thing, changed; taken out of both lists."""
    for new in list(come):
        for old in gone:
            times = (old.clip.start, old.clip.end) == (new.clip.start, new.clip.end)
            if old.kind is new.kind and (old.clip.name == new.clip.name if same_name else times):
                gone.remove(old)
                come.remove(new)
                yield old, new
                break


def _known(clip: Clip) -> Clip:
    return replace(clip, kept=None)


def _changed(old: Clip, new: Clip, kind: TrackKind) -> Iterator[str]:
    """What is said after the name of a clip; at least one thing."""
    told = False
    for words in _changes_told(old, new, kind):
        told = True
        yield words
    if not told:
        yield "changed"


def _changes_told(old: Clip, new: Clip, kind: TrackKind) -> Iterator[str]:
    if old.name != new.name:
        verb = "now reads" if kind is TrackKind.TEXT else "replaced by"
        yield f"{verb} '{one_line(new.name) or 'untitled'}'"
    if (old.start, old.end) != (new.start, new.end):
        yield f"now {span(new)} s (was {span(old)} s)"
    cut = (new.source_in, new.source_out)
    if kind is not TrackKind.TEXT and (old.source_in, old.source_out) != cut:
        yield f"takes {seconds(cut[0])}-{seconds(cut[1])} s of its file"
    if old.speed != new.speed:
        yield f"at {float(new.speed):g}x speed (was {float(old.speed):g}x)"
    if old.volume != new.volume:
        yield "muted" if new.volume == 0 else f"at {percent(new.volume)} (was {_volume(old)})"
    yield from _fade_changes(old, new)
    if old.style != new.style:
        yield "looks different"
    if old.place != new.place:
        yield "cropped differently" if _crop(old) != _crop(new) else "moved on the picture"


def _volume(clip: Clip) -> str:
    return "muted" if clip.volume == 0 else percent(clip.volume)


def _crop(clip: Clip) -> Crop:
    return clip.place.crop


def _fade_changes(old: Clip, new: Clip) -> Iterator[str]:
    fades: tuple[tuple[str, Fraction, Fraction], ...] = (
        ("sound fades in", old.fade_in, new.fade_in),
        ("sound fades out", old.fade_out, new.fade_out),
        ("fades in", old.appear, new.appear),
        ("fades out", old.vanish, new.vanish),
    )
    for words, was, now in fades:
        if was != now:
            yield f"{words} for {seconds(now)} s" if now else f"no longer {words}"


def _track_changes(before: Montage, after: Montage) -> Iterator[str]:
    (old, new) = (_ducked(before), _ducked(after))
    if old < new:
        yield "music is lowered under speech"
    if old > new:
        yield "music is no longer lowered under speech"


def _ducked(montage: Montage) -> int:
    return sum(track.ducked for track in montage.tracks)


def _whole_changes(before: Montage, after: Montage) -> Iterator[str]:
    if not before.tracks:
        return  # the first edit is told by its tracks
    (old, new) = (before.canvas, after.canvas)
    if (old.width, old.height) != (new.width, new.height):
        yield f"size now {new.width}x{new.height}" if new.width else "size as the first picture"
    if old.aspect != new.aspect:
        aspect = new.aspect
        yield (
            f"aspect now {aspect.numerator}:{aspect.denominator}" if aspect else "aspect as filmed"
        )
    if old.frame_rate != new.frame_rate:
        rate = new.frame_rate
        yield f"{float(rate):g} frames a second" if rate else "frame rate as filmed"
    if old.fitting is not new.fitting:
        yield f"pictures of another aspect: {new.fitting.value}"
    if old.background != new.background:
        yield f"background now {new.background}"
    if before.loudness_lufs != after.loudness_lufs:
        level = after.loudness_lufs
        yield "loudness as it is" if level is None else f"loudness now {level:g} LUFS"
    if before.max_bytes != after.max_bytes:
        yield "a file of any size" if after.max_bytes is None else f"file {size(after.max_bytes)}"
    if before.title != after.title:
        yield f"named '{one_line(after.title)}'"
