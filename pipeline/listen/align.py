"""Where the sound of one file belongs on the time line of another."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.listening import MIX, Stretch, Track, camera_track, recorder_track
from avpipe.codecs.process import give_back_memory
from avpipe.codecs.standby import let_go
from avpipe.listen.crew import Crew
from avpipe.listen.hearing import Hearing, Wave, around, samples_of, whole
from avpipe.listen.hints import Hint, first_guess
from avpipe.listen.store import Store
from avpipe.media import Alignment, AlignmentMethod, Doubt, MediaInfo, Verdict
from avpipe.recipe import MOST_CHANNELS
from avpipe.updates import Progress, result_of

if TYPE_CHECKING:
    from avpipe.sync.engine import Found, Residual

STAGE = "listen"
LONG_S = 1200.0
"""From here on not all is decoded where parts of it may do."""
HINTED_S = 600.0
"""From here on the tags say where to listen first."""
_LEAST_HINTED_S = 10.0
"""What both have to hold by the tags: less is no proof of a place."""
_WORTH_HINTING = 0.85
"""How much of both is listened to at the most by the tags, which may be wrong."""
_SAMPLED = (8, 60)
"""How many stretches of how many seconds are heard of a long camera first."""
_MOST_TRACKS = 4
_SINGLE_CHANNELS = 4
_LOOK_S = 0.1
_RANK = {Verdict.MATCHED: 2, Verdict.UNCERTAIN: 1, Verdict.UNRELATED: 0}


def align_files(video: MediaInfo, audio: MediaInfo, *, ffmpeg: Ffmpeg, cores: int) -> Alignment:
    """Where the audio belongs on the video's time line, 0 being the first frame shown.

    Raises ChildFailedError or StalledError where a file cannot be decoded.
    """
    return result_of(align_steps(video, audio, ffmpeg=ffmpeg, cores=cores))


def align_steps(
    video: MediaInfo, audio: MediaInfo, *, ffmpeg: Ffmpeg, cores: int
) -> Generator[Progress, None, Alignment]:
    """As `align_files`; tells on the way how far it is."""
    heard = yield from listen(video, audio, ffmpeg=ffmpeg, cores=cores)
    return heard.alignment


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Heard:
    """An alignment, and what a picture of it shows."""

    alignment: Alignment
    camera: Wave | None = None
    """None where the video has no sound, or where no waves were asked for."""
    recorder: Wave | None = None
    residuals: tuple[Residual, ...] = ()
    """On the time line of the picture."""


def listen(
    video: MediaInfo, audio: MediaInfo, *, ffmpeg: Ffmpeg, cores: int, waves: bool = False
) -> Generator[Progress, None, Heard]:
    """As `align_steps`, with what a picture shows; for `waves` both files are decoded whole."""
    began = time.monotonic()
    if not video.audio or not audio.audio:
        return _timed(Heard(alignment=_guessed(video, audio, ffmpeg, Doubt.NO_AUDIO)), began)
    best: Heard | None = None
    usable = [stream for stream in video.audio if stream.channels <= MOST_CHANNELS]
    for stream in (usable or video.audio)[:_MOST_TRACKS]:
        tracks = (camera_track(video, stream), recorder_track(audio))
        found = yield from _listen_to(tracks, Ears(ffmpeg=ffmpeg, cores=cores, waves=waves))
        if best is None or _worth(found.alignment) > _worth(best.alignment):
            best = found
        if best.alignment.verdict is Verdict.MATCHED:
            break
    assert best is not None
    if best.alignment.reason is Doubt.SILENT:
        best = replace(best, alignment=_guessed(video, audio, ffmpeg, Doubt.SILENT))
    return _timed(best, began)


def _guessed(video: MediaInfo, audio: MediaInfo, ffmpeg: Ffmpeg, reason: Doubt) -> Alignment:
    """What a clap or the tags say where the camera heard nothing."""
    from avpipe.listen.slate import guess  # only for videos that are mute

    return guess(video, audio, ffmpeg, reason)


def _timed(heard: Heard, began: float) -> Heard:
    elapsed_s = round(time.monotonic() - began, 3)
    return replace(heard, alignment=replace(heard.alignment, elapsed_s=elapsed_s))


def _worth(found: Alignment) -> tuple[int, float]:
    """What decides between the video's sound tracks."""
    return _RANK[found.verdict or Verdict.UNRELATED], found.confidence or 0.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ears:
    """With what is listened, and for what."""

    ffmpeg: Ffmpeg
    cores: int
    waves: bool


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Attempt:
    """What is heard of two tracks before they are compared."""

    picks: tuple[tuple[int, ...], tuple[int, ...]]
    """Of the camera and of the recorder."""
    stretches: tuple[tuple[Stretch, ...], tuple[Stretch, ...]]
    hint: Hint | None = None
    """What was listened for: found elsewhere, the tags are wrong and nothing is sure."""

    def settles(self, found: Alignment) -> bool:
        """Whether nothing more has to be listened to."""
        if found.verdict is not Verdict.MATCHED or found.offset_s is None:
            return False
        return self.hint is None or abs(found.offset_s - self.hint.offset_s) <= self.hint.within_s


