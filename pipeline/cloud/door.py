"""The one place that does HTTP: headers, time-outs, retries, and the translation of errors.

The bearer and the attribution headers are set for each request to the API's own host; a request
to any other address, a download link above all, goes through `outside` and carries neither.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from avpipe.cloud.contact import answer, client
from avpipe.cloud.envelope import ServerFailedError, error_of, unwrap
from avpipe.cloud.values import Clock
from avpipe.errors import AvpipeError, CloudError, RateLimitedError, UnreachableError
from avpipe.settings import CloudSettings, Secret

SKILL_SOURCE = "audio-video-to"
SKILL_VERSION = "1.0.0"
RETRIES = 3
ANSWER_LIMIT = 64 * 1024 * 1024
"""The largest answer that is read into memory, in bytes."""
PLAIN_READ_S = 60.0
"""How long a plain answer may be waited for."""


class UnreadableAnswerError(CloudError):
    """The service answered with something that is none of its forms."""

    retryable = True


class NoConnectionError(UnreachableError):
    """No connection came about, so nothing was sent."""


class CutError(UnreachableError):
    """A stream or transfer broke off after it had begun."""


DOUBTFUL = (UnreachableError, ServerFailedError, UnreadableAnswerError)
"""After these nobody knows whether the request had its effect."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A request to the API."""

    method: str
    path: str
    form: Any = None
    """Sent as JSON."""
    body: Callable[[], Iterator[bytes]] | None = None
    """Sent as it is; made anew for each attempt."""
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False
    """Whether it may be sent again where nobody knows if it arrived."""
    idle_s: float | None = None
    """How long the answer may be waited for, where that is not the usual time."""


