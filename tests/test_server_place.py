"""A recording that is moved by hand: the picture's cuts stay, and the film does not grow."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from avpipe.edits.beside import Alignments
from avpipe.edits.placing import move_sound
from avpipe.errors import RequestError
from avpipe.media import Alignment, AlignmentMethod, Piece, Verdict
from avpipe.montage.values import Clip, Montage, Role, Track, TrackKind


def clip(source: str, start: str, first: str, last: str, clock: str = "1") -> Clip:
    (at, begin, end, rate) = map(Fraction, (start, first, last, clock))
    return Clip(source=source, start=at, source_in=begin, source_out=end, clock=rate)


def edit(pictures: list[Clip], sounds: list[Clip]) -> Montage:
    video = Track(kind=TrackKind.VIDEO, clips=tuple(pictures))
    return Montage(tracks=(video, Track(kind=TrackKind.AUDIO, clips=tuple(sounds))))


def moved_by(
    montage: Montage,
    source: str,
    shift: Fraction,
    *,
    length: Fraction | None,
    known: Alignments | None = None,
) -> Montage:
    return move_sound(montage, source, shift, (), length=length, known=known or {})


def found(*pieces: tuple[float, float, float], drift_ppm: float = 0) -> Alignments:
    """What is known of a recording: from when to when in it, and by how much later in the video."""
    made = tuple(
        Piece(audio_start_s=first, audio_end_s=last, offset_s=later, drift_ppm=drift_ppm)
        for first, last, later in pieces
    )
    alignment = Alignment(
        method=AlignmentMethod.CONTENT,
        verdict=Verdict.MATCHED if made else Verdict.UNCERTAIN,
        pieces=made,
    )
    return {("mp4", "wav"): alignment}


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
    with pytest.raises(RequestError, match="nothing of that sound would be heard"):
        moved_by(apart, "wav", Fraction(-30), length=None)


def heard(montage: Montage) -> list[tuple[str | None, float, float, float]]:
    """Every sound, by its file, its place, and where in the file that is."""
    clips = [clip for track in montage.of(TrackKind.AUDIO) for clip in track.clips]
    return [(c.source, float(c.start), float(c.end), float(c.source_in)) for c in clips]


def recorded(pictures: list[Clip], sounds: list[Clip]) -> Montage:
    """As a merge leaves it: the pictures silenced, the sounds called speech."""
    made = edit([replace(picture, volume=0.0) for picture in pictures], sounds)
    (video, audio) = made.tracks
    return replace(made, tracks=(video, replace(audio, role=Role.SPEECH)))


def test_the_cameras_own_sound_follows_the_ends_of_the_recording() -> None:
    film = [clip("mp4", "0", "0", "5"), clip("mp4", "5", "8", "23")]
    cut = recorded(film, [clip("wav", "2", "0", "3"), clip("wav", "5", "6", "12")])
    there = moved_by(cut, "wav", Fraction(1), length=Fraction(12), known=found())
    own = [("mp4", 0, 3, 0), ("mp4", 12, 20, 15)]
    assert heard(there) == [("wav", 3, 5, 0), ("wav", 5, 12, 5), *own]
    quiet = replace(
        there,
        tracks=(
            *there.tracks[:2],
            *(
                replace(t, clips=tuple(replace(c, volume=0.5) for c in t.clips))
                for t in there.tracks[2:]
            ),
        ),
    )
    back = moved_by(quiet, "wav", Fraction(-2), length=Fraction(12))
    own = [("mp4", 0, 1, 0), ("mp4", 10, 20, 13)]
    assert heard(back) == [("wav", 1, 5, 0), ("wav", 5, 10, 7), *own]
    assert {clip.volume for clip in back.tracks[2].clips} == {0.5}  # as it was made
    with pytest.raises(RequestError, match="lies where its picture does"):
        moved_by(back, "mp4", Fraction(1), length=Fraction(23))


def test_what_was_moved_out_of_a_film_in_pieces_comes_back() -> None:
    """By what is known of the alignment, not by what is left of the move before."""
    film = [clip("mp4", "0", "0", "5"), clip("mp4", "5", "8", "23")]
    cut = recorded(film, [clip("wav", "0", "0", "5"), clip("wav", "5", "8", "12")])
    known = found((0, 12, 0))

    def moves(montage: Montage, *shifts: float) -> Montage:
        for shift in shifts:
            montage = moved_by(montage, "wav", Fraction(shift), length=Fraction(12), known=known)
        return montage

    gone = moves(cut, 6)
    assert heard(gone) == [("wav", 5, 15, 2), ("mp4", 0, 5, 0), ("mp4", 15, 20, 18)]
    assert heard(moves(gone, -6)) == [("wav", 0, 5, 0), ("wav", 5, 9, 8), ("mp4", 9, 20, 12)]
    assert heard(moves(gone, -5)) == heard(moves(cut, 1))
    assert heard(moves(gone, -7, 1.5)) == heard(moves(cut, 0.5))


def test_so_does_a_piece_of_a_recorder_that_was_paused() -> None:
    film = recorded([clip("mp4", "0", "0", "20")], [clip("wav", "0", "0", "4")])
    known = found((0, 4, 0), (4, 12, 2))
    both = moved_by(film, "wav", Fraction(0), length=Fraction(12), known=known)
    assert heard(both)[:2] == [("wav", 0, 4, 0), ("wav", 6, 14, 4)]
    gone = moved_by(both, "wav", Fraction(-5), length=Fraction(12), known=known)
    assert heard(gone)[0] == ("wav", 1, 9, 4)
    assert heard(moved_by(gone, "wav", Fraction(5), length=Fraction(12), known=known)) == heard(
        both
    )


def test_at_another_speed_it_is_moved_by_the_time_of_the_timeline() -> None:
    def fast(one: Clip) -> Clip:
        return replace(one, speed=Fraction(2))

    pictures = [fast(clip("mp4", "0", "0", "10")), fast(clip("mp4", "5", "14", "20"))]
    sounds = [fast(clip("wav", "0", "0", "10")), fast(clip("wav", "5", "14", "20"))]
    film = recorded(pictures, sounds)
    known = found((0, 20, 0))
    there = moved_by(film, "wav", Fraction(6), length=Fraction(20), known=known)
    assert heard(there) == [("wav", 5, 8, 2), ("mp4", 0, 5, 0)]
    back = moved_by(there, "wav", Fraction(-6), length=Fraction(20), known=known)
    assert heard(back) == heard(film)


def test_so_does_all_of_what_was_heard_beside_one_of_two_videos() -> None:
    """How far it was moved, the sound beside the other one tells."""
    other = replace(clip("mov", "10", "0", "10"), volume=0.0)
    film = recorded([clip("mp4", "0", "0", "10"), other], [clip("wav", "0", "0", "10")])
    ((_, certain),) = found((0, 10, 0)).items()
    late = replace(
        certain, pieces=(Piece(audio_start_s=20, audio_end_s=30, offset_s=-20, drift_ppm=0),)
    )
    known = {("mp4", "wav"): certain, ("mov", "wav"): late}

    def moves(montage: Montage, *shifts: float) -> Montage:
        for shift in shifts:
            montage = moved_by(montage, "wav", Fraction(shift), length=Fraction(30), known=known)
        return montage

    both = moves(film, 0)
    assert heard(both) == [("wav", 0, 10, 0), ("wav", 10, 20, 20)]
    assert heard(moves(both, 12)) == [("wav", 10, 20, 8), ("mp4", 0, 10, 0)]
    assert heard(moves(both, 12, -12)) == heard(both)


def test_a_stretch_that_was_muted_is_moved_with_its_sound_and_fades_stay_at_the_ends() -> None:
    sounds = [clip("wav", "0", "1", "3"), clip("wav", "2", "3", "4"), clip("wav", "3", "4", "6")]
    film = recorded([clip("mp4", "0", "0", "5")], sounds)
    (video, audio) = film.tracks
    (first, muted, last) = audio.clips
    spoken = (replace(first, fade_in=Fraction(1)), replace(muted, volume=0.0), last)
    film = replace(film, tracks=(video, replace(audio, clips=spoken)))
    after = moved_by(film, "wav", Fraction(1, 2), length=Fraction(8), known=found((0, 8, -1)))
    spoken = after.tracks[1].clips
    assert heard(after) == [("wav", 0, 2.5, 0.5), ("wav", 2.5, 3.5, 3), ("wav", 3.5, 5, 4)]
    assert [(c.volume, c.fade_in) for c in spoken] == [(1, 1), (0, 0), (1, 0)]


def test_a_song_leaves_silence_and_a_picture_that_is_heard_needs_no_fill() -> None:
    song = recorded([clip("mp4", "0", "0", "20")], [clip("song", "0", "0", "20")])
    after = move_sound(song, "song", Fraction(1), (), length=Fraction(20), known={})
    assert heard(after) == [("song", 1, 20, 0)]
    mixed = edit([clip("mp4", "0", "0", "20")], [clip("wav", "0", "0", "20")])
    after = moved_by(mixed, "wav", Fraction(1), length=Fraction(20), known=found())
    assert heard(after) == [("wav", 1, 20, 0)]
