"""What sentences do to a timeline: measured on the timeline, edit by edit."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from edit_words import db

from avpipe.edits.chinese import in_chinese
from avpipe.edits.files import FileKind, SessionFile
from avpipe.edits.respond import (
    History,
    Response,
    as_exported,
    pairs_to_align,
    respond,
    with_first_picture,
)
from avpipe.errors import EditRefusedError, NotUnderstoodError
from avpipe.intent import Action, action_of, files_named
from avpipe.media import Alignment, AlignmentMethod, Doubt, Piece, Verdict
from avpipe.montage.faults import find_faults
from avpipe.montage.summary import summarise
from avpipe.montage.values import Clip, Fitting, Montage, Role, TrackKind

CAMERA = SessionFile(
    source="camera.mp4", name="camera.mp4", kind=FileKind.VIDEO, duration=Fraction(60),
    width=1920, height=1080,
)  # fmt: skip
CLIP2 = SessionFile(
    source="clip2.mp4", name="clip2.mp4", kind=FileKind.VIDEO, duration=Fraction(8),
    width=1280, height=720,
)  # fmt: skip
TALK = SessionFile(source="talk.wav", name="talk.wav", kind=FileKind.AUDIO, duration=Fraction(50))
LOFI = SessionFile(source="lofi.mp3", name="lofi.mp3", kind=FileKind.AUDIO, duration=Fraction(25))
PHOTO = SessionFile(
    source="photo.jpg",
    name="photo.jpg",
    kind=FileKind.IMAGE,
    has_sound=False,
    width=800,
    height=600,
)
FILES = (CAMERA, CLIP2, TALK, LOFI, PHOTO)


class Talk:
    """A session that is talked to."""

    def __init__(self, files: tuple[SessionFile, ...] = FILES) -> None:
        self.files = files
        self.montage = with_first_picture(Montage(), files)
        self.history: History = ()

    def say(self, *sentences: str, alignment: Alignment | None = None) -> Response:
        for sentence in sentences:
            pairs = pairs_to_align(sentence, self.montage, self.files)
            found = {} if alignment is None else dict.fromkeys(pairs, alignment)
            said = respond(
                sentence, self.montage, self.files, history=self.history, alignments=found
            )
            (self.montage, self.history) = (said.montage, said.history)
            assert find_faults(said.montage) == ()
        return said

    def clips(self, kind: TrackKind, role: Role | None = None) -> list[Clip]:
        tracks = (t for t in self.montage.of(kind) if role is None or t.role is role)
        return [clip for track in tracks for clip in track.clips]

    @property
    def shown(self) -> list[tuple[str, float, float, float]]:
        """Name, start, end and start in the source of each clip of the picture."""
        return [
            (clip.name, float(clip.start), float(clip.end), float(clip.source_in))
            for clip in self.clips(TrackKind.VIDEO)
        ]

    @property
    def music(self) -> list[Clip]:
        return self.clips(TrackKind.AUDIO, Role.MUSIC)

    @property
    def speech(self) -> list[Clip]:
        return self.clips(TrackKind.AUDIO, Role.SPEECH)


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_the_line_of_the_document_comes_out_of_three_sentences() -> None:
    city = SessionFile(
        source="1", name="city timelapse.mp4", kind=FileKind.VIDEO, duration=Fraction(10)
    )
    music = SessionFile(source="2", name="Lo-fi.mp3", kind=FileKind.AUDIO, duration=Fraction(90))
    talk = Talk((city, music))
    talk.say("add background music at 35%", 'add a title "Urban Dreams"')
    assert summarise(talk.montage) == (
        "Timeline (3 tracks): 1. Video: city timelapse (0-10s) 2. BGM: Lo-fi (0-10s, 35%) "
        '3. Title: "Urban Dreams" (0-3s)'
    )


def test_cuts_move_what_follows_and_what_belongs_to_it(talk: Talk) -> None:
    talk.say('add a title "T" from 10s to 14s', "cut 5s to 8s and 12s to 13s")
    assert talk.shown == [("camera", 0, 5, 0), ("camera", 5, 9, 8), ("camera", 9, 56, 13)]
    (title,) = talk.clips(TrackKind.TEXT)
    assert (title.start, title.end) == (7, 10)  # it lost the second that was cut within it


def test_a_held_frame_takes_titles_and_recorded_sound_with_it(talk: Talk) -> None:
    talk.say('add a title "T" from 10s to 14s', "add lofi.mp3 as music", "add talk.wav at 5s")
    talk.say("hold the first frame for 2 seconds and hold the last frame for 3 seconds")
    assert talk.shown == [("camera", 0, 65, -2)]
    (title,) = talk.clips(TrackKind.TEXT)
    assert (title.start, title.end) == (12, 16)
    assert [clip.start for clip in talk.speech] == [7]
    assert (talk.music[0].start, talk.music[-1].end) == (0, 65)
    talk.say("cut the last 4 seconds")
    assert talk.shown == [("camera", 0, 61, -2)]
    with pytest.raises(EditRefusedError, match="begins or ends can be held"):
        talk.say("hold the last frame for 3 seconds")  # it would be seen to go on
    talk.say("cut the first 5 seconds")
    with pytest.raises(EditRefusedError, match="begins or ends can be held"):
        talk.say("freeze on the first frame for 1 second")


def test_kept_stretches_come_in_the_order_in_which_they_were_said(talk: Talk) -> None:
    talk.say("keep 20s to 25s and 2s to 4s")
    assert talk.shown == [("camera", 0, 5, 20), ("camera", 5, 7, 2)]


def test_the_last_seconds_of_a_short_video_are_all_of_it(talk: Talk) -> None:
    with pytest.raises(EditRefusedError, match="everything"):
        talk.say("cut the last 90 seconds")
    with pytest.raises(EditRefusedError, match="nothing from 70 s"):
        talk.say("cut from 70s to 80s")


def test_music_is_repeated_and_ends_with_the_video(talk: Talk) -> None:
    talk.say("add lofi.mp3 as music at 20%, fade out over 2 seconds")
    assert [(clip.start, clip.end) for clip in talk.music] == [(0, 25), (25, 50), (50, 60)]
    assert {clip.volume for clip in talk.music} == {0.2}
    assert [clip.fade_out for clip in talk.music] == [0, 0, 2]
    talk.say("keep the first 30 seconds")
    assert [(clip.start, clip.end) for clip in talk.music] == [(0, 25), (25, 30)]
    assert talk.music[-1].fade_out == 2
    talk.say("slow it down to half speed")
    assert talk.music[-1].end == 60
    assert talk.music[0].speed == 1


def test_speed_keeps_sound_and_titles_with_the_picture(talk: Talk) -> None:
    talk.say("merge talk.wav with the video", 'add a title "T" from 10s to 14s', "speed it up 2x")
    assert talk.shown == [("camera", 0, 30, 0)]
    (sound,) = talk.speech
    assert (sound.start, sound.end, sound.speed) == (0, 25, 2)
    (title,) = talk.clips(TrackKind.TEXT)
    assert (title.start, title.end) == (5, 7)


def test_a_stretch_runs_faster_and_what_follows_moves_up(talk: Talk) -> None:
    talk.say("merge talk.wav with the video", 'add a title "T" from 8s to 14s', "add lofi.mp3")
    talk.say("speed up 10s to 20s by 4x")
    assert talk.shown == [
        ("camera", 0, 10, 0), ("camera", 10, 12.5, 10), ("camera", 12.5, 52.5, 20),
    ]  # fmt: skip
    sounds = [(c.start, c.end, c.source_in, c.speed) for c in talk.speech if c.name == "talk"]
    assert sounds == [(0, 10, 0, 1), (10, 12.5, 10, 4), (12.5, 42.5, 20, 1)]
    (title,) = talk.clips(TrackKind.TEXT)
    assert (title.start, title.end) == (8, 11)
    talk.say("undo", "join clip2.mp4", "crossfade the clips")
    with pytest.raises(EditRefusedError, match="cross-faded"):
        talk.say("play the first 5 seconds at half speed")


def test_a_stretch_is_quieter(talk: Talk) -> None:
    talk.say("add lofi.mp3 as music at 40%", "lower the music to 10% between 20s and 30s")
    heard = [(clip.start, clip.end, clip.volume) for clip in talk.music]
    assert heard == [
        (0, 20, 0.4), (20, 25, 0.1), (25, 30, 0.1), (30, 50, 0.4), (50, 60, 0.4),
    ]  # fmt: skip
    talk.say("make the last 10 seconds half as loud")
    assert [talk.music[-1].volume, talk.clips(TrackKind.VIDEO)[-1].volume] == [0.2, 0.5]
    with pytest.raises(EditRefusedError, match="nothing of the audio"):
        talk.say("add talk.wav", "set the recording to 50% from 55s to 58s")


def test_clips_are_joined_moved_and_taken_out(talk: Talk) -> None:
    talk.say("add clip2.mp4 at the end", 'add a title "T" at 61s for 2 seconds')
    assert talk.shown == [("camera", 0, 60, 0), ("clip2", 60, 68, 0)]
    talk.say("move the second clip to the beginning")
    assert talk.shown == [("clip2", 0, 8, 0), ("camera", 8, 68, 0)]
    (title,) = talk.clips(TrackKind.TEXT)
    assert (title.start, title.end) == (1, 3)  # it goes with what it was written on
    talk.say("crossfade the clips over 1 second")
    assert talk.shown == [("clip2", 0, 8, 0), ("camera", 7, 67, 0)]
    talk.say("undo", "split at 10s", "remove clip 3")
    assert talk.shown == [("clip2", 0, 8, 0), ("camera", 8, 10, 0)]
    with pytest.raises(EditRefusedError, match="no clip 5"):
        talk.say("move clip 5 to the end")


def aligned(*pieces: Piece, verdict: Verdict = Verdict.MATCHED) -> Alignment:
    first = pieces[0]
    return Alignment(
        method=AlignmentMethod.CONTENT,
        verdict=verdict,
        offset_s=first.offset_s,
        drift_ppm=first.drift_ppm,
        confidence=0.99,
        pieces=pieces,
    )


def test_a_merge_puts_each_piece_where_it_belongs_and_fills_the_gaps(talk: Talk) -> None:
    piece = Piece(audio_start_s=0, audio_end_s=50, offset_s=2.5, drift_ppm=40)
    said = talk.say("merge this audio and video: talk.wav", alignment=aligned(piece))
    assert "offset 2.500 s, drift 40.0 ppm, 99.0% sure" in said.text
    (sound, *own) = talk.speech
    assert (sound.start, sound.clock) == (Fraction(5, 2), 1 + Fraction(40, 1_000_000))
    assert float(sound.end) == pytest.approx(2.5 + 50 / 1.00004)
    assert [(float(c.start), float(c.end)) for c in own] == [(0, 2.5), (float(sound.end), 60)]
    assert {clip.source for clip in own} == {"camera.mp4"}
    assert talk.clips(TrackKind.VIDEO)[0].volume == 0


def test_a_merge_after_a_cut_keeps_the_sync(talk: Talk) -> None:
    piece = Piece(audio_start_s=0, audio_end_s=50, offset_s=2, drift_ppm=0)
    talk.say("cut the first 10 seconds", "cut 5s to 10s")
    talk.say("merge talk.wav with the video", alignment=aligned(piece))
    sounds = [clip for clip in talk.speech if clip.source == "talk.wav"]
    placed = [(c.start, c.end, c.source_in) for c in sounds]
    assert placed == [(0, 5, 8), (5, 37, 18)]  # of the picture: 10-15 s, then from 20 s


def test_a_merge_that_is_not_certain_lines_up_the_starts_and_says_so(talk: Talk) -> None:
    """The video's own sound is heard after it, as in the merge of the command line."""
    unsure = Alignment(
        method=AlignmentMethod.CONTENT,
        verdict=Verdict.UNCERTAIN,
        offset_s=7,
        reason=Doubt.AMBIGUOUS,
    )
    said = talk.say("merge talk.wav with the video", alignment=unsure)
    assert "not certain: more than one place fits" in said.text
    heard = [(clip.source, clip.start, clip.end) for clip in talk.speech]
    assert heard == [("talk.wav", 0, 50), ("camera.mp4", 50, 60)]
    talk.say("replace the audio with talk.wav", alignment=unsure)
    assert [(clip.start, clip.end) for clip in talk.speech] == [(0, 50)]


