"""The documented forms of the agent's events and of a render's state."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any


def _typed(reply: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = [
        {"type": "tool_call", "name": "edit_multitrack", "args": {"secret_plan": 1}},
        {"type": "tool_result", "name": "edit_multitrack", "result": {"ok": True}},
    ]
    return events + ([{"type": "text", "content": reply}] if reply else [])


def _adk(reply: str) -> list[dict[str, Any]]:
    base = {"invocationId": "e-1", "author": "nemo_agent", "actions": {"stateDelta": {}}}
    thought = {"parts": [{"text": "I should merge them", "thought": True}], "role": "model"}
    call = {"parts": [{"functionCall": {"id": "adk-1", "name": "edit", "args": {}}}]}
    result = {
        "parts": [{"functionResponse": {"id": "adk-1", "name": "edit", "response": {}}}],
        "role": "user",
    }
    events = [base | {"content": content} for content in (thought, call, result)]
    if reply:
        half = len(reply) // 2
        for piece in (reply[:half], reply[half:]):
            content = {"parts": [{"text": piece}], "role": "model"}
            events.append(base | {"content": content, "partial": True})
        events.append(base | {"content": {"parts": [{"text": reply}], "role": "model"}})
    return events


def _adk_snake(reply: str) -> list[dict[str, Any]]:
    return [json.loads(_snake(json.dumps(event))) for event in _adk(reply)]


def _snake(text: str) -> str:
    return re.sub(r'"([a-z]+)([A-Z][a-zA-Z]*)":', lambda m: f'"{m[1]}_{m[2].lower()}":', text)


def camel(data: Any) -> Any:
    if isinstance(data, dict):
        return {
            re.sub(r"_([a-z])", lambda m: m[1].upper(), key): camel(value)
            if key != "draft"
            else value
            for key, value in data.items()
        }
    return [camel(item) for item in data] if isinstance(data, list) else data


def _form_a(name: str, status: str, done: float, url: str, size: int | None) -> dict[str, Any]:
    form: dict[str, Any] = {"taskId": name, "status": status, "progress": int(done * 100)}
    if url and status == "completed":
        form["output"] = {"url": url, "duration": 2.0, "size": size}
    return form


def _form_b(name: str, status: str, done: float, url: str, size: int | None) -> dict[str, Any]:
    form: dict[str, Any] = {"id": name, "status": status, "progress": int(done * 100)}
    if url and status == "completed":
        form |= {"outputUrl": url, "createdAt": 1773423613616, "completedAt": 1773423641222}
    return form


def _form_remotion(
    name: str, status: str, done: float, url: str, size: int | None
) -> dict[str, Any]:
    return {
        "renderId": name,
        "overallProgress": done,
        "done": status == "completed",
        "outputFile": url or None if status == "completed" else None,
        "fatalErrorEncountered": status == "failed",
        "outputSizeInBytes": size,
    }


EVENTS: dict[str, Callable[[str], list[dict[str, Any]]]] = {
    "typed": _typed,
    "adk": _adk,
    "adk_snake": _adk_snake,
}
RENDERS: dict[str, Callable[..., dict[str, Any]]] = {
    "A": _form_a,
    "B": _form_b,
    "remotion": _form_remotion,
}
