"""The words that edits are asked for with, in English and Chinese, and what they mean. Data.

Each line has a concept, its value, and patterns. English ones match whole words only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from avpipe.edits import nouns, phrases, verbs
from avpipe.edits.concepts import Concept, Line
from avpipe.edits.values import ClipRef

C = Concept

Reader = Callable[[re.Match[str]], Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lexeme:
    """A pattern with its meaning."""

    concept: C
    pattern: re.Pattern[str]
    read: Reader
    """What the words say, of what the pattern matched."""


_SMALL: tuple[Line, ...] = (
    (
        C.BACKGROUND,
        None,
        r"(?:under(?:neath)?|beneath|behind|below)\s+(?:the\s+(?:whole\s+"
        r"|entire\s+)?(?:video|clip|footage|movie|film|picture|thing)|it(?:\s+all)?"
        r"|everything|this|that)"
        r"|under(?:neath)?|beneath|in\s+the\s+back(?:ground)?"
        r"|as\s+(?:a\s+)?background|as\s+(?:a\s+)?backing",
        r"做背景|当背景|作为背景|垫个?底|衬个?底|打个?底",
    ),
    (
        C.PLATFORM,
        None,
        r"(?:for\s+)?(?:my\s+)?(?:instagram|insta|ig|facebook|twitter|linkedin"
        r"|whatsapp|wechat)",
        r"微博|微信|朋友圈",
    ),
    (
        C.SEPARATOR,
        None,
        r"(?:and\s+)?(?:then|after\s+that|afterwards|next|finally|also|plus|but"
        r"|lastly)|and(?:\s+also)?|as\s+well\s+as|&",
        r"然后|接着|接下来|之后再|随后|并且|并|同时|还有|以及|还要|和|与|跟|再|另外"
        r"|最后(?=[,，]?\s*(?:加|把|将|导出|静音|调|改|做|配|淡))|而且|也",
    ),
    (C.SEPARATOR, None, r"", r"[,，;；。、!！\n]|[.](?=\s|$)"),
    (C.OFF, None, r"off", ""),
    (C.ON, None, r"(?:back\s+)?on\s+again|back\s+on", ""),
    (
        C.FILLER,
        None,
        r"(?:in|of|to|on|onto|into|for|over|throughout)\s+(?:the|my|this"
        r"|our)\s+(?:whole\s+|entire\s+)?(?:video|clip|footage|movie|picture|film)s?"
        r"|(?:in|of|to|on|onto|into|for|over)\s+(?:it|this|that|everything|them)",
        r"(?:在)?(?:视频|画面|影片)(?:上|里|中)|给(?:这个|我的)?视频",
    ),
    (
        C.NOT,
        None,
        r"don'?t|do\s+not|doesn'?t|not|never|no|without|shouldn'?t|can'?t|cannot"
        r"|won'?t|stop",
        r"不要再|不|别|没有|没|无|勿|不用|不能|不是",
    ),
    (
        C.FILLER,
        None,
        r"please|pls|plz|kindly|can|could|would|will|you|i|we|i'd|i'll|i'm|let'?s"
        r"|like|to|the|a|an|my|our|your|this|that|these|those|it|its|it's|of|in|on"
        r"|into"
        r"|onto|with|for|at|by|from|over|across|during|be|is|are|was|so|just|now"
        r"|some|there|here|as|me|us|him|them|should|shall|want|need|wanna|gonna|hey"
        r"|hi|hello|ok|okay|thanks|thank"
        r"|out|again|back|same|kind|sort|bit|little|really|nice|nicely|very|quick"
        r"|up\s+to|which|up|together|oops|sorry|hmm+|well|actually|alright"
        r"|right\s+now|perhaps|maybe|must|he|she|they|bit\s+of|myself|part|portion"
        r"|section|stretch|seconds?|file|itself|where|one|about|around"
        r"|instead|try|let|would\s+love|love|go\s+ahead|new|whole|entire|full|more"
        r"|please|point|onward|everything\s+else|both|all|only|previous|edits?"
        r"|changes?|steps?|actions?|thing|things|do|did|what|each\s+other|places"
        r"|place|content|way|through|throughout\s+it"
        r"|at\s+a|at\s+an|size|font|style|has|have|being|been|goes|going|screen"
        r"|version|post|along|beside|alongside|existing|current|else|final|result"
        r"|my\s+own|rest|remaining|too|own|original|ready|suitable",
        r"[一二三四五六七八九十几两]+个(?:大|小)?字|哎呀|糟糕|哎|请问|请|麻烦|帮我"
        r"|帮|我想要|我想|我要|我|你|您|给|把|将|的时候|的|了|一下子|一下|一个|一段"
        r"|一首|一条|一句|这个|这段|那个|那段|这|那|个|段|首|条|吧|呢|啊|呀|哦|嘛"
        r"|想要|要|里面|里|在|到|为|成|从|是|让|使|它|中|上|下|去|来|处|位置|地方"
        r"|部分|内容|片段里|大概|大约|左右|想|需要|希望|能不能|可以|能|吗|就行|就好|即可|就|都|整段"
        r"|作为|当作|当|做|一起|播放|音乐里|时间|时长|出来|起来|一些|点|些|一点|进去"
        r"|进来|视频里|视频中|视频上|上去|会|应该|有|也|为止|那里|适合|版本|用于"
        r"|发布|发|开始|屏幕|用来|操作|修改|步骤|步|次|刚才|刚刚|自己|只|之",
    ),
    (C.FILLER, None, r"", r"[.…:：?？~～\-–—()（）*!]"),
)


def _constant(value: Any) -> Reader:
    return lambda match: value


def _worded(lines: tuple[Line, ...]) -> Iterator[Lexeme]:
    for concept, value, english, chinese in lines:
        for pattern in filter(None, (whole_words(english) if english else "", chinese)):
            yield Lexeme(
                concept=concept, pattern=re.compile(pattern, re.IGNORECASE), read=_constant(value)
            )


def whole_words(pattern: str) -> str:
    """A pattern that matches at the ends of words only."""
    return rf"(?<![A-Za-z0-9_])(?:{pattern})(?![A-Za-z0-9_]|'(?!s(?![A-Za-z]))[A-Za-z])"


def _colors() -> Iterator[Lexeme]:
    for value, english, chinese in nouns.COLORS:
        words = whole_words(
            rf"(?:in\s+)?(?:bright\s+|bold\s+)?(?:{english})(?:\s+(?:letters|type|font))?"
        )
        for pattern in (words, chinese):
            yield Lexeme(
                concept=C.COLOR, pattern=re.compile(pattern, re.IGNORECASE), read=_constant(value)
            )
    yield Lexeme(
        concept=C.COLOR,
        pattern=re.compile(r"#[0-9a-f]{6}(?![0-9a-f])", re.IGNORECASE),
        read=lambda match: match[0].lower(),
    )


_ORDINALS = {
    name: number
    for number, names in enumerate(
        (
            "first 1st",
            "second 2nd",
            "third 3rd",
            "fourth 4th",
            "fifth 5th",
            "sixth 6th",
            "seventh 7th",
            "eighth 8th",
            "ninth 9th",
            "tenth 10th",
        ),
        1,
    )
    for name in names.split()
}


def ordinal(name: str) -> ClipRef:
    """The clip of an English ordinal."""
    return ClipRef(number=-1 if name.lower() in ("last", "final") else _ORDINALS[name.lower()])


_TABLES = (
    verbs.VERBS,
    nouns.NOUNS,
    verbs.FASTER,
    verbs.LOUDER,
    nouns.LOOKS,
    nouns.PLACES_IN_TIME,
    _SMALL,
)


def lexemes() -> tuple[Lexeme, ...]:
    """Every lexeme; of two that match as much, the first one counts."""
    ordinals = "|".join((*_ORDINALS, "last", "final"))
    phrased = (
        Lexeme(concept=concept, pattern=re.compile(pattern, re.IGNORECASE), read=read)
        for concept, pattern, read in phrases.patterns(ordinals, ordinal)
    )
    return (
        *_worded(nouns.FRAMES),
        *phrased,
        *_colors(),
        *(lexeme for table in _TABLES for lexeme in _worded(table)),
    )
