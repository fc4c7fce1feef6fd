"""The exact place and the drift near a place that is known: single windows, no search."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.listening import MIX, WHOLE, Track, camera_track, recorder_track
from avpipe.listen.crew import Crew
from avpipe.listen.hearing import Hearing
from avpipe.listen.store import Store
from avpipe.media import Alignment, AlignmentMethod, Doubt, MediaInfo, Verdict
from avpipe.sync.engine import offset_of
from avpipe.sync.fine import Fine, refine
from avpipe.sync.planning import plan_windows
from avpipe.sync.stack import stack_lines
from avpipe.sync.windows import Map, cross_spectra, read_pairs

WITHIN_S = 0.25
"""How far the true place may be from the given one."""
MOST_WINDOWS = 40
_FIRST_S = 240.0
"""What the first look takes of the overlap: the drift moves the ends of more out of reach."""
_FIRST_SLOPE = 110e-6
_REACH_S = 0.03
_LEAST_HEIGHT = 9.0
_LEAST_INLIERS = 0.5
_LEAST_OVERLAP_S = 1.0


def align_near(
    video: MediaInfo,
    audio: MediaInfo,
    offset_s: float,
    *,
    ffmpeg: Ffmpeg,
    cores: int,
    within_s: float = WITHIN_S,
    windows: int = MOST_WINDOWS,
) -> Alignment:
    """The exact offset and drift near `offset_s`, from so many windows over what both have.

    Where nothing is found within `within_s`, the verdict is `uncertain` and the offset is the one
    that was given. Raises ChildFailedError or StalledError where a file cannot be decoded.
    """
    began = time.monotonic()
    if not video.audio or not audio.audio:
        return _given(offset_s, Doubt.NO_AUDIO, began)
    tracks = (camera_track(video, video.audio[0]), recorder_track(audio))
    with _hearings(tracks, ffmpeg, cores) as hearings:
        line = Map(lag_s=tracks[0].lead_s - offset_s, slope=0.0)
        fine = _measured(hearings, line, within_s, windows)
    if fine is None:
        return _given(offset_s, Doubt.UNRELATED, began)
    return _found(fine, tracks[0].lead_s, began)


@contextmanager
def _hearings(
    tracks: tuple[Track, Track], ffmpeg: Ffmpeg, cores: int
) -> Iterator[tuple[Hearing, Hearing]]:
    """Both tracks, decoded whole only where they cannot be sought."""
    stores = [Store(1, track.sample_type, track.duration_s) for track in tracks]
    with stores[0], stores[1], Crew(ffmpeg, cores) as crew:
        camera, recorder = (
            Hearing(track, (MIX,), crew, store) for track, store in zip(tracks, stores, strict=True)
        )
        work = [
            future
            for hearing in (camera, recorder)
            if not hearing.track.sought
            for future in hearing.start([WHOLE])
        ]
        for future in work:
            future.result()
        yield camera, recorder


def _measured(
    hearings: tuple[Hearing, Hearing], line: Map, within_s: float, windows: int
) -> Fine | None:
    """The line of the head of the overlap, then that of the whole."""
    (camera, recorder) = hearings
    lengths = (camera.duration_s, recorder.duration_s)
    (begin, end) = _overlap(line, *lengths)
    if end - begin < _LEAST_OVERLAP_S:
        return None
    head = min(begin + _FIRST_S, end)
    fine = _fitted(hearings, line, (begin, head), within_s, _FIRST_SLOPE, windows)
    if fine is None or head == end:
        return fine
    span = _overlap(fine.line, *lengths)
    return _fitted(hearings, fine.line, span, _REACH_S, fine.slope_error, windows) or fine


def _overlap(line: Map, camera_s: float, recorder_s: float) -> tuple[float, float]:
    """Begin and end of what both have, on the camera's time line."""
    return max(0.0, line.camera_time(0.0)), min(camera_s, line.camera_time(recorder_s))


def _fitted(
    hearings: tuple[Hearing, Hearing],
    line: Map,
    span: tuple[float, float],
    reach_s: float,
    slope_error: float,
    windows: int,
) -> Fine | None:
    """What windows spread over a span of the camera's time say of a line."""
    (camera, recorder) = hearings
    (times, length) = plan_windows(*span)
    times = _some(times, windows)
    half = length / 2 + reach_s
    camera.fetch([(time - half, time + half) for time in times])
    middles = [line.recorder_time(time) for time in times]
    half += reach_s + 0.1
    recorder.fetch([(middle - half, middle + half) for middle in middles])
    pairs = read_pairs(camera.read, recorder.read, line, times, length, reach_s)
    stack = stack_lines(cross_spectra(pairs, line, reach_s), line, slope_error, reach_s)
    if stack is None or stack.height < _LEAST_HEIGHT:
        return None
    fine = refine(pairs, stack, reach_s)
    return fine if fine is not None and fine.inliers >= _LEAST_INLIERS else None


def _some(times: Sequence[float], most: int) -> list[float]:
    """At most so many of them, evenly."""
    if len(times) <= most:
        return list(times)
    return [times[round(n * (len(times) - 1) / max(most - 1, 1))] for n in range(most)]


def _found(fine: Fine, lead_s: float, began: float) -> Alignment:
    offset = offset_of(fine.line)
    far = (offset - fine.middle_s) * fine.slope_error
    return Alignment(
        method=AlignmentMethod.OFFSET,
        verdict=Verdict.MATCHED,
        offset_s=offset + lead_s,
        drift_ppm=fine.line.slope * 1e6,
        offset_error_s=float((fine.lag_error_s**2 + far**2) ** 0.5),
        drift_error_ppm=fine.slope_error * 1e6,
        inverted=fine.inverted,
        elapsed_s=round(time.monotonic() - began, 3),
    )


def _given(offset_s: float, reason: Doubt, began: float) -> Alignment:
    return Alignment(
        method=AlignmentMethod.OFFSET,
        verdict=Verdict.UNCERTAIN,
        offset_s=offset_s,
        reason=reason,
        elapsed_s=round(time.monotonic() - began, 3),
    )