class Door:
    """A connection to one service."""

    def __init__(self, settings: CloudSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._open_clients = contextlib.ExitStack()
        self._reached = False
        self._attribution = {
            "X-Skill-Source": SKILL_SOURCE,
            "X-Skill-Version": SKILL_VERSION,
            "X-Skill-Platform": settings.platform or platform_of(Path(__file__)),
            "User-Agent": "avpipe",
        }

    def close(self) -> None:
        """Close the connections."""
        self._open_clients.close()

    @functools.cached_property
    def _api(self) -> httpx.Client:
        """What asks the API; made when it is asked first, since this machine may allow none."""
        return self._open_clients.enter_context(client(self._timeout(PLAIN_READ_S)))

    @functools.cached_property
    def _outside(self) -> httpx.Client:
        """What follows download links."""
        return self._open_clients.enter_context(client(self._timeout(self._settings.idle_s)))

    def call(self, call: Call, token: Secret | None = None) -> Any:
        """The data of the answer. Raises CloudError, UnsupportedFileError or FileTooLargeError."""
        return self._retried(call, lambda: self._answer(call, token))

    def waits(self) -> Iterator[float]:
        """The growing waits between one attempt and the next."""
        return (self._settings.retry_s * 2**number for number in range(RETRIES))

    @contextlib.contextmanager
    def stream(self, call: Call, token: Secret) -> Iterator[Iterator[str]]:
        """The pieces of text of an event stream. Raises as `call`, and CutError inside."""
        with self._once_limited(call, lambda: self._open(call, token)) as response:
            kind = response.headers.get("content-type", "").partition(";")[0].strip()
            if kind != "text/event-stream":
                unwrap(self._form(response, token))  # raises, where it tells of an error
                raise UnreadableAnswerError(f"the cloud answers a message with {kind or 'nothing'}")
            yield _guarded_text(response, token)

    @contextlib.contextmanager
    def outside(self, url: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """The answer of a download link, which gets none of our headers. Raises CloudError."""
        with _translated(), self._redirected(url, headers) as response:
            yield response

    @contextlib.contextmanager
    def inside(
        self, call: Call, token: Secret, headers: Mapping[str, str]
    ) -> Iterator[httpx.Response]:
        """The raw answer of a path of the API; elsewhere it is followed without our headers."""
        with _translated():
            request = self._request(call, token, headers)
            with _closing(self._sent(request, None)) as response:
                if response.next_request is None:
                    yield response
                    return
                target = str(response.next_request.url)
            with self._redirected(target, headers) as response:
                yield response

    def _redirected(
        self, url: str, headers: Mapping[str, str]
    ) -> contextlib.AbstractContextManager[httpx.Response]:
        target = httpx.URL(self._settings.api_url).join(url)
        if target.scheme not in ("http", "https"):
            raise UnreadableAnswerError("the cloud's download link is not one of http")
        request = self._outside.build_request(
            "GET", target, headers={**headers, "Accept-Encoding": "identity"}
        )
        return _closing(self._outside.send(request, stream=True, follow_redirects=True))

    def _answer(self, call: Call, token: Secret | None) -> Any:
        with self._open(call, token) as response:
            return unwrap(self._form(response, token))

    @contextlib.contextmanager
    def _open(self, call: Call, token: Secret | None) -> Iterator[httpx.Response]:
        """An answer whose status is good, its body not yet read."""
        with _translated():
            request = self._request(call, token, {})
            with _closing(self._sent(request, call.body)) as response:
                self._reached = True
                if response.status_code >= 300:
                    raise self._refusal(response, token)
                yield response

    def _sent(self, request: httpx.Request, body: object) -> httpx.Response:
        """The answer, not yet read. A body is read in the thread of whoever waits for it."""
        send = functools.partial(self._api.send, stream=True)
        return send(request) if body else answer(send, request, self._settings.connect_s)

    def _request(
        self, call: Call, token: Secret | None, headers: Mapping[str, str]
    ) -> httpx.Request:
        sent = {"Accept": "application/json", **self._attribution, **call.headers, **headers}
        if token is not None:
            sent["Authorization"] = f"Bearer {token.reveal()}"
        url = self._settings.api_url + call.path
        timeout = self._timeout(call.idle_s or PLAIN_READ_S)
        if call.body is not None:
            return self._api.build_request(
                call.method, url, headers=sent, content=call.body(), timeout=timeout
            )
        return self._api.build_request(
            call.method, url, headers=sent, json=call.form, timeout=timeout
        )

    def _refusal(self, response: httpx.Response, token: Secret | None) -> AvpipeError:
        try:
            form = json.loads(_text(response, token))
        except (ValueError, RecursionError, CloudError, httpx.HTTPError):
            form = {}
        return error_of(response.status_code, form)

    def _form(self, response: httpx.Response, token: Secret | None) -> Any:
        try:
            return json.loads(_text(response, token))
        except (ValueError, RecursionError) as error:
            raise UnreadableAnswerError("the cloud's answer cannot be read") from error

    def _retried(self, call: Call, attempt: Callable[[], Any]) -> Any:
        began = self._clock.monotonic()
        for wait in self.waits():
            try:
                return self._limited(call, attempt)
            except DOUBTFUL as error:
                if not self._may_repeat(call, error, self._clock.monotonic() + wait - began):
                    raise
            self._clock.sleep(wait)
        return self._limited(call, attempt)

    def _may_repeat(self, call: Call, error: CloudError, elapsed_s: float) -> bool:
        if isinstance(error, NoConnectionError):  # it did not arrive
            return self._reached or elapsed_s < self._settings.connect_s
        return call.repeatable

    def _limited(self, call: Call, attempt: Callable[[], Any]) -> Any:
        """Once more, after a wait, where the service wants fewer requests."""
        try:
            return attempt()
        except RateLimitedError:
            self._clock.sleep(self._settings.rate_limit_wait_s)
        return attempt()

    @contextlib.contextmanager
    def _once_limited(
        self, call: Call, opened: Callable[[], contextlib.AbstractContextManager[httpx.Response]]
    ) -> Iterator[httpx.Response]:
        with contextlib.ExitStack() as stack:
            yield self._limited(call, lambda: stack.enter_context(opened()))

    def _timeout(self, read_s: float) -> httpx.Timeout:
        idle = self._settings.idle_s
        return httpx.Timeout(
            connect=self._settings.connect_s, read=min(read_s, idle), write=idle / 2, pool=idle
        )


def platform_of(place: Path) -> str:
    """What the attribution headers call an installation, by where it is."""
    parts = place.parts
    if ".clawhub" in parts:
        return "clawhub"
    if (".cursor", "skills") in itertools.pairwise(parts):
        return "cursor"
    return "unknown"


@contextlib.contextmanager
def _closing(response: httpx.Response) -> Iterator[httpx.Response]:
    try:
        yield response
    finally:
        response.close()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Let httpx's errors out as ours."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise translate(error) from error


def translate(error: Exception) -> CloudError:
    """Our error for one of httpx's."""
    match error:
        case httpx.ConnectTimeout() | httpx.ConnectError() | httpx.ProxyError():
            return NoConnectionError(f"the cloud cannot be reached: {error or 'timed out'}")
        case httpx.TimeoutException():
            return CutError("the cloud stopped answering")
        case httpx.TransportError():
            return CutError("the connection to the cloud broke off")
        case _:
            return UnreadableAnswerError(f"the cloud's answer cannot be read: {error}")


def _text(response: httpx.Response, token: Secret | None) -> str:
    """A whole answer, without the token should it be in it. Raises UnreadableAnswerError."""
    parts: list[bytes] = []
    size = 0
    for part in response.iter_bytes():
        size += len(part)
        if size > ANSWER_LIMIT:
            raise UnreadableAnswerError("the cloud's answer is too long")
        parts.append(part)
    return redacted(b"".join(parts).decode("utf-8", "replace"), token)


def _guarded_text(response: httpx.Response, token: Secret) -> Iterator[str]:
    with _translated():
        yield from response.iter_text()


def redacted(text: str, token: Secret | None) -> str:
    """A text without the token."""
    return text if token is None else text.replace(token.reveal(), "…")
