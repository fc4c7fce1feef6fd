"""What a worker is asked to do, and how it does it: the same on this machine and on others."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from avpipe.batch.places import join
from avpipe.batch.stores import fetch, is_address, send
from avpipe.codecs import isolate
from avpipe.codecs.ffmpeg import find
from avpipe.codecs.process import usable_cores
from avpipe.errors import AvpipeError
from avpipe.media import Alignment, MediaInfo
from avpipe.plan.request import Request
from avpipe.settings import Settings
from avpipe.updates import Done, Failed, Failure, Update
from avpipe.workflow import Known, merge


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """Say what files are: a tuple of MediaInfo."""

    paths: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Listen:
    """Take a file's fingerprint and keep it under a name."""

    info: MediaInfo
    kept: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rank:
    """Say how well each camera's fingerprint fits a recorder's: a list of scores."""

    recorder: str
    cameras: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Compare:
    """Say where an audio file belongs: an Alignment."""

    video: MediaInfo
    audio: MediaInfo
    kept: tuple[str, str]
    """Both fingerprints."""
    thorough: bool
    """Whether what does not match at once is worth another look."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Make:
    """Make one output, under a name that nobody else writes: a Made."""

    request: Request
    """Its `output` is the name that the file will have in the end."""
    known: Known
    folder: str
    """Where it is made, on the file system of the output."""
    name: str
    """Of the file in that folder; an attempt's own letters are added."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Show:
    """Draw a small picture of a video: JPEG bytes."""

    path: str
    at_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """The receipt of a finished file, which has yet to get its name."""

    path: str
    done: Done


Task = Probe | Listen | Rank | Compare | Make | Show


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What came of a task."""

    value: Any


def perform(task: Task, settings: Settings) -> Generator[Update | Result]:
    """Do a task; the last that is told is its Result or Failed."""
    try:
        if isinstance(task, Make):
            yield from _make(task, settings)
        else:
            yield Result(value=_answer(task, settings))
    except AvpipeError as error:
        yield Failed.because(error)
    except OSError as error:
        yield Failed(error=_system_failure(error))


def _answer(task: Probe | Listen | Rank | Compare | Show, settings: Settings) -> Any:
    # NumPy is imported only where something is heard.
    match task:
        case Probe():
            return tuple(isolate.probe_files(task.paths))
        case Listen():
            from avpipe.listen.fingerprint import save, take_fingerprint

            save(take_fingerprint(task.info, find(settings.ffmpeg)), Path(task.kept))
            return None
        case Rank():
            from avpipe.listen.fingerprint import load
            from avpipe.listen.ranking import coarse_scores

            cameras = [load(Path(kept)).features for kept in task.cameras]
            return coarse_scores(load(Path(task.recorder)).features, cameras)
        case Compare():
            return _compare(task, settings)
        case Show():
            from avpipe.codecs.thumbnail import draw_thumbnail

            return draw_thumbnail(find(settings.ffmpeg), task.path, task.at_s)


def _compare(task: Compare, settings: Settings) -> Alignment:
    from avpipe.listen.fingerprint import load
    from avpipe.listen.ranking import align_known

    (camera, recorder) = (load(Path(kept)) for kept in task.kept)
    found = align_known(
        task.video,
        task.audio,
        (camera, recorder),
        ffmpeg=find(settings.ffmpeg),
        cores=usable_cores(settings.jobs),
        thorough=task.thorough,
    )
    return replace(found, elapsed_s=None)


def _make(task: Make, settings: Settings) -> Generator[Update | Result]:
    """Merge to a name of this attempt's own: another attempt may be at work elsewhere."""
    path = join(task.folder, f"{task.name}-{os.urandom(4).hex()}.mp4")
    remote = [one for one in (*_inputs(task.request), path) if is_address(one)]
    if remote:
        yield from _make_remote(task, path, settings)
        return
    request = replace(task.request, output=path)
    with closing(merge(request, settings, overwrite=False, known=task.known)) as updates:
        for update in updates:
            if isinstance(update, Done):
                yield Result(value=Made(path=path, done=update))
            else:
                yield update


def _make_remote(task: Make, path: str, settings: Settings) -> Generator[Update | Result]:
    """Fetch what is elsewhere, merge here, and send the output where it belongs."""
    with tempfile.TemporaryDirectory(prefix="avpipe-") as name:
        folders = [Path(name) / str(number) for number in range(len(_inputs(task.request)))]
        here = []
        for folder, source in zip(folders, _inputs(task.request), strict=True):
            folder.mkdir()
            here.append(fetch(source, folder) if is_address(source) else source)
        made = str(Path(name) / "made.mp4")
        request = replace(
            task.request, video=here[0], audio=here[1], more_audio=tuple(here[2:]), output=made
        )
        with closing(merge(request, settings, overwrite=False)) as updates:
            for update in updates:
                if isinstance(update, Done):
                    send(made, path)
                    yield Result(value=Made(path=path, done=update))
                else:
                    yield update


def _inputs(request: Request) -> tuple[str, ...]:
    return (request.video, *request.recordings)


def _system_failure(error: OSError) -> Failure:
    where = "" if error.filename is None else f": {os.fsdecode(error.filename)}"
    return Failure(
        code="system", message=(error.strerror or str(error)) + where, hint=None, exit_code=1
    )
