"""The cloud's draft, read and written: nothing is lost on the way, known or not."""

from __future__ import annotations

import copy
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avpipe.cloud.draft_codec import read_draft, write_draft
from avpipe.montage.values import (
    Canvas,
    Clip,
    Crop,
    Fitting,
    Montage,
    Place,
    Role,
    TextStyle,
    Track,
    TrackKind,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
KNOWN = st.sampled_from(
    [
        "d",
        "start",
        "st",
        "e",
        "in",
        "speed",
        "clock",
        "volume",
        "v",
        "text",
        "name",
        "src",
        "url",
        "m",
        "props",
        "style",
        "appear",
        "fade_in",
        "x",
        "color",
        "size",
        "crop_left",
        "fit",
    ]
)
SEGMENTS = st.dictionaries(KNOWN | st.text(max_size=4), VALUES | st.sampled_from([1500, "35"]))
TRACKS = st.fixed_dictionaries(
    {"tt": st.sampled_from([0, 1, 7, 3, "0", None, 99])},
    optional={
        "sg": st.lists(SEGMENTS | VALUES, max_size=4),
        "role": VALUES,
        "duck": VALUES,
        "z": VALUES,
        "m": VALUES,
    },
)
DRAFTS = st.fixed_dictionaries(
    {},
    optional={
        "t": st.lists(TRACKS | VALUES, max_size=4) | VALUES,
        "m": st.dictionaries(st.sampled_from(["title", "width", "height", "fps", "k"]), VALUES),
        "d": VALUES,
        "future": VALUES,
    },
)


@given(DRAFTS)
def test_a_draft_that_is_not_changed_stays_the_same_whatever_is_in_it(form: Any) -> None:
    before = copy.deepcopy(form)
    assert write_draft(read_draft(form)) == before
    assert form == before


@given(DRAFTS, st.integers(0, 3))
def test_what_avpipe_does_not_know_survives_an_edit(form: Any, number: int) -> None:
    """A title is put on top, and one track goes: the others are as they were."""
    edit = read_draft(form)
    title = Track(kind=TrackKind.TEXT, clips=(Clip(name="Hi", source_out=Fraction(3)),))
    rest = tuple(track for place, track in enumerate(edit.tracks) if place != number)
    written = write_draft(replace(edit, tracks=(*rest, title)))
    tracks = [track for track in written["t"] if isinstance(track, dict)]
    assert tracks[:-1] == [track.kept for track in rest]
    assert tracks[-1] == {"tt": 7, "sg": [{"start": 0, "d": 3000, "text": "Hi"}]}
    others = {key: value for key, value in form.items() if key not in ("t", "d")}
    assert {key: value for key, value in written.items() if key in others} == others


MILLISECONDS = st.integers(0, 10**7).map(lambda number: Fraction(number, 1000))
LENGTHS = st.integers(1, 10**6).map(lambda number: Fraction(number, 1000))
SHARES = st.floats(-1, 2, allow_nan=False)
CLIPS = st.builds(
    Clip,
    name=st.text("abc é漢\n", min_size=1, max_size=8).filter(lambda text: text.strip() != ""),
    source=st.just("file-1"),
    start=MILLISECONDS,
    source_out=LENGTHS,
    volume=st.floats(0, 4).map(lambda number: round(number, 4)),
    fade_in=MILLISECONDS,
    fade_out=MILLISECONDS,
    appear=MILLISECONDS,
    vanish=MILLISECONDS,
    fitting=st.none() | st.sampled_from(Fitting),
    place=st.builds(
        Place,
        x=SHARES,
        y=SHARES,
        scale=st.floats(0.01, 20),
        crop=st.builds(Crop, left=st.floats(0, 0.4), bottom=st.floats(0, 0.4)),
    ),
)
TITLES = st.builds(
    Clip,
    name=st.text("abc é漢\n", min_size=1, max_size=8).filter(lambda text: text.strip() != ""),
    start=MILLISECONDS,
    source_out=LENGTHS,
    appear=MILLISECONDS,
    vanish=MILLISECONDS,
    style=st.builds(
        TextStyle,
        font=st.none() | st.just("Noto Sans"),
        bold=st.booleans(),
        size=st.floats(0.01, 1),
        colour=st.sampled_from(["#ff0000", "#00ff0080"]),
        outline=st.none() | st.just("#112233"),
        box=st.none() | st.just("#000000cc"),
        x=SHARES,
        y=SHARES,
    ),
)
EDITS = st.builds(
    Montage,
    tracks=st.tuples(
        st.builds(Track, kind=st.just(TrackKind.VIDEO), clips=st.tuples(CLIPS, CLIPS)),
        st.builds(
            Track,
            kind=st.just(TrackKind.AUDIO),
            clips=st.tuples(CLIPS),
            role=st.none() | st.sampled_from(Role),
            ducked=st.booleans(),
        ),
        st.builds(Track, kind=st.just(TrackKind.TEXT), clips=st.tuples(TITLES)),
    ),
    canvas=st.builds(
        Canvas,
        width=st.just(1080),
        height=st.just(1920),
        aspect=st.none() | st.just(Fraction(9, 16)),
        frame_rate=st.none() | st.just(Fraction(30000, 1001)),
        background=st.sampled_from(["#000000", "#ffffff"]),
        fitting=st.sampled_from(Fitting),
    ),
    title=st.text("ab c", max_size=5),
    loudness_lufs=st.none() | st.just(-14.0),
)


def known(edit: Montage) -> Montage:
    tracks = tuple(
        replace(track, kept=None, clips=tuple(replace(clip, kept=None) for clip in track.clips))
        for track in edit.tracks
    )
    return replace(edit, tracks=tracks, kept=None)


@given(EDITS)
def test_an_edit_that_was_written_is_read_the_same(edit: Montage) -> None:
    assert known(read_draft(write_draft(edit))) == edit


@given(EDITS, st.sampled_from([Fraction(1, 2), Fraction(3, 2), Fraction(7, 3)]))
def test_a_speed_moves_where_a_clip_ends_in_its_file(edit: Montage, speed: Fraction) -> None:
    (video, *others) = edit.tracks
    clips = tuple(replace(clip, speed=speed) for clip in video.clips)
    fast = replace(edit, tracks=(replace(video, clips=clips), *others))
    read = read_draft(write_draft(fast))
    for clip, back in zip(clips, read.tracks[0].clips, strict=True):
        assert (back.speed, back.start) == (speed, clip.start)
        assert abs(back.source_out - clip.source_out) < Fraction(1, 10**8)


@pytest.mark.parametrize(
    ("segment", "changes", "expected"),
    [
        (
            {"d": 1000, "m": {"volume": 35, "mood": "warm"}, "id": "s1"},
            {"volume": 0.5},
            {"d": 1000, "m": {"mood": "warm"}, "id": "s1", "volume": 0.5},
        ),
        ({"st": 0, "e": 4000, "f": 1}, {"source_out": Fraction(2)}, {"st": 0, "f": 1, "d": 2000}),
        (
            {"d": 500, "src": "https://cdn/x/a%20b.mp4?t=1", "q": 1},
            {"name": "renamed"},
            {"d": 500, "src": "https://cdn/x/a%20b.mp4?t=1", "q": 1, "name": "renamed"},
        ),
    ],
)  # fmt: skip
def test_what_is_edited_is_written_and_the_rest_is_left(
    segment: Any, changes: Any, expected: Any
) -> None:
    form = {"t": [{"tt": 0, "sg": [segment, "junk"], "lock": True}], "rev": 3}
    edit = read_draft(form)
    (track,) = edit.tracks
    after = replace(edit, tracks=(replace(track, clips=(replace(track.clips[0], **changes),)),))
    assert write_draft(after) == {
        "t": [{"tt": 0, "sg": [expected, "junk"], "lock": True}],
        "rev": 3,
    }


def test_a_text_within_a_mapping_keeps_its_neighbours() -> None:
    form = {"t": [{"tt": 7, "sg": [{"d": 1, "text": {"content": "One", "kern": 2}}]}]}
    edit = read_draft(form)
    (track,) = edit.tracks
    after = replace(edit, tracks=(replace(track, clips=(replace(track.clips[0], name="Two"),)),))
    assert write_draft(after)["t"][0]["sg"][0] == {"d": 1, "text": {"content": "Two", "kern": 2}}
