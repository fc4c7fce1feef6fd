"""Two recordings that are compared, and what was found of what they have in common."""

from __future__ import annotations

from dataclasses import dataclass

from avpipe.sync.features import Features
from avpipe.sync.fine import Fine
from avpipe.sync.planning import plan_windows
from avpipe.sync.windows import Map, Memo, Read


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Part:
    """A part of the camera's time line with its exact line."""

    begin_s: float
    end_s: float
    fine: Fine


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Survey:
    """All that was found of the overlap."""

    parts: tuple[Part, ...]
    """In the order of time."""
    lost_s: float
    """How much at its ends or between parts no line holds in, although there is sound."""
    doubtful: bool = False
    """Whether a part would fit as well elsewhere, where it would be as near to the others."""

    @property
    def weight(self) -> float:
        """What all parts explain of their seconds."""
        return sum(part.fine.explains * (part.end_s - part.begin_s) for part in self.parts)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Take:
    """Both recordings: their samples and their features."""

    camera: Read
    recorder: Read
    ours: Features
    theirs: Features
    rate: float = 1.0
    """Seconds of the recorder that are one of the camera, but for a drift."""

    def forget(self) -> None:
        """Let go of samples that are kept: there may be many takes, of each pair of channels."""
        for read in (self.camera, self.recorder):
            if isinstance(read, Memo):
                read.forget()

    def overlap(self, line: Map) -> tuple[float, float]:
        """Begin and end of what both have on a line, on the camera's time line."""
        begin = max(0.0, line.camera_time(0.0))
        return begin, min(self.ours.duration_s, line.camera_time(self.theirs.duration_s))

    def windows(self, begin_s: float, end_s: float) -> tuple[list[float], float]:
        """Plan windows between two moments of the camera, where it was decoded if that will do."""
        return plan_windows(begin_s, end_s, self.ours.known_spans)
