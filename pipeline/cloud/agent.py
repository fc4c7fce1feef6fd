"""What the agent's events say, whichever of the two families they are of. Pure.

Typed events (`{"type": "text", …}`) and events of Google's ADK (`{"content": {"parts": …}}`, in
camelCase or snake_case). Texts are put together, tool calls and thoughts kept to ourselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from avpipe.cloud.envelope import error_of, items_of, message_of, pick, text_of, unwrap, whole_of
from avpipe.errors import CloudError

_TEMPORARY = "encountered a temporary issue"
_TEXT_TYPES = ("text", "message", "chunk", "response")
_TOOL_TYPES = ("tool_call", "tool_result", "tool_start", "tool_end", "toolcall_start")
_HEARTBEATS = ("", "heartbeat", "ping", "keepalive", "keep-alive", "[done]", "done")


class Sign(StrEnum):
    """What an event was good for."""

    ALIVE = "alive"
    """It only says that the service is still there."""
    WORK = "work"
    """A text, a tool, or anything else that tells of progress."""
    UNKNOWN = "unknown"
    """Nothing that is known."""


class Listener:
    """Takes events one by one; at the end it knows the reply."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._partial = ""
        self._apart = True
        """Whether the next text stands on its own."""
        self.worked = False
        """Whether a tool was used."""

    def take(self, name: str, data: str) -> Sign:
        """Take one event. Raises CloudError where it tells of one."""
        if name in ("heartbeat", "ping") or data.strip().lower() in _HEARTBEATS:
            return Sign.ALIVE
        try:
            form = json.loads(data)
        except (ValueError, RecursionError):
            return Sign.UNKNOWN
        if not isinstance(form, Mapping):
            return Sign.UNKNOWN
        if not isinstance(form.get("type"), str) and ("code" in form or "success" in form):
            form = unwrap(form)  # a tool that fails is the agent's affair; it has a type
            if not isinstance(form, Mapping) or not form:
                return Sign.ALIVE
        if isinstance(form.get("type"), str):
            return self._take_typed(form["type"].lower(), form)
        return self._take_adk(form)

    def text(self) -> str:
        """What was said, without a last complaint that the rest of the reply contradicts."""
        texts = [*self._texts, self._partial] if self._partial else list(self._texts)
        texts = [text.strip() for text in texts if text.strip()]
        if texts and _TEMPORARY in texts[-1].lower() and (len(texts) > 1 or self.worked):
            texts.pop()
        return "\n".join(texts)

    def _take_typed(self, kind: str, form: Mapping[str, Any]) -> Sign:
        if kind in _HEARTBEATS:
            return Sign.ALIVE
        if kind == "error":
            raise error_of(whole_of(form, "code", "status") or 0, {"message": _said(form)})
        if kind in _TOOL_TYPES:
            self._note_tool()
            return Sign.WORK
        if kind in _TEXT_TYPES:
            self._add_typed(_said(form))
            return Sign.WORK
        return Sign.UNKNOWN

    def _take_adk(self, form: Mapping[str, Any]) -> Sign:
        failed = pick(form, "errorCode", "error_code", "errorMessage", "error_message", "error")
        if failed is not None:
            raise _agent_error(form)
        content = form.get("content")
        if not isinstance(content, Mapping):
            return Sign.WORK if "actions" in form or "id" in form else Sign.UNKNOWN
        parts = [part for part in items_of(content, "parts") if isinstance(part, Mapping)]
        if any(pick(part, *_TOOL_PARTS) is not None for part in parts):
            self._note_tool()
        said = [part["text"] for part in parts if _is_said(part)]
        if said and content.get("role") != "user":
            self._add_adk("".join(said), partial=form.get("partial") is True)
        return Sign.WORK

    def _note_tool(self) -> None:
        self.worked = True
        self._apart = True

    def _add_adk(self, text: str, *, partial: bool) -> None:
        """A text that is not partial is the whole of the partial ones before it."""
        if partial:
            self._partial += text
            return
        self._partial = ""
        if not self._texts or self._texts[-1] != text:
            self._texts.append(text)
        self._apart = True

    def _add_typed(self, text: str) -> None:
        """A text may be the next piece, all so far, or a new sentence: no source says which."""
        last = self._texts[-1] if self._texts else ""
        if not text or (text == last and text.strip()):
            return
        if last and text.startswith(last):
            self._texts[-1] = text
        elif self._apart or not last or _begins_anew(last, text):
            self._texts.append(text)
        else:
            self._texts[-1] += text
        self._apart = False


_TOOL_PARTS = (
    *("functionCall", "function_call", "functionResponse", "function_response"),
    *("executableCode", "executable_code", "codeExecutionResult", "code_execution_result"),
    *("toolCall", "tool_call", "toolResponse", "tool_response"),
)


def _is_said(part: Mapping[str, Any]) -> bool:
    return isinstance(part.get("text"), str) and not part.get("thought")


def _said(form: Mapping[str, Any]) -> str:
    return text_of(form, "content", "text", "message", "delta", "error") or ""


def _agent_error(form: Mapping[str, Any]) -> Exception:
    code = whole_of(form, "errorCode", "error_code", "code")
    said = message_of({**form, "message": pick(form, "errorMessage", "error_message", "message")})
    if code is not None or said:
        return error_of(code or 0, {"message": said})
    return CloudError("the cloud's agent failed")


def _begins_anew(last: str, text: str) -> bool:
    """Whether a text is a further sentence, and not the rest of the one before."""
    ended = last.rstrip()[-1:] in ".!?:。！？：…"
    return ended and not text[:1].isspace() and not last[-1:].isspace() and not text[:1].islower()
