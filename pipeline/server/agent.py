"""The agent: one sentence after the other in a session, each a stream of events."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, suppress
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from avpipe.errors import AvpipeError, RateLimitedError
from avpipe.server.accounts import Hold, User
from avpipe.server.service import Service

Event = dict[str, Any]
Emit = Callable[[Event], None]
Respond = Callable[[Service, User, str, str, Emit], bool]
"""Does what a sentence says, and tells whether anything changed."""
AT_ONCE = 32
MOST_WAITING = 20
"""Sentences of one session."""


class Agent:
    """Sentences are done in the order in which they came, each to its end.

    A client that goes away ends its stream and not the work: it finds in the state what came of it.
    """

    def __init__(self, service: Service, respond: Respond) -> None:
        self._service = service
        self._respond = respond
        self._turns: dict[str, asyncio.Lock] = {}
        self._waiting: Counter[str] = Counter()
        self._open: Counter[str] = Counter()
        self._work: set[asyncio.Task[None]] = set()
        self._threads = CapacityLimiter(AT_ONCE)

    async def finish(self) -> None:
        """Wait for the sentences that are being done."""
        await asyncio.gather(*self._work, return_exceptions=True)

    async def begin(self, user: User, session_id: str, text: str) -> AsyncIterator[Event]:
        """Take a sentence; gives the events of what comes of it.

        Raises SessionGoneError, CreditsUsedUpError or RateLimitedError.
        """
        await run_sync(self._service.sessions.of, user, session_id)
        if self._open[user.user_id] >= self._service.settings.server.streams_per_user:
            raise RateLimitedError("too many messages are open")
        if self._waiting[session_id] >= MOST_WAITING:
            raise RateLimitedError("too many messages are waiting")
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        held = self._service.accounts.held(user)
        hold = await run_sync(held.__enter__)
        self._open[user.user_id] += 1
        self._waiting[session_id] += 1
        self._service.meters.streams.inc()

        async def work() -> None:
            try:
                turn = self._turns.setdefault(session_id, asyncio.Lock())
                async with turn:  # first come, first served
                    await self._done(user, session_id, text, events, hold)
            finally:
                self._open[user.user_id] -= 1
                self._waiting[session_id] -= 1
                if not self._waiting[session_id]:
                    self._waiting.pop(session_id)
                    self._turns.pop(session_id, None)
                self._service.meters.streams.dec()
                await run_sync(held.__exit__, None, None, None)
                events.put_nowait(None)

        task = asyncio.create_task(work())
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return self._followed(events)

    async def _done(
        self,
        user: User,
        session_id: str,
        text: str,
        events: asyncio.Queue[Event | None],
        hold: Hold,
    ) -> None:
        loop = asyncio.get_running_loop()

        def emit(event: Event) -> None:
            loop.call_soon_threadsafe(events.put_nowait, event)

        try:
            hold.used = await run_sync(self._respond, self._service, user, session_id, text, emit)
        except AvpipeError as error:
            code = int(error.code) if error.code.isdigit() else 500
            emit({"type": "error", "code": code, "message": error.message})

    async def _followed(self, events: asyncio.Queue[Event | None]) -> AsyncIterator[Event]:
        """The events as they come, and a sign of life where none does."""
        while True:
            try:
                event = await asyncio.wait_for(
                    events.get(), self._service.settings.server.heartbeat_s
                )
            except TimeoutError:
                yield {"type": "heartbeat"}
                continue
            if event is None:
                return
            yield event


async def typed_lines(events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    """Events with a `type`, each as a line of an event stream."""
    yield b'data: {"type":"heartbeat"}\n\n'
    async with aclosing(events):  # type: ignore[type-var]
        async for event in events:
            yield _line(event)


async def adk_lines(events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    """The same as events of Google's ADK."""
    invocation = f"e-{uuid.uuid4()}"
    yield b": connected\n\n"
    async with aclosing(events):  # type: ignore[type-var]
        async for event in events:
            for form in _adk_events(event, invocation):
                yield _line(form)
            if event["type"] == "heartbeat":
                yield b": heartbeat\n\n"


def _adk_events(event: Event, invocation: str) -> Iterator[Event]:
    about: Event = {
        "invocationId": invocation,
        "author": "nemo_agent",
        "actions": {
            "stateDelta": {},
            "artifactDelta": {},
            "requestedAuthConfigs": {},
            "requestedToolConfirmations": {},
        },
        "id": str(uuid.uuid4()),
        "timestamp": time.time(),
    }
    match event["type"]:
        case "text":
            content = {"parts": [{"text": event["content"]}], "role": "model"}
        case "tool_call":
            call = {"id": event["id"], "name": event["name"], "args": event["args"]}
            content = {"parts": [{"functionCall": call}], "role": "model"}
            about["longRunningToolIds"] = [event["id"]]
        case "tool_result":
            answer = {"id": event["id"], "name": event["name"], "response": event["result"]}
            content = {"parts": [{"functionResponse": answer}], "role": "user"}
        case "error":
            code = str(event["code"])
            yield {**about, "errorCode": code, "errorMessage": event["message"]}
            return
        case _:
            return
    yield {"content": content, **about}


def _line(form: Event) -> bytes:
    with suppress(KeyError):
        if form["type"] in ("tool_call", "tool_result"):
            form = {key: value for key, value in form.items() if key != "id"}
    return b"data: " + json.dumps(form, ensure_ascii=False).encode() + b"\n\n"
