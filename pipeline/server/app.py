"""The application: every path and what answers it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from avpipe.server import account_api, page_api, render_api, session_api, status_api
from avpipe.server.agent import Agent
from avpipe.server.answers import refused
from avpipe.server.fetch import Allowed, is_public
from avpipe.server.guard import Guard
from avpipe.server.responding import respond
from avpipe.server.service import Service
from avpipe.server.turns import Turns

UPLOADS_AT_ONCE = 8
"""So many are looked at, or fetched, at once: they have no threads of other requests."""
UPLOADS_OF_USER = 2
"""So many of them are one user's."""
RENDER = "/api/render/proxy"
PAGE = "/api/page/{session}"


def _post(path: str, endpoint: object) -> Route:
    return Route(path, endpoint, methods=["POST"])  # type: ignore[arg-type]


def _get(path: str, endpoint: object) -> Route:
    return Route(path, endpoint, methods=["GET"])  # type: ignore[arg-type]


ROUTES = [
    _post("/api/auth/anonymous-token", account_api.anonymous_token),
    _post("/api/auth/claim-token", account_api.claim_token_endpoint),
    _post("/api/auth/exchange-claim-token", account_api.exchange_claim),
    _post("/api/tasks/{user}/with-session/nemo_agent", account_api.create_session_endpoint),
    _post("/run_sse", session_api.message),
    _post("/api/upload-video/nemo_agent/{user}/{session}", session_api.upload),
    _get("/api/credits/balance/simple", account_api.credit_balance_endpoint),
    _get("/api/state/nemo_agent/{user}/{session}/latest", session_api.state_endpoint),
    _post(f"{RENDER}/lambda", render_api.submit_endpoint),
    _get(RENDER + "/lambda/{render}", render_api.poll_endpoint),
    _post(RENDER + "/lambda/{render}/cancel", render_api.cancel_endpoint),
    _get(RENDER + "/{render}/download", render_api.download_endpoint),
    _get(PAGE, page_api.state_endpoint),
    _get(PAGE + "/sound/{file}", page_api.sound_endpoint),
    _get(PAGE + "/alignment", page_api.alignment_endpoint),
    _post(PAGE + "/place", page_api.page_place),
    _get("/media/{what}/{session}/{name}/{expires}/{signature}/{shown}", render_api.media),
    _get("/healthz", status_api.healthz),
    _get("/metrics", status_api.metrics),
    _get("/openapi.json", status_api.openapi),
    _get("/", status_api.page),
    _get("/workspace/claim", status_api.page),
    _get("/page/{name}", status_api.page_part),
]


def make_app(service: Service, *, may_fetch: Allowed = is_public) -> Starlette:
    """The application around an open service."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.agent = Agent(service, respond)
        app.state.looking = CapacityLimiter(UPLOADS_AT_ONCE)
        app.state.fetching = CapacityLimiter(UPLOADS_AT_ONCE)
        app.state.uploads = Turns("uploads", at_once=UPLOADS_OF_USER)
        yield
        await app.state.agent.finish()

    app = Starlette(
        routes=ROUTES,
        lifespan=lifespan,
        middleware=[Middleware(Guard, service=service)],
        exception_handlers={HTTPException: _no_endpoint},
    )
    app.state.service = service
    app.state.may_fetch = may_fetch
    return app


async def _no_endpoint(request: Request, error: Exception) -> Response:
    """What is answered where there is no endpoint, or none of that method."""
    assert isinstance(error, HTTPException)
    answer = refused(error.status_code, error.detail)
    answer.headers.update(error.headers or {})
    return answer
