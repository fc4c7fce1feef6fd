"""What a job is to do, and how its files are made ready and its render becomes the output."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avpipe import jsonform
from avpipe.cloud.connection import Cloud
from avpipe.cloud.upload import LocalFile
from avpipe.journal import JobRow
from avpipe.updates import Check, Note, Progress

PREFIX = ".avpipe-"
"""Of the file beside the output into which the render is downloaded."""
PREPARED = "prepared"
"""The folder, in the state folder, of what is made for jobs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobSpec:
    """What a job is to do."""

    files: tuple[LocalFile, ...] = ()
    """Sent in this order; with a key each, a file that was sent need not be made again."""
    instruction: str | None = None
    """What the agent is told; None where the session already holds the edit."""
    duration_s: float | None = None
    """How long the output has to be; None for what the timeline says when it is rendered."""
    draft: dict[str, Any] = field(default_factory=dict)
    """The timeline that was sent to be rendered; empty before."""
    resolution: str | None = None
    """What the render is bounded by, such as 1080p; None for the service's own choice."""
    scratch: str | None = None
    """The folder of files that were made for the job alone: it goes when the job has ended."""
    context: dict[str, Any] = field(default_factory=dict)
    """What whoever takes the job up again needs to know; kept, not read."""

    def clear(self) -> None:
        """Remove what was made for the job alone."""
        if self.scratch is not None:
            shutil.rmtree(self.scratch, ignore_errors=True)


def scratch_folder(cloud: Cloud, key: str, output: str) -> Path:
    """The folder of what is made for the job of that key and output alone."""
    name = f"{key} {output}".encode(errors="surrogateescape")
    return cloud.settings.state_dir / PREPARED / hashlib.sha256(name).hexdigest()[:24]


def spec_of(job: JobRow) -> JobSpec:
    """What a job is to do."""
    return jsonform.decode(JobSpec, json.loads(job.spec))


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """What a render has to be, as far as the service and the job tell."""

    duration_s: float | None
    size_bytes: int | None
    draft: dict[str, Any] = field(default_factory=dict)
    """The timeline that was rendered."""


Step = Progress | Note


def _nothing(file: LocalFile) -> Generator[Progress]:
    """Files that are there already are not made."""
    yield from ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """How files are made ready, and how a downloaded render becomes the output.

    Each raises AvpipeError.
    """

    verify: Callable[[Path, Expected], Generator[Step, None, tuple[Check, ...]]]
    """Measures a file. Raises VerificationError where it is not what it should be."""
    publish: Callable[[Path], None]
    """Gives a verified file its name."""
    make: Callable[[LocalFile], Generator[Progress]] = _nothing
    """Makes a file that is to be sent now, where it is not there yet."""


def part_of(job: JobRow) -> Path:
    """Where a job's render is downloaded to: beside its output, hidden."""
    return Path(job.output).parent / f"{PREFIX}{job.id}.part"


def is_published(job: JobRow) -> bool:
    """Whether the file under the output's name is what the job made."""
    output = Path(job.output)
    return job.made is not None and output.exists() and mark_of(output) == job.made


def mark_of(path: Path) -> str:
    """What tells a file from every other one that had or will have its name."""
    found = path.stat()
    return f"{found.st_dev} {found.st_ino} {found.st_size}"
