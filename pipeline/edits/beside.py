"""Where a recording lies beside the pictures that it was made with. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from avpipe.media import Alignment, Piece, Verdict
from avpipe.montage.values import ZERO, Clip

Pair = tuple[str, str]
"""The sources of a picture and of a sound."""
Alignments = Mapping[Pair, Alignment]
_TICK = 1_000_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Lie:
    """A stretch of a recording that lies on one line of a video's time."""

    source_in: Fraction
    """Where it begins in the recording, in seconds."""
    source_out: Fraction
    offset: Fraction = ZERO
    """Where the recording's first sample would lie, in seconds of the video's file."""
    clock: Fraction = Fraction(1)
    """Seconds of the recording in one of the video."""

    def beside(self, picture: Clip) -> tuple[Fraction, Fraction] | None:
        """From where to where in the recording it is heard during a picture; None for nothing."""
        first = max(self.source_in, (picture.source_in - self.offset) * self.clock)
        last = min(self.source_out, (picture.source_out - self.offset) * self.clock)
        return (first, last) if first < last else None

    def shown(self, picture: Clip, heard: Fraction) -> Fraction:
        """When a moment of the recording is heard on the timeline, by the picture."""
        return (
            picture.start + (self.offset + heard / self.clock - picture.source_in) / picture.speed
        )

    def later(self, shift: Fraction) -> Lie:
        """The same, heard so much later."""
        return replace(self, offset=self.offset + shift)


def is_certain(found: Alignment | None) -> bool:
    """Whether it is known where a recording belongs."""
    return found is not None and found.verdict is Verdict.MATCHED and bool(found.pieces)


def lies_of(found: Alignment | None, length: Fraction) -> tuple[Lie, ...]:
    """How a recording of that length lies beside a video: from the start where it is not certain.

    The first and the last piece reach the ends of the recording, or what another one is made of.
    """
    if found is None or not is_certain(found):
        return (Lie(source_in=ZERO, source_out=length),)
    lies = sorted(map(_lie, found.pieces), key=_middle)
    (first, last) = (lies[0], lies[-1])
    earlier = [lie.source_out for lie in lies if lie.source_in < first.source_in]
    later = [lie.source_in for lie in lies if lie.source_out > last.source_out]
    begin = min(max(earlier, default=ZERO), first.source_in)
    end = max(min(later, default=length), last.source_out)
    lies[0] = replace(first, source_in=begin)
    lies[-1] = replace(lies[-1], source_out=end)
    return tuple(replace(lie, source_out=min(lie.source_out, length)) for lie in lies)


def _lie(piece: Piece) -> Lie:
    return Lie(
        source_in=max(_exact(piece.audio_start_s), ZERO),
        source_out=_exact(piece.audio_end_s),
        offset=_exact(piece.offset_s),
        clock=1 + _exact(piece.drift_ppm) / 1_000_000,
    )


def _middle(lie: Lie) -> Fraction:
    """Where the middle of a piece lies in the video, nearly."""
    return (lie.source_in + lie.source_out) / 2 + lie.offset


def laid(pictures: Sequence[Clip], lies: Sequence[Lie], sound: Clip) -> list[Clip]:
    """A sound during pictures of one video; `sound` says what it is called and how it is heard."""
    made = []
    for picture in pictures:
        for lie in lies:
            heard = lie.beside(picture)
            if heard is not None:
                made.append(
                    replace(
                        sound,
                        start=lie.shown(picture, heard[0]),
                        source_in=heard[0],
                        source_out=heard[1],
                        speed=picture.speed,
                        clock=lie.clock,
                    )
                )
    return made


def _exact(value: float) -> Fraction:
    return Fraction(round(value * _TICK), _TICK)
