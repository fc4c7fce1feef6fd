"""Where a sound may belong in a video that heard nothing: by what is seen, and by tags."""

from __future__ import annotations

from avpipe.codecs.excerpts import EXCERPT_RATE, read_excerpts
from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.motion import frame_rate, read_changes
from avpipe.listen.hints import Hint, first_guess
from avpipe.media import (
    Alignment,
    AlignmentMethod,
    Candidate,
    Doubt,
    MediaInfo,
    Verdict,
)
from avpipe.sync.clap import Place, picture_events, places, sound_events

SEEN_S = 60.0
"""How much of the picture is looked at, from its start: that is where a slate is."""
HEARD_S = 600.0
"""How much of the sound: a recorder may have been started long before."""
_MOST_OTHERS = 4


def guess(video: MediaInfo, audio: MediaInfo, ffmpeg: Ffmpeg, reason: Doubt) -> Alignment:
    """The best guess of where a sound belongs that no camera heard; never certain.

    A clap is looked for, where tags tell the time only near what they tell; without one that is
    the guess. How probable it is, is not known: `confidence` is 0. Raises ChildFailedError or
    StalledError where a file cannot be decoded.
    """
    hint = first_guess(video, audio)
    found = _claps(video, audio, ffmpeg, hint)
    if found:
        return _alignment(reason, found[0].offset_s, float(1 / frame_rate(video)), found[1:])
    if hint is not None:
        return _alignment(reason, hint.offset_s, hint.within_s, ())
    return _alignment(reason, None, None, ())


def _claps(
    video: MediaInfo, audio: MediaInfo, ffmpeg: Ffmpeg, hint: Hint | None
) -> tuple[Place, ...]:
    if not video.video or video.picture is not None or not audio.audio:
        return ()
    rate = frame_rate(video)
    length_s = min(HEARD_S, audio.duration_s or HEARD_S)
    changes = read_changes(ffmpeg, video, SEEN_S)
    sound = read_excerpts(ffmpeg, audio, audio.audio[0], [0.0], length_s)[0]
    near = None
    if hint is not None:
        near = (hint.offset_s - hint.within_s, hint.offset_s + hint.within_s)
    return places(
        picture_events(changes, float(rate)),
        sound_events(sound, EXCERPT_RATE),
        frame_s=float(1 / rate),
        near=near,
    )


def _alignment(
    reason: Doubt, offset_s: float | None, error_s: float | None, others: tuple[Place, ...]
) -> Alignment:
    return Alignment(
        method=AlignmentMethod.CONTENT,
        verdict=Verdict.UNRELATED if offset_s is None else Verdict.UNCERTAIN,
        offset_s=offset_s,
        drift_ppm=None if offset_s is None else 0.0,
        offset_error_s=error_s,
        confidence=0.0,
        overlap_s=0.0,
        reason=reason,
        candidates=tuple(
            Candidate(offset_s=other.offset_s, drift_ppm=0.0, confidence=0.0)
            for other in others[:_MOST_OTHERS]
        ),
        elapsed_s=0.0,
    )
