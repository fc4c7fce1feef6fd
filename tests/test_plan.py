"""Every decision of a merge, from facts alone: no file is read, no program is started."""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from avpipe import jsonform
from avpipe.codecs.graph import audio_arguments
from avpipe.errors import (
    AvpipeError,
    MediaError,
    RequestError,
    SyncUncertainError,
    TruncatedError,
    UnreadableError,
    WrongMediaError,
)
from avpipe.media import (
    Alignment,
    AlignmentMethod,
    AudioStream,
    Doubt,
    Hdr,
    MediaInfo,
    PictureKind,
    Piece,
    Problem,
    Severity,
    SubtitleStream,
    Verdict,
    VideoStream,
)
from avpipe.plan.framing import frame_picture
from avpipe.plan.layout import Layout, Placement, lay_out
from avpipe.plan.make import Heard, make_plan
from avpipe.plan.request import (
    ASPECTS,
    AudioMode,
    Fill,
    Fit,
    Request,
    Sync,
    VideoMode,
    resolution_bound,
)
from avpipe.plan.values import Machine, Plan, StepKind
from avpipe.recipe import AAC_FRAME, AUDIO_RATE, Action, Frame, Quality
from avpipe.timeline import TrackKind

MACHINE = Machine(cores=2)
SAMPLE_S = Fraction(1, AUDIO_RATE)
AAC_FRAME_S = Fraction(AAC_FRAME, AUDIO_RATE)


def video_stream(**changes: Any) -> VideoStream:
    """Ten seconds of what can be copied, but for the changes."""
    facts: dict[str, Any] = {
        "index": 0, "codec": "h264", "profile": "High", "pixel_format": "yuv420p",
        "width": 1920, "height": 1080, "rotation_deg": 0, "sample_aspect_ratio": Fraction(1),
        "frame_rate": Fraction(25), "variable_frame_rate": False, "interlaced": False,
        "hdr": None, "color_primaries": None, "color_transfer": None, "color_matrix": None,
        "color_range": None, "bit_rate": 4_000_000, "time_base": Fraction(1, 12800),
        "start_pts": 0, "duration_ts": 128_000, "packets": 250, "last_frame_ts": 512,
        "dts_rises": True,
    }  # fmt: skip
    return VideoStream(**facts | changes)


def audio_stream(**changes: Any) -> AudioStream:
    """Ten seconds of AAC that can be copied, but for the changes."""
    facts: dict[str, Any] = {
        "index": 0, "codec": "aac", "profile": "LC", "sample_rate": 48_000, "channels": 2,
        "layout": "stereo", "bit_rate": 192_000, "time_base": SAMPLE_S, "start_pts": 0,
        "duration_ts": 480_000, "packets": 470, "gaps": False,
    }  # fmt: skip
    return AudioStream(**facts | changes)


def media_info(**changes: Any) -> MediaInfo:
    facts: dict[str, Any] = {
        "path": "/in/file", "container": "mov", "size_bytes": 5_000_000, "modified_ns": 1,
        "supported": True,
    }  # fmt: skip
    return MediaInfo(**facts | changes)


CAMERA = media_info(path="/in/camera.mp4", video=(video_stream(),))
RECORDER = media_info(path="/in/recorder.m4a", audio=(audio_stream(),))


FILMED = dataclasses.replace(CAMERA, audio=(audio_stream(index=1),))


def camera(**changes: Any) -> MediaInfo:
    return dataclasses.replace(CAMERA, video=(video_stream(**changes),))


def recorder(**changes: Any) -> MediaInfo:
    return dataclasses.replace(RECORDER, audio=(audio_stream(**changes),))


def ask(**changes: Any) -> Request:
    changes = {"sync": Sync.START} | changes
    return Request(video=CAMERA.path, audio=RECORDER.path, output="/out/film.mp4", **changes)


def plan(
    video: MediaInfo = CAMERA,
    audio: MediaInfo = RECORDER,
    *,
    machine: Machine = MACHINE,
    **asked: Any,
) -> Plan:
    return make_plan(ask(**asked), video, (audio,), machine)


def codes(made: Plan, prefix: str = "") -> set[str]:
    return {reason.code for reason in made.reasons if reason.code.startswith(prefix)}


def video_codes(made: Plan) -> set[str]:
    """Why the video is encoded."""
    return codes(made, "encode_") - codes(made, "encode_audio_")


# Where picture and sound lie

