"""Frames of a video by their numbers: what is found in a file, and what is taken of one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameIndex:
    """Where the frames of a stream are."""

    frames: int
    key_frames: tuple[int, ...]
    """Those that are IDR pictures, and the number of frames."""
    steady: bool
    """Whether each frame is where the frame rate puts it, the first one at the stream's start."""
    parameter_id: int | None
    """One that the stream's parameter sets do not use; None where they cannot be read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Frames of an output that are encoded on their own, the first one as a key frame."""

    first: int
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """Frames of a file, in the order of presentation."""

    path: str
    stream: int
    first: int
    count: int