def _attempts(camera: Track, recorder: Track, ears: Ears) -> Iterator[_Attempt]:
    """From the cheapest to the most thorough."""
    tracks = (camera, recorder)
    everything = (whole(camera), whole(recorder))
    thorough = (_picks(camera), _picks(recorder))
    hinted = _hinted(camera, recorder)
    if hinted is not None and not ears.waves:
        yield hinted
    if any((track.duration_s or 0.0) > LONG_S for track in tracks):
        sampled = everything
        if camera.sought and not ears.waves and (camera.duration_s or 0.0) > LONG_S:
            sampled = (samples_of(camera, *_SAMPLED), everything[1])
        yield _Attempt(picks=((MIX,), (MIX,)), stretches=sampled)
        if thorough == ((MIX,), (MIX,)) and sampled == everything:
            return
    yield _Attempt(picks=thorough, stretches=everything)


def _hinted(camera: Track, recorder: Track) -> _Attempt | None:
    """The same moments of both by what their tags say, where one is long and can be sought.

    As with any attempt, what the engine is not sure of is listened to again, and then whole.
    """
    hint = first_guess(camera.info, recorder.info)
    (ours_s, theirs_s) = (camera.duration_s or 0.0, recorder.duration_s or 0.0)
    if hint is None or max(ours_s, theirs_s) < HINTED_S:
        return None
    offset_s = hint.offset_s - camera.lead_s
    begin_s = max(offset_s + hint.within_s, 0.0)
    end_s = min(offset_s + theirs_s - hint.within_s, ours_s)
    if end_s - begin_s < _LEAST_HINTED_S:
        return None
    (count, length_s) = _SAMPLED
    if end_s - begin_s > count * length_s:
        some = samples_of(camera, count, length_s, (begin_s, end_s))
    else:
        some = (Stretch(begin_s=math.floor(begin_s), end_s=math.ceil(end_s)),)
    ours = around(camera, some, 0.0, 0.0) if camera.sought else whole(camera)
    theirs = around(recorder, some, -offset_s, hint.within_s) if recorder.sought else None
    stretches = (ours, theirs or whole(recorder))
    if _seconds((camera, recorder), stretches) > _WORTH_HINTING * (ours_s + theirs_s):
        return None
    return _Attempt(picks=((MIX,), (MIX,)), stretches=stretches, hint=hint)


def _picks(track: Track) -> tuple[int, ...]:
    """The mix, and the first channels."""
    if track.stream.channels == 1:
        return (MIX,)
    return (MIX, *range(min(track.stream.channels, _SINGLE_CHANNELS)))


def _listen_to(tracks: tuple[Track, Track], ears: Ears) -> Generator[Progress, None, Heard]:
    """Listen to as much as it takes to be sure."""
    heard: Heard | None = None
    is_long = any((track.duration_s or 0.0) > LONG_S for track in tracks)
    if is_long:
        let_go()  # the process that probed them takes 60 MB, and is soon started anew
    for attempt in _attempts(*tracks, ears):
        if is_long:
            give_back_memory()  # what the attempt before was given to compare
        crew = Crew(ears.ffmpeg, ears.cores)
        with _hearings(tracks, attempt.picks, crew) as hearings:
            if is_long:
                give_back_memory()  # what the tables of their files took to be read
            work = [
                future
                for hearing, stretches in zip(hearings, attempt.stretches, strict=True)
                for future in hearing.start(stretches)
            ]
            with _short_turns():
                import avpipe.sync.engine  # noqa: F401 (80 ms, in which the decoders start)

            yield from _followed(work, crew, tracks, attempt)
            (camera, recorder) = hearings
            if is_long:
                give_back_memory()  # what the decoders' threads were given and need no more
            if not (camera.is_short or recorder.is_short):
                heard = _compared(hearings, ears)
        if heard is None:
            damaged = (replace(tracks[0], damaged=True), replace(tracks[1], damaged=True))
            return (yield from _listen_to(damaged, ears))
        if attempt.settles(heard.alignment):
            break
    assert heard is not None
    return heard


