"""The real command line in processes of its own, and what they leave behind."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LIMIT_S = 120.0
"""How long anything here may take before the test fails; it never comes to that."""
STARTS = ("--sync", "start")
"""For merges whose sound is placed by its start: no content is read."""
PREFIXES = ("error: ", "hint: ", "note: ", "warning: ")
HOOK = """
import os, sys
(task, name) = (os.environ.get("TEST_HOOK_TASK"), os.environ.get("TEST_HOOK_OPEN"))
if name or (task and "avpipe.codecs.worker" in sys.orig_argv):
    met = []
    def is_there(event, arguments):
        if event == "open" and name:
            return str(arguments[0]).endswith(name) and str(arguments[1]).startswith("w")
        return event == "import" and arguments[0] == f"avpipe.codecs.{task}"
    def hook(event, arguments):
        if not met and is_there(event, arguments):
            met.append(event)
            exec(os.environ["TEST_HOOK"])
    sys.addaudithook(hook)
"""
"""A `sitecustomize`: the code in TEST_HOOK is run by a worker before it first does TEST_HOOK_TASK,
or by whoever is about to write a file whose name ends in TEST_HOOK_OPEN."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on standard output."""
        return json.loads(self.out)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The objects on standard output, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> str:
        """The one error line, after a look at all of standard error."""
        self.assert_tidy()
        (line,) = [line for line in self.err.splitlines() if line.startswith("error: ")]
        return line.removeprefix("error: ")

    def assert_tidy(self) -> None:
        """Nothing but the lines of the contract on standard error."""
        assert all(line.startswith(PREFIXES) for line in self.err.splitlines()), self.err

    def assert_done(self) -> None:
        """Nothing went wrong."""
        assert (self.code, self.err) == (0, "")


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """avpipe in one folder, with an environment that holds nothing of whoever runs the tests."""

    folder: Path
    more: Mapping[str, str] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    """In the environment of every process that it starts, and of their children."""

    @property
    def env(self) -> dict[str, str]:
        state = self.folder.parent / f"state-{self.folder.name}"
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(state),
            "AVPIPE_STATE_DIR": str(state),
            "TEST_MARK": self.mark,
            **self.more,
        }

    def with_env(self, **more: str) -> CommandLine:
        """The same with more in its environment."""
        return CommandLine(folder=self.folder, more={**self.more, **more}, mark=self.mark)

    def start(self, *arguments: str | bytes | Path, **options: Any) -> subprocess.Popen[str]:
        """Start a command."""
        defaults: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "cwd": self.folder,
            "env": self.env,
            "text": True,
            "errors": "surrogateescape",
            # Whoever runs the tests may have had it ignored, as nohup does.
            "preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        }
        argv = [sys.executable, "-m", "avpipe", *arguments]
        return subprocess.Popen(argv, **(defaults | options))

    def __call__(self, *arguments: str | bytes | Path) -> Ran:
        """Run a command to its end."""
        with self.start(*arguments) as process:
            try:
                (out, err) = process.communicate(timeout=LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()  # else it, or its pipes, would fail a later test
                raise
        return Ran(code=process.returncode, out=out, err=err)

    def hooked(self, task: str, code: str) -> CommandLine:
        """The same where the workers that do `task` first run some Python."""
        return self._hooked(TEST_HOOK_TASK=task, TEST_HOOK=code)

    def hooked_at(self, name: str, code: str) -> CommandLine:
        """The same where some Python is run before a file of that name is written."""
        return self._hooked(TEST_HOOK_OPEN=name, TEST_HOOK=code)

    def _hooked(self, **hook: str) -> CommandLine:
        place = self.folder.parent / f"hook-{self.folder.name}"
        place.mkdir(exist_ok=True)
        (place / "sitecustomize.py").write_text(HOOK)
        return self.with_env(PYTHONPATH=str(place), **hook)

    def assert_alone(self) -> None:
        """None of the processes is left that were started here, or is about to end."""
        end = time.monotonic() + LIMIT_S / 4
        while left := marked(self.mark):
            assert time.monotonic() < end, f"left behind: {left}"
            for pid in left:
                await_end(pid)


def on_a_terminal(avpipe: CommandLine, *arguments: str) -> tuple[int, str]:
    """Run with standard error on a pseudo-terminal; gives the exit code and what it saw."""
    (ours, theirs) = pty.openpty()
    process = avpipe.with_env(TERM="xterm-256color", COLUMNS="100").start(*arguments, stderr=theirs)
    os.close(theirs)
    seen = bytearray()
    while select.select([ours], [], [], 60)[0]:
        try:
            seen += os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
    os.close(ours)
    process.communicate(timeout=60)
    return process.returncode, seen.decode()


def marked(mark: str) -> dict[int, str]:
    """The processes that have a mark in their environment, with their command lines."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"TEST_MARK={mark}".encode() in (place / "environ").read_bytes():
                line = (place / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(place.name)] = line.decode(errors="replace")
    return found


def await_end(pid: int) -> bool:
    """Wait, for a bounded time, for the end of a process that is no child of ours; if it came.

    Its parent may not have asked for it yet: then it is still listed.
    """
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], LIMIT_S / 4)[0])
    finally:
        os.close(handle)


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A place where a program says that it has come to it, and then waits for ever."""

    ready: Path
    block: Path

    @classmethod
    def make(cls, folder: Path) -> Gate:
        """Two FIFOs in a folder."""
        folder.mkdir(exist_ok=True)
        gate = cls(ready=folder / "ready", block=folder / "block")
        for path in (gate.ready, gate.block):
            os.mkfifo(path)
        return gate

    @property
    def said(self) -> str:
        """For a hook: that it has come here."""
        return f"import select\nopen({str(self.ready)!r}, 'w').write('x')\n"

    @property
    def python(self) -> str:
        """For a hook."""
        return f"{self.said}while True: select.select([], [], [], 0.1)\n"  # no signal is overlooked

    def ffmpeg(self, folder: Path, first: str = "") -> Path:
        """A program in the place of ffmpeg whose own child waits."""
        script = f"{first}\necho x >'{self.ready}'\ncat '{self.block}'\ntrue\n"
        return write_program(folder / "ffmpeg", script)

    def wait(self) -> None:
        """Until the program has come here."""
        handle = os.open(self.ready, os.O_RDONLY | os.O_NONBLOCK)
        try:
            (there, _, _) = select.select([handle], [], [], LIMIT_S)
            assert there, "nobody came"
        finally:
            os.close(handle)


def write_program(path: Path, script: str) -> Path:
    """A shell script that can be run."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Callable[[str], None]]:
    """A file system of that size; what is yielded mounts it again with other options.

    Raises PermissionError where this user may mount nothing.
    """
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise PermissionError("a file system of our own cannot be mounted")

    def remount(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)

    try:
        yield remount
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def default_signals() -> None:
    """For a child: signals do what they do, though a shell in the background ignores them."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def digests(*paths: Path) -> dict[Path, str]:
    """What is in files, and when they were written."""
    return {
        path: f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_mtime_ns}"
        for path in paths
    }


def names(folder: Path) -> set[str]:
    """What is in a folder."""
    return {path.name for path in folder.iterdir()}
