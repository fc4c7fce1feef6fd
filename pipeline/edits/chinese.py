"""What sentences are answered, in Chinese: a table of the phrases that this package says. Pure.

The phrases are made in English, from values; names and figures in them stay as they are. A phrase
that the table does not have stays English: nothing is guessed.
"""

from __future__ import annotations

import re
from functools import cache

from avpipe.edits.suggestions import IN_CHINESE

_N = r"-?[\d.]+"
_SPAN = rf"{_N}-{_N}"
_SPANS = rf"{_SPAN} s(?: and {_SPAN} s)*"
_PARTS = {
    "everything": "全部",
    "the picture": "画面",
    "the video's sound": "视频原声",
    "the audio": "录音",
    "the voices": "人声",
    "the music": "音乐",
    "the title": "标题",
}
_PART = "|".join(sorted(map(re.escape, _PARTS), key=len, reverse=True))
_RULES: tuple[tuple[str, str], ...] = (
    # What was done.
    (r"(.+) merged with (.+?): (.+)", "已把 {0} 和 {1} 合并：{2:t}"),
    (r"(.+) keeps its own sound", "{0} 保留原声"),
    ("the starts are lined up", "起点对齐"),
    (
        "the starts are lined up, since where it belongs is not certain: (.+)",
        "不能确定它该在哪里，所以起点对齐：{0:t}",
    ),
    (rf"offset ({_N}) s, drift ({_N}) ppm", "偏移 {0} 秒，漂移 {1} ppm"),
    (
        rf"offset ({_N}) s, drift ({_N}) ppm, ({_N}%) sure",
        "偏移 {0} 秒，漂移 {1} ppm，把握 {2}",
    ),
    (f"cut ({_SPANS})", "已剪掉 {0:s}"),
    (f"kept ({_SPANS})", "已保留 {0:s}"),
    (rf"it lasts ({_N}) s now", "现在长 {0} 秒"),
    (rf"the first frame is held for ({_N}) s", "第一帧定格 {0} 秒"),
    (rf"the last frame is held for ({_N}) s", "最后一帧定格 {0} 秒"),
    (rf"speed ({_N})x", "速度 {0} 倍"),
    (rf"speed ({_N})x from ({_N}) to ({_N}) s", "{1} 到 {2} 秒速度 {0} 倍"),
    (rf"split at ({_N}) s", "已在 {0} 秒处分割"),
    (r"there are (\d+) clips", "现在有 {0} 段"),
    ("the order is now (.+)", "现在的顺序：{0}"),
    (r"clip (\d+) \((.+)\) removed", "已删除第 {0} 段（{1}）"),
    ("added (.+) to the video", "已把 {0} 接到视频里"),
    (rf"clips cross-faded over ({_N}) s", "片段之间叠化 {0} 秒"),
    (rf"volume of ({_PART}): (\d+%) of what it was", "{0:p}音量为原来的 {1}"),
    (rf"volume of ({_PART}): (\d+%)", "{0:p}音量 {1}"),
    (
        rf"volume of ({_PART}) from ({_N}) to ({_N}) s: (\d+%) of what it was",
        "{0:p}在 {1} 到 {2} 秒音量为原来的 {3}",
    ),
    (
        rf"volume of ({_PART}) from ({_N}) to ({_N}) s: (\d+%)",
        "{0:p}在 {1} 到 {2} 秒音量 {3}",
    ),
    (rf"({_PART}) muted", "{0:p}已静音"),
    (rf"({_PART}) muted from ({_N}) to ({_N}) s", "{0:p}在 {1} 到 {2} 秒静音"),
    (rf"({_PART}) is heard again", "{0:p}恢复声音"),
    (rf"({_PART}) fades in for ({_N}) s", "{0:p}淡入 {1} 秒"),
    (rf"({_PART}) fades out for ({_N}) s", "{0:p}淡出 {1} 秒"),
    (
        rf"({_PART}) fades in for ({_N}) s and fades out for ({_N}) s",
        "{0:p}淡入 {1} 秒、淡出 {2} 秒",
    ),
    (rf"music (.+) from ({_N}) to ({_N}) s at (\d+%)", "背景音乐 {0}，{1} 到 {2} 秒，音量 {3}"),
    (
        rf"music (.+) from ({_N}) to ({_N}) s at (\d+%), lowered under speech",
        "背景音乐 {0}，{1} 到 {2} 秒，音量 {3}，有人声时降低",
    ),
    (r"the music is (.+) now", "背景音乐换成了 {0}"),
    (rf"audio (.+) added at ({_N}) s", "已在 {1} 秒处加入音频 {0}"),
    (rf"({_PART}) removed", "{0:p}已删除"),
    (rf"({_PART}) removed \((\d+)\)", "{0:p}已删除（{1} 个）"),
    ("the video's own sound is heard", "恢复视频原声"),
    ("the music is lowered under speech", "有人声时音乐会降低"),
    ("the music is no longer lowered under speech", "有人声时音乐不再降低"),
    (rf"title “(.+)” from ({_N}) to ({_N}) s", "标题“{0}”，{1} 到 {2} 秒"),
    ("title “(.+)” changed", "标题“{0}”已修改"),
    (r"frame (\d+:\d+)", "画幅 {0}"),
    (r"frame (\d+:\d+), (with bars|cropped|before a blurred copy)", "画幅 {0}，{1:t}"),
    ("the picture is put in (with bars|cropped|before a blurred copy)", "画面{0:t}"),
    ("with bars", "加黑边"),
    ("cropped", "裁切"),
    ("before a blurred copy", "用模糊画面衬底"),
    (r"size (\d+x\d+)", "尺寸 {0}"),
    (rf"loudness ({_N}) LUFS", "响度 {0} LUFS"),
    (rf"file under ({_N}) MB", "文件小于 {0} MB"),
    ("undone", "已撤销"),
    (r"(\d+) steps undone", "已撤销 {0} 步"),
    # Why sounds are not certain.
    ("nothing was found", "没有找到"),
    ("nothing of the one is heard in the other", "一个里听不到另一个的内容"),
    ("more than one place fits", "有不止一处吻合"),
    ("they have too little in common to tell", "共同的内容太少，无法判断"),
    ("one of them holds nothing that can be heard", "其中一个没有声音"),
    ("the video has no sound", "视频没有声音"),
    ("their clocks are too far apart", "两者的时钟相差太大"),
    ("parts of them fit, and no few pieces explain the whole", "部分吻合，但整体对不上"),
    # What cannot be done.
    ("that changes nothing: (.+)", "没有任何变化：{0:t}"),
    ("one sound is merged at a time", "一次只能合并一个声音"),
    ("there is no video in the timeline yet", "时间线里还没有视频"),
    ("the timeline is empty", "时间线是空的"),
    ("nothing of (.+) belongs to what is left of the video", "{0} 里没有属于现有画面的内容"),
    (
        rf"there is nothing from ({_N}) s to ({_N}) s: it lasts ({_N}) s",
        "{0} 到 {1} 秒没有内容：全长 {2} 秒",
    ),
    (rf"there is nothing of ({_PART}) from ({_N}) to ({_N}) s", "{1} 到 {2} 秒没有{0:p}"),
    (
        "the clips are cross-faded: only all of it can change its speed",
        "片段之间有叠化：只能改变整体的速度",
    ),
    (
        "only a frame at which the video's file begins or ends can be held",
        "只能定格视频文件开头或结尾的那一帧",
    ),
    ("that sound is not on the timeline", "那个声音不在时间线上"),
    ("nothing of that sound would be heard there", "移到那里就听不到那个声音了"),
    ("the video's own sound lies where its picture does", "视频原声跟随画面，不能单独移动"),
    ("that would cut everything", "那样就全部剪掉了"),
    (rf"there is no clip to split at ({_N}) s", "{0} 秒处没有可分割的片段"),
    ("the clip is there already", "这一段已经在那里了"),
    ("a clip cannot be moved before or after itself", "一段不能移到自己的前后"),
    ("there is only one clip", "只有一段"),
    ("it is the only clip: nothing would be left", "只有这一段：删掉就什么都没有了"),
    ("there is only one clip: nothing to cross-fade", "只有一段，无法叠化"),
    ("the clips are cross-faded already", "片段之间已经叠化了"),
    (rf"a clip is too short for a cross-fade of ({_N}) s", "有一段太短，无法叠化 {0} 秒"),
    (r"there is no clip (-?\d+): the video has (\d+) clips?", "没有第 {0} 段：视频有 {1} 段"),
    ("(.+) is not shown in the timeline", "时间线里没有 {0} 的画面"),
    (rf"({_PART}) is muted", "{0:p}是静音的"),
    ("there is nothing at the end to fade", "结尾没有可以淡出的内容"),
    ("the sound would begin after the end of the video", "声音会在视频结束之后才开始"),
    (rf"({_PART}) cannot be removed", "{0:p}不能删除"),
    ("there is no title “(.+)”", "没有标题“{0}”"),
    ("there is nothing to hear in the timeline yet", "时间线里还没有声音"),
    ("there is no separate audio in the timeline", "时间线里没有单独的录音"),
    ("there is no music in the timeline", "时间线里没有背景音乐"),
    ("there is no title in the timeline", "时间线里没有标题"),
    ("there is nothing to undo", "没有可以撤销的"),
    ("no steps can be undone", "没有可以撤销的"),
    (r"(\d+) steps can be undone", "只能撤销 {0} 步"),
    ("([^:]+) has no picture", "{0} 没有画面"),
    ("([^:]+) has no sound", "{0} 没有声音"),
    ("there is no further video or picture to join", "没有其他视频或图片可以拼接"),
    ("there is no file for the music", "没有可以作背景音乐的文件"),
    ("there is no file for the audio", "没有可用的音频文件"),
    ("there is no file (.+) in the session", "没有文件 {0}"),
    ("which file is the music[?] There are (.+)", "哪个文件是背景音乐？有 {0}"),
    ("which file is the audio[?] There are (.+)", "要用哪个音频？有 {0}"),
    ('not understood: "(.+)"; nothing was changed', "没有听懂“{0}”，什么都没有改"),
    (rf"it lasts ({_N}) s, longer than a day", "全长 {0} 秒，超过一天"),
    (rf"a loudness of ({_N}) LUFS cannot be reached", "达不到 {0} LUFS 的响度"),
    # What to do about it.
    ("say them one after another", "请一个一个说"),
    ("give a video file", "请先添加视频文件"),
    ("give a file", "请先添加文件"),
    ("name the file", "请说出文件名"),
    ("unmute it, or say a volume", "请取消静音，或说出音量"),
    ("mute it instead", "可以改为静音"),
    ("there are (.+)", "有 {0}"),
    ("you can say: (.+)", "可以说：{0:t}"),
    ("possible are: (.+)", "可以做：{0:t}"),
)
_LABELS = {"Video": "视频", "BGM": "背景音乐", "Audio": "录音", "Title": "标题", "Other": "其他"}
_LINE = re.compile(rf"(\d+\. )({'|'.join(_LABELS)}): (empty(?=$| \d+\. ))?")
_SUMMARY = re.compile(r"Timeline \((\d+) tracks?\): (.*)", re.DOTALL)
_BETWEEN = re.compile("; (?![^“]*”)")
"""Between phrases, and not within a title."""
_HAN = re.compile(r"[\u3400-\u9fff]")


