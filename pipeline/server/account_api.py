"""Tokens, sessions, credits, links for browsers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from avpipe.errors import AvpipeError, NotAuthorisedError, RequestError
from avpipe.server.accounts import CLAIM_S, Granted
from avpipe.server.answers import failed, object_of, succeeded, text_in
from avpipe.server.endpoints import Asked, answering, body_of
from avpipe.server.guard import address_of
from avpipe.server.service import Service

MOST_ID = 64


async def anonymous_token(request: Request) -> Response:
    """Give a new token to whoever names a client id."""
    service: Service = request.app.state.service
    client_id = request.headers.get("x-client-id", "").strip()
    try:
        await body_of(request)
        if not 0 < len(client_id) <= MOST_ID or not client_id.isprintable():
            raise RequestError("X-Client-Id is missing, or longer than 64 characters")
        if service.settings.server.signup != "open":
            raise NotAuthorisedError("this server takes invited users only")
        granted = await run_sync(service.accounts.sign_up, client_id, address_of(request.scope))
    except AvpipeError as error:
        return failed(error)
    return succeeded(_token_form(granted) | {"credits": granted.credits})


async def exchange_claim(request: Request) -> Response:
    """Give a token for the one session that a link was made for."""
    service: Service = request.app.state.service
    try:
        claim = text_in(object_of(await body_of(request)), "claim_token", most=200)
        (granted, session_id) = await run_sync(service.accounts.take_claim, claim)
    except AvpipeError as error:
        return failed(error)
    return succeeded(_token_form(granted) | {"session_id": session_id})


def create_session(asked: Asked) -> Response:
    """Make a session."""
    if asked.user.only_session is not None:
        raise NotAuthorisedError("this token opens one session alone")
    task_name = text_in(asked.form, "task_name", most=200, default="project")
    language = asked.form.get("language")
    if language is not None:
        language = text_in(asked.form, "language", most=40)
    session = asked.service.sessions.create(asked.named_user(), task_name, language)
    return succeeded(
        {
            "task_id": session.task_id,
            "session_id": session.session_id,
            "user_id": asked.user.user_id,
        }
    )


def claim_token(asked: Asked) -> Response:
    """Make a text for a link that opens a session in a browser."""
    session = asked.session(text_in(asked.form, "session_id", most=MOST_ID))
    claim = asked.service.accounts.make_claim(session.session_id)
    return succeeded({"claim_token": claim, "expires_in": CLAIM_S})


def credit_balance(asked: Asked) -> Response:
    """Say what the user can spend."""
    balance = asked.service.accounts.balance(asked.user)
    return succeeded(
        {
            "available": balance.available,
            "frozen": balance.frozen,
            "total": balance.available + balance.frozen,
        }
    )


def _token_form(granted: Granted) -> dict[str, Any]:
    until = datetime.fromtimestamp(granted.expires_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"token": granted.token, "user_id": granted.user_id, "expires_at": until}


create_session_endpoint = answering(create_session)
claim_token_endpoint = answering(claim_token)
credit_balance_endpoint = answering(credit_balance)
