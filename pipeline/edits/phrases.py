"""Phrases with figures in them: stretches of time, levels, factors, clips by their number. Pure.

Each is a concept, a pattern, and what reads its match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from re import IGNORECASE, Match, fullmatch, search
from typing import Any

from avpipe.edits import amounts
from avpipe.edits.amounts import (
    BYTES,
    CLOCK,
    DECIBELS,
    HAN_SHARE,
    LUFS,
    NUMBER,
    PERCENT,
    SHARE,
    TIME,
    TIMES,
    number_of,
    seconds_of,
    unit_of,
)
from avpipe.edits.concepts import Amount, Concept, End, Way
from avpipe.edits.values import END, START, ClipRef, Moment, Span

C = Concept

Phrase = tuple[C, str, Callable[[Match[str]], Any]]

_B = r"(?<![A-Za-z0-9_])"
"""Where a word may begin."""
_E = r"(?![A-Za-z0-9_])"
_BEGINNING = r"(?:the\s+)?(?:very\s+)?(?:beginning|start)|开头|开始|最开始"
_ENDING = (
    r"(?:the\s+)?(?:very\s+)?end(?:\s+of\s+(?:the\s+|my\s+)?(?:video|clip))?"
    r"|结尾|最后|结束|末尾"
)
_UNIT_WORD = r"(?:seconds?|secs?|s|minutes?|mins?|m|秒钟|秒|分钟|分)"
_ONE = r"(?:hour|minute|second)(?:\s+and\s+a\s+half)?"
"""A unit that stands for one of it: "the first minute"."""
_THE = r"(?:the\s+|my\s+)?"
_OF_IT = (
    r"(?:\s+of\s+(?:it|(?:the\s+|my\s+|this\s+)?(?:video|clip|footage|movie"
    r"|recording)))?"
)


def _point(text: str, other: str = "") -> Moment:
    """A moment; a bare number has the unit of the other end of its stretch."""
    text = text.strip()
    if search(rf"^(?:{_BEGINNING})$", text, IGNORECASE):
        return START
    if search(rf"^(?:{_ENDING})$", text, IGNORECASE):
        return END
    if search(rf"^(?:{NUMBER})$", text, IGNORECASE):
        return Moment(offset_s=number_of(text) * unit_of(other))
    return Moment(offset_s=seconds_of(text))


def _between(match: Match[str]) -> Span:
    return Span(start=_point(match[1], match[2]), end=_point(match[2], match[1]))


def _length(text: str) -> Fraction:
    return seconds_of(f"a {text}" if fullmatch(_ONE, text, IGNORECASE) else text)


def _leading(match: Match[str]) -> Span:
    return Span(end=Moment(offset_s=_length(match[1])))


def _trailing(match: Match[str]) -> Span:
    return Span(start=Moment(share=Fraction(1), offset_s=-_length(match[1])))


def _leading_share(match: Match[str]) -> Span:
    return Span(end=Moment(share=amounts.share_of(match[1])))


def _trailing_share(match: Match[str]) -> Span:
    return Span(start=Moment(share=1 - amounts.share_of(match[1])))


def _from_on(match: Match[str]) -> Span:
    return Span(start=_point(match[1]))


def _until(match: Match[str]) -> Span:
    return Span(end=_point(match[1]))


def _middle_third(match: Match[str]) -> Span:
    return Span(start=Moment(share=Fraction(1, 3)), end=Moment(share=Fraction(2, 3)))


_FROM = rf"{TIME}|{NUMBER}|{_BEGINNING}"
_TO = rf"{TIME}|{NUMBER}|{_ENDING}"
_SPANS: tuple[tuple[str, Callable[[Match[str]], Span]], ...] = (
    (
        rf"{_B}(?:the\s+(?:part|bit|section|stretch)\s+)?(?:from"
        rf"|between)\s+({_FROM})\s*"
        rf"(?:to|until|till|up\s+to|through|and|-|–|—|~)\s*({_TO}){_E}",
        _between,
    ),
    (
        rf"{_B}({CLOCK}|{TIME}|{NUMBER})\s*(?:to|until|till|through|-|–|—|~|到"
        rf"|至)\s*({TIME})",
        _between,
    ),
    (rf"{_B}({TIME})\s*(?:to|until|till|through|-|–|—|~|到|至)\s*({_ENDING})", _between),
    (
        rf"{_B}from\s+second\s+({NUMBER})\s+(?:to|until"
        rf"|till)\s+(?:second\s+)?({NUMBER}){_E}",
        _between,
    ),
    (
        rf"(?:从|自)?第?({TIME}|{NUMBER}|{_BEGINNING})\s*(?:到|至|-|~)\s*第?({_TO})(?:之间)?的?",
        _between,
    ),
    (rf"{_B}{_THE}(?:first|opening|initial)\s+({TIME}){_OF_IT}{_E}", _leading),
    (rf"{_B}{_THE}(?:first|opening|initial)\s+({_ONE}){_OF_IT}{_E}", _leading),
    (rf"{_B}{_THE}(?:last|final|closing|ending)\s+({TIME}|{_ONE}){_OF_IT}{_E}", _trailing),
    (rf"{_B}{_THE}(?:first|opening)\s+({SHARE}){_OF_IT}{_E}", _leading_share),
    (
        rf"{_B}{_THE}(?:last|final|second(?=\s+half)|back"
        rf"|latter)\s+({SHARE}){_OF_IT}{_E}",
        _trailing_share,
    ),
    (rf"{_B}{_THE}middle\s+third{_OF_IT}{_E}|中间三分之一", _middle_third),
    (
        rf"{_B}({TIME})\s+(?:off|from|at|of)\s+(?:{_THE}(?:very\s+)?)(?:start"
        rf"|beginning|front|head|intro){_OF_IT}{_E}",
        _leading,
    ),
    (
        rf"{_B}({TIME})\s+(?:off|from|at|of)\s+(?:{_THE}(?:very\s+)?)(?:end|tail|back"
        rf"|ending|outro){_OF_IT}{_E}",
        _trailing,
    ),
    (
        rf"{_B}(?:everything|anything|all|what\s+comes|whatever\s+comes|what(?:'s"
        rf"|\s+is)|the\s+rest|the\s+part)?\s*"
        rf"(?:after|past|beyond)\s+(?:the\s+)?({TIME})(?:\s+mark)?{_E}",
        _from_on,
    ),
    (
        rf"{_B}(?:everything\s+)?(?:from|starting\s+(?:at"
        rf"|from))\s+(?:the\s+)?({TIME})(?:\s+mark)?"
        rf"(?:\s+(?:on|onwards?|forward)(?:s)?){_E}",
        _from_on,
    ),
    (
        rf"{_B}(?:everything|anything|all|what\s+comes|whatever\s+comes|what(?:'s"
        rf"|\s+is)|the\s+part)?\s*"
        rf"(?:before|until|till|up\s+to|up\s+until"
        rf"|prior\s+to)\s+(?:the\s+)?({TIME})(?:\s+mark)?{_E}",
        _until,
    ),
    (
        rf"(?:最前面的?|最前|前面的?|前|头|开头的?|开始的?|最开始的?|片头的?|最初的?)({TIME})",
        _leading,
    ),
    (rf"(?:最后面的?|最后的?|后面的?|末尾的?|结尾的?|片尾的?|尾部的?|后|末)({TIME})", _trailing),
    (rf"(?:最前面的?|前面的?|前|开头的?|头)({SHARE})(?:段|部分)?", _leading_share),
    (rf"(?:最后面的?|最后的?|后面的?|后|末尾的?)({SHARE})(?:段|部分)?", _trailing_share),
    (
        rf"(?:从)?第?({TIME})(?:之后|以后|往后|后面|开始往后|开始)的?(?:全部|所有|部分|内容)?",
        _from_on,
    ),
    (rf"第?({TIME})(?:之前|以前|往前|前面)的?(?:全部|所有|部分|内容)?", _until),
    (
        rf"{_B}(?:throughout|the\s+(?:whole|entire)\s+(?:time|way)|all\s+the\s+time"
        rf"|(?:all\s+the\s+way|right)\s+through"
        rf"|for\s+the\s+(?:whole|entire)\s+(?:video|clip|thing|movie)"
        rf"|from\s+start\s+to\s+(?:finish|end)|start\s+to\s+finish|permanently|always"
        rf"|the\s+whole\s+duration){_E}"
        r"|全程|从头到尾|一直|自始至终|整个过程",
        lambda match: Span(),
    ),
)


def _spans() -> Iterator[Phrase]:
    for pattern, read in _SPANS:
        yield C.SPAN, pattern, read
        only = rf"{_B}(?:down\s+)?to\s+(?:just\s+|only\s+)?{pattern.removeprefix(_B)}"
        if pattern.startswith(_B):
            yield C.ONLY_SPAN, only, read
    yield C.ONLY_SPAN, rf"(?:到|成)(?:只剩)?(?:最?前|开头)({TIME})", _leading


def _lengths() -> Iterator[Phrase]:
    """A length to which something is brought, or for which it lasts."""
    yield (
        C.LENGTH,
        rf"{_B}(?:(?:down\s+)?to|for(?:\s+about)?|lasts?|lasting|over|during|within"
        rf"|at\s+most|under)\s+(?:about\s+|just\s+|only\s+"
        rf"|exactly\s+)?({TIME})(?:\s+(?:long|in\s+length|total)){{0,2}}{_E}",
        lambda match: seconds_of(match[1]),
    )
    yield C.LENGTH, rf"{_B}({TIME})\s+(?:long|in\s+length|total){_E}", lambda m: seconds_of(m[1])
    yield (
        C.LENGTH,
        rf"(?:到|至|成|为|用|花|持续|显示|停留?|时长为?|长度为?|时长)({TIME})(?:长|钟|的?时间)?",
        lambda match: seconds_of(match[1]),
    )
    yield (
        C.TIME,
        rf"({TIME})(?:长|钟|\s+(?:each|apiece){_E})?",
        lambda match: seconds_of(match[1]),
    )
    thing = (
        r"(?:(?:the\s+|my\s+)?(?:video|clip|movie|whole\s+thing|thing)|it|this|that"
        r"|everything)"
    )
    yield (
        C.STARTS,
        rf"{_B}(?:start|begin|let)\s+{thing}\s+(?:start\s+|begin\s+)?(?:at"
        rf"|from)\s+(?:the\s+)?({TIME})(?:\s+mark)?{_E}"
        rf"|从第?({TIME})(?:处|的地方)?(?:开始播放?|起播)",
        lambda match: Moment(offset_s=seconds_of(match[1] or match[2])),
    )
    yield (
        C.ENDS,
        rf"{_B}(?:end|stop|finish|let)\s+{thing}\s+(?:end\s+|stop\s+)?(?:at"
        rf"|after)\s+(?:the\s+)?({TIME})(?:\s+mark)?{_E}"
        rf"|(?:到|在)第?({TIME})(?:处|的地方)?(?:结束|为止|停)",
        lambda match: Moment(offset_s=seconds_of(match[1] or match[2])),
    )
    yield (
        C.AT,
        rf"{_B}(?:at|from|starting(?:\s+(?:at|from))?|beginning\s+at|start(?:s"
        rf"|ing)?\s+at)\s+(?:the\s+)?"
        rf"({TIME})(?:[\s-]+(?:mark|point|in)?)?{_E}",
        lambda match: Moment(offset_s=seconds_of(match[1])),
    )
    yield (
        C.AT,
        rf"{_B}({TIME})\s+in(?:to\s+(?:it|the\s+(?:video|clip)))?{_E}",
        lambda match: Moment(offset_s=seconds_of(match[1])),
    )
    yield (
        C.AT,
        rf"(?:在|从)?第?({TIME})(?:处|的地方|的位置|那里|时)|(?:在|从)第?({TIME})|第({TIME})",
        lambda match: Moment(offset_s=seconds_of(match[1] or match[2] or match[3])),
    )
    yield (
        C.AT,
        rf"{_B}(?:at\s+)?(?:the\s+)?half-?way(?:\s+(?:point|mark|through))?{_E}"
        rf"|(?:在)?一半处|(?:在)?正中间处",
        lambda match: Moment(share=Fraction(1, 2)),
    )


_WAY = {"to": Way.TO, "at": Way.TO, "of": Way.TO, "by": Way.BY, "for": Way.BY}
_WAY_HAN = (("到", Way.TO), ("至", Way.TO), ("为", Way.TO), ("成", Way.TO), ("了", Way.BY))


def _way(text: str) -> Way:
    word = text.strip().lower().split(" ")[0]
    if word in _WAY:
        return _WAY[word]
    return next((way for sign, way in _WAY_HAN if sign in text), Way.BARE)


def _way_of(match: Match[str]) -> Way:
    """How a figure is meant; where its "to" is the end of the verb before it (调到), by that."""
    return _way(match[1] or match.string[max(0, match.start() - 1) : match.start()])


def _percent(match: Match[str]) -> Amount:
    return Amount(factor=amounts.percent_of(match[2]), way=_way_of(match))


def _decibels(match: Match[str]) -> Amount:
    return Amount(decibels=amounts.decibels_of(match[2]), way=_way_of(match))


def _factor(factor: Fraction, way: Way) -> Callable[[Match[str]], Amount]:
    return lambda match: Amount(factor=factor, way=way)


_FRACTION = {
    "half": Fraction(1, 2),
    "third": Fraction(1, 3),
    "quarter": Fraction(1, 4),
    "fifth": Fraction(1, 5),
    "tenth": Fraction(1, 10),
}
_FRACTIONS = "|".join(_FRACTION)


def _levels() -> Iterator[Phrase]:
    ways = r"(?:(?:to|at|by|of)\s+(?:about\s+|around\s+|a\s+)?|到|至|为|成|了|)"
    yield C.LEVEL, rf"({ways})({PERCENT})", _percent
    yield C.LEVEL, rf"({ways})({DECIBELS})", _decibels
    half = Fraction(1, 2)
    yield (
        C.LEVEL,
        rf"{_B}(?:half\s+as\s+loud|half\s+(?:the\s+)?(?:volume|loudness|level)"
        rf"|by\s+(?:a\s+)?half|half\s+its\s+(?:volume|level))"
        rf"(?:\s+as\s+(?:now|before))?{_E}|音量减半|减半|一半音量|一半的音量|小一半|降低一半|调低一半|减小一半",
        _factor(half, Way.BY),
    )
    yield C.LEVEL, rf"{_B}(?:to\s+)?half\s+volume{_E}", _factor(half, Way.BY)
    yield C.LEVEL, r"音量的?一半|(?:到|为|成)一半", _factor(half, Way.TO)
    yield (
        C.LEVEL,
        rf"{_B}(?:at\s+|to\s+)?(?:an?|one)\s+({_FRACTIONS})\s+(?:of\s+)?(?:(?:the"
        rf"|its)\s+)?(?:volume|level|loudness){_E}",
        lambda match: Amount(factor=_FRACTION[match[1].lower()], way=Way.TO),
    )
    yield (
        C.LEVEL,
        rf"{_B}to\s+(?:an?\s+|one\s+)?({_FRACTIONS}){_E}"
        rf"(?!\s+(?:the\s+|its\s+|an?\s+)?(?:speed|pace|rate|size|time|length|width|height"
        rf"|{_UNIT_WORD}){_E})",
        lambda match: Amount(factor=_FRACTION[match[1].lower()], way=Way.TO),
    )
    yield (
        C.LEVEL,
        rf"(?:(?:到|至|为|成)|(?<=[到至为成]))(?:原来的)?({HAN_SHARE})",
        lambda match: Amount(factor=amounts.share_of(match[1]), way=Way.TO),
    )
    yield (
        C.LEVEL,
        rf"(?:到|至|为|成)?({NUMBER})成(?:的?音量)?",
        lambda match: Amount(factor=number_of(match[1]) / 10, way=Way.TO),
    )
    yield C.LEVEL, r"(?:降|减|小|低|砍|压)(?:低|少|掉|了)?(?:到)?一半", _factor(half, Way.BY)
    yield C.LEVEL, rf"{_B}in\s+half{_E}", _factor(half, Way.BY)
    yield C.LEVEL, rf"{_B}by\s+a\s+(?:third){_E}", _factor(Fraction(1, 3), Way.BY)
    yield C.LEVEL, rf"{_B}by\s+a\s+(?:quarter){_E}", _factor(Fraction(1, 4), Way.BY)
    yield (
        C.LEVEL,
        rf"{_B}(?:twice\s+as\s+loud|double\s+(?:the\s+)?(?:volume|loudness)"
        rf"|doubly\s+loud){_E}|音量翻倍|音量加倍|大一倍|响一倍|翻倍",
        _factor(Fraction(2), Way.BY),
    )
    yield (
        C.LEVEL,
        rf"{_B}(?:to\s+|at\s+)?(?:full|normal|original)\s+volume{_E}|原音量|正常音量"
        rf"|原来的音量|最大音量",
        _factor(Fraction(1), Way.TO),
    )
    yield C.LUFS, rf"(?:(?:to|at|of)\s+|到|至|为)?({LUFS})", lambda m: amounts.lufs_of(m[1])
    yield (
        C.LUFS,
        rf"{_B}loudness\s+(?:(?:to|at|of|level|=)\s+)*([-−]?\s?{NUMBER})(?!\s*(?:%|db|s)){_E}"
        rf"|响度(?:标准化|归一化|统一|调整|调|设置|设|控制)?(?:到|至|为|成|在)?\s*([-−负]?\s?{NUMBER})(?!\s*[%秒分倍])",
        lambda match: amounts.lufs_of(match[1] or match[2]),
    )
    yield (
        C.TIMES,
        rf"{_B}(?:at\s+|by\s+(?:a\s+factor\s+of\s+)?|to\s+)?({TIMES})(?:\s*(?:as"
        rf"|the)\s+)?|以?({NUMBER}倍速?)",
        lambda match: amounts.times_of(match[1] or match[2]),
    )


def _clips(ordinals: str, ordinal: Callable[[str], ClipRef]) -> Iterator[Phrase]:
    thing = r"(?:clip|shot|scene|segment|video|part|piece|take|one)"
    yield C.CLIP, rf"{_B}(?:the\s+)?({ordinals})\s+{thing}{_E}", lambda match: ordinal(match[1])
    both = rf"(?=\s+(?:and|with|&)\s+(?:the\s+)?(?:{ordinals})\s+{thing})"
    yield C.CLIP, rf"{_B}(?:the\s+)?({ordinals}){both}", lambda match: ordinal(match[1])
    yield (
        C.CLIP,
        rf"{_B}(?:clip|shot|scene|segment|part|video)\s+(?:number\s+|no\.?\s*"
        rf"|#)?({NUMBER}){_E}(?!\s*(?:seconds?|s\b|%))",
        lambda match: ClipRef(number=int(number_of(match[1]))),
    )
    piece = r"(?:段视频|段片段|个片段|个视频|段画面|个镜头|段|个)"
    yield C.CLIP, rf"第({NUMBER}){piece}", lambda match: ClipRef(number=int(number_of(match[1])))
    yield C.CLIP, rf"(?:最后|末尾)的?(?:一|那)?{piece}", lambda match: ClipRef(number=-1)
    yield C.CLIP, rf"片段\s?({NUMBER})", lambda match: ClipRef(number=int(number_of(match[1])))


def patterns(ordinals: str, ordinal: Callable[[str], ClipRef]) -> Iterator[Phrase]:
    """Every phrase; of two that match as much, the first one counts."""
    yield from _spans()
    yield from _clips(ordinals, ordinal)
    yield from _lengths()
    yield from _levels()
    yield (
        C.BYTES,
        rf"{_B}(?:(?:compress|shrink)(?:\s+(?:it|(?:the|my)\s+(?:file|video)))?\s+)?(?:(?:down\s+)?to\s+)?"
        rf"(?:be\s+|is\s+|stay\s+)?(?:under|below|(?:less|smaller|no\s+(?:more|larger|bigger))\s+than|at\s+most"
        rf"|within|up\s+to|to)\s+({BYTES}){_E}"
        rf"|(?:(?:压缩|控制|限制|压)(?:到|在|成))?(?:小于|不超过|不大于|低于|少于|最多)({BYTES})"
        rf"|(?:压缩|控制|限制|压)(?:到|在|成)({BYTES})(?:以内|以下|之内)?|({BYTES})(?:以内|以下|之内)",
        lambda match: amounts.bytes_of(next(filter(None, match.groups()))),
    )
    yield (
        C.RESOLUTION,
        rf"(?:{_B}to\s+)?(\d{{3,4}})\s*[x×*]\s*(\d{{3,4}}){_E}",
        lambda match: (int(match[1]), int(match[2])),
    )
    yield C.NUMBER, rf"({NUMBER})", lambda match: number_of(match[1])


def span_at(edge: End, length_s: Fraction) -> Span:
    """The stretch of that length at one end."""
    if edge is End.START:
        return Span(end=Moment(offset_s=length_s))
    return Span(start=Moment(share=Fraction(1), offset_s=-length_s))
