"""What a clause asks for that changes what is heard. Pure."""

from __future__ import annotations

from fractions import Fraction

from avpipe.edits.amounts import gain_of_decibels
from avpipe.edits.clause import (
    FADE_S,
    HEARD,
    Built,
    Clause,
    first_file,
    parts_of,
    spans_of,
    stretches_of,
)
from avpipe.edits.concepts import Amount, Concept, End, Way
from avpipe.edits.values import (
    END,
    START,
    WHOLE,
    AddAudio,
    AddMusic,
    Duck,
    Fade,
    Loudness,
    Mute,
    Part,
    Remove,
    ReplaceAudio,
    ReplaceMusic,
    Span,
    Unmute,
    Volume,
)

C = Concept


def volume(clause: Clause) -> Built:
    """How loud each part that is named is to be."""
    parts = parts_of(clause, Part.ALL)
    spans = stretches_of(clause)
    if clause.count(C.LEVEL, C.TIMES) > 1 or clause.count(C.LOUDER) > 1 or spans is None:
        return None
    if spans != (WHOLE,) and _is_of_time(clause):
        return None
    if clause.has(C.TIMES):
        amount = Amount(factor=clause.first(C.TIMES), way=Way.BY)
    else:
        amount = clause.first(C.LEVEL)
    louder = clause.first(C.LOUDER, clause.first(C.TOO_LOUD))
    (gain, relative) = _gain(amount, louder)
    return [
        Volume(part=part, gain=gain, relative=relative, span=span)
        for part in parts
        for span in spans
    ]


def _is_of_time(clause: Clause) -> bool:
    """Whether a stretch is what is cut or kept, or stands in a piece that says no level itself."""
    said = {C.LEVEL, C.LOUDER, C.TIMES, C.TOO_LOUD}
    if not any(word.concept in said and word.end for word in clause.words):
        return True
    return any({C.CUT, C.KEEP} & pair and C.SPAN in pair for pair in clause.neighbours())


def _gain(amount: Amount | None, louder: float | None) -> tuple[float, bool]:
    """What a sound is multiplied by, and whether that is on top of what it has."""
    if amount is None:
        return gain_of_decibels(louder or 0.0), True
    relative = amount.way is Way.BY or (amount.way is Way.BARE and louder is not None)
    if amount.decibels is not None:
        decibels = amount.decibels
        if relative and louder is not None and louder < 0:
            decibels = -abs(decibels)
        return gain_of_decibels(decibels), relative
    factor = float(amount.factor or 0)
    if not relative or louder is None:
        return factor, relative
    if amount.factor is not None and amount.way is Way.BY and factor >= 1:
        return factor, True
    return (1 + factor if louder > 0 else 1 - factor), True


def _level(clause: Clause) -> float | None:
    """The level of something new; quiet or loud words alone count too."""
    amount = clause.first(C.LEVEL)
    if amount is None and not clause.has(C.LOUDER):
        return None
    return _gain(amount, clause.first(C.LOUDER))[0] if amount is None else _gain(amount, None)[0]


def mute(clause: Clause) -> Built:
    """What is silenced, and when."""
    spans = spans_of(clause)
    if not spans and clause.has(C.TIME, C.EDGE):  # how much of the end?
        return None
    spans = spans or (WHOLE,)
    if clause.has(C.OFF) and not clause.has(C.SET, C.MUTE):
        return None
    return [Mute(part=part, span=span) for part in parts_of(clause, Part.ALL) for span in spans]


def unmute(clause: Clause) -> Built:
    """What is heard again."""
    return [Unmute(part=part) for part in parts_of(clause, Part.ALL)]


def fade(clause: Clause) -> Built:
    """What comes up at its start or goes down at its end."""
    lengths = [*clause.all(C.LENGTH), *clause.all(C.TIME), *map(_edge_length, clause.all(C.SPAN))]
    edges = clause.all(C.EDGE)
    if len(lengths) > 1 or None in lengths:
        return None
    (comes, goes) = (clause.has(C.FADE_IN, C.FADE_BOTH), clause.has(C.FADE_OUT, C.FADE_BOTH))
    if (edges == [End.START] and not comes) or (edges == [End.END] and not goes):
        return None
    spans = clause.all(C.SPAN)
    if (goes and START in (span.start for span in spans)) or (
        comes and spans and not goes and START not in (span.start for span in spans)
    ):
        return None
    length = lengths[0] if lengths else FADE_S
    parts = parts_of(clause, Part.ALL) if clause.has(*HEARD, C.TITLE) else (Part.ALL,)
    seen = not clause.has(C.SOUND) or clause.has(C.VIDEO, C.EVERYTHING)
    (in_s, out_s) = (length if comes else None, length if goes else None)
    return [Fade(part=part, in_s=in_s, out_s=out_s, seen=seen) for part in parts]


def _edge_length(span: Span) -> Fraction | None:
    """How long a stretch is that lies at one end; None of another."""
    if span.start == START and not span.end.share:
        return span.end.offset_s
    if span.end == END and span.start.share == 1:
        return -span.start.offset_s
    return None


def music(clause: Clause) -> Built:
    """Music under the picture."""
    if max(clause.count(C.FILE), clause.count(C.LEVEL), clause.count(C.LOUDER)) > 1:
        return None
    lengths = [*clause.all(C.LENGTH), *clause.all(C.TIME)]
    fades = clause.has(C.FADE_IN, C.FADE_OUT, C.FADE_BOTH)
    if len(lengths) > 1 or (lengths and not fades):
        return None
    if clause.first(C.EDGE) is End.END and not fades:  # from when on?
        return None
    fade_s = lengths[0] if lengths else FADE_S
    at = clause.first(C.AT)
    span = clause.first(C.SPAN, WHOLE) if at is None else Span(start=at)
    return AddMusic(
        file=first_file(clause),
        gain=_level(clause),
        fade_in_s=fade_s if clause.has(C.FADE_IN, C.FADE_BOTH) else None,
        fade_out_s=fade_s if clause.has(C.FADE_OUT, C.FADE_BOTH) else None,
        duck=clause.has(C.DUCK, C.WHILE_SPEECH),
        span=span,
    )


def replace_music(clause: Clause) -> Built:
    """Other music."""
    return ReplaceMusic(file=first_file(clause))


def replace_audio(clause: Clause) -> Built:
    """Another sound in the place of the one that is heard."""
    return ReplaceAudio(file=first_file(clause)) if clause.count(C.FILE) <= 1 else None


def add_audio(clause: Clause) -> Built:
    """A sound beside what is heard."""
    if clause.count(C.FILE) > 1 or clause.count(C.LEVEL) > 1:
        return None
    level = _level(clause)
    return AddAudio(
        file=first_file(clause),
        at=clause.first(C.AT, START),
        gain=1.0 if level is None else level,
    )


def remove(clause: Clause) -> Built:
    """A part that is taken out, or silenced where it belongs to the picture."""
    if clause.has(C.SOUND, C.OWN_SOUND):
        return [Mute(part=part) for part in parts_of(clause, Part.ALL)]
    return [Remove(part=part) for part in parts_of(clause, Part.ALL)]


def loudness(clause: Clause) -> Built:
    """The loudness of the whole."""
    figures = clause.all(C.LUFS)
    if len(figures) > 1:
        return None
    return Loudness(lufs=figures[0]) if figures else Loudness()


def duck(clause: Clause) -> Built:
    """Music that gives way to speech, or no longer."""
    if clause.has(C.LOUDER) and clause.first(C.LOUDER) > 0:
        return None
    return Duck(on=not clause.has(C.NOT, C.REMOVE, C.MUTE))
