"""Files into a session: each once, streamed from the disk, and found again after a crash."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from avpipe import jsonform
from avpipe.cloud.connection import Cloud
from avpipe.cloud.door import DOUBTFUL
from avpipe.cloud.multipart import (
    Multipart,
    fingerprint,
    remote_name,
    require_format,
    require_uploadable,
)
from avpipe.cloud.pace import Pace
from avpipe.cloud.pump import pumped
from avpipe.cloud.values import RemoteFile
from avpipe.errors import CloudError, InputMissingError
from avpipe.journal import UploadRow
from avpipe.updates import Note, Progress

STAGE = "upload"
TELLING_BYTES = 1_000_000
"""A smaller file says more of how quickly the service answers than of the uplink."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalFile:
    """A file to send."""

    path: str
    key: str | None = None
    """What tells it from others, where that is not the file itself."""

    @property
    def fingerprint(self) -> str:
        """Its key, or what is made of the file."""
        return self.key or fingerprint(Path(self.path))


def upload(cloud: Cloud, session_id: str, file: LocalFile) -> Generator[Progress, None, RemoteFile]:
    """Bring a file into a session, unless it is there already.

    Raises RequestError where it is none that may be sent, and what the API raises.
    """
    with cloud.journal.claim(f"upload {session_id}"):
        mark = _mark(cloud, session_id, file)
        row = cloud.journal.upload(session_id, mark)
        if row is not None and row.remote is not None:
            return jsonform.loads(RemoteFile, row.remote)
        found = None if row is None else _found(cloud, row)
        if row is None or found is None:
            row = _begun(cloud, session_id, file, mark)
            found = yield from _sent(cloud, row)
        cloud.journal.end_upload(session_id, mark, jsonform.encode(found))
        return found


def is_sent(cloud: Cloud, session_id: str, file: LocalFile) -> bool:
    """Whether a file with a key is in a session already, so that it need not be there any more."""
    row = None if file.key is None else cloud.journal.upload(session_id, file.key)
    return row is not None and row.remote is not None


def upload_again(cloud: Cloud, session_id: str, *, all_of_it: bool) -> Generator[Progress | Note]:
    """Bring what lost sessions had into the one that stands in for them, if any was.

    A file that has gone is told of; with `all_of_it` that raises RequestError.
    """
    lost = cloud.journal.lost_before(session_id)
    for row in (row for name in lost for row in cloud.journal.uploads(name) if row.remote):
        if is_url(row.path):
            upload_url(cloud, session_id, row.path)
        elif Path(row.path).is_file():
            yield from upload(cloud, session_id, LocalFile(path=row.path))
        else:
            told = f"the cloud has lost the session, and {row.path} is not there to be sent again"
            if all_of_it:
                raise InputMissingError(told)
            yield Note(code="not_sent_again", message=told)


def is_url(text: str) -> bool:
    """Whether a text is an address that the service can fetch by itself."""
    return text.lower().startswith(("http://", "https://"))


def upload_url(cloud: Cloud, session_id: str, url: str) -> RemoteFile:
    """Let the service fetch a file, unless it has it already. Raises what the API raises."""
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    if PurePosixPath(name).suffix:
        require_format(name)
    with cloud.journal.claim(f"upload {session_id}"):
        row = cloud.journal.upload(session_id, url)
        if row is not None and row.remote is not None:
            return jsonform.loads(RemoteFile, row.remote)
        found = None if row is None else _found(cloud, row)
        if found is None:
            before = [entry.name for entry in cloud.api.state(session_id).files]
            cloud.journal.begin_upload(
                session_id, url, name=name or url, path=url, size_bytes=0, before=before
            )
            found = _fetched(cloud, session_id, url)
        cloud.journal.end_upload(session_id, url, jsonform.encode(found))
        return found


def _fetched(cloud: Cloud, session_id: str, url: str) -> RemoteFile:
    try:
        files = cloud.api.upload_urls(session_id, [url])
    except DOUBTFUL:
        row = cloud.journal.upload(session_id, url)
        found = None if row is None else _found(cloud, row)
        if found is None:
            raise
        return found
    if not files:
        raise CloudError(f"the cloud took {url} and does not say what became of it")
    return files[-1]


def _mark(cloud: Cloud, session_id: str, file: LocalFile) -> str:
    """The fingerprint; of a file with a key that was sent, the file itself need not be there."""
    if file.key is not None and is_sent(cloud, session_id, file):
        return file.key
    require_uploadable(Path(file.path), limit_bytes=cloud.settings.cloud.upload_limit)
    return file.fingerprint


def _begun(cloud: Cloud, session_id: str, file: LocalFile, mark: str) -> UploadRow:
    """The journal's row of a file that is about to be sent."""
    path = Path(file.path)
    cloud.journal.begin_upload(
        session_id,
        mark,
        name=remote_name(path),
        path=file.path,
        size_bytes=path.stat().st_size,
        before=[entry.name for entry in cloud.api.state(session_id).files],
    )
    row = cloud.journal.upload(session_id, mark)
    assert row is not None
    return row


def _sent(cloud: Cloud, row: UploadRow) -> Generator[Progress, None, RemoteFile]:
    """Send a file; where nobody knows if it arrived, look before it is sent again."""
    for wait in cloud.api.door.waits():
        try:
            return (yield from _sent_once(cloud, row))
        except DOUBTFUL:
            found = _found(cloud, row)
        if found is not None:
            return found
        cloud.clock.sleep(wait)
    return (yield from _sent_once(cloud, row))


def _sent_once(cloud: Cloud, row: UploadRow) -> Generator[Progress, None, RemoteFile]:
    pace = Pace(STAGE, row.size_bytes, cloud.clock)

    def send(report: Callable[[Progress], None]) -> tuple[RemoteFile, ...]:
        def tell(done_bytes: int) -> None:
            if (update := pace.at(done_bytes)) is not None:
                report(update)

        part = Multipart(path=Path(row.path), name=row.name, size_bytes=row.size_bytes, report=tell)
        return cloud.api.upload(row.session_id, part.body, part.headers)

    work: Generator[Progress, None, tuple[RemoteFile, ...]] = pumped(send)
    with closing(work):
        files = yield from work
    if not files:
        raise CloudError(f"the cloud took {row.name} and does not say what became of it")
    speed = pace.speed(row.size_bytes)
    if speed and row.size_bytes >= TELLING_BYTES:
        cloud.journal.note_uplink(cloud.settings.cloud.api_url, speed)
    return _completed(files[-1], row)


def _found(cloud: Cloud, row: UploadRow) -> RemoteFile | None:
    """The file in the session's state, where it has arrived."""
    files = cloud.api.state(row.session_id).files
    news = Counter(file.name for file in files) - Counter(json.loads(row.before))
    named = [file for file in files if file.name == row.name and file.name in news]
    same_size = [file for file in files if file.name in news and file.size_bytes == row.size_bytes]
    arrived = named or same_size
    return _completed(arrived[-1], row) if arrived else None


def _completed(file: RemoteFile, row: UploadRow) -> RemoteFile:
    return dataclasses.replace(
        file, name=file.name or row.name, size_bytes=file.size_bytes or row.size_bytes
    )
