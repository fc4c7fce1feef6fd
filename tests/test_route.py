"""Which route a plan takes and why, and what the cloud is told to make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from edit_words import first, last
from test_plan import CAMERA, FILMED, RECORDER, ask, camera, recorder

from avpipe import jsonform
from avpipe.edits.grammar import understand
from avpipe.edits.order import plain_order
from avpipe.edits.values import AddAudio, Aspect, Cut, FileSize, Hold, Merge, Mute, Part, Shape
from avpipe.errors import RequestError
from avpipe.media import MediaInfo
from avpipe.plan.make import make_plan
from avpipe.plan.request import AudioMode, Fit, RouteChoice, VideoMode
from avpipe.plan.route import needs_compression, with_sent
from avpipe.plan.values import CloudFacts, CloudOrder, Machine, Plan, Reason, Route
from avpipe.recipe import Frame

FORMATS = ("mp4", "mov", "m4a")
CONNECTED = CloudFacts(connected=True, upload_limit=10_000_000, formats=FORMATS)
HEVC = camera(codec="hevc")
LARGE = replace(HEVC, size_bytes=10_000_001)


def plan(
    video: MediaInfo = HEVC,
    cloud: CloudFacts = CONNECTED,
    audio: MediaInfo = RECORDER,
    **wanted: Any,
) -> Plan:
    return make_plan(ask(**wanted), video, (audio,), Machine(cores=2, cloud=cloud))


def why(made: Plan) -> str:
    (message,) = [reason.message for reason in made.reasons if reason.code.startswith("route_")]
    return message


@pytest.mark.parametrize(
    ("made", "route", "words"),
    [
        (lambda: plan(), "cloud", "a cloud is connected and the video has to be rendered"),
        (lambda: plan(cloud=CloudFacts()), "local", "no cloud is connected"),
        (lambda: plan(CAMERA), "local", "can be copied without rendering"),
        (lambda: plan(route=RouteChoice.LOCAL), "local", "this machine was asked for"),
        (lambda: plan(CAMERA, CloudFacts(), route=RouteChoice.CLOUD), "cloud", "was asked for"),
        (lambda: plan(replace(HEVC, path="/in/a.mts")), "local", "not take .mts files"),
        (
            lambda: plan(LARGE, replace(CONNECTED, compresses=False)),
            "local",
            "cannot be brought under the 10,000,000 bytes",
        ),
        (lambda: plan(replace(HEVC, path="/in/A.MOV", size_bytes=10_000_000)), "cloud", ""),
        (
            lambda: plan(replace(HEVC, audio=FILMED.audio), audio_mode=AudioMode.ADD),
            "local",
            "makes one sound track",
        ),
    ],
)
def test_the_route_and_why(made: Callable[[], Plan], route: str, words: str) -> None:
    found = made()
    assert found.route == route
    assert words in why(found)
    assert (found.cloud is not None) == (route == "cloud")
    kinds = [step.kind.value for step in found.steps]
    here = ["render", "verify"]
    there = ["prepare_audio", "upload", "cloud_render", "verify"]
    assert kinds == (there if route == "cloud" else here)
    assert [step.kind.value for step in found.fallback] == (here if route == "cloud" else [])
    assert all(step.estimate_s > 0 and step.why for step in (*found.steps, *found.fallback))
    text = jsonform.dumps(found)
    assert jsonform.dumps(jsonform.loads(Plan, text)) == text


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"video_mode": VideoMode.COPY}, "--video copy forbids"),
        ({"audio_mode": AudioMode.ADD}, "one sound track"),
    ],
)
def test_what_no_cloud_makes_is_refused_where_it_was_asked_for(
    wanted: dict[str, Any], words: str
) -> None:
    with pytest.raises(RequestError, match=words):
        plan(FILMED, route=RouteChoice.CLOUD, **wanted)


@pytest.mark.parametrize(
    ("video", "wanted"),
    [
        (FILMED, {"video_mode": VideoMode.COPY}),
        (FILMED, {"audio_mode": AudioMode.ADD}),
        (FILMED, {"video_mode": VideoMode.COPY, "audio_mode": AudioMode.ADD}),
        (replace(HEVC, audio=FILMED.audio), {"audio_mode": AudioMode.ADD}),
    ],
)
def test_what_no_cloud_makes_is_made_here_where_the_route_is_free(
    video: MediaInfo, wanted: dict[str, Any]
) -> None:
    """Never an error, and the reason is told."""
    made = plan(video, **wanted)
    assert made.route is Route.LOCAL
    assert "so it is made here" in why(made)
    assert [one.route for one in made.estimates] == [Route.LOCAL]


def test_a_video_over_the_limit_is_compressed_before_it_is_sent() -> None:
    """Whatever its type was; what samples of it foretell is in the plan, once they are taken."""
    made = plan(replace(LARGE, path="/in/a.mts"))
    assert made.route is Route.CLOUD
    assert needs_compression(made, CONNECTED)
    kinds = [step.kind.value for step in made.steps]
    assert kinds == ["prepare_audio", "compress", "upload", "cloud_render", "verify"]
    assert "larger than the 10,000,000 bytes" in made.steps[1].why
    fitted = Reason(code="fit_two_pass", message="to stay under 9 MB: two passes, VMAF about 91")
    output = replace(made.output, estimated_bytes=9_900_000)
    slow = (replace(made.steps[1], estimate_s=1000.0),)
    sent = replace(made, steps=slow, fallback=(), reasons=(fitted,), output=output)
    known = with_sent(made, sent, CONNECTED)
    assert "made about 9.90 MB, two passes, VMAF about 91" in known.steps[1].why
    assert known.steps[2].why.startswith("10.1 MB")  # with 0.24 MB of sound
    assert (known.estimates[0], known.estimates[1].route) == (made.estimates[0], Route.CLOUD)
    assert known.estimates[1].estimate_s > 1000
    text = jsonform.dumps(known)
    assert jsonform.dumps(jsonform.loads(Plan, text)) == text


def test_without_a_fallback_there_is_none() -> None:
    assert plan(fallback=False).fallback == ()


def test_the_estimates_of_both_routes() -> None:
    """The upload is what the uplink makes of it."""
    (slow, fast) = (
        plan(cloud=replace(CONNECTED, uplink_bytes_s=speed)).estimates for speed in (1e5, 1e7)
    )
    assert [one.route for one in slow] == [Route.LOCAL, Route.CLOUD]
    assert slow[0] == fast[0]
    sent = 5_000_000 + 240_000  # the camera, and 10 s of sound at 192 kbit/s
    assert slow[1].estimate_s - fast[1].estimate_s == pytest.approx(sent / 1e5 - sent / 1e7, abs=1)
    local = plan(CAMERA).estimates
    assert [one.route for one in local] == [Route.LOCAL, Route.CLOUD]


def order(*arguments: Any, **wanted: Any) -> CloudOrder:
    made = plan(*arguments, **{"route": RouteChoice.CLOUD} | wanted).cloud
    assert made is not None
    return made


def test_two_plans_of_the_same_have_one_key() -> None:
    """Whatever the output is called, the uplink was, and the route is; other wishes are others."""
    key = order().key
    elsewhere = replace(ask(route=RouteChoice.CLOUD), output="/out/other.mp4")
    made = make_plan(elsewhere, HEVC, (RECORDER,), Machine(cores=2)).cloud
    assert made is not None
    assert made.key == key
    assert order(route=RouteChoice.AUTO, fallback=False).key == key
    assert order(HEVC, replace(CONNECTED, uplink_bytes_s=1e5)).key == key
    others = (
        order(replace(HEVC, modified_ns=2)),
        order(replace(HEVC, path="/in/other.mp4")),
        order(offset_s=0.001),
        order(audio=replace(RECORDER, size_bytes=1)),
    )
    assert len({key, *(other.key for other in others)}) == 5


def instruction(**wanted: Any) -> str:
    return order(**wanted).instruction


def test_the_instruction_has_every_length() -> None:
    text = instruction()
    assert text.startswith("merge this audio and video into a single MP4 file: ")
    assert "the video has 10.000 s" in text
    assert "the result has 10.000 s and 1920x1080 pixels" in text
    short = recorder(duration_ts=240_000)
    text = instruction(audio=short, fit=Fit.AUDIO, offset_s=2.0)
    assert "cut its first 2.000 s" in text
    assert "cut its last 3.000 s" in text
    assert "the audio has 5.000 s" in text
    text = instruction(fit=Fit.AUDIO, offset_s=-2.0)
    assert "hold its first frame for 2.000 s" in text
    assert "cut its last 2.000 s" in text
    text = instruction(audio=recorder(duration_ts=600_000), fit=Fit.LONGEST)
    assert "hold its last frame for 2.500 s" in text
    text = instruction(aspect="9:16", frame=Frame.FILL)
    assert "cropped to a 9:16 frame" in text


def test_a_server_of_ones_own_understands_the_instruction() -> None:
    """All of it, or nothing: a cut is not left out."""
    assert plain_order(instruction()) == "merge this audio and video"
    framed = plain_order(instruction(aspect="9:16", frame=Frame.FILL))
    assert framed is not None
    assert understand(framed).edits == (
        Merge(),
        Aspect(width=9, height=16, shape=Shape.FILL),
    )
    cut = plain_order(instruction(audio=recorder(duration_ts=240_000), fit=Fit.AUDIO, offset_s=2.0))
    assert cut is not None
    assert understand(cut).edits == (
        Cut(spans=(first(2), last(3))),
        Mute(part=Part.VIDEO_SOUND),
        AddAudio(),
    )
    held = plain_order(instruction(fit=Fit.AUDIO, offset_s=-2.0))
    assert held is not None
    assert understand(held).edits == (
        Cut(spans=(last(2),)),
        Hold(length_s=Fraction(2), first=True),
        Mute(part=Part.VIDEO_SOUND),
        AddAudio(),
    )
    held = plain_order(instruction(audio=recorder(duration_ts=600_000), fit=Fit.LONGEST))
    assert held is not None
    assert understand(held).edits == (
        Hold(length_s=Fraction(5, 2)),
        Mute(part=Part.VIDEO_SOUND),
        AddAudio(),
    )
    small = plain_order(instruction(max_bytes=20_000_000))
    assert small is not None
    assert understand(small).edits == (Merge(), FileSize(max_bytes=20_000_000))
    assert plain_order("merge this audio and video") is None


def test_what_the_cloud_may_make_of_the_size() -> None:
    for resolution, sides, named in (
        ("1080p", (1920, 1080), "1080p"),
        ("720p", (1280, 720), "720p"),
        ("source", (None, None), "source"),
        ("640x480", (640, 480), None),
    ):
        made = order(resolution=resolution)
        assert (made.longer_side, made.shorter_side) == sides
        assert made.resolution == named


def test_a_wish_for_two_tracks_of_a_silent_video_is_one_track() -> None:
    assert plan(audio_mode=AudioMode.ADD).route is Route.CLOUD
