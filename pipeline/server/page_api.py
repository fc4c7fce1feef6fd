"""What the page needs beside the API: everything of a session at once, sounds, and nudges."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from fractions import Fraction
from functools import partial
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from avpipe import jsonform
from avpipe.cloud.draft import entries_of, is_exportable
from avpipe.cloud.draft_codec import read_draft, write_draft
from avpipe.edits.beside import Alignments
from avpipe.edits.chinese import in_chinese
from avpipe.edits.placing import longest_sound, move_sound
from avpipe.errors import AvpipeError, RequestError
from avpipe.montage.summary import summarise
from avpipe.montage.values import Clip, Montage
from avpipe.server.agent import Agent, Move
from avpipe.server.answers import failed, object_of, succeeded, text_in
from avpipe.server.endpoints import Asked, answering, body_of, file_form, user_of
from avpipe.server.render_api import render_form
from avpipe.server.responding import session_file, speaks_chinese
from avpipe.server.service import Service
from avpipe.server.sessions import File, Session

FARTHEST_S = 86_400.0
_WAIT_S = 0.2
"""How long an answer waits for a result that is nearly there."""


def page_state(asked: Asked) -> Response:
    """Tell all that the page shows of a session."""
    agent: Agent = asked.request.app.state.agent
    session_id = asked.path("session")
    (session, moves) = agent.beside_moves(session_id, lambda: asked.session(session_id))
    files = asked.service.sessions.files(session.session_id)
    montage = read_draft(session.draft)
    renders = asked.service.renders.of_session(session.session_id)
    return succeeded(
        {
            "session_id": session.session_id,
            "version": session.version,
            "files": [file_form(asked, file) for file in files],
            "tracks": _tracks_form(montage),
            "duration": float(montage.duration),
            "summary": _summary(montage, chinese=speaks_chinese(session)),
            "entries": jsonform.encode(entries_of(session.draft)),
            "exportable": is_exportable(session.draft),
            "undoable": bool(session.history),
            "draft": session.draft,
            "working": agent.is_busy(session.session_id),
            "moving": _shifts_s(moves),
            "said": jsonform.encode(asked.service.sessions.said(session.session_id)),
            "renders": [
                {**render_form(asked, render), "tracks": _tracks_form(read_draft(render.draft))}
                for render in renders[-5:]
            ],
        }
    )


def _shifts_s(moves: Sequence[Move]) -> dict[str, float]:
    """How much later each file will be heard when its turn has come."""
    shifts: dict[str, Fraction] = {}
    for move in moves:
        shifts[move.file_id] = shifts.get(move.file_id, Fraction(0)) + move.shift
    return {file_id: float(shift) for file_id, shift in shifts.items()}


def _tracks_form(montage: Montage) -> list[dict[str, Any]]:
    return [
        {"kind": track.kind.value, "clips": [_clip_form(clip) for clip in track.clips]}
        for track in montage.tracks
    ]


def _summary(montage: Montage, *, chinese: bool) -> str:
    return in_chinese(summarise(montage)) if chinese else summarise(montage)


def _clip_form(clip: Clip) -> dict[str, Any]:
    return {
        "name": clip.name,
        "source": clip.source,
        "start": float(clip.start),
        "end": float(clip.end),
        "source_in": float(clip.source_in),
        "clock": float(clip.clock * clip.speed),
        "volume": clip.volume,
    }


def page_sound(asked: Asked) -> Response:
    """Tell the outline of a file's sound, and where to hear it."""
    file = _file(asked, asked.path("file"))
    if not file.facts.audio:
        return succeeded({"status": "silent"})

    def found(outline: Mapping[str, Any]) -> dict[str, Any]:
        url = asked.service.links.to(
            asked.base_url, "sound", file.session_id, file.file_id, "sound.wav"
        )
        return {"url": url, **outline}

    return _when_ready(asked.service.analyses.outline(file), found)


