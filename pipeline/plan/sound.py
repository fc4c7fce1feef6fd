"""What is heard: the recordings where they belong, and the camera's own sound."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from avpipe.media import AudioStream, MediaInfo
from avpipe.plan.fill import filled
from avpipe.plan.layout import Layout
from avpipe.plan.lines import Line, cut_line
from avpipe.plan.request import AudioMode, Fill, Request
from avpipe.recipe import RECORDER
from avpipe.timeline import Segment


@dataclass(frozen=True, kw_only=True, slots=True)
class Sound:
    """All that is heard."""

    recordings: tuple[tuple[Segment, ...], ...]
    """The segments of each recording; one that lies outside the output has none."""
    fills: tuple[Segment, ...] = ()
    """The camera's sound where no recording is heard."""
    camera: tuple[Segment, ...] = ()
    """The camera's sound throughout, where it is kept."""


def sound_of(
    request: Request,
    layout: Layout,
    shown: Segment,
    video: MediaInfo,
    audio: Sequence[MediaInfo],
    lines: Sequence[Sequence[Line]],
    camera_gain_db: float,
) -> Sound:
    """Everything that is heard while the segment `shown` of the video is seen.

    `lines` are those of each recording; `camera_gain_db` brings the camera to their level.
    """
    recordings = tuple(
        tuple(_recorded(RECORDER + number, info.audio[0], some, layout))
        for number, (info, some) in enumerate(zip(audio, lines, strict=True))
    )
    heard = tuple(segments for segments in recordings if segments)
    if not video.audio:
        return Sound(recordings=heard)
    stream = video.audio[0].index
    if request.audio_mode is not AudioMode.REPLACE:
        kept = dataclasses.replace(shown, stream=stream, gain_db=request.camera_gain_db)
        return Sound(recordings=heard, camera=(kept,))
    if request.fill is Fill.SILENCE or video.picture is not None:
        return Sound(recordings=heard)
    (fills, faded) = filled(heard, shown, stream, camera_gain_db)
    return Sound(recordings=faded, fills=fills)


def _recorded(
    source: int, stream: AudioStream, lines: Sequence[Line], layout: Layout
) -> Iterator[Segment]:
    for line in lines:
        heard = cut_line(line, layout.origin, layout.duration)
        if heard is not None:
            (start, part) = heard
            yield Segment(
                source=source,
                stream=stream.index,
                start=start,
                source_in=part.source_in,
                source_out=part.source_out,
                speed=part.speed,
                fade_in=part.fade_in,
                fade_out=part.fade_out,
            )
