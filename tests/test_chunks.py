"""A picture under a size in chunks: all frames, whole joints, and a size that is hit."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_factory import ffmpeg
from merging import FFMPEGS, either_ffmpeg

from avpipe.codecs.ffmpeg import find
from avpipe.codecs.splice import damaged_joints
from avpipe.codecs.stretches import Stretch
from avpipe.compress import plan_compress
from avpipe.plan.request import Request
from avpipe.plan.values import Plan
from avpipe.recipe import Method
from avpipe.render.chunking import MOST_CHANGE, chunk_layout, share_of_next, to_make_again
from avpipe.render.local import render
from avpipe.settings import Settings
from avpipe.updates import Progress

GB = 1 << 30


def plan_of(folder: Path, source: Path, limit: int, which: str = "wheel") -> Plan:
    request = Request(video=str(source), audio=str(source), output=str(folder / "out.mp4"))
    return plan_compress(request, limit, Settings(state_dir=folder, ffmpeg=FFMPEGS[which]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chunks")


@pytest.fixture(scope="module")
def talk(folder: Path) -> Path:
    """A minute that are busy in their second half, with a title and sound."""
    path = folder / "talk.mkv"
    noise = "noise=alls=40:allf=t:all_seed=1:enable='gt(t,30)'"
    ffmpeg(
        *("-f", "lavfi", "-i", f"testsrc2=size=128x72:rate=12:duration=61,{noise}"),
        *("-f", "lavfi", "-i", "sine=440:sample_rate=48000:duration=61"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-qp", "12", "-pix_fmt", "yuv420p"),
        *("-c:a", "aac", "-b:a", "64k", "-metadata", "title=A talk", path),
    )
    return path


@either_ffmpeg("method", [Method.TWO_PASS, Method.CRF])
def test_a_long_picture_on_many_cores(
    folder: Path, talk: Path, method: Method, ffmpeg: str
) -> None:
    limit = 500_000
    plan = plan_of(folder, talk, limit, ffmpeg)
    assert plan.fit is not None
    if method is Method.CRF:  # its chunks become too large: the size is spent instead
        plan = dataclasses.replace(plan, fit=dataclasses.replace(plan.fit, method=method, crf=12.0))
    layout = chunk_layout(plan.recipe, 17, 64 * GB)
    assert layout is not None
    assert (layout.lanes, len(layout.chunks), layout.frames) == (2, 2, 732)
    updates = list(render(plan, find(FFMPEGS[ffmpeg]), workers=17, overwrite=True))
    assert not isinstance(updates[-1], Progress)
    told = {check.name: check.value for check in updates[-1]}
    assert (told["chunks"], told["video_packets"], told["method"]) == (2, 732, "two_pass")
    output = Path(plan.output.path)
    assert 0.97 * limit <= output.stat().st_size == told["size_bytes"] <= limit
    (likeness, times) = frames_beside(talk, output)
    assert len(times) == 732
    assert np.ptp(np.diff(times)) < 0.0001
    for chunk in layout.chunks[1:]:  # a joint looks as what is around it
        near = likeness[chunk.first - 24 : chunk.first + 24]
        assert likeness[chunk.first - 2 : chunk.first + 2].min() >= near.min() - 1
    with av.open(str(output)) as file:
        assert file.metadata["title"] == "A talk"
        keys = [p.pts * p.time_base for p in file.demux(video=0) if p.is_keyframe and p.pts]
    for chunk in layout.chunks[1:]:
        assert min(abs(key - chunk.first * Fraction(1, 12)) for key in keys) < 0.001


def frames_beside(source: Path, made: Path) -> tuple[np.ndarray, list[float]]:
    """The PSNR of each frame of a file beside that of its source, and the times of the frames."""
    (found, times) = ([], [])
    with av.open(str(source)) as one, av.open(str(made)) as other:
        pairs = zip(one.decode(video=0), other.decode(video=0), strict=True)
        for true, seen in pairs:
            (a, b) = (frame.to_ndarray(format="gray").astype(float) for frame in (true, seen))
            found.append(10 * math.log10(65_025 / max(1e-6, float(((a - b) ** 2).mean()))))
            times.append(float(seen.time or 0))
    return np.array(found), times


def test_chunks_that_lost_a_frame_are_not_used(
    folder: Path, talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole is encoded at once where one chunk has not the frames that it should have."""
    from avpipe.codecs import graph

    real = graph.chunk_arguments

    def short(recipe, chunk, target, rate):  # type: ignore[no-untyped-def]
        count = chunk.count - (chunk.first > 0)
        return real(recipe, dataclasses.replace(chunk, count=count), target, rate)

    monkeypatch.setattr(graph, "chunk_arguments", short)
    plan = plan_of(folder, talk, 500_000)
    updates = list(render(plan, find(None), workers=17, overwrite=True))
    assert not isinstance(updates[-1], Progress)
    told = {check.name: check.value for check in updates[-1]}
    assert "chunks" not in told
    assert len(frames_beside(talk, Path(plan.output.path))[1]) == 732


def test_who_is_divided(folder: Path, talk: Path) -> None:
    recipe = plan_of(folder, talk, 500_000).recipe
    (few, many, poor) = (
        chunk_layout(recipe, cores, memory)
        for cores, memory in ((8, 64 * GB), (64, 64 * GB), (64, GB))
    )
    assert few is None
    assert poor is None
    assert many is not None
    assert (many.lanes, many.threads, len(many.chunks)) == (2, 48, 2)
    assert [chunk.first % 120 for chunk in many.chunks] == [0, 0]
    assert many.frames == 732
    facts = dataclasses.replace(recipe.camera.video[0], packets=720)
    cut_off = dataclasses.replace(recipe.camera, video=(facts,))
    assert chunk_layout(dataclasses.replace(recipe, camera=cut_off), 64, 64 * GB) is None


@given(st.lists(st.integers(10_000, 1_000_000), min_size=2, max_size=12), st.floats(0.95, 1.05))
def test_what_some_chunks_miss_the_others_make_good(shares: list[int], miss: float) -> None:
    room = 5 * sum(shares)
    made: list[int | None] = [None] * len(shares)
    for number in range(len(shares) - 1):
        made[number] = round(miss * share_of_next(shares, made, number, room))
    last = share_of_next(shares, made, len(shares) - 1, room)
    plain = room * shares[-1] / sum(shares)
    assert abs(last - plain) <= float(MOST_CHANGE) * plain + 1  # none pays for all the others
    total = sum(size or 0 for size in made) + last
    if abs(last - plain) < 0.119 * plain:
        assert total == pytest.approx(room, rel=1e-3)


def test_the_fewest_chunks_are_made_again() -> None:
    assert to_make_again([100, 300, 200], 15) == (1,)
    assert to_make_again([100, 300, 200], -60) == (1, 2)
    assert to_make_again([100, 300, 200], 90) == (0, 1, 2)


def test_a_damaged_joint_is_seen(folder: Path, talk: Path) -> None:
    """The check that the chunks' joints pass fails where two sides are not what was joined."""
    stretch = Stretch(path=str(talk), stream=0, first=0, count=12)
    other = dataclasses.replace(stretch, first=120)
    assert damaged_joints(str(talk), [stretch, other]) == [12]