def page_alignment(asked: Asked) -> Response:
    """Tell how two files of a session line up."""
    (video, audio) = (_file(asked, asked.query(key)) for key in ("video", "audio"))
    if not audio.facts.audio or not video.facts.video:
        raise RequestError("a file with a picture and one with sound are lined up")
    return _when_ready(asked.service.analyses.alignment(video, audio), jsonform.encode)


def _file(asked: Asked, file_id: str) -> File:
    session = asked.session(asked.path("session"))
    return asked.service.sessions.file(session.session_id, file_id)


def _when_ready(future: Future[Any], form_of: Any) -> Response:
    """The result, or that it is being worked on (HTTP 202)."""
    try:
        result = future.result(_WAIT_S)
    except TimeoutError:
        return JSONResponse({"code": 0, "data": {"status": "working"}}, 202)
    except AvpipeError as error:
        return failed(RequestError(error.message))
    return succeeded({"status": "ready", **form_of(result)})


async def page_place(request: Request) -> Response:
    """Move a sound on the timeline to where the user heard that it belongs.

    That is done in its turn among the sentences of the session. One that has to wait for it is
    answered before, and told in the conversation where it could not be done.
    """
    service: Service = request.app.state.service
    agent: Agent = request.app.state.agent
    try:
        user = await run_sync(user_of, service, request)
        asked = Asked(service, request, user, object_of(await body_of(request)))
        (session, move) = await run_sync(_move_of, asked)
        task = agent.move(session.session_id, move, partial(_moved, asked, move))
        (done, _) = await asyncio.wait({task}, timeout=_WAIT_S)
        if done:
            task.result()
        else:
            agent.keep(_told_later(service, session, task))
        return await run_sync(page_state, asked)
    except AvpipeError as error:
        return failed(error)


def _move_of(asked: Asked) -> tuple[Session, Move]:
    """What is to be moved, and how far. Raises RequestError."""
    session = asked.session(asked.path("session"))
    file = asked.service.sessions.file(session.session_id, text_in(asked.form, "file", most=64))
    shift_s = asked.form.get("shift_s")
    if isinstance(shift_s, bool) or not isinstance(shift_s, int | float):
        raise RequestError("shift_s must be a number")
    if not math.isfinite(shift_s) or abs(shift_s) > FARTHEST_S:
        raise RequestError(f"shift_s must be between -{FARTHEST_S:g} and {FARTHEST_S:g}")
    shift = Fraction(round(shift_s * 48_000), 48_000)
    return session, Move(file_id=file.file_id, shift=shift)


async def _told_later(service: Service, session: Session, task: asyncio.Task[None]) -> None:
    """Wait for a move; where it cannot be done, the conversation says so."""
    try:
        await task
    except AvpipeError as error:
        words = in_chinese(error.message) if speaks_chinese(session) else error.message
        await run_sync(service.sessions.say, session.session_id, "agent", words)


def _moved(asked: Asked, move: Move) -> None:
    """Move a sound on the timeline as it is now. Raises RequestError."""
    service = asked.service
    session = asked.session(asked.path("session"))
    files = service.sessions.files(session.session_id)
    sound = service.sessions.file(session.session_id, move.file_id)
    moved = move_sound(
        read_draft(session.draft),
        sound.file_id,
        move.shift,
        [session_file(one) for one in files],
        length=longest_sound(sound.facts),
        known=_alignments(service, files, sound),
    )
    service.sessions.set_draft(session, write_draft(moved))


def _alignments(service: Service, files: Sequence[File], sound: File) -> Alignments:
    """How a sound lines up with the videos of its session, as far as that is known."""
    found = ((one.file_id, service.sessions.alignment(one.file_id, sound.file_id)) for one in files)
    return {(video, sound.file_id): one for video, one in found if one is not None}


state_endpoint = answering(page_state)
sound_endpoint = answering(page_sound)
alignment_endpoint = answering(page_alignment)