LENGTHS = st.one_of(
    st.integers(1, 10**9).map(lambda ticks: Fraction(ticks, 90_000)),
    st.fractions(Fraction(1, 1000), 20_000, max_denominator=240_000),
)
OFFSETS = st.one_of(
    st.just(Fraction(0)),
    st.fractions(-20_000, 20_000, max_denominator=240_000),
    st.floats(-20_000, 20_000).map(Fraction),
)


def length(placement: Placement) -> Fraction:
    return placement.source_out - placement.source_in


def own_time(layout: Layout, placement: Placement) -> Fraction:
    """Where the source's first frame or sample lies on the video's own time line."""
    return layout.origin + placement.start - placement.source_in


@given(LENGTHS, LENGTHS, OFFSETS, st.sampled_from(Fit))
@example(Fraction(10) + SAMPLE_S / 4, Fraction(1), Fraction(10) + SAMPLE_S / 8, Fit.VIDEO)
@example(Fraction(10), Fraction(1), Fraction(10) - SAMPLE_S, Fit.SHORTEST)
@example(Fraction(10), Fraction(1), SAMPLE_S - 1, Fit.AUDIO)
@example(Fraction(1001, 30000), Fraction(600), Fraction(-1), Fit.LONGEST)
def test_extents_add_up(video: Fraction, audio: Fraction, offset: Fraction, fit: Fit) -> None:
    try:
        layout = lay_out(video=video, audio=audio, offset=offset, fit=fit)
    except RequestError:
        overlap = min(video, offset + audio) - max(Fraction(0), offset)
        assert overlap < SAMPLE_S
        return
    for placement, whole in ((layout.video, video), (layout.audio, audio)):
        assert placement.start >= 0
        assert 0 <= placement.source_in < placement.source_out <= whole
        assert placement.start + length(placement) <= layout.duration
    assert own_time(layout, layout.video) == 0
    assert own_time(layout, layout.audio) == offset
    assert (layout.duration * AUDIO_RATE).denominator == 1
    span = {
        Fit.VIDEO: (Fraction(0), video),
        Fit.AUDIO: (offset, offset + audio),
        Fit.SHORTEST: (max(Fraction(0), offset), min(video, offset + audio)),
        Fit.LONGEST: (min(Fraction(0), offset), max(video, offset + audio)),
    }[fit]
    assert layout.origin == span[0]
    assert abs(layout.duration - (span[1] - span[0])) <= SAMPLE_S / 2
    if fit is not Fit.LONGEST:
        return
    assert min(layout.video.start, layout.audio.start) == 0
    assert layout.video.source_in == layout.audio.source_in == 0


@given(LENGTHS, OFFSETS, st.sampled_from(Fit))
def test_a_picture_lasts_as_long_as_the_audio(audio: Fraction, offset: Fraction, fit: Fit) -> None:
    layout = lay_out(video=None, audio=audio, offset=offset, fit=fit)
    assert abs(layout.duration - audio) <= SAMPLE_S / 2
    assert layout.audio.start == layout.audio.source_in == layout.video.start == 0


@pytest.mark.parametrize("offset", [-10, 10, -10.5, 1000])
@pytest.mark.parametrize("fit", Fit)
def test_sound_outside_the_video_is_refused(offset: float, fit: Fit) -> None:
    with pytest.raises(RequestError, match="wholly outside the video"):
        plan(offset_s=offset, fit=fit)


@given(LENGTHS, LENGTHS, st.none() | st.floats(-100, 100), st.sampled_from(Fit))
def test_a_plan_keeps_within_its_output(
    video: Fraction, audio: Fraction, offset_s: float | None, fit: Fit
) -> None:
    shown = camera(time_base=1 / Fraction(video.denominator), duration_ts=video.numerator)
    heard = recorder(time_base=1 / Fraction(audio.denominator), duration_ts=audio.numerator)
    try:
        made = plan(shown, heard, offset_s=offset_s, fit=fit)
    except RequestError:
        assume(False)
    timeline = made.timeline
    assert made.output.duration_s == float(timeline.duration)
    for segment in (timeline.video, *timeline.audio):
        assert 0 <= segment.start < segment.end <= timeline.duration
    # What a copied stream lacks at its ends is at most what nobody hears.
    if made.audio is Action.COPY:
        (heard_segment,) = timeline.audio
        assert heard_segment.start == heard_segment.source_in == 0
        assert timeline.duration - heard_segment.end <= AAC_FRAME_S
    if made.video is Action.COPY:
        assert timeline.video.source_in == 0
    assert made.recipe.audio_samples == timeline.duration * AUDIO_RATE


def test_offset_is_the_alignment() -> None:
    assert plan().alignment.method is AlignmentMethod.START
    given_by_user = plan(offset_s=0.25).alignment
    assert (given_by_user.method, given_by_user.offset_s) == (AlignmentMethod.OFFSET, 0.25)


