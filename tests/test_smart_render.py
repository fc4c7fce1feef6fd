"""An edit that touches a part of a video: that is encoded, the rest is copied and decodes well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from measure import click_times, shown_frames
from media_factory import make_video
from merging import both_ffmpegs, payloads
from test_timeline_render import clip, edit, frames, render, title

from avpipe.codecs.splice import damaged_joints, index_frames, splice
from avpipe.codecs.stretches import Stretch
from avpipe.montage.values import Montage
from avpipe.updates import Done, Note, Update

RATE = Fraction(25)
GOP = 25


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("smart")


@pytest.fixture(scope="module")
def sources(folder: Path) -> dict[str, str]:
    """Ten seconds with a key frame each second, once with closed and once with open groups."""
    spec = {"duration": 10, "rate": RATE, "gop": GOP, "b_frames": 3, "flashes": range(1, 10)}
    make_video(folder / "closed.mp4", **spec)
    make_video(folder / "late.mkv", start=2, audio_start=2, **spec)
    make_video(folder / "behind.mp4", audio_start=Fraction(1, 2), **spec)
    opened = {"x264-params": "open-gop=1:keyint=25:min-keyint=25:scenecut=0"}
    make_video(folder / "open.mp4", **spec, codec_options=opened)
    names = ("closed.mp4", "late.mkv", "behind.mp4", "open.mp4")
    return {name: str(folder / name) for name in names}


def copied(updates: Sequence[Update], what: str = "copied_frames") -> Any:
    done = updates[-1]
    assert isinstance(done, Done)
    return next((check.value for check in done.checks if check.name == what), None)


@both_ffmpegs
@pytest.mark.parametrize("source", ["closed.mp4", "late.mkv"])
def test_a_title_over_the_first_second_encodes_that_second(
    folder: Path, sources: dict[str, str], source: str, ffmpeg: str
) -> None:
    mp4 = source.endswith(".mp4")
    montage = edit(clip(source, 0, 10), texts=[title("HHHH", 0, 0.8, size=0.3)])
    (output, updates) = render(montage, sources, folder / f"title-{ffmpeg}.mp4", ffmpeg)
    assert copied(updates) == 225
    (note,) = [update for update in updates if isinstance(update, Note)]
    assert (note.code, note.message) == (
        "smart_render",
        f"frames 0-24 of 250 are encoded, {'all else is' if mp4 else 'the others are'} copied",
    )
    assert copied(updates, "copied_sound") is (True if mp4 else None)
    if mp4:
        assert payloads(output, "audio") == payloads(Path(sources[source]), "audio")
    assert payloads(output, "video")[25:] == payloads(Path(sources[source]), "video")[25:]
    assert [frame.number for frame in shown_frames(output)] == list(range(250))
    made = frames(output)
    white = (made.min(axis=3) > 220).sum(axis=(1, 2))
    assert white[:20].min() > white[20:24].max() + 300
    assert np.array_equal(made[25:], frames(Path(sources[source]))[25:])
    assert click_times(output) == pytest.approx(range(1, 10), abs=0.0005)


@both_ffmpegs
def test_a_cut_encodes_what_its_edges_leave_of_a_group(
    folder: Path, sources: dict[str, str], ffmpeg: str
) -> None:
    montage = edit(clip("closed.mp4", 1.4, 4.6), clip("closed.mp4", 6, 9.2, 3.2))
    (output, updates) = render(montage, sources, folder / f"cut-{ffmpeg}.mp4", ffmpeg)
    assert copied(updates) == 50 + 75
    wanted = [*range(35, 115), *range(150, 230)]
    assert [frame.number for frame in shown_frames(output)] == wanted
    original = frames(Path(sources["closed.mp4"]))[wanted]
    assert np.abs(frames(output) - original).mean(axis=(1, 2, 3)).max() < 3
    assert click_times(output) == pytest.approx([0.6, 1.6, 2.6, 3.2, 4.2, 5.2, 6.2], abs=0.001)


def test_a_cut_between_two_frames_repeats_none_at_a_joint(
    folder: Path, sources: dict[str, str]
) -> None:
    """1.1 s are 27.5 frames: what is encoded began with frame 27, and what is copied with 28."""
    (output, updates) = render(edit(clip("closed.mp4", 1.1, 4.7)), sources, folder / "half.mp4")
    assert copied(updates) == 50
    assert [frame.number for frame in shown_frames(output)] == list(range(27, 117))


def test_where_only_the_sound_is_changed_no_frame_is_encoded(
    folder: Path, sources: dict[str, str]
) -> None:
    silent = clip("closed.mp4", 1.4, 4.7, 1.4, volume=0.0)
    montage = edit(clip("closed.mp4", 0, 1.4), silent, clip("closed.mp4", 4.7, 10, 4.7))
    (output, updates) = render(montage, sources, folder / "silent.mp4")
    assert copied(updates) == 250
    assert click_times(output) == pytest.approx([1, 5, 6, 7, 8, 9], abs=0.001)


@pytest.mark.parametrize(
    ("source", "end", "sound", "is_copied"),
    [
        ("closed.mp4", 6.6, {}, True),
        ("closed.mp4", 10, {"volume": 0.5}, None),
        ("behind.mp4", 10, {}, None),
    ],
    ids=["cut at its end", "quieter", "begins after its picture"],
)
def test_sound_is_copied_where_nothing_is_done_to_it(
    folder: Path,
    sources: dict[str, str],
    source: str,
    end: float,
    sound: dict[str, float],
    is_copied: bool | None,
) -> None:
    montage = edit(clip(source, 0, end, **sound), texts=[title("H", 0, 0.8)])
    (output, updates) = render(montage, sources, folder / "sound.mp4")
    assert copied(updates, "copied_sound") is is_copied
    heard = click_times(Path(sources[source]))
    assert click_times(output) == pytest.approx(heard[heard < end], abs=0.0005)


def test_players_are_told_of_both_parameter_sets(folder: Path, sources: dict[str, str]) -> None:
    texts = [title("H", 4, 5), title("I", 7.2, 7.4)]
    montage = edit(clip("closed.mp4", 0, 10), texts=texts)
    (output, updates) = render(montage, sources, folder / "header.mp4")
    assert copied(updates) == 200
    with av.open(str(output)) as file:
        header = bytes(file.streams.video[0].codec_context.extradata or b"")
        times = [(p.dts, p.pts) for p in file.demux(video=0) if p.size]
    assert header[5] & 31 == 2
    assert all(early < later for (early, _), (later, _) in pairwise(times))
    assert all(dts <= pts for dts, pts in times)


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ("open.mp4", {}),
        ("closed.mp4", {"width": 160, "height": 90}),
        ("closed.mp4", {"frame_rate": Fraction(50)}),
    ],
)
def test_what_cannot_be_copied_is_encoded_as_a_whole(
    folder: Path, sources: dict[str, str], source: str, changes: Any
) -> None:
    montage: Montage = edit(clip(source, 0, 2), texts=[title("H", 0, 1)], **changes)
    (output, updates) = render(montage, sources, folder / "whole.mp4")
    assert copied(updates) is None
    rate = changes.get("frame_rate", RATE)
    assert len(shown_frames(output)) == 2 * rate


def test_a_title_over_all_of_it_copies_nothing(folder: Path, sources: dict[str, str]) -> None:
    montage = edit(clip("closed.mp4", 0, 3), texts=[title("H", 0, 3)])
    (_, updates) = render(montage, sources, folder / "all.mp4")
    assert copied(updates) is None


def test_a_joint_that_does_not_decode_is_found(folder: Path, sources: dict[str, str]) -> None:
    """Stretches that begin within a group of pictures refer to what is not there."""
    path = sources["closed.mp4"]
    found = index_frames(path, 0, RATE, Fraction(0))
    assert found.key_frames == tuple(range(0, 251, GOP))
    good = [
        Stretch(path=path, stream=0, first=0, count=50),
        Stretch(path=path, stream=0, first=100, count=25),
    ]
    bad = [good[0], replace(good[1], first=110)]
    for stretches, damaged in ((good, []), (bad, [50])):
        target = str(folder / "joined.mp4")
        splice(stretches, RATE, target)
        assert damaged_joints(target, stretches) == damaged
