"""Answers in Chinese: everything that the tables' sentences are answered has words there."""

from __future__ import annotations

import re

import pytest
from edit_paraphrases import PARAPHRASES, THIRD
from edit_sentences import NOT_UNDERSTOOD, SENTENCES
from test_edits import CAMERA, TALK, Talk

from avpipe.edits.chinese import in_chinese, is_chinese
from avpipe.edits.respond import respond
from avpipe.errors import EditRefusedError, NotUnderstoodError
from avpipe.media import Alignment, Doubt, Piece, Verdict
from avpipe.montage.summary import summarise

MATCHED = Alignment(
    method="content", verdict=Verdict.MATCHED, offset_s=1.25, drift_ppm=40.0, confidence=0.9987,
    pieces=(Piece(audio_start_s=0.0, audio_end_s=50.0, offset_s=1.25, drift_ppm=40.0),),
)  # fmt: skip
NAMES = (
    r"“[^”]*”|‘[^’]*’|\b(?:camera|clip2|photo|talk|lofi)(?:\.\w+)?\b|\b(?:LUFS|ppm|MB)\b|\d+x\d+"
)
"""What stays as it is in any language."""


def left_over(text: str) -> str:
    """The English words of a text that are no names."""
    return " ".join(re.findall(r"[A-Za-z]{2,}|[;.]$", re.sub(NAMES, " ", text)))


def answers(sentence: str) -> list[str]:
    """What a sentence is answered in sessions that hold little and much."""
    said = []
    full = Talk()
    full.say("add lofi.mp3 as music", "join clip2.mp4", 'add the title "Hello" from 0 to 3 s')
    full.say("merge the audio talk.wav")
    for talk in (Talk(), full, Talk((CAMERA, TALK)), Talk(())):
        try:
            said.append(respond(sentence, talk.montage, talk.files, history=talk.history).text)
        except (EditRefusedError, NotUnderstoodError) as error:
            said += [error.message, error.hint or ""]
    return [one for one in said if one and "avpipe" not in one]


@pytest.mark.parametrize("sentence", [sentence for sentence, _ in SENTENCES + PARAPHRASES + THIRD])
def test_what_a_sentence_is_answered_has_chinese_words(sentence: str) -> None:
    for said in answers(sentence):
        assert left_over(in_chinese(said)) == "", said


@pytest.mark.parametrize("sentence", [one for one in NOT_UNDERSTOOD if is_chinese(one)])
def test_who_is_not_understood_is_told_so_in_the_same_language(sentence: str) -> None:
    with pytest.raises(NotUnderstoodError) as caught:
        Talk().say(sentence)
    assert in_chinese(caught.value.message).startswith("没有听懂“")


def test_an_answer_says_the_same_figures() -> None:
    talk = Talk((CAMERA, TALK))
    said = talk.say("合并音频和视频", alignment=MATCHED).text
    assert in_chinese(said) == (
        "已把 talk.wav 和 camera.mp4 合并：偏移 1.250 秒，漂移 40.0 ppm，把握 99.9%。"
    )
    said = talk.say('剪掉前5秒和10秒到12秒，然后加标题"a; b"').text
    assert in_chinese(said) == "已剪掉 0-5 秒、10-12 秒；现在长 53 秒；标题“a; b”，0 到 3 秒。"
    assert in_chinese(summarise(talk.montage)).startswith("时间线（4 条轨道）：1. 视频：camera (")


def test_two_titles_stay_two() -> None:
    said = "title “a” from 0 to 1 s; title “b” from 2 to 3 s."
    assert in_chinese(said) == "标题“a”，0 到 1 秒；标题“b”，2 到 3 秒。"


@pytest.mark.parametrize("doubt", Doubt)
def test_every_doubt_has_words(doubt: Doubt) -> None:
    found = Alignment(method="content", verdict=Verdict.UNCERTAIN, reason=doubt)
    said = Talk((CAMERA, TALK)).say("合并音频和视频", alignment=found).text
    assert left_over(in_chinese(said)) == "", said


def test_what_has_no_words_stays_as_it_is() -> None:
    assert in_chinese("the moon is full") == "the moon is full"
