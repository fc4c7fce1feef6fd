"""Which files belong together, by their names and by figures of their content."""

from __future__ import annotations

import pytest

from avpipe.media import Alignment, AlignmentMethod, Doubt, Verdict
from avpipe.pairing.content import (
    are_neighbours,
    best_match,
    further_parts,
    is_covered,
    speaks_against,
    with_neighbours,
)
from avpipe.pairing.names import match_names
from avpipe.pairing.takes import join_parts
from avpipe.pairing.values import Match, NameDoubt, NameMatch, NameRule, Sound, Take


def takes(*names: str) -> list[Take]:
    return [Take(parts=(name,)) for name in names]


def named(videos: list[str], sounds: list[str]) -> dict[str, tuple[str, ...]]:
    """The recordings of each video: one, or those between which its name cannot tell."""
    found = {}
    for video, match in match_names(videos, takes(*sounds)).items():
        options = match.takes if isinstance(match, NameDoubt) else (match.take,)
        found[video] = tuple(take.parts[0] for take in options)
    return found


@pytest.mark.parametrize(
    ("video", "sound", "rule"),
    [
        ("/s/clip.mp4", "/s/clip.wav", NameRule.STEM),
        ("/s/Clip.MP4", "/s/clip.WAV", NameRule.STEM),
        ("/s/caf\u00e9.mp4", "/s/cafe\u0301.wav", NameRule.STEM),
        ("/s/clip.mp4", "/s/clip_audio.wav", NameRule.SUFFIX),
        ("/s/clip.mp4", "/s/clip-zoom.wav", NameRule.SUFFIX),
        ("/s/clip.mp4", "/s/clip.mix.wav", NameRule.SUFFIX),
        ("/s/scene 4_cam2.mov", "/s/scene 4_boom.wav", NameRule.SUFFIX),
        ("/s/C0012.MP4", "/s/ZOOM0012.WAV", NameRule.COUNTER),
        ("/s/MVI_0003.MOV", "/s/TASCAM_0003.wav", NameRule.COUNTER),
        ("/s/C0012.MP4", "/s/ZOOM0012_LR.WAV", NameRule.COUNTER),
        ("/card/video/clip.mp4", "/card/audio/clip.wav", NameRule.STEM),
    ],
)
def test_names_that_go_together(video: str, sound: str, rule: NameRule) -> None:
    (match,) = match_names([video], takes(sound)).values()
    assert isinstance(match, NameMatch)
    assert (match.take.parts, match.rule) == ((sound,), rule)


@pytest.mark.parametrize(
    ("video", "sound"),
    [
        ("/s/clip.mp4", "/s/other.wav"),
        ("/s/clip1.mp4", "/s/clip2.wav"),
        ("/s/C0012.MP4", "/s/ZOOM0013.WAV"),
        ("/s/2024-05-12.mp4", "/s/notes12.wav"),
    ],
)
def test_names_that_do_not(video: str, sound: str) -> None:
    assert match_names([video], takes(sound)) == {}


def test_the_same_folder_goes_before_others() -> None:
    found = named(["/a/C1.mp4", "/b/C1.mp4"], ["/a/C1.wav", "/b/C1.wav"])
    assert found == {"/a/C1.mp4": ("/a/C1.wav",), "/b/C1.mp4": ("/b/C1.wav",)}


def test_the_surer_rule_goes_before_others() -> None:
    assert named(["/s/clip.mp4"], ["/s/clip.wav", "/s/clip-zoom.wav"]) == {
        "/s/clip.mp4": ("/s/clip.wav",)
    }


def test_two_recordings_of_one_name_are_a_doubt() -> None:
    sounds = ["/s/clip_audio.wav", "/s/clip-zoom.wav"]
    assert named(["/s/clip.mp4"], sounds) == {"/s/clip.mp4": tuple(sounds)}


def test_cameras_may_share_a_recording() -> None:
    found = named(["/s/A1_cam1.mp4", "/s/A1_cam2.mp4"], ["/s/A1.wav"])
    assert found == {"/s/A1_cam1.mp4": ("/s/A1.wav",), "/s/A1_cam2.mp4": ("/s/A1.wav",)}


def test_a_number_that_two_cameras_have_tells_nothing() -> None:
    assert named(["/s/C0001.MP4", "/s/MVI_0001.MOV"], ["/s/ZOOM0001.WAV"]) == {}


def sound(path: str, **known: object) -> Sound:
    facts: dict[str, object] = {"duration_s": 600.0, "form": ("wav",), "size_bytes": 10**8}
    return Sound(path=path, **facts | known)  # type: ignore[arg-type]


