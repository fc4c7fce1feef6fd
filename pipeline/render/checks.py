"""What was measured on a file, held against what it should be. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from avpipe.codecs.measure import Measured, MeasuredStream
from avpipe.errors import VerificationError
from avpipe.media import MediaInfo
from avpipe.plan.values import Plan
from avpipe.recipe import AAC_FRAME, AUDIO_RATE, Action
from avpipe.updates import Check

if TYPE_CHECKING:
    from avpipe.scene import Scene

AUDIO_FRAME = Fraction(AAC_FRAME, AUDIO_RATE)
"""How far an end may be from where it was planned, in seconds."""
START_TOLERANCE = Fraction(1, 1000)
"""How far a start may be from zero: a tick of the coarsest containers."""


def checks_of_plan(plan: Plan, found: Measured) -> tuple[Check, ...]:
    """What was made against what was planned."""
    return tuple(_plan_checks(plan, found))


def checks_of_file(
    found: Measured, video: MediaInfo | None = None, audio: MediaInfo | None = None
) -> tuple[Check, ...]:
    """A file on its own, and against the inputs it was made from where they are given."""
    return tuple(_file_checks(found, video, audio))


def checks_of_scene(scene: Scene, found: Measured) -> tuple[Check, ...]:
    """What was made of an edit against what was to be made."""
    size = {f"{stream.width}x{stream.height}" for stream in found.video}
    frames = [stream.packets for stream in found.video]
    return (
        *_sound_file(found),
        _check("video_streams", len(found.video), len(found.video) == 1),
        _check("audio_streams", len(found.audio), len(found.audio) == 1),
        _check("size", ", ".join(size), size == {f"{scene.width}x{scene.height}"}),
        _check("video_packets", sum(frames), frames == [scene.frames]),
        *(
            check
            for stream in (*found.video, *found.audio)
            for check in _extent(stream, scene.duration)
        ),
    )


def _plan_checks(plan: Plan, found: Measured) -> Iterator[Check]:
    yield from _sound_file(found)
    yield _check("video_streams", len(found.video), len(found.video) == 1)
    tracks = plan.recipe.audio_tracks
    yield _check("audio_streams", len(found.audio), len(found.audio) == tracks)
    duration = plan.timeline.duration
    for stream in found.video[:1]:
        size = (stream.width, stream.height)
        yield _check("size", f"{stream.width}x{stream.height}", size in _sizes(plan))
        if plan.video is Action.COPY:
            yield _copied_packets(plan, stream)
    for stream in (*found.video, *found.audio):
        yield from _extent(stream, duration)


def checks_of_sound(plan: Plan, found: Measured) -> tuple[Check, ...]:
    """What was made of a plan without a picture."""
    ends = [check for s in found.audio[:1] for check in _extent(s, plan.timeline.duration)]
    tracks = len(plan.timeline.audio_tracks)
    count = _check("audio_streams", len(found.audio), len(found.audio) == tracks)
    return (*_sound_file(found), count, *ends)


def _sizes(plan: Plan) -> tuple[tuple[int, int], ...]:
    if plan.video is Action.COPY:
        picture = plan.inputs.video.video[0]
        return ((picture.width, picture.height),)
    return ((plan.timeline.width, plan.timeline.height),)


def _copied_packets(plan: Plan, stream: MeasuredStream) -> Check:
    """A copy of the whole has every packet; of a part, about that part of them."""
    picture = plan.inputs.video.video[0]
    whole = picture.duration or Fraction(0)
    part = plan.timeline.video.duration
    if picture.packets is None or not whole:
        return _check("video_packets", stream.packets, stream.packets > 0)
    if part >= whole - AUDIO_FRAME:
        return _check("video_packets", stream.packets, stream.packets == picture.packets)
    return _check("video_packets", stream.packets, 0 < stream.packets <= picture.packets)


def _extent(stream: MeasuredStream, duration: Fraction) -> Iterator[Check]:
    yield _check(
        f"{stream.kind}_start_s", float(stream.start), abs(stream.start) <= START_TOLERANCE
    )
    off = abs(stream.end - duration)
    yield _check(f"{stream.kind}_end_s", float(stream.end), off <= AUDIO_FRAME)


def _sound_file(found: Measured) -> Iterator[Check]:
    """What has to be true of every MP4 that is handed out."""
    for stream in found.video:
        yield _check("video_codec", stream.codec, stream.codec == "h264")
    for stream in found.audio:
        yield _check("audio_codec", stream.codec, stream.codec == "aac")
    yield _check("index_first", found.index_first, found.index_first)
    lost = sum(stream.beyond_end for stream in found.streams)
    yield _check("packets_beyond_end", lost, lost == 0)
    errors = sum(stream.errors for stream in found.streams)
    yield _check("decode_errors", errors, errors == 0)


def _file_checks(
    found: Measured, video: MediaInfo | None, audio: MediaInfo | None
) -> Iterator[Check]:
    yield from _sound_file(found)
    yield _check("video_streams", len(found.video), len(found.video) >= 1)
    yield _check("audio_streams", len(found.audio), len(found.audio) >= 1)
    timed = (*found.video[:1], *found.audio)
    for stream in timed:
        yield _check(
            f"{stream.kind}_start_s", float(stream.start), abs(stream.start) <= START_TOLERANCE
        )
    if found.video and found.audio:
        apart = max(abs(stream.end - found.video[0].end) for stream in found.audio)
        yield _check("ends_apart_s", float(apart), apart <= AUDIO_FRAME)
    yield from _length(timed, _duration(video), _duration(audio))


def _duration(info: MediaInfo | None) -> Fraction | None:
    return None if info is None else info.duration


def _length(
    timed: tuple[MeasuredStream, ...], video: Fraction | None, audio: Fraction | None
) -> Iterator[Check]:
    """Whether the output is as long as some `--fit` makes it of inputs of these durations."""
    if video is None or not timed:
        return
    made = timed[0].end
    ok = abs(made - video) <= AUDIO_FRAME
    if audio is not None:
        (shorter, longer) = sorted((video, audio))
        between = shorter + AUDIO_FRAME < made < longer - AUDIO_FRAME
        ok = ok or (not between and made <= video + audio)
    yield _check("length_s", float(made), ok)


def _check(name: str, value: object, ok: bool) -> Check:
    return Check(name=name, ok=ok, value=value)


def require_passed(checks: tuple[Check, ...]) -> None:
    """Raise VerificationError where one failed."""
    failed = [check for check in checks if not check.ok]
    if failed:
        raise VerificationError(
            "the output is not what was planned: "
            + "; ".join(f"{check.name} is {check.value}" for check in failed)
        )
