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
from avpipe.errors import AvpipeError, RequestError
from avpipe.plan.request import Request

FILES = ("video", "audio", "output")
Options = Mapping[str, str]
MakeRequest = Callable[[str, tuple[str, ...], str, Options], Request]
"""(video, audio, output, options by name) -> the request. Raises an error that names the fault."""


def read_manifest(
    path: Path, *, outdir: str, options: frozenset[str], make: MakeRequest
) -> tuple[Row, ...]:
    """The rows of a CSV or JSONL file; relative inputs lie beside it, outputs in `outdir`.

    Raises RequestError that names the first bad line, before anything is started.
    """
    rows = []
    seen: dict[str, int] = {}
    for line, fields in _fields(path):
        try:
            request = _request(fields, path.parent.absolute(), outdir, options, make)
        except AvpipeError as error:
            raise RequestError(f"{path} line {line}: {error.message}", hint=error.hint) from error
        if request.output and request.output in seen:
            raise RequestError(
                f"{path} line {line}: the output {fields['output']} is that of line "
                f"{seen[request.output]}"
            )
        seen[request.output] = line
        rows.append(Row(line=line, request=request))
    return tuple(rows)


def _fields(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows by their line numbers, counted from 1."""
    if path.suffix.lower() not in (".csv", ".jsonl", ".ndjson"):
        raise RequestError(f"the manifest {path} ends neither in .csv nor in .jsonl")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RequestError(f"the manifest {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"the manifest {path} is not UTF-8") from error
    yield from _csv(path, text) if path.suffix.lower() == ".csv" else _jsonl(path, text)


def _csv(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        if "video" not in names or "audio" not in names:
            raise RequestError(
                f"{path} line 1: the columns video and audio are missing",
                hint="the first line names the columns: video,audio,output,…",
            )
        before = reader.line_num
        for values in reader:
            (line, before) = (before + 1, reader.line_num)
            if not any(value.strip() for value in values):
                continue
            if len(values) != len(names):
                raise RequestError(
                    f"{path} line {line}: {len(values)} fields, and {len(names)} columns"
                )
            yield line, {name: value for name, value in zip(names, values, strict=True) if value}
    except csv.Error as error:
        raise RequestError(f"{path} line {reader.line_num}: {error}") from error


def _jsonl(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, entry in enumerate(text.split("\n"), 1):
        if not entry.strip():
            continue
        try:
            form = json.loads(entry)
        except ValueError as error:
            raise RequestError(f"{path} line {line}: not JSON: {error}") from error
        if not isinstance(form, dict):
            raise RequestError(f"{path} line {line}: not an object")
        yield line, {name: value for name, value in form.items() if value is not None}


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