# Drift and pieces


@given(
    st.floats(-300, 300).filter(lambda drift: abs(drift) >= 1e-6),
    st.sampled_from([8000, 11_025, 44_100, 48_000, 96_000, 192_000]),
)
def test_the_declared_rates_are_right_to_a_hundredth_of_a_ppm(drift: float, rate: int) -> None:
    made = plan(audio=recorder(sample_rate=rate), drift=f"{drift:.9f}")
    graph = " ".join(audio_arguments(made.recipe, 0, "pipe:1"))
    found = re.search(r"asetrate=sample_rate=(\d+)\S*?aresample=\S*?sample_rate=(\d+)", graph)
    assert found is not None
    (declared, wanted) = (int(found[1]), int(found[2]))
    true = Fraction(rate, AUDIO_RATE) * (1 + Fraction(drift) / 10**6)
    assert abs(Fraction(declared, wanted) / true - 1) < Fraction(1, 10**8)
    assert min(declared, wanted) >= 8000
    # The resampler refuses a step that it cannot hold, and counts time by the product of both.
    step = Fraction(wanted, declared * 1024)
    assert max(step.numerator, step.denominator) < 2**30
    assert 2 * 86_400 * rate * wanted < 2**63


def matched(**changes: Any) -> Alignment:
    """What a sure comparison finds, but for the changes."""
    facts: dict[str, Any] = {
        "method": AlignmentMethod.CONTENT, "verdict": Verdict.MATCHED, "offset_s": -0.5,
        "drift_ppm": 0.0, "drift_error_ppm": 0.1, "confidence": 1.0,
    }  # fmt: skip
    return Alignment(**facts | changes)


def found(
    alignment: Alignment,
    video: MediaInfo = CAMERA,
    audio: MediaInfo = RECORDER,
    **asked: Any,
) -> Plan:
    """The plan of a merge after a comparison."""
    request = ask(**{"sync": Sync.AUTO} | asked)
    return make_plan(request, video, (audio,), MACHINE, Heard(found=(alignment,)))


LONG = recorder(duration_ts=48_000 * 3600)
LONG_VIDEO = camera(duration_ts=12_800 * 3590)


@pytest.mark.parametrize(
    ("drift", "error", "asked", "speed"),
    [
        (20.0, 0.1, {}, Fraction(1_000_020, 1_000_000)),
        (20.0, 11.0, {}, 1),  # less than two of its errors
        (0.13, 0.01, {}, 1),  # 0.47 ms from end to end
        (0.15, 0.01, {}, Fraction(100_000_015, 100_000_000)),
        (20.0, 0.1, {"drift": "off"}, 1),
        (20.0, 0.1, {"drift": "-7.5"}, Fraction(9_999_925, 10_000_000)),
    ],
)
def test_a_drift_is_taken_out_where_there_is_one(
    drift: float, error: float, asked: dict[str, Any], speed: Fraction
) -> None:
    made = found(matched(drift_ppm=drift, drift_error_ppm=error), LONG_VIDEO, LONG, **asked)
    (heard,) = made.timeline.audio
    assert heard.speed == speed
    assert ("encode_audio_drift" in codes(made)) is (speed != 1)
    # Whatever is taken out, the middle of what both have is where it was found.
    middle = Fraction(1795)
    source = heard.source_in + (middle - heard.start) * heard.speed
    place = -0.5 + float(source) / (1 + drift * 1e-6)
    assert place == pytest.approx(1795, abs=1e-6)


def test_aac_without_a_drift_that_matters_is_copied() -> None:
    audio = recorder(duration_ts=900_000)
    for offset, drift in ((0.0, 0.0), (0.00002, 3.0), (-0.00002, -3.0)):
        assert found(matched(offset_s=offset, drift_ppm=drift), audio=audio).audio is Action.COPY
    assert found(matched(offset_s=-0.0001), audio=audio).audio is Action.ENCODE


