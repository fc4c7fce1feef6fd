"""What the tags of two files say of their place: time code, or when each was recorded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

from avpipe.media import MediaInfo

TIMECODE_WITHIN_S = 2.0
"""Devices that were set to one time code drift apart by some frames a day."""
EXACT_WITHIN_S = 0.1
"""Two files of one recorder by its own time code."""
RECORDED_WITHIN_S = 5.0
"""Clocks that are set by hand or by a network, told in whole seconds."""
_DAY_S = 86_400
_FIRST_YEAR = 1990
"""Before that a clock was not set."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hint:
    """A first guess of where the audio's first sample belongs on the video's time line."""

    offset_s: float
    within_s: float
    """How far off it may be."""


def first_guess(video: MediaInfo, audio: MediaInfo) -> Hint | None:
    """The best guess that the tags allow; None where they tell nothing, or nothing that can be.

    A guess by which the two have nothing in common is of a clock that was not set.
    """
    for find, within_s in ((_time_of_day, TIMECODE_WITHIN_S), (_recorded, RECORDED_WITHIN_S)):
        (begun, heard) = (find(video), find(audio))
        if begun is None or heard is None:
            continue
        offset = float(heard - begun)
        if find is _time_of_day:
            offset = (offset + _DAY_S / 2) % _DAY_S - _DAY_S / 2
        if _overlap(offset, within_s, video, audio):
            return Hint(offset_s=offset, within_s=within_s)
    return None


def began(info: MediaInfo) -> Hint | None:
    """When a recording began: seconds since 1970 or, by a time code alone, since midnight."""
    for find, within_s in ((_time_of_day, EXACT_WITHIN_S), (_recorded, RECORDED_WITHIN_S)):
        moment = find(info)
        if moment is not None:
            return Hint(offset_s=float(moment), within_s=within_s)
    return None


def _overlap(offset_s: float, within_s: float, video: MediaInfo, audio: MediaInfo) -> bool:
    (ours, theirs) = (video.duration_s or 0.0, audio.duration_s or 0.0)
    return -theirs - within_s < offset_s < ours + within_s


def _time_of_day(info: MediaInfo) -> Fraction | None:
    """Seconds since midnight by time code, or by BWF's count of samples."""
    reference = info.metadata.get("time_reference", "")
    if reference.isdecimal() and int(reference) and info.audio:
        return Fraction(int(reference), info.audio[0].sample_rate)
    rate = info.video[0].frame_rate if info.video else None
    match = re.fullmatch(r"(\d\d):(\d\d):(\d\d)([:;.])(\d+)", info.metadata.get("timecode", ""))
    if match is None or not rate:
        return None
    (hours, minutes, seconds, frames) = (int(match[group]) for group in (1, 2, 3, 5))
    nominal = round(rate)
    count = ((hours * 60 + minutes) * 60 + seconds) * nominal + frames
    if match[4] != ":":  # SMPTE 12M drop-frame: numbers left out, but not each tenth minute
        total = hours * 60 + minutes
        count -= nominal // 15 * (total - total // 10)
    return count / rate


def _recorded(info: MediaInfo) -> Fraction | None:
    """Seconds since 1970 of the start of the recording."""
    text = info.metadata.get("creation_time", "")
    if re.fullmatch(r"\d\d:\d\d:\d\d", text):  # BWF has the day apart
        text = f"{info.metadata.get('date', '')}T{text}"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None  # a tag of another form tells nothing
    if moment.year < _FIRST_YEAR:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return Fraction(aware.timestamp())
