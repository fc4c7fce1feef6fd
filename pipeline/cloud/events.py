"""The one place that reads an event stream: from pieces of text to the agent's reply."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from httpx_sse._decoders import SSEDecoder, SSELineDecoder  # comments are signs of life too

from avpipe.cloud.agent import Listener, Sign
from avpipe.cloud.door import CutError, UnreadableAnswerError, redacted
from avpipe.cloud.values import Clock
from avpipe.settings import Secret
from avpipe.updates import Note

LIMIT_S = 900.0
"""How long a reply may take."""
IDLE_LIMIT_S = 600.0
"""How long a service may say nothing but that it is there."""
WORD_S = 120.0
"""How long a user is left without a word."""
SIZE_LIMIT = 64 * 1024 * 1024
"""The longest reply that is read, in characters."""


def listen(pieces: Iterator[str], heard: Listener, token: Secret, clock: Clock) -> Generator[Note]:
    """Let somebody hear a whole stream; yields a word now and then.

    Raises CloudError where the stream tells of one, breaks off (CutError) or takes too long.
    """
    began = worked = spoke = clock.monotonic()
    understood = known = True
    for event in _events(pieces):
        now = clock.monotonic()
        sign = Sign.ALIVE
        if event is not None:
            (name, data) = event
            sign = heard.take(name, redacted(data, token))
            known = known and sign is not Sign.UNKNOWN
        understood = known or heard.worked or bool(heard.text())
        worked = now if sign is Sign.WORK else worked
        if now - began >= LIMIT_S or now - worked >= IDLE_LIMIT_S:
            raise CutError(f"the cloud's agent did not finish in {(now - began) / 60:.0f} minutes")
        if now - spoke >= WORD_S:
            spoke = now
            yield Note(code="still_working", message="Still working…")
    if not understood:
        raise UnreadableAnswerError("the cloud's reply cannot be read")


def _events(pieces: Iterator[str]) -> Iterator[tuple[str, str] | None]:
    """Name and data of each event; None for a line that only says that the service is there."""
    lines = SSELineDecoder()
    decoder = SSEDecoder()
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > SIZE_LIMIT:
            raise UnreadableAnswerError("the cloud's reply is too long")
        for line in lines.decode(piece):
            event = decoder.decode(line)
            yield None if event is None else (event.event, event.data)
    for line in (*lines.flush(), ""):  # a last event without its blank line counts too
        event = decoder.decode(line)
        if event is not None:
            yield event.event, event.data
