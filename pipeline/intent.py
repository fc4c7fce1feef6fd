"""Which of the five things a sentence asks for: by its key words, in English and Chinese. Pure.

A sentence that speaks of anything beside them is an edit: "add the title 'export'" is none of the
others, nor is "balance the music".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property


class Action(StrEnum):
    """What a user wants done with the session."""

    EXPORT = "export"
    CREDITS = "credits"
    STATE = "state"
    UPLOAD = "upload"
    EDIT = "edit"
    """Everything else: an edit, or talk with the agent."""


_POLITE = (
    "please pls can could would will you i we i'd want need like to now just "
    "ok okay so let's me "
    "hey hi thanks thank the my our a an this that it is are of in on for and "
    "go ahead finally then",
    "请问 请 麻烦 帮我 帮 我想要 我想 我要 现在 你 给我 给 我 一下 吧 吗 呢 了 的 啊 把 将 可以 能",
)


@dataclass(frozen=True, kw_only=True)
class _Wording:
    """What a sentence of one action is made of; a blank in a phrase is any white space."""

    action: Action
    english: tuple[str, ...]
    """Its key words; one of them has to be there."""
    chinese: str
    talk: str
    """Words that may stand beside them."""
    talk_chinese: str

    @cached_property
    def whole(self) -> re.Pattern[str]:
        """A whole sentence of it."""
        words = _any(
            (*_POLITE[0].split(), *self.talk.split()), *_POLITE[1].split(), self.talk_chinese
        )
        return re.compile(
            rf"(?>[^\w]|{words})*{self.key}(?>[^\w]|{self.key}|{words})*+", re.IGNORECASE
        )

    @property
    def key(self) -> str:
        """A pattern of its key words."""
        return _any(self.english, self.chinese)


def _any(english: tuple[str, ...], *chinese: str) -> str:
    """A pattern of any of the words: English ones whole."""
    words = sorted(set(english), key=len, reverse=True)
    whole = "|".join(word.replace(" ", r"\s+") for word in words)
    han = sorted(" ".join(chinese).split(), key=len, reverse=True)
    return rf"(?:(?<![A-Za-z0-9_])(?:{whole})(?![A-Za-z0-9_])|{'|'.join(han)})"


_WORDINGS = (
    _Wording(
        action=Action.UPLOAD,
        english=("upload", "uploading", "import"),
        chinese="上传 导入",
        talk="these those new another more some files? videos? audio sounds? clips? "
        "pictures? images? "
        "photos? music songs? here them into with recordings?",
        talk_chinese="一个 个 这个 这些 文件 视频 音频 图片 照片 素材 音乐 新 更多 几个 和 录音",
    ),
    _Wording(
        action=Action.EXPORT,
        english=(
            "export",
            "exporting",
            "exported",
            "download",
            "downloading",
            "render it",
            "render",
            "send me (?:the|my)(?: final| finished| edited| merged)? "
            "(?:video|movie|file|result|mp4)",
            "give me (?:the|my)(?: final| finished)? (?:video|movie|file|mp4|link)",
            "save (?:it|the (?:video|file|movie))",
            "get (?:the|my)(?: final| finished| edited| merged)? (?:video|movie|file|mp4)",
        ),
        chinese="导出 下载 输出 把视频发给我 视频发给我 发给我 发我 保存视频 渲染",
        talk="as at final finished result merged whole full edited high best video "
        "movie file clip "
        r"project timeline version quality format mp4 h\.?264 hd 4k uhd \d{3,4}p resolution save "
        "give it's done ready link button click press tap hit",
        talk_chinese=(
            "成 为 视频 成片 影片 文件 格式 高清 全高清 超清 出来 最终 版本 这个 做好 "
            "分辨率 高 质量 最高 来 点击 按下 按钮 点 按 链接"
        ),
    ),
    _Wording(
        action=Action.CREDITS,
        english=("credits?", "balance", "quota", "account", "billing"),
        chinese="积分 余额 额度 点数 账户 账单",
        talk="how many much what what's do have left remaining available got check show "
        "see view there "
        "account current any still tell about get number",
        talk_chinese=(
            "还有 还剩 剩余 剩下 剩 多少 几个 查询 查看 查一下 查 看看 看 是 账户 有 显示 告诉"
        ),
    ),
    _Wording(
        action=Action.STATE,
        english=(
            "status",
            "state",
            "tracks?",
            "timeline",
            "show tracks",
            "summary",
            "overview",
            "what does it look like",
            "where are we",
            "what have (?:we|i) got",
            "what do (?:we|i) have",
            "what(?:'s| is) (?:on|in) (?:it|the (?:video|timeline|project|session))",
        ),
        chinese=(
            "状态 轨道 时间线 进度 现在什么样 现在是什么样 什么样了 什么样子 做成什么样 "
            "目前情况 现在的情况 现在怎么样"
        ),
        talk="show list see view check display get print tell what what's all session "
        "project give about "
        "right far how looks? looking current preview open panel",
        talk_chinese=(
            "查看 显示 看看 看一下 看 列出 当前 目前 所有 全部 是 什么 有哪些 哪些 有 "
            "怎么样 怎样 情况 项目 视频 子 预览 打开 面板"
        ),
    ),
)
_EXTENSIONS = "mp4|mov|m4v|avi|webm|mkv|jpe?g|png|gif|webp|mp3|wav|m4a|aac|flac|ogg|opus"
_FILE = re.compile(
    rf"([\"'“‘])[^\"'”’]+\.(?:{_EXTENSIONS})[\"'”’]|(?:\\."
    rf"|[^\s\"'，。,;])+\.(?:{_EXTENSIONS})(?!\w)",
    re.IGNORECASE,
)
_LONGEST = 200
"""A longer sentence is talk."""


def action_of(sentence: str) -> Action:
    """What a sentence asks for."""
    text = sentence.replace("’", "'").strip()
    rest = _FILE.sub(" ", text).strip()
    if rest != text and not rest:
        return Action.UPLOAD
    if len(rest) > _LONGEST:
        return Action.EDIT
    found = (wording.action for wording in _WORDINGS if wording.whole.fullmatch(rest))
    action = next(found, Action.EDIT)
    return action if rest == text or action is Action.UPLOAD else Action.EDIT


def files_named(sentence: str) -> tuple[str, ...]:
    """The files that a sentence names by a path or an address, without quotes and escapes."""
    found = (match[0] for match in _FILE.finditer(sentence.strip()))
    return tuple(
        text[1:-1] if text[0] in "\"'“‘" else re.sub(r"\\(.)", r"\1", text) for text in found
    )
