"""What a clause asks for that changes when something is seen. Pure."""

from __future__ import annotations

from fractions import Fraction

from avpipe.edits.clause import (
    FADE_S,
    HEARD,
    Built,
    Clause,
    clip_refs,
    files_of,
    is_shown,
    spans_of,
    stretches_of,
)
from avpipe.edits.concepts import Amount, Concept, End, Way
from avpipe.edits.values import (
    END,
    START,
    AddAudio,
    ClipRef,
    CrossFade,
    Cut,
    Hold,
    Join,
    Keep,
    Merge,
    Moment,
    Move,
    RemoveClip,
    ReverseOrder,
    Span,
    Speed,
    Split,
    Swap,
    Undo,
)

C = Concept


def undo(clause: Clause) -> Built:
    """Take back: the number of steps, where one is said."""
    return Undo(steps=int(clause.first(C.NUMBER, clause.first(C.TIMES, 1))))


def merge(clause: Clause) -> Built:
    """A merge; of several pictures, one after another."""
    files = files_of(clause)
    shown = [file for file in files if is_shown(file.name or "")]
    if len(shown) > 1 or (clause.has(C.CLIPS) and not clause.has(*HEARD) and not files):
        return Join(files=files)
    return Merge(files=files)


def join(clause: Clause) -> Built:
    """Pictures one after another."""
    if any(not is_shown(file.name or "") for file in files_of(clause)):
        return None
    return Join(files=files_of(clause), first=clause.first(C.EDGE) is End.START)


def add_clip(clause: Clause) -> Built:
    """A file that is added: by what kind of file it is."""
    files = files_of(clause)
    if all(is_shown(file.name or "") for file in files):
        first = clause.first(C.EDGE) is End.START or clause.has(C.BEFORE)
        return Join(files=files, first=first)
    if len(files) > 1 or clause.has(C.BEFORE, C.AFTER, C.EDGE):
        return None
    return AddAudio(file=files[0], at=clause.first(C.AT, START))


def cut(clause: Clause) -> Built:
    """What is taken out, or what alone stays."""
    spans = spans_of(clause)
    if not spans and clause.has(C.LENGTH) and not clause.has(C.REMOVE, C.EDGE):
        return Keep(spans=(Span(end=Moment(offset_s=clause.first(C.LENGTH))),))
    if not spans or clause.has(C.KEEP):
        return None
    if clause.has(C.ONLY_SPAN):
        return None if clause.has(C.REMOVE) else Keep(spans=spans)
    if clause.has(C.TRIM) and not clause.has(C.CUT, C.REMOVE) and not all(map(_is_edge, spans)):
        return Keep(spans=spans)
    return Cut(spans=spans)


def _is_edge(span: Span) -> bool:
    """Whether a stretch begins where everything does, or ends where it does."""
    return span.start == START or span.end.share == 1


def keep(clause: Clause) -> Built:
    """What alone stays."""
    spans = spans_of(clause)
    if not spans and (length := clause.first(C.LENGTH)) is not None:
        spans = (Span(end=Moment(offset_s=length)),)
    return Keep(spans=spans) if spans else None


def bounds(clause: Clause) -> Built:
    """Where it begins and ends."""
    start = clause.first(C.STARTS, START)
    return Keep(spans=(Span(start=start, end=clause.first(C.ENDS, END)),))


def lasting(clause: Clause) -> Built:
    """How long it is to be."""
    return Keep(spans=(Span(end=Moment(offset_s=clause.first(C.LENGTH))),))


def hold(clause: Clause) -> Built:
    """A frame that stands still for exactly one time."""
    lengths = [*clause.all(C.LENGTH), *clause.all(C.TIME)]
    frames = clause.all(C.HOLD)
    if len(lengths) != 1 or len(frames) != 1:
        return None
    return Hold(length_s=lengths[0], first=frames[0] is End.START)


def split(clause: Clause) -> Built:
    """Where one clip becomes two."""
    return [Split(at=moment) for moment in clause.all(C.AT)]


def move(clause: Clause) -> Built:
    """A clip to another place in the order."""
    clips = clip_refs(clause)
    if clause.has(C.BEFORE, C.AFTER):
        if len(clips) != 2 or clause.has(C.EDGE):
            return None
        (clip, other) = clips
        return (
            Move(clip=clip, before=other) if clause.has(C.BEFORE) else Move(clip=clip, after=other)
        )
    if len(clips) != 1 or not clause.has(C.EDGE):
        return None
    return Move(clip=clips[0], to=1 if clause.first(C.EDGE) is End.START else -1)


def swap(clause: Clause) -> Built:
    """Two clips change places."""
    clips = clip_refs(clause)
    if len(clips) == 2:
        return Swap(one=clips[0], other=clips[1])
    if not clips and clause.has(C.CLIPS):
        return Swap(one=ClipRef(number=1), other=ClipRef(number=2))
    return None


def reverse_order(clause: Clause) -> Built:
    """The last clip comes first."""
    return ReverseOrder()


def speed(clause: Clause) -> Built:
    """Faster or slower, by exactly one figure."""
    figures = clause.count(C.TIMES, C.PACE, C.LEVEL)
    spans = stretches_of(clause)
    if figures != 1 or spans is None:
        return None
    factor = _factor(clause)
    return None if factor is None else [Speed(factor=factor, span=span) for span in spans]


def _factor(clause: Clause) -> Fraction | None:
    """How many times as fast."""
    faster = clause.first(C.FASTER)
    if clause.has(C.PACE):
        pace: Fraction = clause.first(C.PACE)
        return pace if faster in (None, pace >= 1) else None
    if clause.has(C.TIMES):
        times: Fraction = clause.first(C.TIMES)
        return 1 / times if faster is False and times > 1 else times
    return _share_of_speed(clause.first(C.LEVEL), faster)


def _share_of_speed(amount: Amount, faster: bool | None) -> Fraction | None:
    if amount.factor is None:
        return None
    if faster is None or amount.way is Way.TO:
        factor = amount.factor
    else:
        factor = 1 + amount.factor if faster else 1 - amount.factor
    return factor if factor > 0 else None


def cross_fade(clause: Clause) -> Built:
    """Each clip fades into the next."""
    lengths = [*clause.all(C.LENGTH), *clause.all(C.TIME)]
    return CrossFade(length_s=lengths[0] if lengths else FADE_S)


def remove_clip(clause: Clause) -> Built:
    """Clips that are taken out."""
    return [RemoveClip(clip=clip) for clip in clip_refs(clause)]
