"""Renders on the workers of a Dask cluster: the same child process, on another machine.

The data folder has to be there under the same path. A worker may be replaced by another one in the
midst of an attempt, so each writes a file of a name that it makes up; the server takes the one that
it is told of, and removes the others.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avpipe.batch.dispatch import Dispatcher, Place
from avpipe.errors import (
    AvpipeError,
    ChildFailedError,
    DiskFullError,
    StalledError,
    UnreachableError,
)
from avpipe.server.work import Task, Tell, WorkFailedError, WorkStoppedError
from avpipe.settings import ServerSettings, Settings


@dataclass(kw_only=True)
class RenderThere:
    """What is sent to a worker."""

    spec: Mapping[str, Any]
    limit_s: float
    memory_bytes: int
    _stopped: bool = False
    _tasks: list[Task] = field(default_factory=list)

    def run(self, place: Place, tell: Tell) -> dict[str, Any]:
        """The receipt of a finished file, `made`; or why there is none.

        `failed` is final, `broken` is to be tried again, `stopped` is what nobody wants here any
        more. It is told as text: an exception may not survive the way back.
        """
        told = Path(self.spec["output"])
        if not told.parent.is_dir():
            return _failed(f"{told.parent} is not on the worker: the data folder must be shared")
        output = told.with_name(f"{told.stem}-{os.urandom(4).hex()}{told.suffix}")
        own = {
            "output": str(output),
            "ffmpeg": None,
            "state_dir": str(place.folder),
            "jobs": self.spec["jobs"] or place.cores,
        }
        task = Task("render", {**self.spec, **own}, limit_s=self.limit_s)
        self._tasks.append(task)
        if self._stopped:
            task.stop()
        server = ServerSettings(memory_per_job=self.memory_bytes)
        try:
            made = task.run(Settings(state_dir=place.folder, server=server), tell)
        except WorkStoppedError:
            output.unlink(missing_ok=True)
            return {"stopped": True}
        except (WorkFailedError, DiskFullError, StalledError) as error:
            output.unlink(missing_ok=True)
            return _failed(error.message)
        except AvpipeError as error:
            output.unlink(missing_ok=True)
            return {"broken": error.message}
        return {"made": {**made, "place": output.name}}

    def stop(self) -> None:
        """End it soon."""
        self._stopped = True
        for task in self._tasks:
            task.stop()


class RemoteTask:
    """A render that is done elsewhere, as `Task` is one that is done here."""

    def __init__(self, cluster: Dispatcher, spec: Mapping[str, Any], *, limit_s: float) -> None:
        self.spec = spec
        self._cluster = cluster
        self._limit_s = limit_s
        self._stopped = threading.Event()

    def run(self, settings: Settings, tell: Tell) -> Any:
        """Have it done; gives its result. Raises AvpipeError.

        UnreachableError where the scheduler is lost: nothing is wrong with the render then.
        """
        memory_bytes = settings.server.memory_per_job
        work = RenderThere(spec=self.spec, limit_s=self._limit_s, memory_bytes=memory_bytes)
        told = self._cluster.do(work, tell, self._stopped)
        if told is None:
            raise WorkStoppedError("stopped")
        if "stopped" in told:  # and not by us: the worker itself was told to end
            raise UnreachableError("the cluster's worker ended")
        if "failed" in told:
            raise WorkFailedError(told["failed"], code="failed")
        if "broken" in told:
            raise ChildFailedError(told["broken"])
        return told["made"]

    def stop(self) -> None:
        """End it; `run` then raises WorkStoppedError."""
        self._stopped.set()


def _failed(message: str) -> dict[str, Any]:
    return {"failed": message}