@pytest.mark.parametrize("verdict", [Verdict.UNCERTAIN, Verdict.UNRELATED])
def test_without_certainty_the_starts_are_lined_up_or_it_fails(verdict: Verdict) -> None:
    guess = None if verdict is Verdict.UNRELATED else 3.25
    doubtful = matched(verdict=verdict, offset_s=guess, reason=Doubt.AMBIGUOUS, confidence=0.4)
    made = found(doubtful)
    assert (made.alignment.method, made.alignment.verdict) == (AlignmentMethod.START, verdict)
    assert made.alignment.offset_s == guess
    assert (made.timeline.audio[0].start, made.timeline.audio[0].source_in) == (0, 0)
    (note,) = (reason for reason in made.reasons if reason.note)
    assert note.code == "starts_lined_up"
    assert ("--offset 3.25" in note.message) is (guess is not None)
    if guess is not None:
        at_start = found(dataclasses.replace(doubtful, offset_s=-0.00001)).reasons
        assert any(reason.message.endswith("--offset 0.0000") for reason in at_start)
    with pytest.raises(SyncUncertainError) as caught:
        found(doubtful, sync=Sync.REQUIRE)
    assert (caught.value.exit_code, bool(caught.value.hint)) == (6, True)
    placed = found(doubtful, sync=Sync.REQUIRE, offset_s=1.0)
    assert placed.alignment.method is AlignmentMethod.OFFSET
    assert placed.timeline.audio[0].speed == 1


def test_the_camera_s_distance_is_taken_off() -> None:
    near, far = found(matched()), found(matched(), camera_distance_m=34.3)
    moved = far.timeline.audio[0].source_in - near.timeline.audio[0].source_in
    assert float(moved) == pytest.approx(0.1, abs=1e-9)
    assert (near.moved_s, far.moved_s) == (0.0, pytest.approx(-0.1))


def in_pieces(*pieces: tuple[float, float, float], drift_ppm: float = 0.0) -> Alignment:
    """An alignment of (begin, end, offset)."""
    return matched(
        pieces=tuple(
            Piece(audio_start_s=begin, audio_end_s=end, offset_s=offset, drift_ppm=drift_ppm)
            for begin, end, offset in pieces
        ),
        drift_ppm=drift_ppm,
    )


@pytest.mark.parametrize("jump", [0.01, 0.02, -0.02, -1.0])
def test_pieces_that_meet_are_cross_faded(jump: float) -> None:
    skipped = max(-jump, 0.0)
    pieces = in_pieces((0.5, 5.0, -0.5), (5.0 + skipped, 12.0, -0.5 + jump))
    made = found(pieces, FILMED, recorder(duration_ts=48_000 * 12))
    (before, after) = made.timeline.audio
    assert (before.start, before.source_in) == (0, Fraction(1, 2))
    overlap = before.end - after.start
    assert overlap == before.fade_out == after.fade_in == Fraction(8, 1000)
    assert float(before.end + after.start) / 2 == pytest.approx(4.5 + max(jump, 0) / 2, abs=1e-6)


@pytest.mark.parametrize(("lost", "fade"), [(0.25, Fraction(8, 1000)), (2.0, Fraction(40, 1000))])
def test_a_gap_between_pieces_is_filled_by_the_camera(lost: float, fade: Fraction) -> None:
    pieces = in_pieces((0.0, 5.0, -0.5), (5.0, 12.0, -0.5 + lost), drift_ppm=200.0)
    audio = recorder(duration_ts=48_000 * 12)
    made = found(pieces, FILMED, audio)
    (fill, before, after) = made.timeline.audio
    assert made.timeline.mix
    assert made.recipe.audio_tracks == 1
    assert "encode_audio_fill" in codes(made)
    assert (fill.fade_in, fill.fade_out) == (fade, fade)
    assert (before.fade_out, after.fade_in) == (fade, fade)
    assert (before.end - fill.start, fill.end - after.start) == (fade, fade)
    assert fill.source_in == fill.start
    silent = found(pieces, FILMED, audio, fill=Fill.SILENCE)
    assert [part.source for part in silent.timeline.audio] == [1, 1]
    assert 0 < silent.timeline.audio[0].fade_out < Fraction(1, 100)


@pytest.mark.parametrize("mode", [AudioMode.MIX, AudioMode.ADD])
def test_where_the_camera_is_kept_nothing_is_filled(mode: AudioMode) -> None:
    made = found(matched(offset_s=2.0), FILMED, recorder(duration_ts=48_000), audio_mode=mode)
    assert [part.source for part in made.timeline.audio] == [0, 1]
    assert not any(part.fade_in or part.fade_out for part in made.timeline.audio)


def test_several_recordings_leave_only_their_common_gaps() -> None:
    short = recorder(duration_ts=48_000 * 4)
    places = tuple(matched(offset_s=offset) for offset in (5.0, 0.5))
    request = ask(sync=Sync.AUTO, more_audio=("/in/second.wav",))
    made = make_plan(request, FILMED, (short, short), MACHINE, Heard(found=places))
    gaps = [
        (float(part.start + part.fade_in), float(part.end - part.fade_out))
        for part in made.timeline.audio
        if part.source == 0
    ]
    assert gaps == [(0.0, 0.5), (4.5, 5.0), (9.0, 10.0)]
    assert [part.start for part in made.timeline.audio if part.source] == [5, Fraction(1, 2)]
    assert made.more_alignments == (places[1],)