def of_two(first: Alignment | None, second: Alignment | None) -> tuple[Talk, Response]:
    """Two videos, one after the other, and a recording that lines up with each as is told."""
    talk = Talk()
    talk.say("cut everything after 10s", "join clip2.mp4")
    assert pairs_to_align("merge talk.wav", talk.montage, talk.files) == (
        ("camera.mp4", "talk.wav"),
        ("clip2.mp4", "talk.wav"),
    )
    pairs = {("camera.mp4", "talk.wav"): first, ("clip2.mp4", "talk.wav"): second}
    found = {pair: alignment for pair, alignment in pairs.items() if alignment is not None}
    said = respond("merge talk.wav", talk.montage, talk.files, alignments=found)
    (talk.montage, talk.history) = (said.montage, said.history)
    assert find_faults(said.montage) == ()
    return talk, said


def heard(talk: Talk) -> list[tuple[str | None, float, float, float]]:
    """All that is heard beside the pictures, and these where they are."""
    clips = [*talk.speech, *(clip for clip in talk.clips(TrackKind.VIDEO) if clip.volume)]
    told = [(c.source, float(c.start), float(c.end), float(c.source_in)) for c in clips]
    return sorted(told, key=lambda one: one[1])


UNRELATED = Alignment(method=AlignmentMethod.CONTENT, verdict=Verdict.UNRELATED, offset_s=None)