@contextmanager
def _short_turns() -> Iterator[None]:
    """Let threads that hand over sound come in after 0.5 ms, and not after 5: a pipe is soon full.

    An import would not let them.
    """
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    try:
        yield
    finally:
        sys.setswitchinterval(usual_s)


def _compared(hearings: tuple[Hearing, Hearing], ears: Ears) -> Heard:
    """What the engine says of what was heard."""
    from avpipe.sync.engine import align

    (camera, recorder) = hearings
    found = align(camera.source(), recorder.source())
    lead_s = camera.track.lead_s
    return Heard(
        alignment=as_alignment(found, lead_s),
        camera=camera.wave(found.channels[0]) if ears.waves else None,
        recorder=recorder.wave(found.channels[1]) if ears.waves else None,
        residuals=tuple(replace(one, time_s=one.time_s + lead_s) for one in found.residuals),
    )


@contextmanager
def _hearings(
    tracks: tuple[Track, Track], picks: tuple[tuple[int, ...], tuple[int, ...]], crew: Crew
) -> Iterator[tuple[Hearing, Hearing]]:
    """A hearing for each track."""
    stores = tuple(
        Store(len(rows), track.sample_type, track.duration_s)
        for track, rows in zip(tracks, picks, strict=True)
    )
    with stores[0], stores[1], crew:
        yield (
            Hearing(tracks[0], picks[0], crew, stores[0]),
            Hearing(tracks[1], picks[1], crew, stores[1]),
        )


def _followed(
    work: Sequence[Future[int]], crew: Crew, tracks: Sequence[Track], attempt: _Attempt
) -> Iterator[Progress]:
    """Wait for the work, telling how far it is; the first error ends it."""
    total = _seconds(tracks, attempt.stretches)
    began = time.monotonic()
    while True:
        (done, left) = wait(work, timeout=_LOOK_S, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
        if not left:
            return
        share = min(crew.heard_s / max(total, 1.0), 1.0)
        speed = crew.heard_s / max(time.monotonic() - began, 1e-3)
        yield Progress(
            stage=STAGE,
            done=share,
            speed=round(speed, 1),
            eta_s=round((total - crew.heard_s) / speed, 1) if speed and share < 1 else None,
        )


def _seconds(tracks: Sequence[Track], stretches: Sequence[Sequence[Stretch]]) -> float:
    """How much the stretches of all tracks are."""
    return sum(
        _length_s(one, track) for track, some in zip(tracks, stretches, strict=True) for one in some
    )


def _length_s(stretch: Stretch, track: Track) -> float:
    end = track.duration_s or 0.0 if stretch.end_s is None else stretch.end_s
    return max(end - stretch.begin_s, 0.0)


def as_alignment(found: Found, lead_s: float) -> Alignment:
    """The result on the time line of the picture, which the camera's sound joins at `lead_s`."""
    return Alignment(
        method=AlignmentMethod.CONTENT,
        verdict=found.verdict,
        offset_s=None if found.offset_s is None else found.offset_s + lead_s,
        drift_ppm=found.drift_ppm,
        confidence=found.confidence,
        offset_error_s=found.offset_error_s,
        drift_error_ppm=found.drift_error_ppm,
        overlap_s=found.overlap_s,
        reason=found.reason,
        pieces=tuple(replace(piece, offset_s=piece.offset_s + lead_s) for piece in found.pieces),
        candidates=tuple(
            replace(other, offset_s=other.offset_s + lead_s) for other in found.candidates
        ),
        inverted=found.inverted,
    )
