"""An open connection to the service, and the session that is in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from avpipe.cloud.account import TokenStore
from avpipe.cloud.api import Api
from avpipe.cloud.door import Door
from avpipe.cloud.values import Clock, Session
from avpipe.errors import RequestError, SessionGoneError
from avpipe.journal import Journal
from avpipe.settings import Settings
from avpipe.updates import Note

Result = TypeVar("Result")

REMEMBERED_S = 300.0
"""How long a service that could not be reached is not tried again where that is only a choice."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cloud:
    """What every step in the cloud needs."""

    api: Api
    journal: Journal
    settings: Settings
    clock: Clock
    tell: Callable[[Note], None]


@contextmanager
def connection(
    settings: Settings, *, tell: Callable[[Note], None], clock: Clock | None = None
) -> Iterator[Cloud]:
    """The service that the settings name; nothing is sent yet. `tell` hears of what happens."""
    clock = clock or Clock()
    with Journal(settings.state_dir) as journal:
        door = Door(settings.cloud, clock)
        store = TokenStore(settings.state_dir, settings.cloud.api_url)
        api = Api(door, settings.cloud, store, journal, clock=clock, tell=tell)
        try:
            yield Cloud(api=api, journal=journal, settings=settings, clock=clock, tell=tell)
        finally:
            door.close()


def was_unreachable(cloud: Cloud) -> bool:
    """Whether the service could not be reached a short while ago: a batch need not wait again."""
    failed_at = cloud.journal.failed_at(cloud.settings.cloud.api_url)
    return failed_at is not None and 0 <= cloud.clock.wall() - failed_at < REMEMBERED_S


def new_session(cloud: Cloud) -> Session:
    """Make a session; it is the one in use from now on."""
    made = cloud.api.create_session(cloud.settings.cloud.language)
    cloud.journal.add_session(
        made.session_id,
        api_url=cloud.settings.cloud.api_url,
        task_id=made.task_id,
        user_id=made.user_id or cloud.api.user_id,
    )
    return made


def session_in_use(cloud: Cloud, named: str | None = None) -> Session:
    """The session of that id, else the newest, else a new one."""
    api_url = cloud.settings.cloud.api_url
    row = cloud.journal.session(named) if named else cloud.journal.newest_session(api_url)
    if named and row is None:
        return Session(session_id=named)
    if row is None:
        return new_session(cloud)
    if row.api_url != api_url:
        raise RequestError(f"the session {row.session_id} is one of another service")
    while row.replaced_by is not None:
        row = cloud.journal.session(row.replaced_by) or row
    cloud.api.note_user(row.user_id)
    return Session(session_id=row.session_id, task_id=row.task_id, user_id=row.user_id)


def renewed_session(cloud: Cloud, lost: str, error: SessionGoneError) -> Session:
    """A new session in the place of one that the service has lost."""
    if cloud.journal.session(lost) is None:
        raise error  # it was never one of ours
    made = new_session(cloud)
    cloud.journal.replace_session(lost, made.session_id)
    cloud.tell(
        Note(code="session_renewed", message="the cloud had lost the session; a new one is used")
    )
    return made


def in_session(cloud: Cloud, named: str | None, do: Callable[[str, str | None], Result]) -> Result:
    """Do something in the session in use; once more in a new one where the service has lost it.

    `do` hears the session's id and, the second time, that of the lost one.
    """
    session = session_in_use(cloud, named)
    try:
        return do(session.session_id, None)
    except SessionGoneError as error:
        made = renewed_session(cloud, session.session_id, error)
    return do(made.session_id, session.session_id)