def test_each_of_two_videos_gets_what_was_recorded_with_it() -> None:
    early = Piece(audio_start_s=0, audio_end_s=6, offset_s=2, drift_ppm=0)
    late = Piece(audio_start_s=40, audio_end_s=45, offset_s=-39, drift_ppm=0)
    (talk, said) = of_two(aligned(early), aligned(late))
    assert heard(talk) == [
        ("camera.mp4", 0, 2, 0),
        ("talk.wav", 2, 10, 0),
        ("talk.wav", 10, 18, 39),
    ]
    assert said.text.count("talk.wav merged with") == 2


def test_a_video_to_which_nothing_of_a_recording_belongs_keeps_its_own_sound() -> None:
    piece = Piece(audio_start_s=0, audio_end_s=50, offset_s=3, drift_ppm=0)
    (talk, said) = of_two(aligned(piece), UNRELATED)
    assert heard(talk) == [
        ("camera.mp4", 0, 3, 0),
        ("talk.wav", 3, 10, 0),
        ("clip2.mp4", 10, 18, 0),
    ]
    assert "clip2.mp4 keeps its own sound" in said.text
    assert in_chinese(said.text).endswith("clip2.mp4 保留原声。")
    (talk, _) = of_two(UNRELATED, aligned(piece))
    assert heard(talk)[:2] == [("camera.mp4", 0, 10, 0), ("clip2.mp4", 10, 13, 0)]
    assert heard(talk)[2:] == [("talk.wav", 13, 18, 0)]
    # A second recorder takes the place of nothing but what it was made with.
    pairs = {("camera.mp4", "lofi.mp3"): aligned(replace(piece, offset_s=0))}
    again = respond("merge lofi.mp3", talk.montage, talk.files, alignments=pairs)
    talk.montage = again.montage
    assert heard(talk)[:2] == [("lofi.mp3", 0, 10, 0), ("clip2.mp4", 10, 13, 0)]
    assert heard(talk)[2:] == [("talk.wav", 13, 18, 0)]


