"""Work on media that nobody vouches for: each task in a child with bounds on memory and time."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from avpipe import jsonform
from avpipe.codecs.process import Child, python_argv
from avpipe.errors import (
    AvpipeError,
    ChildFailedError,
    StalledError,
    UnreadableError,
    UnsupportedFileError,
)
from avpipe.media import Alignment, MediaInfo
from avpipe.settings import Settings

WORKER = "avpipe.server.worker"
PROBE_LIMIT_S = 90.0
LISTEN_LIMIT_S = 1800.0
Tell = Callable[[float], None]


class Task:
    """One piece of work that may be stopped from another thread."""

    def __init__(self, name: str, spec: Mapping[str, Any], *, limit_s: float) -> None:
        self.name = name
        self.spec = spec
        self._limit_s = limit_s
        self._turn = threading.Lock()
        self._child: Child | None = None
        self._stopped = False
        self._late = False

    def run(self, settings: Settings, tell: Tell) -> Any:
        """Do it; gives its result. Raises AvpipeError."""
        argv = python_argv(WORKER, self.name, json.dumps(self.spec))
        with Child(argv, memory_bytes=settings.server.memory_per_job) as child:
            timer = threading.Timer(self._limit_s, self._give_up)
            timer.daemon = True
            timer.start()
            try:
                with self._turn:
                    self._child = child
                if self._stopped:
                    raise WorkStoppedError("stopped")
                return self._followed(child, tell)
            except (ChildFailedError, StalledError):
                if self._stopped:
                    raise WorkStoppedError("stopped") from None
                if self._late:
                    message = f"it took longer than {self._limit_s:.0f} s"
                    raise WorkFailedError(message, code="stalled") from None
                raise
            finally:
                timer.cancel()
                with self._turn:
                    self._child = None

    def stop(self) -> None:
        """End it; `run` then raises WorkStoppedError."""
        self._stopped = True
        self._kill()

    def _give_up(self) -> None:
        self._late = True
        self._kill()

    def _kill(self) -> None:
        with self._turn, suppress(ProcessLookupError):
            if self._child is not None:
                os.killpg(self._child.pid, signal.SIGKILL)

    def _followed(self, child: Child, tell: Tell) -> Any:
        result = None
        for line in child.lines():
            child.sign_of_life()
            form = json.loads(line)
            if "error" in form:
                message = re.sub(r"(file:)?(/[^\s/:]+)+/", "", form["error"]["message"])
                raise WorkFailedError(message, code=form["error"]["code"])
            if "done" in form:
                tell(form["done"])
            result = form.get("result", result)
        child.finish(self.name)
        return result


class WorkFailedError(AvpipeError):
    """The work itself found that it cannot be done; another try would find the same."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class WorkStoppedError(AvpipeError):
    """Somebody wanted it no more."""


def _done(name: str, settings: Settings, limit_s: float, **spec: Any) -> Any:
    return Task(name, spec, limit_s=limit_s).run(settings, lambda _: None)


def probe(path: Path, kind: str, settings: Settings) -> MediaInfo:
    """What an uploaded file is. Raises UnsupportedFileError where it is not what it says."""
    try:
        form = _done("probe", settings, PROBE_LIMIT_S, path=str(path))
    except (ChildFailedError, StalledError) as error:
        raise UnsupportedFileError("the file cannot be read") from error
    info = jsonform.decode(MediaInfo, form)
    if not info.supported:
        told = next((problem.message for problem in info.problems), "it is no media")
        raise UnsupportedFileError(f"unsupported file: {told}")
    if not info.video and kind != "audio":
        raise UnsupportedFileError(f"unsupported file: there is no picture in this {kind}")
    if not info.audio and kind == "audio":
        raise UnsupportedFileError("unsupported file: there is no sound in it")
    return info


def listening(file: MediaInfo, target: Path) -> Task:
    """The work that writes what a page plays and draws of a file's sound."""
    spec = {"info": jsonform.encode(file), "target": str(target)}
    return Task("hear", spec, limit_s=LISTEN_LIMIT_S)


def listen(task: Task, settings: Settings) -> None:
    """Do it. Raises UnreadableError, or WorkStoppedError."""
    try:
        task.run(settings, lambda _: None)
    except WorkStoppedError:
        raise
    except AvpipeError as error:
        raise UnreadableError(f"its sound cannot be read: {error.message}") from error


def aligning(video: MediaInfo, audio: MediaInfo, settings: Settings) -> Task:
    """The work that finds how two files line up."""
    spec = {
        "video": jsonform.encode(video),
        "audio": jsonform.encode(audio),
        "ffmpeg": settings.ffmpeg,
        "jobs": settings.jobs,
    }
    return Task("align", spec, limit_s=LISTEN_LIMIT_S)


def align(task: Task, settings: Settings) -> Alignment:
    """How two files line up. Raises UnreadableError, or WorkStoppedError."""
    try:
        form = task.run(settings, lambda _: None)
    except WorkStoppedError:
        raise
    except AvpipeError as error:
        raise UnreadableError(f"the sounds cannot be compared: {error.message}") from error
    return jsonform.decode(Alignment, form)
