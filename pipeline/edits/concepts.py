"""What words mean to an edit: the closed set of meanings, and a word with its meaning."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from fractions import Fraction
from typing import Any


class Concept(Enum):
    """What a word, or a run of words, is about."""

    # what is done
    ADD = auto()
    USE = auto()
    REMOVE = auto()
    CUT = auto()
    TRIM = auto()
    """Cutting of which only the rest of the sentence says what stays."""
    KEEP = auto()
    SET = auto()
    MOVE = auto()
    REPLACE = auto()
    SWAP = auto()
    REVERSE = auto()
    SPLIT = auto()
    HOLD = auto()
    JOIN = auto()
    MERGE = auto()
    MUTE = auto()
    UNMUTE = auto()
    UNDO = auto()
    NORMALIZE = auto()
    DUCK = auto()
    EXPORT = auto()
    OFF = auto()
    ON = auto()
    CROP = auto()
    FADE_IN = auto()
    FADE_OUT = auto()
    FADE_BOTH = auto()
    CROSS_FADE = auto()
    # what it is done to
    VIDEO = auto()
    SOUND = auto()
    OWN_SOUND = auto()
    RECORDING = auto()
    SPEECH = auto()
    MUSIC = auto()
    TITLE = auto()
    CLIP = auto()
    CLIPS = auto()
    ORDER = auto()
    EVERYTHING = auto()
    FILE = auto()
    # how
    VOLUME = auto()
    SPEED = auto()
    ASPECT_NOUN = auto()
    RESOLUTION_NOUN = auto()
    LOUDER = auto()
    TOO_LOUD = auto()
    TOO_LONG = auto()
    FASTER = auto()
    PACE = auto()
    TIMES = auto()
    LEVEL = auto()
    LUFS = auto()
    BYTES = auto()
    LENGTH = auto()
    SPAN = auto()
    ONLY_SPAN = auto()
    TIME = auto()
    AT = auto()
    EDGE = auto()
    STARTS = auto()
    ENDS = auto()
    BEFORE = auto()
    AFTER = auto()
    NUMBER = auto()
    TEXT = auto()
    SAYS = auto()
    PLACE = auto()
    COLOR = auto()
    TEXT_SIZE = auto()
    ASPECT = auto()
    SHAPE = auto()
    RESOLUTION = auto()
    FORMAT = auto()
    WHILE_SPEECH = auto()
    BACKGROUND = auto()
    PLATFORM = auto()
    # the rest
    SEPARATOR = auto()
    FILLER = auto()
    NOT = auto()
    UNKNOWN = auto()


class Way(StrEnum):
    """How a figure is meant."""

    TO = "to"
    BY = "by"
    BARE = "bare"
    """The sentence leaves it open."""


class End(StrEnum):
    """One of the two ends of the timeline."""

    START = "start"
    END = "end"


@dataclass(frozen=True, kw_only=True, slots=True)
class Amount:
    """A figure for a volume or a speed."""

    factor: Fraction | None = None
    """Of a percentage or a share."""
    decibels: float | None = None
    way: Way = Way.BARE


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """A run of characters with its meaning."""

    concept: Concept
    value: Any = None
    start: int = 0
    """Where it begins in the sentence."""
    end: int = 0


Line = tuple[Concept, Any, str, str]
"""A meaning, its value, and the patterns of its words in English and in Chinese."""
