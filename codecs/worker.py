"""What runs in a child process of avpipe: PyAV and Pillow on files that nobody vouches for.

`python -m avpipe.codecs.worker` does the tasks that standard input names, each a line of JSON
`["TASK", "ARGUMENT", ...]`; with `TASK ARGUMENT...` it does that one and ends. One line of JSON for
each result on standard output; after the last one of a task a line that says so (`standby`). A file
that crashes a decoder takes this process down and not the user's.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from avpipe import jsonform
from avpipe.codecs.task_ends import END, KEEP
from avpipe.errors import AvpipeError, ChildFailedError

KEEP_BYTES = 200_000_000
"""A worker that ever held more is not kept: what it freed may not be given back."""


def probe(*paths: str) -> None:
    """Print the facts of each file."""
    from avpipe.codecs.probe import probe as probe_file

    for path in paths:
        _print(jsonform.encode(probe_file(path)))


def measure(path: str, seconds: str) -> None:
    """Print what a file really holds. Up to that many seconds of it are decoded."""
    from avpipe.codecs.measure import measure as measure_file

    _print(jsonform.encode(measure_file(path, decode_s=float(seconds))))


def draw(source: str, target: str) -> None:
    """Write a picture's frames as a lossless video."""
    from avpipe.codecs.picture_video import write_frames

    write_frames(source, target)


def aac(target: str, workers: str, bit_rate: str, *decoder_argv: str) -> None:
    """Encode the float samples that a program writes, printing how many are done.

    Where it is the program that fails, that is the last result: why, its last words, its end.
    """
    from avpipe.codecs.aac import encode_stream
    from avpipe.codecs.process import Child

    with Child(decoder_argv, stall_s=math.inf) as decoder:
        # The encoder first: where it fails, the decoder only says that its pipe is broken.
        encode_stream(
            decoder.stdout, target, workers=int(workers), bit_rate=int(bit_rate), report=_print
        )
        try:
            decoder.finish("reading the audio")
        except ChildFailedError as error:
            _print([error.message, error.tail, error.returncode])


def samples(target: str, workers: str, bit_rate: str, form: str) -> None:
    """Encode the samples of a WAV file, printing how many are done."""
    from avpipe.codecs.aac import encode_stream
    from avpipe.codecs.plain_samples import PlainSound, reading

    sound = jsonform.loads(PlainSound, form)
    with reading(sound) as pcm:
        encode_stream(
            pcm,
            target,
            sample_format=sound.sample_format,
            workers=int(workers),
            bit_rate=int(bit_rate),
            report=_print,
        )


def frames(path: str, stream: str, rate: str, start: str) -> None:
    """Print where the frames of an H.264 stream are."""
    from avpipe.codecs.splice import index_frames

    found = index_frames(path, int(stream), Fraction(rate), Fraction(start))
    _print(jsonform.encode(found))


def splice(target: str, rate: str, form: str) -> None:
    """Put stretches together, and print the joints that do not decode as their sides do."""
    from avpipe.codecs.splice import damaged_joints
    from avpipe.codecs.splice import splice as write
    from avpipe.codecs.stretches import Stretch

    stretches = [jsonform.decode(Stretch, one) for one in json.loads(form)]
    write(stretches, Fraction(rate), target)
    _print(damaged_joints(target, stretches))


def copied(form: str) -> None:
    """Print how much later than expected each stretch of a file is in another one, if it is."""
    from avpipe.codecs.copied import find_copies

    told = json.loads(form)
    found = find_copies(
        tuple(told["source"]),
        tuple(told["made"]),
        [(begin, end) for begin, end in told["stretches"]],
        later_s=told["later_s"],
        reach_s=told["reach_s"],
    )
    _print(found)


def _print(form: object) -> None:
    sys.stdout.write(json.dumps(form) + "\n")
    sys.stdout.flush()


def _reason(error: Exception) -> str:
    """What a user is told of an error, in one line."""
    if isinstance(error, AvpipeError):
        text = error.message
    elif isinstance(error, OSError) and error.strerror:  # PyAV's errors too
        text = error.strerror
    else:
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return " ".join(text.split())


TASKS: dict[str, Callable[..., None]] = {
    task.__name__: task for task in (probe, measure, draw, aac, samples, frames, splice, copied)
}


def stand_by() -> None:
    """Do what standard input tells, until its end."""
    import av  # noqa: F401 (it takes as long as many a task: a first task may come late)

    for line in sys.stdin.buffer:
        (task, *arguments) = json.loads(line)
        TASKS[task](*arguments)
        sys.stdout.write((KEEP if _most_bytes() <= KEEP_BYTES else END) + "\n")
        sys.stdout.flush()
        _give_back_memory()


def _give_back_memory() -> None:
    from avpipe.codecs.process import give_back_memory  # takes longer to import than a probe

    give_back_memory()


def _most_bytes() -> int:
    """The most memory that this process ever held; 0 where that cannot be told.

    Not by `getrusage`: that of Linux counts what the process held that started this one.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def main(*command: str) -> int:
    """Run a task, or stand by; an error is a traceback, and its reason the last line."""
    try:
        if command:
            TASKS[command[0]](*command[1:])
        else:
            stand_by()
    except Exception as error:
        import traceback

        traceback.print_exc()
        sys.stderr.write(_reason(error) + "\n")
        return 1
    return 0


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # to take PyAV down in order takes 15 ms, and leaves nothing better
