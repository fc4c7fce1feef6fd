"""What runs in a child process of the server: one task, told on the command line as JSON.

`python -m avpipe.server.worker TASK SPEC`; each line on standard output is an object: `done` (from
0 to 1), and last `result` or `error`. A file that crashes a decoder takes this process down alone.
"""

from __future__ import annotations

import json
import os
import sys
import wave
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from avpipe import jsonform
from avpipe.errors import AvpipeError
from avpipe.media import MediaInfo

Spec = Mapping[str, Any]
POLITE = 10
"""Added to this process's niceness, so that the server answers while it works."""
_STEPS = 2400
_NICENESS_OF = ("render", "align", "hear")


def probe(spec: Spec) -> Any:
    """The facts of a file."""
    from avpipe.codecs.probe import probe as probe_file

    return jsonform.encode(probe_file(spec["path"]))


def hear(spec: Spec) -> Any:
    """Write a file's sound at 16 kHz in mono, and its outline."""
    from avpipe.codecs.ffmpeg import find
    from avpipe.codecs.listening import (
        LISTEN_RATE,
        MIX,
        Decoder,
        camera_track,
        floats,
        recorder_track,
    )
    from avpipe.server.outline import Outline

    info = jsonform.decode(MediaInfo, spec["info"])
    track = camera_track(info, info.audio[0]) if info.video else recorder_track(info)
    target = Path(spec["target"])
    part = target.with_suffix(f".{os.getpid()}.part")
    outline = Outline(track.duration_s or 0.0, LISTEN_RATE, _STEPS)
    with part.open("wb") as raw, wave.open(raw, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(LISTEN_RATE)
        with Decoder(find(spec.get("ffmpeg")), track, (MIX,)) as decoder:
            for block in decoder.blocks():
                samples = floats(block[0])
                outline.push(samples)
                file.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
                _tell(done=outline.done)
    part.replace(f"{target}.wav")
    lead_s = track.lead_s if info.video else 0.0
    form = {"start_s": lead_s, **outline.form()}
    drawn = target.with_suffix(f".{os.getpid()}.json-part")
    drawn.write_text(json.dumps(form))
    drawn.replace(f"{target}.json")
    return None


def align(spec: Spec) -> Any:
    """How two files line up."""
    from avpipe.codecs.ffmpeg import find
    from avpipe.codecs.process import usable_cores
    from avpipe.listen.align import listen

    (video, audio) = (jsonform.decode(MediaInfo, spec[key]) for key in ("video", "audio"))
    steps = listen(video, audio, ffmpeg=find(spec["ffmpeg"]), cores=usable_cores(spec["jobs"]))
    while True:
        try:
            update = next(steps)
        except StopIteration as end:
            return jsonform.encode(end.value.alignment)
        _tell(done=update.done)


def render(spec: Spec) -> Any:
    """Draw and sound a timeline."""
    from avpipe.server.drawing import draw

    return draw(spec, lambda done: _tell(done=done))


TASKS: dict[str, Callable[[Spec], Any]] = {
    task.__name__: task for task in (probe, hear, align, render)
}


def _tell(**form: Any) -> None:
    sys.stdout.write(json.dumps(form) + "\n")
    sys.stdout.flush()


def main(task: str, spec: str) -> None:
    """Do a task; what it found that cannot be done is told, and is no failure of the process."""
    if task in _NICENESS_OF:
        os.nice(POLITE)
    try:
        _tell(result=TASKS[task](json.loads(spec)))
    except AvpipeError as error:
        _tell(error={"code": error.code, "message": error.message})


if __name__ == "__main__":
    main(*sys.argv[1:])
