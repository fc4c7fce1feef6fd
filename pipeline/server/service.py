"""One server's parts, opened and closed together; one process at a time has a data folder."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from avpipe.batch.dispatch import Dispatcher
from avpipe.codecs import encoders
from avpipe.codecs.ffmpeg import Ffmpeg, find
from avpipe.errors import AvpipeError, StoreError
from avpipe.server.accounts import Accounts, Now
from avpipe.server.analyses import Analyses
from avpipe.server.database import Database
from avpipe.server.limits import Limits
from avpipe.server.links import Links, key_in
from avpipe.server.meters import Meters
from avpipe.server.renders import Renders
from avpipe.server.sessions import Sessions
from avpipe.server.workers import Workers
from avpipe.settings import Settings

if sys.platform != "win32":
    import fcntl

LOG = logging.getLogger("avpipe.server")
SWEEP_S = 600.0


class SteadyClock:
    """Seconds since 1970 that go on evenly, whatever is done to the machine's clock meanwhile."""

    def __init__(self, wall: Now = time.time, monotonic: Now = time.monotonic) -> None:
        self._monotonic = monotonic
        self._offset_s = wall() - monotonic()

    def now(self) -> float:
        """Now."""
        return self._offset_s + self._monotonic()


class Service:
    """Everything that the endpoints use. Raises AvpipeError where it cannot be opened."""

    def __init__(self, settings: Settings, clock: SteadyClock | None = None) -> None:
        self.settings = settings
        self.folder = data_folder(settings)
        self._lock = _locked(self.folder)
        self.now = (clock or SteadyClock()).now
        self.began_s = self.now()
        self.ffmpeg: Ffmpeg = find(settings.ffmpeg)
        self.database = Database(self.folder / "server.sqlite3")
        places = self.folder / "sessions"
        places.mkdir(exist_ok=True, mode=0o700)
        server = settings.server
        self.meters = Meters()
        self.accounts = Accounts(self.database, server, self.now)
        self.sessions = Sessions(self.database, places, server, self.now)
        self.renders = Renders(self.database, places, self.now)
        self.links = Links(key_in(self.folder), self.now)
        self.limits = Limits(server.requests_per_s, time.monotonic)
        self.analyses = Analyses(self.sessions, settings)
        self.cluster = None if server.cluster is None else Dispatcher(server.cluster)
        self.workers = Workers(self.renders, self.sessions, settings, self.meters, self.cluster)
        self.encoders: tuple[str, ...] | None = None
        """The hardware encoders that work here; None while that is being found out."""
        self._seen = self.folder / "seen"
        self._ended = threading.Event()
        self._helpers: list[threading.Thread] = []

    def start(self) -> None:
        """Take up what a run before left, and begin to work."""
        self._skip_time_away()
        self.accounts.release_all()
        recovered = self.renders.recover()
        if recovered:
            LOG.info("%d renders are taken up again", recovered)
        self.sessions.remove_strays()
        self.workers.start()
        for work in (self._find_encoders, self._sweep):
            self._helpers.append(threading.Thread(target=work, daemon=True))
            self._helpers[-1].start()

    def close(self) -> None:
        """Put everything away; work that is not done is put back."""
        self._ended.set()
        self.analyses.close()
        self.workers.abort()
        self.workers.finish()
        if self.cluster is not None:
            self.cluster.close()
        for thread in self._helpers:
            thread.join()
        self._note_time()
        self.database.close()
        os.close(self._lock)

    def __enter__(self) -> Service:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _find_encoders(self) -> None:
        try:
            self.encoders = encoders.working_hardware(
                self.ffmpeg, self.settings.state_dir, only=self.settings.encoder
            )
        except AvpipeError as error:
            LOG.error("the encoders cannot be tried: %s", error.message)
            self.encoders = ()

    def _sweep(self) -> None:
        """Remove now and then what is too old."""
        while True:
            try:
                self.sweep()
            except (AvpipeError, OSError):
                LOG.exception("what is too old cannot be removed")
            if self._ended.wait(SWEEP_S):
                return

    def sweep(self) -> None:
        """Remove what is too old."""
        self._note_time()
        self.accounts.forget_expired()
        removed = self.sessions.forget_old()
        if removed:
            LOG.info("%d sessions were too old and are removed", removed)

    def _note_time(self) -> None:
        """Keep, as a file's time, until when the server was there."""
        self._seen.touch(mode=0o600)
        os.utime(self._seen, (self.now(), self.now()))

    def _skip_time_away(self) -> None:
        """Nobody could look at a session while no server ran, or the clock was set meanwhile."""
        if self._seen.exists():
            self.sessions.postpone(self.now() - self._seen.stat().st_mtime)
        self._note_time()


def data_folder(settings: Settings) -> Path:
    """Where the server keeps everything; made where it is missing. Raises StoreError."""
    told = settings.server.data
    folder = settings.state_dir / "server" if told is None else Path(told).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"the data folder {folder} cannot be made: {error.strerror}") from error
    return folder.resolve()


def _locked(folder: Path) -> int:
    """A handle that holds the folder's lock until it is closed or this process ends."""
    try:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(f"the data folder {folder} cannot be used: {error.strerror}") from error
    try:
        if sys.platform != "win32":
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        with suppress(OSError):
            os.close(handle)
        raise StoreError(
            f"another server uses the data folder {folder}", hint="--data names another"
        ) from error
    return handle
