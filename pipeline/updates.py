"""What a long operation tells while it runs: one stream of values, drawn by others."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from avpipe.errors import AvpipeError, StoppedError
from avpipe.media import Alignment

Result = TypeVar("Result")


def result_of(steps: Generator[object, None, Result]) -> Result:
    """What comes of the steps, whatever they tell on the way."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """The work has begun."""

    EVENT: ClassVar[str] = "started"

    video: str | None
    """None where the files are in the cloud already."""
    audio: str | None
    output: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far the work is."""

    EVENT: ClassVar[str] = "progress"

    stage: str
    """`sync`, `fit`, `audio`, `video`, `correct`, `finalise`, `compress`, `upload`, `cloud_render`,
    `download` or `verify`."""
    done: float
    """Of this stage, from 0 to 1."""
    speed: float | None = None
    """Seconds of media a second; of an upload or download, bytes a second."""
    eta_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """Something that the user should know and need not act on."""

    EVENT: ClassVar[str] = "note"

    code: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Fallback:
    """Another route is taken than the one planned first."""

    EVENT: ClassVar[str] = "fallback"

    source: str = field(metadata={"json": "from"})
    code: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that was measured on the output."""

    name: str
    ok: bool
    value: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputFacts:
    """The file that was made."""

    path: str
    size_bytes: int
    duration_s: float
    width: int
    height: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """The work is done and the output is under its name."""

    EVENT: ClassVar[str] = "done"

    schema: str = "avpipe.merge/1"
    output: OutputFacts
    route: str
    fallback: Fallback | None
    video: str
    audio: str
    alignment: Alignment | None
    """None where nothing was lined up here."""
    checks: tuple[Check, ...]
    elapsed_s: float

    @classmethod
    def of_edit(
        cls, output: OutputFacts, checks: tuple[Check, ...], *, route: str, elapsed_s: float
    ) -> Done:
        """That of an edit, of which all is encoded and nothing was lined up."""
        return cls(
            output=output,
            route=route,
            fallback=None,
            video="encode",
            audio="encode",
            alignment=None,
            checks=checks,
            elapsed_s=round(elapsed_s, 3),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Compressed:
    """A file was brought under a size, and is under its name."""

    EVENT: ClassVar[str] = "done"

    schema: str = "avpipe.compress/1"
    output: OutputFacts
    limit_bytes: int
    method: str
    """`copy`, `crf` or `two_pass`."""
    predicted_bytes: int
    checks: tuple[Check, ...]
    elapsed_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why it failed, as scripts read it."""

    code: str
    message: str
    hint: str | None
    exit_code: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """The work failed; nothing stands under the output's name that was not there before."""

    EVENT: ClassVar[str] = "failed"

    error: Failure

    @classmethod
    def because(cls, error: AvpipeError | StoppedError) -> Failed:
        """The event that tells of an error."""
        return cls(
            error=Failure(
                code=error.code,
                message=error.message,
                hint=error.hint,
                exit_code=error.exit_code,
            )
        )


Update = Started | Progress | Note | Fallback | Done | Compressed | Failed
