"""What the API answers: its envelopes, and each of avpipe's errors as a status and a code."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from avpipe.errors import (
    AvpipeError,
    CreditsUsedUpError,
    DiskFullError,
    DuplicateRenderError,
    ExportBlockedError,
    FileTooLargeError,
    NotAuthorisedError,
    NothingToExportError,
    RateLimitedError,
    RequestError,
    SessionGoneError,
    StoreError,
    UnknownRenderError,
    UnsupportedFileError,
)

LOG = logging.getLogger("avpipe.server")
_STATUS: tuple[tuple[type[AvpipeError], int], ...] = (
    (NotAuthorisedError, 401),
    (SessionGoneError, 404),
    (UnknownRenderError, 404),
    (CreditsUsedUpError, 402),
    (ExportBlockedError, 402),
    (DuplicateRenderError, 409),
    (FileTooLargeError, 413),
    (UnsupportedFileError, 415),
    (NothingToExportError, 422),
    (RateLimitedError, 429),
    (RequestError, 400),
    (DiskFullError, 507),
    (StoreError, 503),
)
"""The more special ones first."""
MIME = "application/json"


def succeeded(data: Any) -> Response:
    """`{"code": 0, "data": …}`."""
    return JSONResponse({"code": 0, "data": data})


def proxied(data: Any, status: int = 200) -> Response:
    """`{"success": true, "data": …}`, as the render endpoints say it."""
    return JSONResponse({"success": True, "data": data}, status)


def failed(error: AvpipeError) -> Response:
    """What an error is to a client."""
    status = status_of(error)
    code = int(error.code) if error.code.isdigit() else status
    message = error.message
    if status in (500, 503):  # it speaks of the server's own files
        LOG.error("%s", error.message)
        message = "the server failed" if status == 500 else "the server cannot keep anything now"
    headers = {"Retry-After": "30"} if status == 429 else None
    if status == 401:
        headers = {"WWW-Authenticate": "Bearer"}
    return JSONResponse(error_form(code, message), status, headers)


def refused(status: int, message: str) -> Response:
    """An answer to a request that nothing was made of."""
    return JSONResponse(error_form(status, message), status)


def error_form(code: int, message: str) -> dict[str, Any]:
    """The body that tells of an error."""
    return {"code": code, "message": message, "data": None}


def status_of(error: AvpipeError) -> int:
    """The HTTP status of an error; what nobody foresaw is 500."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def object_of(body: bytes) -> Mapping[str, Any]:
    """The JSON object in a request's body. Raises RequestError."""
    try:
        form = json.loads(body or b"{}", parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise RequestError("the body is not JSON") from error
    if not isinstance(form, dict):
        raise RequestError("the body is not a JSON object")
    return form


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def text_in(form: Mapping[str, Any], key: str, *, most: int, default: str | None = None) -> str:
    """A text of a request. Raises RequestError where it is missing, no text, or too long."""
    value = form.get(key, default)
    if not isinstance(value, str) or not value or len(value) > most:
        raise RequestError(f"{key} must be a text of 1 to {most} characters")
    if "\0" in value or (not value.isascii() and not _is_unicode(value)):
        raise RequestError(f"{key} holds characters that are none")
    return value


def _is_unicode(text: str) -> bool:
    """Whether a text has no halves of characters, which JSON can write and nothing can store."""
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in text)
