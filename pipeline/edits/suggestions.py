"""What is said to a sentence that is not understood: which part, and the nearest that can be done.

Pure. In the language of the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from avpipe.edits.concepts import Concept, Word
from avpipe.errors import NotUnderstoodError

C = Concept

Example = tuple[set[C], str, str]

_EXAMPLES: tuple[Example, ...] = (
    (
        {C.TITLE, C.TEXT, C.SAYS, C.COLOR},
        'add a title "Hello" at the top in white from 2s to 5s',
        "加标题“你好”，顶部，白色，2秒到5秒",
    ),
    (
        {C.MUSIC, C.DUCK, C.WHILE_SPEECH},
        "add lofi.mp3 as background music at 35%",
        "加背景音乐 lofi.mp3，音量35%",
    ),
    ({C.CUT, C.REMOVE, C.SPAN, C.TIME}, "cut the first 5 seconds", "剪掉前5秒"),
    ({C.KEEP, C.TRIM, C.LENGTH, C.ONLY_SPAN}, "keep 10s to 20s", "保留10秒到20秒"),
    ({C.FASTER, C.SPEED, C.PACE, C.TIMES}, "speed it up 2x", "速度调到2倍"),
    (
        {C.VOLUME, C.LOUDER, C.LEVEL, C.SOUND},
        "set the volume of the music to 50%",
        "把音乐音量调到50%",
    ),
    ({C.MUTE, C.OWN_SOUND, C.UNMUTE}, "mute the video's sound", "把视频原声静音"),
    ({C.FADE_IN, C.FADE_OUT, C.FADE_BOTH}, "fade out over 2 seconds", "淡出2秒"),
    ({C.CROSS_FADE}, "cross-fade the clips over 1 second", "片段之间叠化1秒"),
    (
        {C.ASPECT, C.ASPECT_NOUN, C.SHAPE, C.CROP},
        "make it 9:16 with a blurred background",
        "改成9:16竖屏，背景模糊",
    ),
    ({C.RESOLUTION, C.RESOLUTION_NOUN, C.FORMAT}, "make it 720p", "改成720p"),
    ({C.MERGE}, "merge this audio and video", "合并音频和视频"),
    ({C.JOIN, C.CLIPS}, "join the clips", "把片段拼接起来"),
    (
        {C.CLIP, C.ORDER, C.SWAP, C.MOVE, C.REVERSE},
        "move the second clip before the first clip",
        "把第二段移到最前面",
    ),
    ({C.HOLD}, "hold the last frame for 2 seconds", "最后一帧定格2秒"),
    ({C.SPLIT, C.AT}, "split at 10s", "在10秒处分割"),
    (
        {C.REPLACE, C.RECORDING, C.FILE, C.USE},
        "replace the audio with talk.wav",
        "把声音换成 talk.wav",
    ),
    ({C.BYTES}, "keep the file under 25 MB", "文件不超过25MB"),
    ({C.NORMALIZE, C.LUFS}, "loudness -14 LUFS", "响度-14 LUFS"),
    ({C.UNDO}, "undo", "撤销"),
    ({C.EXPORT}, "export 1080p MP4", "导出1080p"),
)
_ALL = (
    "merge, cut or keep stretches, reorder, speed, volume, mute, fade, music, "
    "titles, "
    "aspect, resolution, loudness, file size, undo, show tracks, export"
)
_ALL_HAN = (
    "合并、剪切、保留、排序、变速、音量、静音、淡入淡出、"
    "背景音乐、标题、画幅、分辨率、响度、文件大小、撤销、状态、导出"
)
IN_CHINESE = {**{english: han for _, english, han in _EXAMPLES}, _ALL: _ALL_HAN}
"""What is proposed, in the other language."""


def refusal(part: str, words: Sequence[Word]) -> NotUnderstoodError:
    """The error for a part of a sentence that is not understood."""
    part = " ".join(part.split())[:120]
    nearest = _nearest(words)
    if _is_chinese(part):
        said = f"没有听懂“{part}”，什么都没有改"
        hint = f"可以说：{nearest[1]}" if nearest else f"可以做：{_ALL_HAN}"
    else:
        said = f'not understood: "{part}"; nothing was changed'
        hint = f"you can say: {nearest[0]}" if nearest else f"possible are: {_ALL}"
    return NotUnderstoodError(said, hint=hint)


def _nearest(words: Sequence[Word]) -> tuple[str, str] | None:
    """The example that has most of the meanings of the words."""
    concepts = [word.concept for word in words]
    scored = [
        (sum(concept in example[0] for concept in concepts), -number)
        for number, example in enumerate(_EXAMPLES)
    ]
    (score, number) = max(scored)
    return _EXAMPLES[-number][1:] if score else None


def _is_chinese(text: str) -> bool:
    return re.search(r"[\u4e00-\u9fff]", text) is not None