@given(
    st.lists(st.tuples(st.floats(0.5, 100), st.floats(-3, 3)), min_size=1, max_size=6),
    st.floats(-30, 30),
    st.floats(-300, 300),
    st.sampled_from(Fit),
)
@example([(10.0, 0.0), (10.0, 0.0)], 0.0, 0.0, Fit.VIDEO)  # the film ends within a cross-fade
def test_any_pieces_make_a_plan_that_is_read_back(
    lengths: list[tuple[float, float]], offset: float, drift: float, fit: Fit
) -> None:
    (at, pieces) = (0.0, [])
    for length_s, jump in lengths:
        pieces.append((at, at + length_s, offset))
        (at, offset) = (at + length_s + max(-jump, 0.0), offset + jump)
    audio = recorder(duration_ts=round(pieces[-1][1] * 48_000))
    alignment = dataclasses.replace(in_pieces(*pieces, drift_ppm=drift), offset_s=pieces[0][2])
    try:
        made = found(alignment, FILMED, audio, fit=fit)
    except RequestError:
        assume(False)
    text = jsonform.dumps(made)
    assert jsonform.dumps(jsonform.loads(Plan, text)) == text
    for track in made.timeline.audio_tracks:
        for part in track.segments:
            assert 0 <= part.start < part.end <= made.timeline.duration
            assert part.source_in >= 0
            assert part.fade_in + part.fade_out <= part.duration
        for first, second in pairwise(track.segments):
            assert first.end - second.start <= Fraction(8, 1000) + Fraction(1, 10**8)


# Copy or encode, and why


def test_what_is_right_already_is_copied() -> None:
    made = plan()
    assert (made.video, made.audio, made.encode) == (Action.COPY, Action.COPY, None)
    assert {"copy_video", "copy_audio", "route_local"} == codes(made)


@pytest.mark.parametrize(
    "changes",
    [
        {"profile": "Main"},
        {"profile": "Constrained Baseline"},
        {"profile": None},
        {"pixel_format": "yuvj420p"},
        {"width": 1080, "height": 1920},
        {"rotation_deg": 90},
        {"variable_frame_rate": True, "frame_rate": Fraction(2997, 100)},
        {"sample_aspect_ratio": None},
        {"dts_rises": None},
        {"interlaced": None},
    ],
)
def test_video_that_plays_everywhere_is_copied(changes: dict[str, Any]) -> None:
    assert plan(camera(**changes)).video is Action.COPY


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"codec": "hevc", "profile": "Main"}, "encode_codec"),
        ({"codec": None, "profile": None}, "encode_codec"),
        ({"profile": "High 10"}, "encode_profile"),
        ({"pixel_format": "yuv422p"}, "encode_pixel_format"),
        ({"pixel_format": None}, "encode_pixel_format"),
        ({"hdr": Hdr.PQ, "pixel_format": "yuv420p10le"}, "encode_hdr"),
        ({"interlaced": True}, "encode_interlaced"),
        ({"width": 3840, "height": 2160}, "encode_size"),
        ({"width": 1080, "height": 2160}, "encode_size"),
        ({"rotation_deg": 90, "width": 2160, "height": 1080}, "encode_size"),
        ({"sample_aspect_ratio": Fraction(4, 3)}, "encode_size"),
        ({"dts_rises": False}, "encode_timestamps"),
    ],
)
def test_video_that_has_to_change_is_encoded(changes: dict[str, Any], code: str) -> None:
    made = plan(camera(**changes))
    assert made.video is Action.ENCODE
    assert video_codes(made) == {code}
    with pytest.raises(RequestError, match="cannot be copied") as caught:
        plan(camera(**changes), video_mode=VideoMode.COPY)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"video_mode": VideoMode.ENCODE}, "encode_asked"),
        ({"resolution": "720p"}, "encode_size"),
        ({"resolution": "1280x720"}, "encode_size"),
        ({"aspect": "1:1"}, "encode_aspect"),
        ({"aspect": "9:16", "frame": Frame.FILL}, "encode_aspect"),
        ({"offset_s": 1.0, "fit": Fit.AUDIO}, "encode_cut"),
        ({"offset_s": 1.0, "fit": Fit.SHORTEST}, "encode_cut"),
    ],
)
def test_a_request_can_need_an_encode(asked: dict[str, Any], code: str) -> None:
    assert video_codes(plan(**asked)) == {code}


