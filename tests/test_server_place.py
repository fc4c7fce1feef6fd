"""A recording that is moved by hand: the picture's cuts stay, and the film does not grow."""

from __future__ import annotations

from fractions import Fraction

import pytest

from avpipe.errors import RequestError
from avpipe.montage.values import Clip, Montage, Track, TrackKind
from avpipe.server.page_api import moved_by


def clip(source: str, start: str, first: str, last: str, clock: str = "1") -> Clip:
    (at, begin, end, rate) = map(Fraction, (start, first, last, clock))
    return Clip(source=source, start=at, source_in=begin, source_out=end, clock=rate)


def edit(pictures: list[Clip], sounds: list[Clip]) -> Montage:
    video = Track(kind=TrackKind.VIDEO, clips=tuple(pictures))
    return Montage(tracks=(video, Track(kind=TrackKind.AUDIO, clips=tuple(sounds))))


def moved(montage: Montage, shift: str, length: str | None = "22") -> list[tuple[float, ...]]:
    known = None if length is None else Fraction(length)
    after = moved_by(montage, "wav", Fraction(shift), length=known)
    assert after.tracks[0] == montage.tracks[0]
    sounds = after.tracks[1].clips
    return [(float(c.start), float(c.end), float(c.source_in), float(c.source_out)) for c in sounds]


def test_a_recording_longer_than_the_film_covers_it_wherever_it_is_moved() -> None:
    whole = edit([clip("mp4", "0", "0", "20")], [clip("wav", "0", "1", "21")])
    assert moved(whole, "0.5") == [(0, 20, 0.5, 20.5)]
    assert moved(whole, "-0.5") == [(0, 20, 1.5, 21.5)]
    assert moved(whole, "1.5") == [(0.5, 20, 0, 19.5)]  # it has no more before
    assert moved(whole, "-1.5") == [(0, 19.5, 2.5, 22)]  # nor after
    assert moved(whole, "-0.5", None) == [(0, 19.5, 1.5, 21)]


def test_there_and_back_is_where_it_was() -> None:
    whole = edit([clip("mp4", "0", "0", "20")], [clip("wav", "0", "0", "20")])
    there = moved_by(whole, "wav", Fraction(3, 4), length=Fraction(22))
    assert there.duration == 20
    assert moved_by(there, "wav", Fraction(-3, 4), length=Fraction(22)) == whole


def test_cuts_of_the_picture_stay_and_what_is_heard_there_moves() -> None:
    pictures = [clip("mp4", "0", "0", "5"), clip("mp4", "5", "8", "20")]
    sounds = [clip("wav", "0", "1", "6"), clip("wav", "5", "9", "21")]
    assert moved(edit(pictures, sounds), "0.25") == [(0, 5, 0.75, 5.75), (5, 17, 8.75, 20.75)]


def test_what_lies_apart_from_the_pictures_ends_is_moved_as_a_whole() -> None:
    music = clip("other", "0", "0", "30")
    apart = edit([clip("mp4", "0", "0", "20")], [clip("wav", "3", "2", "7", "1.0001"), music])
    assert moved(apart, "0.25")[0] == pytest.approx((3.25, 3.25 + 5 / 1.0001, 2, 7))
    assert moved(apart, "0.25")[1] == (0, 30, 0, 30)
    with pytest.raises(RequestError, match="not on the timeline"):
        moved_by(apart, "flac", Fraction(1), length=None)
