"""What a clause asks for: one rule for each kind of edit, over the meanings of its words. Pure.

A rule says which meanings it needs and which it can use. A clause that holds any other is not
that edit: no word with a meaning is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from avpipe.edits import look_rules, sound_rules, time_rules
from avpipe.edits.clause import HEARD, Clause, Rule
from avpipe.edits.concepts import Concept, Word
from avpipe.edits.values import Edit

C = Concept

_PUT = {C.ADD, C.USE}


_CHANGE = {C.SET, C.MOVE, C.REPLACE, C.USE, C.LOUDER, C.KEEP}


_LOOK = {
    *(C.PLACE, C.COLOR, C.TEXT_SIZE, C.SPAN, C.AT, C.EDGE, C.LENGTH, C.TIME),
    *(C.FADE_IN, C.FADE_OUT, C.FADE_BOTH),
}


_FADES = {C.FADE_IN, C.FADE_OUT, C.FADE_BOTH}


RULES: tuple[Rule, ...] = (
    Rule(needs=({C.UNDO},), may={C.NUMBER, C.TIMES, C.EDGE, C.REMOVE}, build=time_rules.undo),
    Rule(
        needs=({C.MERGE},),
        may={*HEARD, C.FILE, C.CLIPS, C.FORMAT, C.SET, C.USE, C.MOVE},
        build=time_rules.merge,
    ),
    Rule(needs=({C.JOIN},), may={C.FILE, C.CLIPS, C.EDGE, C.ADD, C.SET}, build=time_rules.join),
    Rule(
        needs=({C.CUT, C.TRIM, C.REMOVE}, {C.SPAN, C.ONLY_SPAN, C.TIME, C.LENGTH}),
        may={C.EDGE, C.SET, C.OFF, C.TOO_LONG},
        build=time_rules.cut,
    ),
    Rule(
        needs=({C.KEEP}, {C.SPAN, C.ONLY_SPAN, C.TIME, C.LENGTH}),
        may={C.EDGE, C.USE, C.SET, C.TRIM, C.CUT, C.TOO_LONG},
        build=time_rules.keep,
    ),
    Rule(needs=({C.SET}, {C.LENGTH}), may={C.TOO_LONG}, build=time_rules.lasting),
    Rule(needs=({C.STARTS, C.ENDS},), may={C.STARTS, C.ENDS}, build=time_rules.bounds),
    Rule(needs=({C.HOLD}, {C.LENGTH, C.TIME}), build=time_rules.hold),
    Rule(needs=({C.SPLIT}, {C.AT}), may={C.CLIPS, C.CUT}, build=time_rules.split),
    Rule(
        needs=({C.MOVE, C.ADD, C.SET, C.USE}, {C.CLIP}),
        may={C.FILE, C.EDGE, C.BEFORE, C.AFTER, C.MOVE},
        build=time_rules.move,
    ),
    Rule(needs=({C.MOVE}, {C.FILE}), may={C.EDGE, C.BEFORE, C.AFTER}, build=time_rules.move),
    Rule(
        needs=({C.SWAP, C.REPLACE}, {C.CLIP, C.CLIPS}),
        may={C.FILE, C.ORDER, C.SWAP, C.SET},
        build=time_rules.swap,
    ),
    Rule(needs=({C.REVERSE}, {C.ORDER, C.CLIPS}), may={C.SET}, build=time_rules.reverse_order),
    Rule(
        needs=({C.TIMES, C.PACE, C.LEVEL}, {C.FASTER, C.SPEED, C.PACE, C.TIMES}),
        may={C.SET, C.ADD, C.FASTER, C.LOUDER, C.SPEED, C.USE, C.SPAN, C.TIME, C.EDGE},
        build=time_rules.speed,
    ),
    Rule(
        needs=(
            {C.VOLUME, C.LOUDER, *HEARD, C.LEVEL, C.EVERYTHING, C.TOO_LOUD},
            {C.LEVEL, C.LOUDER, C.TIMES, C.TOO_LOUD},
        ),
        may={
            *(*HEARD, C.SET, C.VOLUME, C.LOUDER, C.MOVE, C.KEEP, C.CUT, C.BACKGROUND),
            *(C.SPAN, C.TIME, C.EDGE),
        },
        build=sound_rules.volume,
    ),
    Rule(
        needs=({C.MUTE, C.OFF},),
        may={*HEARD, C.VOLUME, C.SPAN, C.SET, C.TIME, C.EDGE, C.MUTE},
        build=sound_rules.mute,
    ),
    Rule(needs=({C.UNMUTE, C.ON},), may={*HEARD, C.VOLUME, C.SET}, build=sound_rules.unmute),
    Rule(
        needs=({C.CROSS_FADE},),
        may={C.CLIPS, C.TIME, C.LENGTH, C.ADD, C.USE},
        build=time_rules.cross_fade,
    ),
    Rule(
        needs=(_FADES,),
        may={*HEARD, C.TITLE, C.TIME, C.LENGTH, C.EDGE, C.ADD, C.SET, C.VOLUME, C.SPAN, *_FADES},
        build=sound_rules.fade,
    ),
    Rule(
        needs=({C.REPLACE, C.SET}, {C.MUSIC}, {C.FILE}),
        may={C.USE, C.FORMAT},
        build=sound_rules.replace_music,
    ),
    Rule(
        needs=({*_PUT, C.FILE}, {C.MUSIC, C.BACKGROUND}),
        may={
            C.FILE,
            C.LEVEL,
            C.LOUDER,
            C.VOLUME,
            C.DUCK,
            C.WHILE_SPEECH,
            C.SPEECH,
            C.SPAN,
            C.AT,
            *_FADES,
            C.TIME,
            C.LENGTH,
            C.EDGE,
            C.SET,
            *_PUT,
            C.FILE,
            C.BACKGROUND,
            C.MUSIC,
        },
        build=sound_rules.music,
    ),
    Rule(
        needs=({C.REPLACE, C.USE, C.SET}, {C.SOUND, C.OWN_SOUND, C.RECORDING}, {C.FILE}),
        may={C.USE, C.REPLACE, C.OWN_SOUND, C.SOUND, C.RECORDING, C.ADD},
        build=sound_rules.replace_audio,
    ),
    Rule(
        needs=({C.REPLACE}, {C.SOUND, C.OWN_SOUND}, {C.RECORDING}),
        build=sound_rules.replace_audio,
    ),
    Rule(
        needs=({C.ADD}, {C.SOUND, C.RECORDING, C.SPEECH}),
        may={C.FILE, C.AT, C.LEVEL, C.VOLUME, C.SOUND, C.RECORDING},
        build=sound_rules.add_audio,
    ),
    Rule(
        needs=({C.ADD, C.USE, C.JOIN}, {C.FILE}),
        may={C.EDGE, C.BEFORE, C.AFTER, C.AT},
        build=time_rules.add_clip,
    ),
    Rule(needs=({C.REMOVE, C.CUT}, {C.CLIP}), build=time_rules.remove_clip),
    Rule(needs=({C.REMOVE}, {C.FILE}), build=time_rules.remove_clip),
    Rule(needs=({C.REMOVE, C.CUT}, {*HEARD, C.TITLE}), may=set(HEARD), build=sound_rules.remove),
    Rule(
        needs=({C.ADD, C.SAYS, C.TITLE}, {C.TEXT}),
        may={*_LOOK, C.ADD, C.SAYS, C.TITLE},
        build=look_rules.add_title,
    ),
    Rule(
        needs=({C.TITLE}, {*_CHANGE}, {C.TEXT, *_LOOK}),
        may={*_LOOK, *_CHANGE, C.TEXT, C.SAYS, C.ADD},
        build=look_rules.change_title,
    ),
    Rule(
        needs=({C.ASPECT},),
        may={
            C.SET,
            C.CROP,
            C.SHAPE,
            C.ASPECT_NOUN,
            C.RESOLUTION,
            C.FORMAT,
            C.USE,
            C.TRIM,
            C.ADD,
            C.PLATFORM,
            C.REPLACE,
            C.RESOLUTION_NOUN,
        },
        build=look_rules.aspect,
    ),
    Rule(
        needs=({C.SHAPE},),
        may={C.SET, C.USE, C.ADD, C.REMOVE, C.ASPECT_NOUN, C.KEEP, C.REPLACE},
        build=look_rules.framing,
    ),
    Rule(
        needs=({C.RESOLUTION},),
        may={C.SET, C.USE, C.RESOLUTION_NOUN, C.FORMAT, C.LOUDER, C.REPLACE},
        build=look_rules.resolution,
    ),
    Rule(
        needs=({C.BYTES},),
        may={C.SET, C.KEEP, C.FORMAT, C.VIDEO},
        build=look_rules.file_size,
    ),
    Rule(
        needs=({C.LUFS, C.NORMALIZE},),
        may={*HEARD, C.LUFS, C.NORMALIZE, C.SET, C.VOLUME},
        build=sound_rules.loudness,
    ),
    Rule(
        needs=({C.DUCK, C.WHILE_SPEECH}, {C.DUCK, C.LOUDER, C.MUSIC}),
        may={
            C.DUCK,
            C.LOUDER,
            C.MUSIC,
            C.WHILE_SPEECH,
            C.SPEECH,
            C.SET,
            C.REMOVE,
            C.NOT,
            C.MUTE,
            C.VOLUME,
            C.ADD,
            C.RECORDING,
            C.USE,
        },
        build=sound_rules.duck,
    ),
)


def edits_of(words: Sequence[Word]) -> tuple[Edit, ...]:
    """What a clause asks for; empty where no rule takes it."""
    clause = Clause(words)
    return next(_found(clause), ())


def _found(clause: Clause) -> Iterator[tuple[Edit, ...]]:
    for rule in RULES:
        if edits := rule.edits(clause):
            yield edits
