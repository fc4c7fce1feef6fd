"""How a long picture is divided into chunks that are encoded beside each other. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from avpipe.codecs.rate import KEY_FRAMES_S
from avpipe.codecs.stretches import Chunk
from avpipe.codecs.timing import UNTIMED
from avpipe.recipe import Method, Recipe

CORES_A_LANE = 8
"""One encoder hardly uses more: its threads wait for each other's rows."""
LANE_BYTES = 1 << 30
"""What a lane may take of the memory: 0.7 GB of 1080 lines and its decoder."""
LEAST_CHUNK_S = 30
CHUNKS_A_LANE = 3
"""So that a lane which was given easy chunks takes more of them."""
MOST_CHANGE = Fraction(12, 100)
"""By how much the bytes of a chunk are changed to bring the whole to its size."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChunkLayout:
    """The chunks of a picture, in order and without gaps, and how many are encoded at a time."""

    chunks: tuple[Chunk, ...]
    lanes: int
    threads: int
    """Of the encoder of each."""

    @property
    def frames(self) -> int:
        """Of the whole."""
        return sum(chunk.count for chunk in self.chunks)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """How a file was held under its size."""

    method: Method
    layout: ChunkLayout | None = None
    """The chunks that its picture was encoded in."""


def chunk_layout(recipe: Recipe, cores: int, memory_bytes: int | None) -> ChunkLayout | None:
    """The chunks of a recipe's picture; None where one encoder can do as well.

    Each begins where a key frame would be, had the picture no cuts.
    """
    frames = countable_frames(recipe)
    lanes = -(-cores // CORES_A_LANE)
    if memory_bytes is not None:
        lanes = min(lanes, memory_bytes // LANE_BYTES)
    how = recipe.encode
    if frames is None or lanes < 2 or how is None or how.frame_ticks is None:
        return None
    group = max(1, round(KEY_FRAMES_S / (how.frame_ticks * how.time_base)))
    groups = frames // group
    count = min(lanes * CHUNKS_A_LANE, groups * KEY_FRAMES_S // LEAST_CHUNK_S)
    if count < 2:
        return None
    firsts = [group * (groups * number // count) for number in range(count)]
    chunks = tuple(
        Chunk(first=first, count=end - first)
        for first, end in zip(firsts, [*firsts[1:], frames], strict=True)
    )
    lanes = min(lanes, count)
    # x264 takes half as many threads again as there are cores.
    return ChunkLayout(chunks=chunks, lanes=lanes, threads=max(1, cores * 3 // (2 * lanes)))


def countable_frames(recipe: Recipe) -> int | None:
    """How many frames the output has; None where frames cannot be told by their number.

    Those of a video that is shown from its start to its end, each for as long as the others.
    """
    (camera, how) = (recipe.camera, recipe.encode)
    if how is None or how.frame_ticks is None or how.encoder != "libx264":
        return None
    if camera.picture is not None or camera.container in UNTIMED:
        return None
    frames = camera.video[0].packets
    shown = recipe.timeline.video.duration / (how.frame_ticks * how.time_base)
    return frames if frames and abs(shown - frames) < Fraction(1, 2) else None


def share_of_next(shares: Sequence[int], made: Sequence[int | None], number: int, room: int) -> int:
    """The bytes that a chunk is to take.

    `shares` is what each takes of one quality, and `made` what came of those that are finished:
    what they missed by is taken from the others.
    """
    finished = sum(size for size in made if size is not None)
    unfinished = sum(share for share, size in zip(shares, made, strict=True) if size is None)
    plain = room * shares[number] / max(1, sum(shares))
    asked = (room - finished) * shares[number] / max(1, unfinished)
    return round(min(plain * (1 + MOST_CHANGE), max(plain * (1 - MOST_CHANGE), asked)))


def to_make_again(made: Sequence[int], missing: int) -> tuple[int, ...]:
    """The fewest chunks, the largest, that can take what is missing (or, negative, too much)."""
    order = sorted(range(len(made)), key=lambda number: made[number], reverse=True)
    for count in range(1, len(made)):
        if abs(missing) <= MOST_CHANGE * sum(made[number] for number in order[:count]):
            return tuple(sorted(order[:count]))
    return tuple(range(len(made)))
