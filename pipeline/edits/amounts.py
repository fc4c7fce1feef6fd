"""Numbers, times, levels and factors as people write them, in English and Chinese. Pure.

The patterns hold no groups, so that they can be put into larger ones; each has its reader.
"""

from __future__ import annotations

import re
from fractions import Fraction

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS = {word: number for number, word in enumerate(_ONES)} | {
    word: 10 * number for number, word in enumerate(_TENS, 2)
}
_HAN = {digit: number for number, digit in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_HAN_POWERS = {"十": 10, "百": 100, "千": 1000}
_WORD = rf"(?:{'|'.join(sorted((*_WORDS, 'hundred'), key=len, reverse=True))})"

NUMBER = (
    r"(?:\d+(?:\.\d+)?"
    rf"|(?<![A-Za-z]){_WORD}(?:(?:\s+and\s+|\s+|-){_WORD})*(?![A-Za-z])"
    r"|[零〇一二两三四五六七八九十百千]+(?:点[零〇一二三四五六七八九]+)?)"
)
_HOURS = r"(?:hours?|hrs?|h|个?小时)"
_MINUTES = r"(?:minutes?|mins?|m|分钟|分)"
_MILLIS = r"(?:milliseconds?|msecs?|ms|毫秒)"
_SECONDS = r"(?:seconds?|secs?|s|秒钟|秒)"
_UNIT = rf"(?:(?:{_HOURS}|{_MILLIS}|{_MINUTES}|{_SECONDS})(?![A-Za-z]))"
_UNIT_TIGHT = rf"(?:(?:{_HOURS}|{_MILLIS}|{_MINUTES}|{_SECONDS})(?=\d|(?![A-Za-z])))"
_HALF = r"(?:(?<![A-Za-z])half\s+an?(?=[\s-])|(?<![A-Za-z])an?\s+half(?=[\s-])|半个?)"
_SINGLE = rf"(?:{NUMBER}\s+and\s+a\s+half|{NUMBER}|{_HALF}|(?<![A-Za-z])an?(?=[\s-]))"
_NEXT = r"\s*(?:,|and\b)?\s*"


def _counted(unit: str) -> str:
    """A number of one unit; what follows a unit without a blank is a number."""
    return rf"(?:{_SINGLE}(?:\s*|-){unit}(?=[\d零一二三四五六七八九十半]|(?![A-Za-z]))半?)"


_IN_HOURS, _IN_MINUTES = _counted(_HOURS), _counted(_MINUTES)
_IN_SECONDS = rf"(?:{_counted(_MILLIS)}|{_counted(_SECONDS)})"
CLOCK = r"(?:(?:\d{1,3}:)?\d{1,3}:\d\d(?:\.\d+)?)"
TIME = (
    rf"(?:{CLOCK}|(?:{_IN_HOURS}(?:{_NEXT}{_IN_MINUTES})?(?:{_NEXT}{_IN_SECONDS})?"
    rf"|{_IN_MINUTES}(?:{_NEXT}{_IN_SECONDS})?"
    rf"|{_IN_SECONDS})(?:\s+and\s+a\s+half)?)"
)
HAN_SHARE = r"[一二三四五六七八九十\d]+分之[一二三四五六七八九十百\d]+"
PERCENT = rf"(?:{NUMBER}\s*(?:%|percent\b|per\s+cent\b)|百分之{NUMBER})"
DECIBELS = rf"(?:[-+−]?\s?{NUMBER}\s*(?:dbs?\b|decibels?\b|分贝))"
LUFS = rf"(?:[-−]?\s?(?:minus\s+|负)?{NUMBER}\s*(?:lufs|lkfs)\b)"
BYTES = rf"(?:{NUMBER}\s*(?:[kmgt]i?b(?:ytes?)?(?![A-Za-z])|bytes?\b|兆(?:字节)?))"
TIMES = (
    rf"(?:{NUMBER}(?:\s+and\s+a\s+half)?\s*(?:x|×|times)(?![A-Za-z])"
    rf"|x\s?\d+(?:\.\d+)?(?![\d.])|{NUMBER}倍速?)"
)
SHARE = rf"(?:half|third|quarter|一半|半|{HAN_SHARE})"

_HOUR, _MINUTE = Fraction(3600), Fraction(60)


def number_of(text: str) -> Fraction:
    """The number that `NUMBER` matched."""
    text = text.strip().lower()
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return Fraction(text)
    if text[0] in _HAN or text[0] in _HAN_POWERS:
        return _han_number(text)
    total = 0
    for word in re.split(r"[\s-]+", text):
        if word == "hundred":
            total = (total or 1) * 100
        elif word != "and":
            total += _WORDS[word]
    return Fraction(total)


def _han_number(text: str) -> Fraction:
    (whole, _, decimals) = text.partition("点")
    if not any(power in whole for power in _HAN_POWERS):
        found = Fraction(int("".join(str(_HAN[digit]) for digit in whole)))
    else:
        (found, digit) = (Fraction(0), 0)
        for character in whole:
            if character in _HAN_POWERS:
                found += (digit or 1) * _HAN_POWERS[character]
                digit = 0
            else:
                digit = _HAN[character]
        found += digit
    if decimals:
        found += Fraction("0." + "".join(str(_HAN[digit]) for digit in decimals))
    return found


def seconds_of(text: str) -> Fraction:
    """The seconds that `TIME` matched; a bare `NUMBER` is seconds."""
    text = text.strip().lower()
    if re.fullmatch(CLOCK, text):
        total = Fraction(0)
        for field in text.split(":"):
            total = total * 60 + Fraction(field)
        return total
    if re.fullmatch(NUMBER, text):
        return number_of(text)
    total = unit = Fraction(0)
    for match in re.finditer(rf"({_SINGLE})(?:\s*|-)({_UNIT_TIGHT})(半?)", text, re.IGNORECASE):
        unit = unit_of(match[2])
        total += _count_of(match[1]) * unit + (unit / 2 if match[3] else 0)
    if re.search(r"and\s+a\s+half$", text):
        total += unit / 2
    return total


def _count_of(text: str) -> Fraction:
    text = text.strip().lower()
    if text in ("a", "an"):
        return Fraction(1)
    if re.fullmatch(r"half\s+an?|an?\s+half|半个?", text):
        return Fraction(1, 2)
    match = re.fullmatch(rf"({NUMBER})\s+and\s+a\s+half", text)
    return number_of(match[1]) + Fraction(1, 2) if match else number_of(text)


def unit_of(text: str) -> Fraction:
    """The seconds of a unit of time; of a text that ends with one too, else one second."""
    for pattern, unit in (
        (_HOURS, _HOUR),
        (_MILLIS, Fraction(1, 1000)),
        (_SECONDS, Fraction(1)),
        (_MINUTES, _MINUTE),
    ):
        if re.search(rf"(?<![A-Za-z]){pattern}$", text.strip(), re.IGNORECASE):
            return unit
    return Fraction(1)


def percent_of(text: str) -> Fraction:
    """The share that `PERCENT` matched: 35 % is 7/20."""
    found = re.search(NUMBER, text.replace("百分之", ""), re.IGNORECASE)
    return number_of(_text(found)) / 100


def decibels_of(text: str) -> float:
    """The decibels that `DECIBELS` matched, with their sign."""
    return _signed(text)


def lufs_of(text: str) -> float:
    """The loudness that `LUFS` matched: always below nought, with a sign or without."""
    return -abs(_signed(text))


def bytes_of(text: str) -> int:
    """The size that `BYTES` matched: MB are 10^6, MiB 2^20."""
    unit = re.sub(NUMBER, "", text, count=1, flags=re.IGNORECASE).strip().lower()
    power = "bkmgt".index("m" if unit.startswith("兆") else unit[0])
    step = 1024 if unit[1:2] == "i" else 1000
    return int(number_of(_text(re.search(NUMBER, text, re.IGNORECASE))) * step**power)


def gain_of_decibels(decibels: float) -> float:
    """What so many decibels multiply a sound by."""
    return float(10 ** (decibels / 20))


def times_of(text: str) -> Fraction:
    """The factor that `TIMES` matched."""
    half = Fraction(1, 2) if re.search(r"and\s+a\s+half", text, re.IGNORECASE) else 0
    return number_of(_text(re.search(NUMBER, text, re.IGNORECASE))) + half


def share_of(text: str) -> Fraction:
    """The share that `SHARE` matched."""
    named = {"half": 2, "third": 3, "quarter": 4, "一半": 2, "半": 2}
    text = text.strip().lower()
    if text in named:
        return Fraction(1, named[text])
    (below, _, above) = text.partition("分之")
    return number_of(above) / number_of(below)


def _signed(text: str) -> float:
    value = float(number_of(_text(re.search(NUMBER, text, re.IGNORECASE))))
    return -value if re.match(r"\s*(?:[-−]|minus|负)", text, re.IGNORECASE) else value


def _text(match: re.Match[str] | None) -> str:
    if match is None:
        raise ValueError("a number was expected")
    return match[0]