def test_a_sound_that_belongs_to_none_of_two_videos_begins_with_the_first() -> None:
    (talk, said) = of_two(UNRELATED, UNRELATED)
    assert heard(talk) == [("talk.wav", 0, 18, 0)]
    assert "the starts are lined up" in said.text


def test_a_picture_is_shown_as_long_as_the_sound_lasts() -> None:
    talk = Talk((PHOTO, TALK))
    assert talk.shown == [("photo", 0, 5, 0)]
    talk.say("merge this audio and video")
    assert talk.shown == [("photo", 0, 50, 0)]
    assert pairs_to_align("merge this audio and video", talk.montage, talk.files) == ()


def test_volumes(talk: Talk) -> None:
    talk.say("merge talk.wav with the video", "add lofi.mp3 as music")
    talk.say("set the volume to 50%")
    assert talk.clips(TrackKind.VIDEO)[0].volume == 0  # what is silent stays so
    assert (talk.speech[0].volume, talk.music[0].volume) == (0.5, 0.5)
    talk.say("turn the music down by 6 dB")
    assert talk.music[0].volume == pytest.approx(0.5 * db(-6), abs=1e-6)
    talk.say("mute the music from 10s to 12s")
    assert [c.volume > 0 for c in talk.music[:3]] == [True, False, True]
    assert [(float(c.start), float(c.end)) for c in talk.music[:2]] == [(0, 10), (10, 12)]
    talk.say("duck the music under the voice")
    assert [t.ducked for t in talk.montage.tracks if t.role is Role.MUSIC] == [True]
    talk.say("remove the recording")
    assert talk.clips(TrackKind.VIDEO)[0].volume == 1
    with pytest.raises(EditRefusedError, match="not between 0 and 10"):
        talk.say("set the volume to 5000%")


def test_fades(talk: Talk) -> None:
    talk.say("fade in for 1 second and fade out for 2 seconds")
    (clip,) = talk.clips(TrackKind.VIDEO)
    assert (clip.fade_in, clip.appear, clip.fade_out, clip.vanish) == (1, 1, 2, 2)
    with pytest.raises(EditRefusedError, match="no music"):
        talk.say("fade the music out")


