"""PyAV and Pillow from a safe distance: `avpipe.codecs.worker` runs them in a child process."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from avpipe import jsonform
from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.process import STALL_S
from avpipe.codecs.standby import WORKER, standby
from avpipe.errors import ChildFailedError, StalledError
from avpipe.media import MediaInfo, Problem, Severity
from avpipe.recipe import AUDIO_BIT_RATE

if TYPE_CHECKING:
    from avpipe.codecs.measure import Measured
    from avpipe.codecs.plain_samples import PlainSound
    from avpipe.codecs.stretches import FrameIndex, Stretch

PROBE_STALL_S = 180.0
"""More than the limits in `probe`, also where other processes have the cores."""
SLOWEST_BYTES_A_SECOND = 1e6
"""What the slowest disk and decoder take, so that a large file is not held to be a stall."""


def probe_files(
    paths: Sequence[str], meanwhile: Callable[[], object] | None = None
) -> Iterator[MediaInfo]:
    """The facts of each file, in order. A file that crashes the decoder is unreadable.

    `meanwhile` is called once, while they are being found. Raises InputMissingError where one is
    not there.
    """
    left = [os.path.abspath(path) for path in paths]  # noqa: PTH100 (a link keeps its own name)
    while left:
        try:
            (then, meanwhile) = (meanwhile, None)
            for form in _results(
                "probe", *left, doing="probing", stall_s=_probe_stall_s(left), meanwhile=then
            ):
                yield jsonform.decode(MediaInfo, form)
                del left[0]
        except (ChildFailedError, StalledError) as error:
            if not left:
                return  # all was said before it crashed
            yield _crashed(left.pop(0), error)


@contextlib.contextmanager
def ready_measurer(path: str, *, decode_s: float) -> Iterator[Callable[[], Measured]]:
    """`measure_file` for a file that is still being written: its worker starts meanwhile.

    Gives a function that measures when called.
    """
    from avpipe.codecs.measure import Measured  # only where a file is verified

    with standby(WORKER) as worker:

        def measure() -> Measured:
            stall_s = patience_s(os.path.getsize(path))  # noqa: PTH202
            form = worker.result(
                "measure", path, str(decode_s), doing="verifying the output", stall_s=stall_s
            )
            return jsonform.decode(Measured, form)

        yield measure


def measure_file(path: str, *, decode_s: float) -> Measured:
    """What a finished file really holds; up to `decode_s` seconds of it are decoded.

    Raises ChildFailedError where it cannot be read, StalledError where that takes too long.
    """
    with ready_measurer(path, decode_s=decode_s) as measure:
        return measure()


def draw_picture(source: str, target: str) -> None:
    """Write a picture's frames as a lossless video. Raises ChildFailedError."""
    list(_results("draw", source, target, doing="reading the picture"))


def index_frames(path: str, stream: int, rate: Fraction, start: Fraction) -> FrameIndex:
    """Where the frames of an H.264 stream are. Raises ChildFailedError or StalledError."""
    from avpipe.codecs.stretches import FrameIndex  # only where a picture is drawn over

    numbers = (str(stream), str(rate), str(start))
    stall_s = patience_s(os.path.getsize(path))  # noqa: PTH202
    (form,) = _results("frames", path, *numbers, doing="reading the video", stall_s=stall_s)
    return jsonform.decode(FrameIndex, form)


def find_copies(
    source: tuple[str, int],
    made: tuple[str, int],
    stretches: Sequence[tuple[float, float]],
    *,
    later_s: float,
    reach_s: float,
) -> list[float | None]:
    """As `copied.find_copies`. Raises ChildFailedError or StalledError."""
    form = {
        "source": source,
        "made": made,
        "stretches": stretches,
        "later_s": later_s,
        "reach_s": reach_s,
    }
    (found,) = _results("copied", json.dumps(form), doing="comparing the pictures")
    return [None if late is None else float(late) for late in found]


def splice(stretches: Sequence[Stretch], rate: Fraction, target: str) -> list[int]:
    """Put stretches of H.264 together; gives the frames at which a joint does not decode well.

    Raises ChildFailedError or StalledError.
    """
    text = jsonform.dumps(tuple(stretches))
    stall_s = patience_s(sum(os.path.getsize(one.path) for one in stretches))  # noqa: PTH202
    doing = "putting the video together"
    (found,) = _results("splice", target, str(rate), text, doing=doing, stall_s=stall_s)
    return [int(frame) for frame in found]


def encode_audio(
    ffmpeg: Ffmpeg,
    arguments: Sequence[str],
    target: str,
    *,
    workers: int,
    bit_rate: int = AUDIO_BIT_RATE,
) -> Iterator[int]:
    """Encode to AAC what ffmpeg writes to its standard output; yields the samples done.

    Raises ChildFailedError or StalledError.
    """
    argv = (ffmpeg.path, "-hide_banner", "-nostdin", "-v", "error", *arguments)
    numbers = (str(workers), str(bit_rate))
    doing = "encoding the audio"
    with contextlib.closing(_results("aac", target, *numbers, *argv, doing=doing)) as results:
        for told in results:
            if isinstance(told, list):
                (message, tail, returncode) = told
                raise ChildFailedError(message, command=argv, tail=tail, returncode=returncode)
            yield int(told)


def encode_samples(
    sound: PlainSound, target: str, *, workers: int, bit_rate: int = AUDIO_BIT_RATE
) -> Iterator[int]:
    """Encode the samples of a WAV file to AAC. Gives and raises what `encode_audio` does."""
    numbers = (str(workers), str(bit_rate))
    doing = "encoding the audio"
    results = _results("samples", target, *numbers, jsonform.dumps(sound), doing=doing)
    with contextlib.closing(results):
        for told in results:
            yield int(told)


def _probe_stall_s(paths: Sequence[str]) -> float:
    """How long nothing may be heard while the largest of the files is looked at."""
    sizes = [os.path.getsize(path) for path in paths if os.path.isfile(path)]  # noqa: PTH113, PTH202
    return PROBE_STALL_S + max(sizes, default=0) / SLOWEST_BYTES_A_SECOND


def patience_s(size_bytes: int) -> float:
    """How long nothing may be heard of work that goes through a file of that size once."""
    return STALL_S + size_bytes / SLOWEST_BYTES_A_SECOND


def _results(
    task: str,
    *arguments: str,
    doing: str,
    stall_s: float = STALL_S,
    meanwhile: Callable[[], object] | None = None,
) -> Generator[Any]:
    with standby(WORKER) as worker:
        results = worker.results(task, *arguments, doing=doing, stall_s=stall_s)
        if meanwhile is not None:
            meanwhile()
        yield from results


def _crashed(path: str, error: ChildFailedError | StalledError) -> MediaInfo:
    problem = Problem(
        code="unreadable",
        severity=Severity.ERROR,
        message=f"reading it ended the reader ({error.message})",
    )
    return MediaInfo(
        path=path, container=None, size_bytes=None, modified_ns=None, problems=(problem,)
    )
