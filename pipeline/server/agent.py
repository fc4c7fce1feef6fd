"""The agent: one sentence after the other in a session, each a stream of events.

What users move by hand stands in the same queue.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from avpipe.errors import AvpipeError, RateLimitedError
from avpipe.server.accounts import Hold, User
from avpipe.server.service import Service
from avpipe.server.turns import Turns

T = TypeVar("T")
Event = dict[str, Any]
Emit = Callable[[Event], None]
Respond = Callable[[Service, User, str, str, Emit], bool]
"""Does what a sentence says, and tells whether anything changed."""
AT_ONCE = 32


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Move:
    """A sound that is to be heard later, or earlier."""

    file_id: str
    shift: Fraction
    """In seconds."""


class Agent:
    """Sentences are done in the order in which they came, each to its end.

    A client that goes away ends its stream and not the work: it finds in the state what came of it.
    """

    def __init__(self, service: Service, respond: Respond) -> None:
        self._service = service
        self._respond = respond
        self._turns = Turns("messages")
        self._moves: dict[str, list[Move]] = {}
        self._settling = threading.Lock()
        self._talks: Counter[str] = Counter()
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
        self._turns.require_room(session_id)
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        held = self._service.accounts.held(user)
        hold = await run_sync(held.__enter__)
        turn = self._turns.join(session_id)
        self._open[user.user_id] += 1
        self._talks[session_id] += 1
        self._service.meters.streams.inc()

        async def work() -> None:
            try:
                async with turn:
                    await self._done(user, session_id, text, events, hold)
            finally:
                self._open[user.user_id] -= 1
                self._talks[session_id] -= 1
                if not self._talks[session_id]:
                    del self._talks[session_id]
                self._service.meters.streams.dec()
                await run_sync(held.__exit__, None, None, None)
                events.put_nowait(None)

        self.keep(work())
        return self._followed(events)

    def move(self, session_id: str, move: Move, do: Callable[[], None]) -> asyncio.Task[None]:
        """Take a move; it is done in its turn. Raises RateLimitedError; the task what `do` does."""
        self._turns.require_room(session_id)
        turn = self._turns.join(session_id)
        self._moves.setdefault(session_id, []).append(move)

        def settle() -> None:
            with self._settling:
                try:
                    do()
                finally:
                    self._moves[session_id].remove(move)
                    if not self._moves[session_id]:
                        del self._moves[session_id]

        async def work() -> None:
            async with turn:
                await run_sync(settle)

        return self.keep(work())

    def beside_moves(self, session_id: str, look: Callable[[], T]) -> tuple[T, tuple[Move, ...]]:
        """What is looked at, and the moves that are taken and not done in it."""
        with self._settling:
            return look(), tuple(self._moves.get(session_id, ()))

    def is_busy(self, session_id: str) -> bool:
        """Whether a sentence is worked on."""
        return session_id in self._talks

    def keep(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let some work come to its end, whoever goes away."""
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

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
            respond = partial(self._respond, self._service, user, session_id, text, emit)
            hold.used = await run_sync(respond, limiter=self._threads)
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