def is_chinese(text: str) -> bool:
    """Whether a text has Chinese characters."""
    return _HAN.search(text) is not None


def in_chinese(text: str) -> str:
    """What `respond`, `summarise` or an error says; what has no words here stays as it is."""
    if text == "Timeline: empty":
        return "时间线：空"
    summary = _SUMMARY.fullmatch(text)
    if summary is not None:
        return f"时间线（{summary[1]} 条轨道）：{_LINE.sub(_labelled, summary[2])}"
    body = text.removesuffix(".")
    pieces = [(one, _phrase(one)) for one in _BETWEEN.split(body)]
    if None in dict(pieces).values():  # what was said may be a name that was cut in two
        pieces = [(one, said) for one, said in [(body, _phrase(body))] if said] or pieces
    end = "。" if body != text else ""
    return "；".join(said or one for one, said in pieces) + end


def _labelled(line: re.Match[str]) -> str:
    return f"{line[1]}{_LABELS[line[2]]}：{'空' if line[3] else ''}"


def _phrase(text: str) -> str | None:
    """One phrase; None where the table does not have it."""
    if text in IN_CHINESE:
        return IN_CHINESE[text]
    for pattern, words in _patterns():
        match = pattern.fullmatch(text)
        if match is not None:
            return words.format(*map(_Group, match.groups()))
    return None


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    # The plain ones first: a name may be anything, and take what is said of something else.
    rules = sorted(_RULES, key=lambda rule: len(re.findall(r"\(\.\+", rule[0])))
    return tuple((re.compile(pattern), words) for pattern, words in rules)


class _Group(str):
    """A part of a phrase: as it is, or `t` translated, `p` a part of the timeline, `s` times."""

    __slots__ = ()

    def __format__(self, how: str) -> str:
        match how:
            case "t":
                return in_chinese(str(self))
            case "p":
                return _PARTS[str(self)]
            case "s":
                return str(self).replace(" and ", "、").replace(" s", " 秒")
            case _:
                return str(self)
