"""The API described as OpenAPI 3.1, for programs that read that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from avpipe import __version__

Form = dict[str, Any]


def description() -> Form:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "avpipe serve", "version": __version__},
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": _ERROR},
        },
        "security": [{"bearer": []}],
        "paths": {path: dict(_operation(*entry) for entry in entries) for path, entries in _PATHS},
    }


def _object(required: str = "", **properties: Form) -> Form:
    return {"type": "object", "required": required.split(), "properties": properties}


def _text(most: int, **more: Any) -> Form:
    usual = {"type": "string", "minLength": 1, "maxLength": most, "pattern": r"^[^\u0000]*$"}
    return usual | more


_ANY: Form = {"type": "object"}
_NUMBER: Form = {"type": "number"}
_ID = _text(64, pattern=r"^[A-Za-z0-9_]+$")
_ERROR = _object("code message", code={"type": "integer"}, message={"type": "string"})
_DATA = _object("code data", code={"const": 0}, data=_ANY)
_SUCCESS = _object("success data", success={"const": True}, data=_ANY)
_RENDER = _object("status progress", status={"type": "string"}, progress=_NUMBER)
_MESSAGE = _object(
    "session_id new_message",
    app_name={"type": "string"},
    user_id={"enum": ["me"]},
    session_id=_ID,
    new_message=_object(
        "parts",
        parts={
            "type": "array",
            "minItems": 1,
            "items": _object("text", text=_text(10_000, pattern=r"^[^\u0000]*[!-~][^\u0000]*$")),
        },
    ),
)
_SUBMIT = _object(
    "id sessionId draft",
    id=_text(128, pattern=r"^[A-Za-z0-9_.-]+$"),
    sessionId=_ID,
    draft=_ANY,
    output=_ANY,
)
_TASK = _object(task_name=_text(200), language=_text(40))
_CLAIM = _object("session_id", task_id=_text(64), session_id=_ID)
_EXCHANGE = _object("claim_token", claim_token=_text(200))
_URLS = _object(
    "urls source_type",
    urls={"type": "array", "minItems": 1, "maxItems": 20, "items": _text(4000)},
    source_type={"const": "url"},
)
_PLACE = _object("file shift_s", file=_ID, shift_s=_NUMBER)
_FILES = _object("files", files={"type": "array", "items": {"type": "string", "format": "binary"}})
_JSON = "application/json"
_FORM = "multipart/form-data"
_FAILURES = (400, 401, 402, 404, 409, 413, 415, 421, 422, 429, 503, 507)
_CLIENT = {
    "name": "X-Client-Id",
    "in": "header",
    "required": True,
    "schema": _text(64, pattern=r"^[!-~]+$"),
}

Entry = tuple[str, str, Mapping[str, Form], Form | None, tuple[Form, ...], bool]


def _entry(
    method: str,
    summary: str,
    answer: Form | None = _DATA,
    *,
    body: Form | None = None,
    bodies: Mapping[str, Form] | None = None,
    parameters: tuple[Form, ...] = (),
    open_to_all: bool = False,
) -> Entry:
    taken = bodies or ({} if body is None else {_JSON: body})
    return (method, summary, taken, answer, parameters, open_to_all)


def _operation(
    method: str,
    summary: str,
    bodies: Mapping[str, Form],
    answer: Form | None,
    parameters: tuple[Form, ...],
    open_to_all: bool,
) -> tuple[str, Form]:
    done: Form = {"description": "Done"}
    if answer is not None:
        done["content"] = {_JSON: {"schema": answer}}
    error = {_JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    responses: Form = {"200": done}
    if method == "get":
        responses |= {"202": {"description": "Not ready yet"}, "206": {"description": "A part"}}
    for status in _FAILURES:
        responses[str(status)] = {"description": "Refused", "content": error}
    form: Form = {"summary": summary, "responses": responses}
    if parameters:
        form["parameters"] = list(parameters)
    if bodies:
        content = {kind: {"schema": schema} for kind, schema in bodies.items()}
        needed = any(schema.get("required") for schema in bodies.values())
        form["requestBody"] = {"required": needed, "content": content}
    if open_to_all:
        form["security"] = []
    return method, form


def _in_path(name: str) -> Form:
    schema = {"enum": ["me"]} if name == "user" else _ID
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(name: str) -> Form:
    return {"name": name, "in": "query", "required": True, "schema": _ID}


_USER, _SESSION, _RENDER_ID, _FILE = map(_in_path, ("user", "session", "render", "file"))
_HERE = (_USER, _SESSION)
_PATHS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    (
        "/api/auth/anonymous-token",
        (_entry("post", "A token", parameters=(_CLIENT,), open_to_all=True),),
    ),
    ("/api/auth/claim-token", (_entry("post", "A link for a browser", body=_CLAIM),)),
    (
        "/api/auth/exchange-claim-token",
        (_entry("post", "A token of a link", body=_EXCHANGE, open_to_all=True),),
    ),
    (
        "/api/tasks/{user}/with-session/nemo_agent",
        (_entry("post", "A session", body=_TASK, parameters=(_USER,)),),
    ),
    ("/run_sse", (_entry("post", "Tell the agent", None, body=_MESSAGE),)),
    (
        "/api/upload-video/nemo_agent/{user}/{session}",
        (_entry("post", "Files", bodies={_FORM: _FILES, _JSON: _URLS}, parameters=_HERE),),
    ),
    ("/api/credits/balance/simple", (_entry("get", "What can be spent"),)),
    (
        "/api/state/nemo_agent/{user}/{session}/latest",
        (_entry("get", "A session's state", parameters=_HERE),),
    ),
    ("/api/render/proxy/lambda", (_entry("post", "A render", _SUCCESS, body=_SUBMIT),)),
    (
        "/api/render/proxy/lambda/{render}",
        (_entry("get", "How far it is", _RENDER, parameters=(_RENDER_ID,)),),
    ),
    (
        "/api/render/proxy/lambda/{render}/cancel",
        (_entry("post", "End it", _SUCCESS, parameters=(_RENDER_ID,)),),
    ),
    (
        "/api/render/proxy/{render}/download",
        (_entry("get", "The file", None, parameters=(_RENDER_ID,)),),
    ),
    ("/api/page/{session}", (_entry("get", "For the page", parameters=(_SESSION,)),)),
    (
        "/api/page/{session}/sound/{file}",
        (_entry("get", "A sound's outline", parameters=(_SESSION, _FILE)),),
    ),
    (
        "/api/page/{session}/alignment",
        (
            _entry(
                "get",
                "How two files line up",
                parameters=(_SESSION, _in_query("video"), _in_query("audio")),
            ),
        ),
    ),
    (
        "/api/page/{session}/place",
        (_entry("post", "Move a sound", body=_PLACE, parameters=(_SESSION,)),),
    ),
    ("/healthz", (_entry("get", "Whether it works", _ANY, open_to_all=True),)),
    ("/metrics", (_entry("get", "For Prometheus", None, open_to_all=True),)),
)