def parts(*sounds: Sound) -> set[tuple[str, ...]]:
    return {take.parts for take in join_parts(sounds)}


def test_parts_are_joined_where_one_ends_as_the_next_begins() -> None:
    times = {"within_s": 0.1, "told": True}
    first = sound("/s/R_0001.wav", began_s=1000.0, **times)
    second = sound("/s/R_0002.wav", began_s=1600.05, **times)
    later = sound("/s/R_0003.wav", began_s=2290.0, **times)
    assert parts(later, second, first) == {
        ("/s/R_0001.wav", "/s/R_0002.wav"),
        ("/s/R_0003.wav",),
    }


def test_short_takes_are_not_parts_because_their_times_are_near() -> None:
    first = sound("/s/R_1.wav", began_s=0.0, within_s=5, told=True, duration_s=3.0)
    second = sound("/s/R_2.wav", began_s=4.5, within_s=5, told=True, duration_s=3.0)
    assert parts(first, second) == {("/s/R_1.wav",), ("/s/R_2.wav",)}


def test_parts_are_joined_by_their_names_and_by_a_full_first_file() -> None:
    assert parts(sound("/s/talk part 1.wav"), sound("/s/talk part 2.wav")) == {
        ("/s/talk part 1.wav", "/s/talk part 2.wav")
    }
    full = sound("/s/Z-0001.wav", size_bytes=2**31 - 4096)
    assert parts(full, sound("/s/Z-0002.wav")) == {("/s/Z-0001.wav", "/s/Z-0002.wav")}
    assert len(parts(sound("/s/Z-0001.wav"), sound("/s/Z-0002.wav"))) == 2
    other = sound("/s/Z-0002.wav", form=("flac",))
    assert len(parts(full, other)) == 2


def match(audio: str, offset_s: float, length_s: float = 60.0, **known: object) -> Match:
    facts: dict[str, object] = {"verdict": Verdict.MATCHED, "confidence": 0.99}
    alignment = Alignment(
        method=AlignmentMethod.CONTENT,
        offset_s=offset_s,
        drift_ppm=0.0,
        **facts | known,  # type: ignore[arg-type]
    )
    return Match(audio=audio, duration_s=length_s, alignment=alignment)


def test_of_two_recordings_the_one_that_covers_more_is_taken() -> None:
    whole, half = match("/s/whole.wav", -5.0), match("/s/half.wav", 10.0, confidence=0.999)
    assert best_match([half, whole], 20.0) == whole
    assert best_match([match("/s/x.wav", 0.0, confidence=0.7)], 20.0) is None
    assert best_match([match("/s/x.wav", 0.0, verdict=Verdict.UNCERTAIN)], 20.0) is None


def test_what_speaks_against_a_name() -> None:
    unrelated = {"verdict": Verdict.UNRELATED}
    assert speaks_against(match("/a", 0.0, reason=Doubt.UNRELATED, **unrelated))
    assert not speaks_against(match("/a", 0.0, reason=Doubt.SILENT, **unrelated))
    assert not speaks_against(match("/a", 0.0, verdict=Verdict.UNCERTAIN))


def test_parts_of_a_series_are_given_together_and_others_are_not() -> None:
    first, second = match("/s/R_0001.wav", -40.0), match("/s/R_0002.wav", 20.0)
    twice, stranger = match("/s/R_0002.wav", 0.0), match("/s/other.wav", 20.0)
    assert not is_covered(first, 40.0)
    assert further_parts(first, [first, second], 40.0) == (first, second)
    assert further_parts(first, [first, twice], 40.0) == (first,)
    assert further_parts(first, [first, stranger], 40.0) == (first,)
    assert are_neighbours("/s/R_0009.wav", "/s/R_0010.wav")
    assert not are_neighbours("/s/R_0009.wav", "/s/Q_0010.wav")


def test_a_part_lies_where_the_one_before_it_ends_by_the_recorders_clock() -> None:
    take = Take(parts=("/s/a.wav", "/s/b.wav", "/s/c.wav"))
    chosen = match("/s/a.wav", -40.0)
    found = with_neighbours(chosen, take, {"/s/b.wav": 60.0, "/s/c.wav": 60.0}.__getitem__, 70.0)
    assert [(one.audio, one.alignment.offset_s) for one in found] == [
        ("/s/a.wav", -40.0),
        ("/s/b.wav", 20.0),
    ]
    back = with_neighbours(found[1], take, {"/s/a.wav": 60.0, "/s/c.wav": 60.0}.__getitem__, 70.0)
    assert [one.alignment.offset_s for one in back] == [-40.0, 20.0]
