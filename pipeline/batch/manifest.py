"""A manifest: which video with which audio, row by row, with options of their own."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from avpipe.batch.places import join
from avpipe.batch.stores import is_address
from avpipe.batch.values import Row
from avpipe.errors import AvpipeError, RequestError, raise_faults
from avpipe.plan.request import Request

FILES = ("video", "audio", "output")
Fields = dict[str, Any]
Options = Mapping[str, str]
MakeRequest = Callable[[str, tuple[str, ...], str, Options], Request]
"""(video, audio, output, options by name) -> the request. Raises an error that names the fault."""


def read_manifest(
    path: Path, *, outdir: str, options: frozenset[str], make: MakeRequest
) -> tuple[Row, ...]:
    """The rows of a CSV or JSONL file; relative inputs lie beside it, outputs in `outdir`.

    Raises RequestError that names every bad line, before anything is started.
    """
    rows: list[Row] = []
    faults: list[AvpipeError] = []
    seen: dict[str, int] = {}
    for line, fields in _fields(path):
        try:
            if isinstance(fields, RequestError):
                raise fields
            request = _request(fields, path.parent.absolute(), outdir, options, make)
            first = seen.setdefault(request.output, line) if request.output else line
            if first != line:
                raise RequestError(f"the output {fields['output']} is that of line {first}")
        except AvpipeError as error:
            faults.append(_at(path, line, error.message, error.hint))
        else:
            rows.append(Row(line=line, request=request))
    raise_faults(faults)
    return tuple(rows)


def _at(path: Path, line: int, message: str, hint: str | None = None) -> RequestError:
    return RequestError(f"{path} line {line}: {message}", hint=hint)


def _fields(path: Path) -> Iterator[tuple[int, Fields | RequestError]]:
    """The rows by their line numbers, counted from 1; of one that cannot be read, why."""
    if path.suffix.lower() not in (".csv", ".jsonl", ".ndjson"):
        raise RequestError(f"the manifest {path} ends neither in .csv nor in .jsonl")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RequestError(f"the manifest {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"the manifest {path} is not UTF-8") from error
    yield from _csv(path, text) if path.suffix.lower() == ".csv" else _jsonl(text)


def _csv(path: Path, text: str) -> Iterator[tuple[int, Fields | RequestError]]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise _at(path, 1, str(error)) from error
    if "video" not in names or "audio" not in names:
        raise _at(
            path,
            1,
            "the columns video and audio are missing",
            "the first line names the columns: video,audio,output,…",
        )
    while True:
        line = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:  # a quote may span lines: what follows is read anew
            yield line, RequestError(str(error))
            continue
        if not any(value.strip() for value in values):
            continue
        if len(values) == len(names):
            yield line, {name: value for name, value in zip(names, values, strict=True) if value}
        else:
            yield line, RequestError(f"{len(values)} fields, and {len(names)} columns")


def _jsonl(text: str) -> Iterator[tuple[int, Fields | RequestError]]:
    for line, entry in enumerate(text.split("\n"), 1):
        if not entry.strip():
            continue
        try:
            form = json.loads(entry)
        except ValueError as error:
            yield line, RequestError(f"not JSON: {error}")
            continue
        if isinstance(form, dict):
            yield line, {name: value for name, value in form.items() if value is not None}
        else:
            yield line, RequestError("not an object")


def _request(
    fields: Mapping[str, Any],
    folder: Path,
    outdir: str,
    options: frozenset[str],
    make: MakeRequest,
) -> Request:
    given = {name.replace("_", "-"): value for name, value in fields.items() if name not in FILES}
    for name in given:
        if name not in options:
            raise RequestError(
                f"no such option: {name}", hint=f"the options are {', '.join(sorted(options))}"
            )
    audio = fields.get("audio")
    paths = tuple(audio) if isinstance(audio, list) else (audio,)
    for name, value in (("video", fields.get("video")), *(("audio", path) for path in paths)):
        if not isinstance(value, str) or not value:
            raise RequestError(f"the {name} is missing")
        if is_address(value):
            continue
        if not (folder / value).exists():
            raise RequestError(f"the {name} {value} does not exist")
        if not (folder / value).is_file():
            raise RequestError(f"the {name} {value} is not a file")
    output = fields.get("output", "")
    if not isinstance(output, str):
        raise RequestError("the output is not a name")
    return make(
        _placed(folder, fields["video"]),
        tuple(_placed(folder, path) for path in paths if path is not None),
        join(outdir, output) if output else "",
        {name: _word(value) for name, value in given.items()},
    )


def _placed(folder: Path, path: str) -> str:
    return path if is_address(path) else str(folder / path)


def _word(value: Any) -> str:
    return str(value) if not isinstance(value, bool) else str(value).lower()
