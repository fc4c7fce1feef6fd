"""A finished render into a file: taken up where it broke off, its length checked."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from avpipe.cloud.connection import Cloud
from avpipe.cloud.door import CutError, UnreadableAnswerError, translate
from avpipe.cloud.envelope import ServerFailedError, error_of, text_of, unwrap
from avpipe.cloud.pace import Pace
from avpipe.cloud.values import Render
from avpipe.errors import (
    CloudError,
    DiskFullError,
    NotAuthorisedError,
    RateLimitedError,
    RenderError,
    RequestError,
    UnreachableError,
)
from avpipe.updates import Progress

STAGE = "download"
ATTEMPTS = 50
"""How often a transfer is taken up that still gains something each time."""
_Source = Callable[[dict[str, str]], AbstractContextManager[httpx.Response]]


@dataclass(slots=True)
class _Part:
    """What is there of the file."""

    path: Path
    tag: str | None = None
    """What the sender calls this version of the file."""

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def restart(self) -> None:
        self.path.unlink(missing_ok=True)
        self.tag = None


def download(
    cloud: Cloud, render_id: str, render: Render, target: Path
) -> Generator[Progress, None, int]:
    """Bring a finished render into `target`, from its link or else through the API.

    Goes on with what is there. Gives the size. Raises CloudError, DiskFullError or RenderError.
    """
    part = _Part(path=target)
    size: int | None = None
    errors: list[CloudError] = []
    for source in _sources(cloud, render_id, render):
        try:
            got = yield from _fetched(cloud, source, part)
        except CloudError as error:
            errors.append(error)
            continue
        if render.size_bytes in (None, got, 0) or got == size:
            return got
        size = got  # it is not as long as the service says: another source decides
        part.restart()
    if size is not None:  # both gave something, or one did: the file itself will be measured
        return (yield from _fetched(cloud, _sources(cloud, render_id, render)[0], part))
    raise errors[0]


def _sources(cloud: Cloud, render_id: str, render: Render) -> list[_Source]:
    url = render.url
    sources: list[_Source] = []
    if url is not None:
        sources.append(lambda headers: _linked(cloud, url, headers))
    sources.append(lambda headers: cloud.api.download(render_id, headers))
    return sources


@contextmanager
def _linked(cloud: Cloud, url: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
    """The answer of a link. Its host is not the API, so that its status means what HTTP says."""
    with cloud.api.door.outside(url, headers) as response:
        status = response.status_code
        if status in (408, 429) or status >= 500:
            raise ServerFailedError(f"the cloud's download link gives {status}", status=status)
        if status >= 400 and status != 416:
            raise CloudError(f"the cloud's download link gives {status}")
        yield response


def _fetched(cloud: Cloud, source: _Source, part: _Part) -> Generator[Progress, None, int]:
    """One source, taken up again while that gains something; three times where it does not."""
    waits = list(cloud.api.door.waits())
    idle = 0
    limited = renewed = False
    for attempt in range(ATTEMPTS):
        before = part.size_bytes
        try:
            return (yield from _transferred(cloud, source, part))
        except RateLimitedError:
            if limited:
                raise
            limited = True
            cloud.clock.sleep(cloud.settings.cloud.rate_limit_wait_s)
            continue
        except NotAuthorisedError:
            if renewed:
                raise
            renewed = True
            cloud.api.replace_token()
            continue
        except (UnreachableError, ServerFailedError):
            idle = 0 if part.size_bytes > before else idle + 1
            if idle > len(waits) or attempt == ATTEMPTS - 1:
                raise
        cloud.clock.sleep(waits[max(idle - 1, 0)])
    raise AssertionError


def _transferred(cloud: Cloud, source: _Source, part: _Part) -> Generator[Progress, None, int]:
    have = part.size_bytes
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if part.tag:
            headers["If-Range"] = part.tag
    with source(headers) as response:
        try:
            link = _link(response)
        except RequestError as error:  # a code of uploads, of which none is going on
            raise UnreadableAnswerError(f"the cloud gives no file: {error.message}") from error
        if link is None:
            return (yield from _saved(cloud, response, part, have))
    with _linked(cloud, link, headers) as response:
        return (yield from _saved(cloud, response, part, have))


def _link(response: httpx.Response) -> str | None:
    """The link in an answer that is not the file itself. Raises where it is neither."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status_code >= 400 and response.status_code != 416:
        response.read()
        raise error_of(response.status_code, {})
    if kind == "application/json":
        try:
            data = unwrap(response.read() and response.json())
        except (ValueError, RecursionError) as error:
            raise UnreadableAnswerError("the cloud's answer cannot be read") from error
        output = data.get("output") if isinstance(data, dict) else None
        url = text_of(output, "url") or text_of(data, "url", "outputUrl", "output_url")
        if url is None:
            raise UnreadableAnswerError("the cloud gives no link to the file")
        return url
    if kind.startswith("text/"):
        raise UnreadableAnswerError(f"the cloud's download link gives {kind} and no video")
    return None


def _saved(
    cloud: Cloud, response: httpx.Response, part: _Part, have: int
) -> Generator[Progress, None, int]:
    if response.status_code == 416:
        if _range(response) == (None, have):
            return have
        part.restart()
        raise CutError("what is there of the download is not of this file")
    if not (200 <= response.status_code < 300):
        raise UnreadableAnswerError(f"the cloud's download link gives {response.status_code}")
    (first, total) = _range(response)
    if response.status_code != 206 or first != have:
        have = 0
        part.restart()
        total = _length(response)
    tag = response.headers.get("etag") or response.headers.get("last-modified") or ""
    part.tag = None if tag.startswith("W/") else tag or None
    _require_room(part.path.parent, total, have)
    written = yield from _written(cloud, response, part.path, have, total)
    if total is not None and written != total:
        raise CutError(f"{written} of {total} bytes arrived")
    if not written:
        raise UnreadableAnswerError("the cloud's download link gives an empty file")
    return written


def _written(
    cloud: Cloud, response: httpx.Response, path: Path, have: int, total: int | None
) -> Generator[Progress, None, int]:
    """Add what arrives to the file; gives its size."""
    pace = Pace(STAGE, total, cloud.clock, have)
    written = have
    try:
        with path.open("ab") as file:
            # As it comes: of a size that is waited for, the beginning would be lost with the rest.
            for chunk in response.iter_raw():
                file.write(chunk)
                written += len(chunk)
                if (update := pace.at(written)) is not None:
                    yield update
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        kind = DiskFullError if full else RenderError
        raise kind(f"cannot write in {path.parent}: {error.strerror}") from error
    except httpx.HTTPError as error:
        raise translate(error) from error
    return written


def _range(response: httpx.Response) -> tuple[int | None, int | None]:
    """The first byte and the whole size that a partial answer tells."""
    told = response.headers.get("content-range", "")
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", told.strip())
    if match is None:
        return None, None
    (first, total) = match.groups()
    return None if first is None else int(first), None if total == "*" else int(total)


def _length(response: httpx.Response) -> int | None:
    told = response.headers.get("content-length", "")
    return int(told) if told.isdecimal() else None


def _require_room(folder: Path, total: int | None, have: int) -> None:
    free = shutil.disk_usage(folder).free
    if total is not None and free < total - have:
        raise DiskFullError(
            f"the download needs {(total - have) / 1e6:.1f} MB and {folder} has "
            f"{free / 1e6:.1f} MB left",
            hint="free some space, or write the output elsewhere with -o",
        )
