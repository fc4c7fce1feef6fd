"""The words that an edit is told in, and what is said of one that cannot be."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from avpipe import jsonform
from avpipe.montage.difference import describe_changes
from avpipe.montage.faults import find_faults
from avpipe.montage.summary import summarise
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

CITY = Clip(name="city timelapse", source="city.mp4", source_out=Fraction(10))
MUSIC = Clip(name="Lo-fi", source="lofi.mp3", source_out=Fraction(10), volume=0.35)
TITLE = Clip(name="Urban Dreams", source_out=Fraction(3))
VIDEO = Track(kind=TrackKind.VIDEO, clips=(CITY,))
EDIT = Montage(
    tracks=(
        VIDEO,
        Track(kind=TrackKind.AUDIO, role=Role.MUSIC, clips=(MUSIC,)),
        Track(kind=TrackKind.TEXT, clips=(TITLE,)),
    )
)


def with_title(**changes: Any) -> Montage:
    titles = Track(kind=TrackKind.TEXT, clips=(replace(TITLE, **changes),))
    return Montage(tracks=(VIDEO, titles))


def with_further(start: int, end: int) -> Montage:
    further = replace(CITY, start=Fraction(start), source_out=Fraction(end - start))
    return Montage(tracks=(replace(VIDEO, clips=(CITY, further)),))


EARLY = Track(kind=TrackKind.AUDIO, clips=(replace(MUSIC, source_in=Fraction(-1)),))


def with_clip(**changes: Any) -> Montage:
    return Montage(tracks=(replace(VIDEO, clips=(replace(CITY, **changes),)),))


def test_the_summary_is_that_of_the_document() -> None:
    assert summarise(EDIT) == (
        "Timeline (3 tracks): 1. Video: city timelapse (0-10s) 2. BGM: Lo-fi (0-10s, 35%) "
        '3. Title: "Urban Dreams" (0-3s)'
    )
    assert summarise(Montage()) == "Timeline: empty"


def test_times_are_exact() -> None:
    clip = replace(CITY, start=Fraction(1, 3), source_out=Fraction(1001, 300), speed=Fraction(7, 5))
    assert clip.duration == Fraction(1001, 420)
    assert clip.end == Fraction(1, 3) + Fraction(1001, 420)
    (one,) = EDIT.of(TrackKind.TEXT)
    assert (EDIT.duration, one.clips[0].duration) == (10, 3)
    assert EDIT.sources == ("city.mp4", "lofi.mp3")


def test_what_is_read_back_is_what_was_written() -> None:
    full = replace(
        EDIT,
        canvas=Canvas(width=1080, height=1920, aspect=Fraction(9, 16), frame_rate=Fraction(25)),
        loudness_lufs=-14.0,
        kept={"x": [1, {"y": None}]},
    )
    assert jsonform.loads(Montage, jsonform.dumps(full)) == full


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (replace(EDIT, tracks=EDIT.tracks[:2]), "title 'Urban Dreams' removed"),
        (
            with_clip(source_out=Fraction(8)),
            "video 'city timelapse' now 0-8 s (was 0-10 s), takes 0-8 s of its file",
        ),
        (with_clip(volume=0.0), "video 'city timelapse' muted"),
        (with_clip(volume=0.5), "video 'city timelapse' at 50% (was 100%)"),
        (with_clip(vanish=Fraction(1, 2)), "video 'city timelapse' fades out for 0.5 s"),
        (with_clip(place=Place(scale=0.5)), "video 'city timelapse' moved on the picture"),
        (with_clip(kept={"z": 1}), "the timeline changed in a way that its tracks do not show"),
        (Montage(tracks=(VIDEO,), canvas=Canvas(aspect=Fraction(9, 16))), "aspect now 9:16"),
        (Montage(tracks=(VIDEO,), loudness_lufs=-14.0), "loudness now -14 LUFS"),
        (Montage(tracks=(replace(VIDEO, ducked=True),)), "music is lowered under speech"),
    ],
)  # fmt: skip
def test_a_difference_is_told_in_words(after: Montage, said: str) -> None:
    before = EDIT if len(after.tracks) > 1 else Montage(tracks=(VIDEO,))
    assert describe_changes(before, after) == (said,)
    assert describe_changes(after, after) == ()


def test_what_is_added_is_told_with_its_time() -> None:
    assert describe_changes(Montage(tracks=(VIDEO,)), EDIT) == (
        "music 'Lo-fi' added, 0-10 s, 35%",
        "title 'Urban Dreams' added, 0-3 s",
    )
    renamed = (replace(EDIT.tracks[2], clips=(replace(TITLE, name="Urban Nights"),)),)
    after = replace(EDIT, tracks=EDIT.tracks[:2] + renamed)
    assert describe_changes(EDIT, after) == ("title 'Urban Dreams' now reads 'Urban Nights'",)


@pytest.mark.parametrize(
    ("montage", "code"),
    [
        (Montage(), "empty"),
        (with_clip(start=Fraction(-1)), "start"),
        (replace(EDIT, tracks=(VIDEO, EARLY)), "source_in"),
        (with_clip(source_out=Fraction(0)), "length"),
        (with_clip(speed=Fraction(1, 20)), "speed"),
        (with_clip(clock=Fraction(2)), "clock"),
        (with_clip(volume=float("nan")), "volume"),
        (with_clip(fade_in=Fraction(6), fade_out=Fraction(6)), "fade"),
        (with_clip(source=None), "source"),
        (with_clip(place=Place(scale=0.0)), "scale"),
        (with_clip(place=Place(crop=Crop(left=0.5, right=0.5))), "crop"),
        (Montage(tracks=(VIDEO,), canvas=Canvas(width=641, height=480)), "canvas_size"),
        (Montage(tracks=(VIDEO,), canvas=Canvas(background="blue")), "colour"),
        (with_title(name=" "), "text"),
        (with_title(style=TextStyle(size=0.0)), "text_size"),
        (with_further(2, 5), "overlap"),
        (Montage(tracks=(VIDEO,), loudness_lufs=3.0), "loudness"),
    ],
)  # fmt: skip
def test_what_cannot_be_rendered_is_told_with_a_reason(montage: Montage, code: str) -> None:
    assert [fault.code for fault in find_faults(montage)] == [code]
    assert find_faults(EDIT) == ()
