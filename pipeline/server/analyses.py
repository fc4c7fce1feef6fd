"""What is found out about files once and kept: how they sound, how two of them line up."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from avpipe.media import Alignment
from avpipe.server import work
from avpipe.server.sessions import File, Sessions
from avpipe.settings import Settings

AT_ONCE = 2
WAVE = ".heard.wav"
OUTLINE = ".heard.json"


class Analyses:
    """Work in the background; two who ask for the same wait for one piece of work."""

    def __init__(self, sessions: Sessions, settings: Settings) -> None:
        self._sessions = sessions
        self._settings = settings
        self._turn = threading.Lock()
        self._running: dict[object, Future[Any]] = {}
        self._tasks: set[work.Task] = set()
        self._stopped = False
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="analysis")

    def abort(self) -> None:
        """End what is at work, and what is asked for from now on: WorkStoppedError is its result.

        A sentence that waits for it then ends without an edit.
        """
        self._stopped = True
        for task in tuple(self._tasks):
            task.stop()

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    @contextlib.contextmanager
    def _stoppable(self, task: work.Task) -> Iterator[work.Task]:
        self._tasks.add(task)
        if self._stopped:
            task.stop()
        try:
            yield task
        finally:
            self._tasks.discard(task)

    def alignment(self, video: File, audio: File) -> Future[Alignment]:
        """How two files line up. Its result raises UnreadableError."""
        known = self._sessions.alignment(video.file_id, audio.file_id)
        if known is not None:
            return _done(known)
        key = (video.file_id, audio.file_id)
        return self._once(key, lambda: self._align(video, audio))

    def outline(self, file: File) -> Future[dict[str, Any]]:
        """The outline of a file's sound; the sound itself then lies beside it.

        Its result raises UnreadableError.
        """
        kept = _beside(file, OUTLINE)
        if kept.exists() and heard_path(file).exists():
            return _done(json.loads(kept.read_text()))
        return self._once(file.file_id, lambda: self._listen(file, kept))

    def _align(self, video: File, audio: File) -> Alignment:
        with self._stoppable(work.aligning(video.facts, audio.facts, self._settings)) as task:
            found = work.align(task, self._settings)
        self._sessions.keep_alignment(video.file_id, audio.file_id, found)
        return found

    def _listen(self, file: File, kept: Path) -> dict[str, Any]:
        with self._stoppable(work.listening(file.facts, _beside(file, ".heard"))) as task:
            work.listen(task, self._settings)
        form: dict[str, Any] = json.loads(kept.read_text())
        return form

    def _once(self, key: object, do: Callable[[], Any]) -> Future[Any]:
        with self._turn:
            running = self._running.get(key)
            if running is None:
                running = self._running[key] = self._pool.submit(do)
                running.add_done_callback(lambda _: self._forget(key))
            return running

    def _forget(self, key: object) -> None:
        # Not under the lock: a piece of work may end while it is being handed over.
        self._running.pop(key, None)


def heard_path(file: File) -> Path:
    """Where a file's sound lies as a page plays it."""
    return _beside(file, WAVE)


def _beside(file: File, suffix: str) -> Path:
    return file.path.with_name(file.path.name + suffix)


def _done(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future