def test_a_fade_of_the_sound_leaves_the_picture(talk: Talk) -> None:
    said = talk.say("fade the sound out over 2 seconds")
    (clip,) = talk.clips(TrackKind.VIDEO)
    assert (clip.fade_out, clip.vanish) == (2, 0)
    assert "the sound fades out for 2 s" in said.text


def test_titles(talk: Talk) -> None:
    talk.say('add a title "A" at the top in red', 'add a title "B"')
    (first, second) = talk.clips(TrackKind.TEXT)
    assert (first.style.colour, first.style.y < 0.3) == ("#ff0000", True)
    talk.say('change the title "A" to "New"', "make the title bigger")
    assert [clip.name for clip in talk.clips(TrackKind.TEXT)] == ["New", second.name]
    assert talk.clips(TrackKind.TEXT)[1].style.size > second.style.size
    with pytest.raises(EditRefusedError, match="no title"):
        talk.say('change the title "Z" to "Y"')
    talk.say("remove the titles")
    assert talk.clips(TrackKind.TEXT) == []


def test_the_frame(talk: Talk) -> None:
    talk.say("make it 9:16 with a blurred background, 720p")
    canvas = talk.montage.canvas
    assert (canvas.width, canvas.height, canvas.fitting) == (720, 1280, Fitting.BLUR)
    talk.say("make it square")
    assert (talk.montage.canvas.width, talk.montage.canvas.height) == (720, 720)
    assert as_exported("export 1080p MP4", talk.montage, FILES).canvas.width == 1080
    assert as_exported("export it under 25 MB", talk.montage, FILES).max_bytes == 25_000_000


def test_undo_takes_back_a_sentence_and_not_an_edit(talk: Talk) -> None:
    start = talk.montage
    talk.say("cut the first 5 seconds and fade out", "make it vertical", "make it square")
    talk.say("undo the last two edits")
    assert talk.montage.canvas.aspect is None
    assert talk.shown == [("camera", 0, 55, 5)]
    talk.say("undo")
    assert talk.montage == start
    with pytest.raises(EditRefusedError, match="no steps"):
        talk.say("undo")


def test_a_sentence_is_done_whole_or_not_at_all(talk: Talk) -> None:
    before = (talk.montage, talk.history)
    for sentence, error in (
        ("cut the first 5 seconds and paint the sky green", NotUnderstoodError),
        ("cut the first 5 seconds and remove the music", EditRefusedError),
    ):
        with pytest.raises(error):
            talk.say(sentence)
        assert (talk.montage, talk.history) == before


def test_which_file_is_meant(talk: Talk) -> None:
    with pytest.raises(EditRefusedError, match=r"talk\.wav, lofi\.mp3"):
        talk.say("add background music")
    with pytest.raises(EditRefusedError, match=r"no file rock\.mp3"):
        talk.say("add rock.mp3 as music")
    with pytest.raises(EditRefusedError, match="no sound"):
        talk.say("replace the audio with photo.jpg")


@pytest.mark.parametrize(
    ("sentence", "action"),
    [
        *((text, Action.EXPORT) for text in (
            "export", "导出", "download", "send me the video", "export 1080p MP4", "把视频发给我",
            "Can you export the final video please?", "render it", "下载视频", "把视频导出来",
            "click the Export button", "点击导出", "give me the download link",
        )),
        *((text, Action.CREDITS) for text in (
            "credits", "积分", "balance", "余额", "how many credits do I have left?",
            "还剩多少积分", "check account", "check my billing", "查看账户余额",
        )),
        *((text, Action.STATE) for text in (
            "status", "状态", "show tracks", "现在什么样了", "what does it look like now?",
            "看看时间线", "preview in timeline", "打开时间线", "open the timeline panel",
        )),
        *((text, Action.UPLOAD) for text in (
            "upload", "上传", "upload camera.mp4", "/tmp/my\\ film.mp4", "'a b.mov' \"c.wav\"",
        )),
        *((text, Action.EDIT) for text in (
            "", "add the title 'export'", "redo", "重新生成", "先别导出",
            "don't export yet", "balance the music and the speech", "regenerate",
            "再来一个", "merge camera.mp4 with a.wav", "show the text at the top",
            "export for TikTok",
            "credits roll at the end", "cut the first 5 seconds", "看" * 190 + "x",
        )),
    ],
)  # fmt: skip
def test_routes(sentence: str, action: Action) -> None:
    assert action_of(sentence) is action


def test_files_named_in_a_sentence() -> None:
    said = "add '/tmp/my film.mp4' and /data/b\\ c.wav, then lofi.mp3"
    assert files_named(said) == ("/tmp/my film.mp4", "/data/b c.wav", "lofi.mp3")
