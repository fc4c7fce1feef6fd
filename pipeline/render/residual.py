"""How far the sound of a finished output is from its place, by a look at it beside the camera's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.listening import MIX, camera_track, recorder_track
from avpipe.listen.crew import Crew
from avpipe.listen.hearing import Hearing
from avpipe.listen.store import Store
from avpipe.media import AlignmentMethod, AudioStream, MediaInfo, Verdict
from avpipe.plan.values import Plan
from avpipe.recipe import AUDIO_RATE, CAMERA, RECORDER, Action
from avpipe.sync.fine import refine
from avpipe.sync.stack import stack_lines
from avpipe.sync.windows import Map, cross_spectra, read_pairs
from avpipe.timeline import Timeline

Span = tuple[Fraction, Fraction]
"""Begin and end on the time line of the output."""

GROUPS, GROUP_S = 12, 4
"""How many stretches of how many seconds are heard of a long recording."""
WINDOW_S = 1.0
REACH_S = 0.25
"""How far off the sound is looked for."""
SURE_HEIGHT, SURE_S = 9.0, 0.0003
"""Of the correlation over its noise, and its one-sigma error: below and above these the output is
too unlike the camera to tell."""
NEAR_S = 120.0
"""Of a camera that cannot be sought, only so much is decoded for this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Look:
    """What is looked at for one recording."""

    source: int
    track: int
    """Which of the output's audio tracks."""
    times: tuple[float, ...]
    """The middles of windows of the output."""


def residual_s(plan: Plan, made: str, ffmpeg: Ffmpeg, *, cores: int) -> float | None:
    """How far the recordings are from their places in the file `made`, at worst, in seconds.

    Such a place is where the camera hears the same, but for what the plan has moved on purpose.
    Those count of which it can be told, and None stands for none: the place was not sure, the two
    are too unlike, or heard together. Raises ChildFailedError or StalledError.
    """
    looks = _looks(plan)
    if not looks or plan.moved_s is None:
        return None
    shown = plan.timeline.video
    late_s = plan.moved_s - float(shown.source_in - shown.start)
    tracks = (
        camera_track(plan.inputs.video, plan.inputs.video.audio[0]),
        *(recorder_track(_output_info(plan, made, look)) for look in looks),
    )
    with ExitStack() as opened:
        stores = [
            opened.enter_context(Store(1, track.sample_type, track.duration_s)) for track in tracks
        ]
        crew = opened.enter_context(Crew(ffmpeg, cores))
        (camera, *outputs) = (
            Hearing(track, (MIX,), crew, store) for track, store in zip(tracks, stores, strict=True)
        )
        found = [
            _compared(camera, output, [time - late_s for time in look.times], late_s)
            for look, output in zip(looks, outputs, strict=True)
        ]
    return max((one for one in found if one is not None), default=None)


def _looks(plan: Plan) -> list[_Look]:
    """Where each recording with a sure place is looked at."""
    if _is_mixed_with_camera(plan):
        return []
    looks = []
    for source, alignment in enumerate((plan.alignment, *plan.more_alignments), RECORDER):
        if alignment.method is AlignmentMethod.CONTENT and alignment.verdict is Verdict.MATCHED:
            times = tuple(_times(plan.timeline, source))
            if times:
                looks.append(_Look(source=source, track=_track(plan.timeline, source), times=times))
    return looks


def _times(timeline: Timeline, source: int) -> list[float]:
    """The middles of windows of the output in which a recording is heard, best without others."""
    shown = timeline.video
    spans = [
        (max(part.start, shown.start), min(part.end, shown.end))
        for part in timeline.audio
        if part.source == source
    ]
    others = [
        (part.start, part.end)
        for part in timeline.audio
        if timeline.mix and part.source not in (source, CAMERA)
    ]
    alone = list(_without(spans, others))
    return _windows(alone) or _windows(spans)


def _without(spans: Sequence[Span], others: Sequence[Span]) -> Iterator[Span]:
    """What no other span covers of some."""
    for begin, end in spans:
        at = begin
        for first, last in sorted(others):
            if at < min(first, end):
                yield at, min(first, end)
            at = max(at, last)
        if at < end:
            yield at, end


def _windows(spans: Sequence[Span]) -> list[float]:
    """The middles of windows in some stretches of the output."""
    return [time for begin, end in spans for time in _spread(begin, end, len(spans))]


def _is_mixed_with_camera(plan: Plan) -> bool:
    """Whether the camera is heard together with the recording: it is always in its own place."""
    return plan.timeline.mix and any(
        part.source == CAMERA and not (part.fade_in or part.fade_out)
        for part in plan.timeline.audio
    )


def _spread(begin: Fraction, end: Fraction, parts: int) -> list[float]:
    """The middles of windows in a stretch of the output."""
    span = float(end - begin)
    groups = max(GROUPS // parts, 2)
    if span <= groups * GROUP_S:
        count = int(span / WINDOW_S)
        middles = np.linspace(WINDOW_S / 2, span - WINDOW_S / 2, count)
    else:
        begins = np.linspace(0.0, span - GROUP_S, groups)
        middles = np.add.outer(begins, np.arange(GROUP_S) + WINDOW_S / 2).ravel()
    return [float(begin) + float(middle) for middle in middles]


def _compared(
    camera: Hearing, output: Hearing, shown_at: Sequence[float], late_s: float
) -> float | None:
    """How far from `late_s` behind the camera the output is at worst, in seconds.

    `shown_at` are times of the picture. None where it cannot be told.
    """
    lead = camera.track.lead_s
    times = [time - lead for time in shown_at if camera.track.sought or time < NEAR_S]
    if not times:
        return None
    line = Map(lag_s=late_s + lead, slope=0.0)
    half = WINDOW_S / 2 + REACH_S + 0.1
    for hearing, lag in ((camera, 0.0), (output, line.lag_s)):
        hearing.fetch([(time + lag - half, time + lag + half) for time in times])
    pairs = read_pairs(camera.read, output.read, line, times, WINDOW_S, REACH_S)
    stack = stack_lines(cross_spectra(pairs, line, REACH_S), line, 0.0, REACH_S)
    if stack is None or stack.height < SURE_HEIGHT:
        return None
    fine = refine(pairs, stack)
    if fine is None or fine.lag_error_s > SURE_S:
        return None
    off = [fine.line.recorder_time(time) - line.recorder_time(time) for time in times]
    return float(np.abs(off).max())


def _output_info(plan: Plan, made: str, look: _Look) -> MediaInfo:
    """What is known of the output without probing it: its track with a recording."""
    timeline = plan.timeline
    stream = AudioStream(
        index=1 + look.track,
        codec="aac",
        profile="LC",
        sample_rate=AUDIO_RATE,
        channels=2,
        layout="stereo",
        bit_rate=None,
        time_base=Fraction(1, AUDIO_RATE),
        start_pts=0,
        duration_ts=round(timeline.duration * AUDIO_RATE),
        packets=None,
        gaps=False,
    )
    if plan.audio is Action.COPY:
        own = plan.recipe.source(look.source).audio[0]
        stream = replace(
            stream, sample_rate=own.sample_rate, channels=own.channels, layout=own.layout
        )
    return MediaInfo(
        path=made,
        container="mov",
        size_bytes=None,
        modified_ns=None,
        supported=True,
        audio=(stream,),
    )


def _track(timeline: Timeline, source: int) -> int:
    """Which of the output's audio tracks holds a recording."""
    if timeline.mix:
        return 0
    tracks = timeline.audio_tracks
    return next(n for n, track in enumerate(tracks) if track.segments[0].source == source)