@pytest.mark.parametrize(
    "asked",
    [{"aspect": "16:9"}, {"aspect": "16:9", "frame": Frame.FILL}, {"resolution": "source"}],
)
def test_a_request_that_is_met_already_needs_none(asked: dict[str, Any]) -> None:
    assert plan(**asked).video is Action.COPY


@pytest.mark.parametrize("container", ["avi", "h264", None])
def test_video_without_times_is_encoded(container: str | None) -> None:
    info = dataclasses.replace(CAMERA, container=container)
    assert video_codes(plan(info)) == {"encode_container"}


@pytest.mark.parametrize("kind", PictureKind)
def test_a_picture_is_encoded(kind: PictureKind) -> None:
    shown = video_stream(codec="png", profile=None, duration_ts=None, frame_rate=None)
    made = plan(dataclasses.replace(CAMERA, container="png", picture=kind, video=(shown,)))
    assert "encode_picture" in video_codes(made)
    assert made.output.duration_s == 10
    assert made.encode is not None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"codec": "pcm_s16le", "profile": None}, "encode_audio_codec"),
        ({"codec": None, "profile": None}, "encode_audio_codec"),
        ({"profile": "HE-AAC"}, "encode_audio_codec"),
        ({"channels": 8}, "encode_audio_format"),
        ({"sample_rate": 16_000}, "encode_audio_format"),
        ({"sample_rate": 96_000}, "encode_audio_format"),
        ({"gaps": True}, "encode_audio_gaps"),
        ({"duration_ts": 480_000 - AAC_FRAME - 1}, "encode_audio_pad"),
    ],
)
def test_audio_that_has_to_change_is_encoded(changes: dict[str, Any], code: str) -> None:
    made = plan(audio=recorder(**changes))
    assert (made.video, made.audio) == (Action.COPY, Action.ENCODE)
    assert codes(made, "encode_audio_") == {code}


@pytest.mark.parametrize("container", ["matroska", "mpegts", None])
def test_audio_whose_start_is_not_told_is_encoded(container: str | None) -> None:
    made = plan(audio=dataclasses.replace(RECORDER, container=container))
    assert codes(made, "encode_audio_") == {"encode_audio_container"}


@pytest.mark.parametrize(
    ("asked", "code"),
    [({"offset_s": 0.5}, "encode_audio_pad"), ({"offset_s": -0.5}, "encode_audio_cut")],
)
def test_audio_that_is_moved_is_encoded(asked: dict[str, Any], code: str) -> None:
    assert code in codes(plan(**asked), "encode_audio_")


def test_audio_short_by_a_frame_or_longer_is_copied() -> None:
    for ticks in (480_000 - AAC_FRAME, 480_001, 900_000):
        made = plan(audio=recorder(duration_ts=ticks))
        assert made.audio is Action.COPY
        assert made.output.duration_s == 10


# The camera's own sound


def test_camera_sound_is_replaced_mixed_or_kept() -> None:
    assert len(plan(FILMED).timeline.audio) == 1
    mixed = plan(FILMED, audio_mode=AudioMode.MIX, camera_gain_db=-6.0)
    assert mixed.timeline.mix
    assert mixed.recipe.audio_tracks == 1
    assert [segment.gain_db for segment in mixed.timeline.audio] == [-6.0, 0.0]
    assert "encode_audio_mix" in codes(mixed)
    added = plan(FILMED, audio_mode=AudioMode.ADD)
    assert not added.timeline.mix
    assert added.recipe.audio_tracks == 2


@pytest.mark.parametrize("mode", [AudioMode.MIX, AudioMode.ADD])
def test_a_silent_camera_is_noted(mode: AudioMode) -> None:
    made = plan(audio_mode=mode)
    assert len(made.timeline.audio) == 1
    assert not made.timeline.mix
    (note,) = (reason for reason in made.reasons if reason.note)
    assert note.code == "no_camera_sound"


# Sizes


def framed(width: int, height: int, **asked: Any) -> tuple[int, int]:
    framing = frame_picture(video_stream(width=width, height=height), ask(**asked))
    return framing.width, framing.height


