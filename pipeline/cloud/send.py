"""A message to the agent: sent once, and its effect found out whatever becomes of the stream."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterator
from contextlib import closing

from avpipe.cloud.agent import Listener
from avpipe.cloud.connection import Cloud
from avpipe.cloud.door import DOUBTFUL, NoConnectionError
from avpipe.cloud.draft import changes_between
from avpipe.cloud.envelope import ServerFailedError
from avpipe.cloud.events import listen
from avpipe.cloud.values import AgentReply, SessionState
from avpipe.cloud.wording import translated
from avpipe.errors import AvpipeError, CloudError, NotAuthorisedError, UnreachableError
from avpipe.journal import MessageRow
from avpipe.updates import Note

READS = 5
"""How often the state is looked at after a stream broke off."""
SILENT = "The cloud said nothing, and the timeline has not changed."


def send(
    cloud: Cloud, session_id: str, text: str, *, job_id: str | None = None
) -> Generator[Note, None, AgentReply]:
    """Send a message and wait for what comes of it. Raises what the API raises.

    Where the stream breaks off the session's state tells what came of it; a message of which
    nobody knows whether it arrived is not sent again. One message of a session is at work at a
    time, whichever process sends it: what it changed is told by the states before and after.
    """
    name = f"message {session_id}"
    with cloud.journal.claim(name, wait=False) as mine:
        if mine:
            return (yield from _sent(cloud, session_id, text, job_id))
    yield Note(code="queued", message="Waiting for another message to this session…")
    with cloud.journal.claim(name):
        return (yield from _sent(cloud, session_id, text, job_id))


def _sent(
    cloud: Cloud, session_id: str, text: str, job_id: str | None
) -> Generator[Note, None, AgentReply]:
    before = cloud.api.state(session_id)
    number = cloud.journal.begin_message(session_id, text, before=state_mark(before), job_id=job_id)
    try:
        heard = yield from _heard(cloud, session_id, text, before)
    except NoConnectionError:
        cloud.journal.end_message(number)
        raise
    except DOUBTFUL as error:
        after = yield from recovered(cloud, session_id, state_mark(before), error)
        heard = Listener()
    except AvpipeError as error:  # refused: it has no effect that is still to come
        cloud.journal.end_message(number)
        if isinstance(error, CloudError):
            cloud.api.explain(error)
        raise
    else:
        after = _settled(cloud, session_id, before, spoke=bool(heard.text()))
    cloud.journal.end_message(number)
    changes = changes_between(before, after)
    said = translated(heard.text()) or "; ".join(changes) or SILENT
    return AgentReply(text=said, changes=changes, state=after)


def finish(cloud: Cloud, row: MessageRow) -> Generator[Note, None, bool]:
    """Whether a message of a run that broke off had an effect; looked for on the same schedule."""
    lost = UnreachableError("the message before was cut off, and the timeline did not change")
    try:
        yield from recovered(cloud, row.session_id, row.before, lost)
        had_effect = True
    except UnreachableError as error:
        if error is not lost:
            raise
        had_effect = False
    cloud.journal.end_message(row.id)
    return had_effect


def recovered(
    cloud: Cloud, session_id: str, before: str, error: CloudError
) -> Generator[Note, None, SessionState]:
    """The state once it has changed. Raises `error` where it does not within the schedule."""
    first = cloud.settings.cloud.recovery_s
    for number in range(READS):
        yield Note(
            code="stream_cut",
            message="The connection to the agent broke off; looking for what it did…"
            if number == 0
            else "Still looking…",
        )
        cloud.clock.sleep(first if number == 0 else 2 * first)
        state = cloud.api.state(session_id)
        if state_mark(state) != before:
            return state
    error.hint = error.hint or "nothing changed in the session: send it again to try once more"
    raise error


def state_mark(state: SessionState) -> str:
    """What tells one state of a session from another."""
    files = [file.name for file in state.files]
    form = json.dumps([state.draft, files, state.media], sort_keys=True)
    return hashlib.sha256(form.encode()).hexdigest()


def _heard(
    cloud: Cloud, session_id: str, text: str, before: SessionState
) -> Generator[Note, None, Listener]:
    """The reply. A service that refused to begin (500, 503) is asked again: nothing ran there."""
    for wait in cloud.api.door.waits():
        try:
            return (yield from _heard_once(cloud, session_id, text))
        except ServerFailedError as error:
            if error.status not in (500, 503):
                raise  # a gateway gave up waiting; the agent may be at work
            if state_mark(cloud.api.state(session_id)) != state_mark(before):
                return Listener()
        cloud.clock.sleep(wait)
    return (yield from _heard_once(cloud, session_id, text))


def _heard_once(cloud: Cloud, session_id: str, text: str) -> Generator[Note, None, Listener]:
    """The reply; once more with another token where the first thing that it says is a refusal."""
    heard = Listener()
    try:
        yield from _listened(cloud, session_id, text, heard)
    except NotAuthorisedError:
        if heard.worked or heard.text():
            raise
        cloud.api.replace_token()
        heard = Listener()
        yield from _listened(cloud, session_id, text, heard)
    return heard


def _listened(cloud: Cloud, session_id: str, text: str, heard: Listener) -> Generator[Note]:
    with cloud.api.message(session_id, text) as pieces:
        told = listen(pieces, heard, cloud.api.credentials().token, cloud.clock)
        with closing(told):
            yield from told


def _settled(cloud: Cloud, session_id: str, before: SessionState, *, spoke: bool) -> SessionState:
    """The state after a reply; looked at some more where the agent said nothing."""
    after = cloud.api.state(session_id)
    waits: Iterator[float] = iter(()) if spoke else cloud.api.door.waits()
    for wait in waits:
        if state_mark(after) != state_mark(before):
            break
        cloud.clock.sleep(wait)
        after = cloud.api.state(session_id)
    return after
