"""What is seen and heard when: tracks of segments, in exact seconds.

A merge is a timeline with one video track and some audio tracks. Where a video track has no
segment, its nearest frame is held; where an audio track has none, there is silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction


class TrackKind(StrEnum):
    """What a track holds."""

    VIDEO = "video"
    AUDIO = "audio"


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A stretch of one stream of one source, placed on the timeline."""

    source: int
    """Which of the inputs: 0 is the first."""
    stream: int
    """The stream's number in that file."""
    start: Fraction
    """Where it begins on the timeline, in seconds."""
    source_in: Fraction
    """Where it begins in the source, in seconds from the first frame or sample of the stream."""
    source_out: Fraction
    """Where it ends in the source."""
    gain_db: float = 0.0
    speed: Fraction = Fraction(1)
    """Seconds of the source in a second of the timeline: a sound is resampled by it."""
    fade_in: Fraction = Fraction(0)
    """How long it rises from silence at its start, in seconds, linearly."""
    fade_out: Fraction = Fraction(0)
    """How long it falls to silence at its end."""

    @property
    def duration(self) -> Fraction:
        """How long it lasts on the timeline, in seconds."""
        return (self.source_out - self.source_in) / self.speed

    @property
    def end(self) -> Fraction:
        """Where it ends on the timeline, in seconds."""
        return self.start + self.duration


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """Segments of one kind, in the order of time; where two neighbours overlap, both are heard."""

    kind: TrackKind
    segments: tuple[Segment, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """An edit: everything that is needed to draw and sound it, but the files."""

    duration: Fraction
    """Of the whole, in seconds."""
    width: int
    """Of the picture, in pixels, upright."""
    height: int
    tracks: tuple[Track, ...]
    mix: bool = False
    """Whether the audio tracks are heard as one, not offered as several."""

    @property
    def video(self) -> Segment:
        """The one stretch of picture of a merge."""
        ((segment,),) = (t.segments for t in self.tracks if t.kind is TrackKind.VIDEO)
        return segment

    @property
    def audio_tracks(self) -> tuple[Track, ...]:
        """The tracks that are heard."""
        return tuple(track for track in self.tracks if track.kind is TrackKind.AUDIO)

    @property
    def audio(self) -> tuple[Segment, ...]:
        """Every stretch of sound, track by track."""
        return tuple(segment for track in self.audio_tracks for segment in track.segments)