@pytest.mark.parametrize(
    ("size", "asked", "expected"),
    [
        ((1920, 1080), {}, (1920, 1080)),
        ((3840, 2160), {}, (1920, 1080)),
        ((2160, 3840), {}, (1080, 1920)),
        ((640, 480), {}, (640, 480)),
        ((641, 481), {}, (640, 480)),
        ((4096, 2160), {}, (1920, 1012)),
        ((2000, 2000), {}, (1080, 1080)),
        ((3840, 2160), {"resolution": "source"}, (3840, 2160)),
        ((3840, 2160), {"resolution": "720p"}, (1280, 720)),
        ((1080, 1920), {"resolution": "720p"}, (720, 1280)),
        ((1920, 1080), {"resolution": "640x360"}, (640, 360)),
        ((1080, 1920), {"resolution": "640x360"}, (360, 640)),
        ((1920, 1080), {"resolution": "641x361"}, (640, 360)),
        ((1920, 1080), {"aspect": "1:1"}, (1080, 1080)),
        ((1920, 1080), {"aspect": "1:1", "frame": Frame.FILL}, (1080, 1080)),
        ((1920, 1080), {"aspect": "9:16"}, (1080, 1920)),
        ((1920, 1080), {"aspect": "9:16", "frame": Frame.FILL}, (606, 1080)),
        ((640, 480), {"aspect": "16:9"}, (852, 480)),
        ((640, 480), {"aspect": "16:9", "frame": Frame.FILL}, (640, 360)),
    ],
)
def test_output_size(
    size: tuple[int, int], asked: dict[str, Any], expected: tuple[int, int]
) -> None:
    assert framed(*size, **asked) == expected


def test_a_turned_picture_is_bounded_as_it_is_shown() -> None:
    turned = video_stream(width=3840, height=2160, rotation_deg=90)
    framing = frame_picture(turned, ask())
    assert (framing.width, framing.height) == (1080, 1920)


def test_pixels_become_square() -> None:
    framing = frame_picture(
        video_stream(width=720, height=576, sample_aspect_ratio=Fraction(64, 45)), ask()
    )
    assert (framing.width, framing.height) == (1024, 576)


SIDES = st.integers(16, 8000)
RESOLUTIONS = st.sampled_from(["1080p", "720p", "source", "641x361", "100x4000"])


@given(
    SIDES,
    SIDES,
    st.sampled_from([0, 90, 180, 270]),
    RESOLUTIONS,
    st.sampled_from([None, *ASPECTS]),
    st.sampled_from(Frame),
)
def test_any_size(
    width: int, height: int, rotation: int, resolution: str, aspect: str | None, frame: Frame
) -> None:
    shown = video_stream(width=width, height=height, rotation_deg=rotation)
    framing = frame_picture(shown, ask(resolution=resolution, aspect=aspect, frame=frame))
    (upright_width, upright_height) = shown.upright_size
    outer = (framing.width, framing.height)
    inner = (framing.scaled_width, framing.scaled_height)
    assert all(side >= 2 and side % 2 == 0 for side in (*outer, *inner))
    # Never scaled up, and the picture keeps its shape, to the rounding of each side to even.
    assert inner[0] <= max(2, upright_width)
    assert inner[1] <= max(2, upright_height)
    scales = (Fraction(inner[0], upright_width), Fraction(inner[1], upright_height))
    slack = Fraction(3, upright_width) + Fraction(3, upright_height)
    assert abs(scales[0] - scales[1]) <= slack
    bound = resolution_bound(resolution)
    if bound is not None:
        assert max(outer) <= bound[0]
        assert min(outer) <= bound[1]
    if aspect is None:
        assert outer == inner
        assert framing.frame is None
        return
    assert abs(outer[0] - outer[1] * ASPECTS[aspect]) <= 3 * max(1, ASPECTS[aspect])
    if framing.frame is Frame.FIT:
        assert inner[0] <= outer[0]
        assert inner[1] <= outer[1]
    elif framing.frame is Frame.FILL:
        assert inner[0] >= outer[0]
        assert inner[1] >= outer[1]
    else:
        assert inner == outer


@pytest.mark.parametrize("text", ["", "1080", "4k", "0x0", "15x15", "20000x20000", "1280x", "-1x2"])
def test_no_resolution(text: str) -> None:
    with pytest.raises(RequestError):
        resolution_bound(text)


def test_a_copy_has_the_size_that_is_shown() -> None:
    made = plan(camera(rotation_deg=270))
    assert (made.output.width, made.output.height) == (1080, 1920)
    assert (made.timeline.width, made.timeline.height) == (1080, 1920)


# Encodes


def test_hardware_that_works_is_used_but_not_for_high_quality() -> None:
    machine = Machine(cores=2, encoders=("h264_nvenc", "h264_vaapi"))
    used = {}
    for quality in Quality:
        made = plan(machine=machine, video_mode=VideoMode.ENCODE, quality=quality)
        assert made.encode is not None
        used[quality] = made.encode.encoder
    assert used == {
        Quality.DRAFT: "h264_nvenc",
        Quality.STANDARD: "h264_nvenc",
        Quality.HIGH: "libx264",
    }


