"""What the outputs are called: by a template, and no two alike."""

from __future__ import annotations

import os
import string
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path, PurePath

from avpipe.errors import RequestError, raise_faults
from avpipe.media import MediaInfo

FIELDS = ("stem", "date", "index", "folder", "audio")
MOST_NAMED = 3
"""How many of the videos are named that would have one output."""


def check_template(template: str) -> None:
    """Raise RequestError where a template is none, or would not name an MP4."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise RequestError(f"not a template: {template}: {error}") from error
    for _, field, spec, conversion in parts:
        if field is not None and (field not in FIELDS or conversion):
            raise RequestError(
                f"a template knows no {{{field}}}",
                hint=f"it knows {', '.join(f'{{{name}}}' for name in FIELDS)}",
            )
        if spec and field != "index":
            raise RequestError(f"only {{index}} takes a form such as {{index:03}}: {template}")
    example = _filled(template, dict.fromkeys(FIELDS, "x") | {"index": 1})
    if PurePath(example).suffix.lower() not in (".mp4", ".m4v"):
        raise RequestError(
            f"the template {template} does not name an MP4", hint="let it end in .mp4"
        )
    if PurePath(example).is_absolute() or ".." in PurePath(example).parts:
        raise RequestError(f"the template {template} leads out of the output folder")


def output_name(template: str, *, info: MediaInfo, audio: str, index: int, root: str) -> str:
    """The name, in the output folder, of what is made of a video."""
    video = PurePath(info.path)
    folder = os.path.relpath(video.parent, root)
    return _filled(
        template,
        {
            "stem": video.stem,
            "date": _date(info),
            "index": index,
            "folder": PurePath(root).name if folder == "." else folder.replace(os.sep, "-"),
            "audio": PurePath(audio).stem,
        },
    )


def _filled(template: str, values: Mapping[str, object]) -> str:
    try:
        return template.format(**values)
    except ValueError as error:
        raise RequestError(f"not a template: {template}: {error}") from error


def _date(info: MediaInfo) -> str:
    """The day of the recording, by its tag or else by the file's time."""
    text = info.metadata.get("creation_time", "")
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d")
    except ValueError:
        return datetime.fromtimestamp((info.modified_ns or 0) / 1e9).strftime("%Y-%m-%d")


def require_apart(outputs: Mapping[str, Sequence[str]], inputs: Sequence[str]) -> None:
    """Raise RequestError where items have one output, or an output is an input: all that are so.

    `outputs` says of what each output is made. Names that only differ in case, or in how their
    letters are composed, are one on some file systems.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for output in outputs:
        alike[unicodedata.normalize("NFC", output).casefold()].append(output)
    faults = [_meeting(names, outputs) for names in alike.values()]
    sources = {os.path.realpath(path) for path in inputs}
    identities = {_identity(path) for path in inputs} - {None}
    for output, made_of in outputs.items():
        if os.path.realpath(output) in sources or _identity(output) in identities:
            fault = RequestError(
                f"the output {output} of {made_of[0]} is an input",
                hint="take another output folder or --template",
            )
            faults.append(fault)
    raise_faults([fault for fault in faults if fault is not None])


def _meeting(names: Sequence[str], outputs: Mapping[str, Sequence[str]]) -> RequestError | None:
    """What is wrong with names that are one, where more than one item has them."""
    made_of = sorted(one for name in names for one in outputs[name])
    if len(made_of) == 1:
        return None
    told = " and of ".join(made_of[:MOST_NAMED])
    if len(made_of) > MOST_NAMED:
        told += f" and of {len(made_of) - MOST_NAMED} more"
    return RequestError(
        f"{Path(names[0]).name} would be made of {told}",
        hint="--template tells them apart, such as {folder}-{stem}-{index}.mp4",
    )


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return found.st_dev, found.st_ino
