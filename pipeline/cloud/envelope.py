"""What an answer says, whichever of the API's forms it has. Pure.

Three envelopes (`code`, `success`, bare), camelCase and snake_case, and errors by HTTP status or
by `code` in the body. Which form the live service uses is not known: docs/cloud.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from avpipe.errors import (
    AvpipeError,
    CloudError,
    CreditsUsedUpError,
    ExportBlockedError,
    FileTooLargeError,
    NotAuthorisedError,
    RateLimitedError,
    SessionGoneError,
    UnsupportedFileError,
)

FORMATS = (
    *("mp4", "mov", "avi", "webm", "mkv"),
    *("jpg", "png", "gif", "webp"),
    *("mp3", "wav", "m4a", "aac"),
)
"""What the service takes, by suffix."""

_BY_CODE: dict[int, tuple[type[AvpipeError], str, str | None]] = {
    1001: (NotAuthorisedError, "the cloud refuses the token", None),
    1002: (SessionGoneError, "the cloud does not know the session", None),
    2001: (CreditsUsedUpError, "the cloud account has no credits left", None),
    4001: (
        UnsupportedFileError,
        "the cloud does not take files of this type",
        f"it takes {', '.join(FORMATS)}",
    ),
    4002: (
        FileTooLargeError,
        "the file is too large for the cloud",
        "compress it (avpipe compress), or cut it",
    ),
    402: (ExportBlockedError, "the cloud account's plan does not allow the export", None),
    429: (
        RateLimitedError,
        "the cloud is asked too often",
        "try again later; without a token of your own it gives one a week",
    ),
}
_SAME = {1010: 1001, 1011: 1001, 401: 1001, 413: 4002, 415: 4001}
_AUTH_WORDS = (
    "invalid authentication token",
    "invalid token",
    "invalid or expired",
    "missing authentication token",
    "token not found",
    "token has been revoked",
    "token has expired",
)
_MESSAGES = ("message", "error", "detail", "reason", "error_message", "errorMessage", "msg")


class NotFoundError(CloudError):
    """The service knows nothing by that name."""


class BadRequestError(CloudError):
    """The service finds the request itself wrong (400, 422, another code)."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class DuplicateError(BadRequestError):
    """The service has something by that id already."""


class ServerFailedError(CloudError):
    """The service failed, and may not the next time (408, 5xx)."""

    retryable = True

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


def unwrap(body: Any) -> Any:
    """The data of an answer's body. Raises what the body says went wrong."""
    if isinstance(body, Mapping):
        code = _int(body.get("code"))
        if code is not None:
            if code in (0, 200):
                return body.get("data", {})
            raise error_of(code, body)
        if isinstance(body.get("success"), bool):
            if body["success"]:
                return body.get("data", {})
            raise error_of(_int(body.get("status")) or 0, body)
    return body


def error_of(code: int, body: Any) -> AvpipeError:
    """What a code, of the body or of HTTP, and the message beside it mean."""
    said = message_of(body)
    inner = _int(body.get("code")) if isinstance(body, Mapping) else None
    code = inner or code
    known = _BY_CODE.get(_SAME.get(code, code))
    lowered = said.lower()
    if known is None and any(words in lowered for words in _AUTH_WORDS):
        known = _BY_CODE[1001]
    if known is None and code in (0, 404) and "session" in lowered and "not found" in lowered:
        known = _BY_CODE[1002]
    if known is not None:
        (kind, message, hint) = known
        return kind(message, hint=hint)
    text = f"the cloud says: {said}" if said else f"the cloud answers with error {code}"
    if code == 409 or "duplicate" in lowered or "already exists" in lowered:
        return DuplicateError(text)
    if code == 404 or "not found" in lowered:
        return NotFoundError(text)
    if code == 408 or 500 <= code < 600:
        return ServerFailedError(text, status=code)
    return BadRequestError(text, status=code)


def message_of(body: Any) -> str:
    """What an answer says for people, shortened; empty where it says nothing."""
    if isinstance(body, Mapping):
        for key in _MESSAGES:
            value = body.get(key)
            if isinstance(value, Mapping):
                return message_of(value)
            if isinstance(value, str) and value.strip():
                return " ".join(value.split())[:300]
    return ""


def pick(form: Any, *names: str) -> Any:
    """The first of some keys that is there and not None."""
    if isinstance(form, Mapping):
        for name in names:
            if form.get(name) is not None:
                return form[name]
    return None


def text_of(form: Any, *names: str) -> str | None:
    """The first of some keys as text; ids may come as numbers."""
    value = pick(form, *names)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


def number_of(form: Any, *names: str) -> float | None:
    """The first of some keys as a finite number."""
    value = pick(form, *names)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def whole_of(form: Any, *names: str) -> int | None:
    """The first of some keys as a whole number."""
    number = number_of(form, *names)
    return None if number is None else round(number)


def items_of(form: Any, *names: str) -> list[Any]:
    """The first of some keys as a list; a single thing is a list of one."""
    value = pick(form, *names)
    if isinstance(value, list):
        return value
    if isinstance(value, Mapping):
        return list(value.values())
    return []


def _int(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    found = isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value)
    return int(value) if found else None