@pytest.mark.parametrize(
    "rate", [Fraction(24000, 1001), 25, Fraction(30000, 1001), 30, Fraction(60000, 1001)]
)
def test_frames_of_a_constant_rate_lie_on_whole_ticks(rate: Fraction | int) -> None:
    made = plan(camera(frame_rate=Fraction(rate)), video_mode=VideoMode.ENCODE)
    assert made.encode is not None
    assert made.encode.time_base.numerator == 1
    assert made.encode.frame_ticks is not None
    assert made.encode.frame_ticks * made.encode.time_base == 1 / Fraction(rate)


def test_a_variable_rate_has_no_length_of_a_frame() -> None:
    made = plan(camera(variable_frame_rate=True), video_mode=VideoMode.ENCODE)
    assert made.encode is not None
    assert made.encode.frame_ticks is None


def test_hdr_is_tone_mapped_and_noted() -> None:
    made = plan(camera(hdr=Hdr.HLG, pixel_format="yuv420p10le"))
    assert made.encode is not None
    assert made.encode.tone_map is Hdr.HLG
    assert "tone_mapped" in {reason.code for reason in made.reasons if reason.note}
    (sdr, hdr) = (plan(video_mode=VideoMode.ENCODE).estimates[0], made.estimates[0])
    assert hdr.estimate_s > 2 * sdr.estimate_s


def test_held_frames_and_lost_subtitles_are_noted() -> None:
    bitmaps = SubtitleStream(index=2, codec="dvd_subtitle", language=None, text=False)
    made = plan(
        dataclasses.replace(CAMERA, subtitles=(bitmaps,)),
        recorder(duration_ts=960_000),
        offset_s=-1.0,
        fit=Fit.AUDIO,
    )
    notes = {reason.code for reason in made.reasons if reason.note}
    assert notes == {"held_first", "held_last", "subtitles_dropped"}


# The plan as a value


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"offset_s": -0.1, "fit": Fit.LONGEST},
        {"video_mode": VideoMode.ENCODE, "aspect": "4:5", "quality": Quality.DRAFT},
        {"audio_mode": AudioMode.MIX, "camera_gain_db": -3.5},
    ],
)
def test_a_plan_is_read_back_byte_for_byte(asked: dict[str, Any]) -> None:
    made = plan(FILMED, **asked)
    text = jsonform.dumps(made, indent=2)
    again = jsonform.loads(Plan, text)
    assert again == made
    assert jsonform.dumps(again, indent=2) == text


def test_steps_say_why() -> None:
    made = plan(camera(codec="hevc"))
    assert [step.kind for step in made.steps] == [StepKind.RENDER, StepKind.VERIFY]
    assert "hevc" in made.steps[0].why
    assert all(step.estimate_s >= 0 for step in made.steps)
    assert made.output.estimated_bytes > 0
    assert [track.kind for track in made.timeline.tracks] == [TrackKind.VIDEO, TrackKind.AUDIO]


# What cannot be planned

BROKEN = Problem(code="truncated", severity=Severity.ERROR, message="it ends early")
UNKNOWN = Problem(code="unreadable", severity=Severity.ERROR, message="not media")
REFUSED: list[tuple[MediaInfo, MediaInfo, type[AvpipeError], int]] = [
    (dataclasses.replace(CAMERA, video=()), RECORDER, WrongMediaError, 2),
    (CAMERA, dataclasses.replace(RECORDER, audio=()), WrongMediaError, 2),
    (RECORDER, CAMERA, WrongMediaError, 2),
    (
        CAMERA,
        dataclasses.replace(RECORDER, supported=False, problems=(BROKEN,)),
        TruncatedError,
        1,
    ),
    (
        dataclasses.replace(CAMERA, supported=False, problems=(UNKNOWN,)),
        RECORDER,
        UnreadableError,
        1,
    ),
    (dataclasses.replace(CAMERA, supported=False), RECORDER, UnreadableError, 1),
    (camera(duration_ts=None), RECORDER, MediaError, 1),
    (camera(duration_ts=0), RECORDER, MediaError, 1),
    (CAMERA, recorder(duration_ts=None), MediaError, 1),
    (CAMERA, recorder(duration_ts=0), MediaError, 1),
]


@pytest.mark.parametrize(("video", "audio", "error", "exit_code"), REFUSED)
def test_what_cannot_be_merged_is_refused(
    video: MediaInfo, audio: MediaInfo, error: type[AvpipeError], exit_code: int
) -> None:
    with pytest.raises(error) as caught:
        plan(video, audio)
    assert type(caught.value) is error
    assert caught.value.exit_code == exit_code
