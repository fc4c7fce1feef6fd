"""What the page needs beside the API: everything of a session at once, sounds, and nudges."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Set
from concurrent.futures import Future
from fractions import Fraction
from typing import Any

from starlette.responses import JSONResponse, Response

from avpipe import jsonform
from avpipe.cloud.draft import entries_of, is_exportable
from avpipe.cloud.draft_codec import read_draft, write_draft
from avpipe.edits.chinese import in_chinese
from avpipe.errors import AvpipeError, RequestError
from avpipe.montage.summary import summarise
from avpipe.montage.values import ZERO, Clip, Montage, TrackKind
from avpipe.server.answers import failed, succeeded, text_in
from avpipe.server.endpoints import Asked, answering, file_form
from avpipe.server.render_api import render_form
from avpipe.server.responding import speaks_chinese
from avpipe.server.sessions import File

FARTHEST_S = 86_400.0
_NEAR = Fraction(1, 200)
"""So near, in seconds, an end of a sound is at a cut of the picture."""
_WAIT_S = 0.2
"""How long an answer waits for a result that is nearly there."""


def page_state(asked: Asked) -> Response:
    """Tell all that the page shows of a session."""
    session = asked.session(asked.path("session"))
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
            "said": jsonform.encode(asked.service.sessions.said(session.session_id)),
            "renders": [
                {**render_form(asked, render), "tracks": _tracks_form(read_draft(render.draft))}
                for render in renders[-5:]
            ],
        }
    )


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


def page_place(asked: Asked) -> Response:
    """Move a sound on the timeline to where the user heard that it belongs."""
    session = asked.session(asked.path("session"))
    file = asked.service.sessions.file(session.session_id, text_in(asked.form, "file", most=64))
    shift_s = asked.form.get("shift_s")
    if isinstance(shift_s, bool) or not isinstance(shift_s, int | float):
        raise RequestError("shift_s must be a number")
    if not math.isfinite(shift_s) or abs(shift_s) > FARTHEST_S:
        raise RequestError(f"shift_s must be between -{FARTHEST_S:g} and {FARTHEST_S:g}")
    shift = Fraction(round(shift_s * 48_000), 48_000)
    lengths = [sound.duration for sound in file.facts.audio if sound.duration is not None]
    montage = read_draft(session.draft)
    moved = moved_by(montage, file.file_id, shift, length=max(lengths, default=None))
    asked.service.sessions.set_draft(session, write_draft(moved))
    return page_state(asked)


def moved_by(montage: Montage, source: str, shift: Fraction, *, length: Fraction | None) -> Montage:
    """The edit with all sounds of a file so much later; `length` is the file's, where it is known.

    A sound that begins or ends where a picture does goes on doing so, as far as its file has sound:
    the cuts stay where they are, and the film does not grow. Raises RequestError where the file is
    not heard.
    """
    pictures = [clip for track in montage.of(TrackKind.VIDEO) for clip in track.clips]
    cuts = {ZERO, *(clip.start for clip in pictures), *(clip.end for clip in pictures)}
    tracks = tuple(
        dataclasses.replace(
            track,
            clips=tuple(
                kept
                for clip in track.clips
                for kept in ([clip] if clip.source != source else _moved(clip, shift, cuts, length))
            ),
        )
        if track.kind is TrackKind.AUDIO
        else track
        for track in montage.tracks
    )
    if tracks == montage.tracks and shift:
        raise RequestError("that sound is not on the timeline")
    return dataclasses.replace(montage, tracks=tracks)


def _moved(clip: Clip, shift: Fraction, cuts: Set[Fraction], length: Fraction | None) -> list[Clip]:
    """A clip so much later, or nothing where none of it is left."""
    rate = clip.speed * clip.clock
    first = clip.start + shift - clip.source_in / rate
    """Where the file's own beginning would be heard."""
    last = first + max(clip.source_out, length or ZERO) / rate
    start = max(_held(clip.start, shift, cuts), first, ZERO)
    end = min(_held(clip.end, shift, cuts), last)
    if clip.end <= max(cuts) + _NEAR:
        end = min(end, max(cuts))
    if end <= start:
        return []
    (source_in, source_out) = ((time - first) * rate for time in (start, end))
    return [dataclasses.replace(clip, start=start, source_in=source_in, source_out=source_out)]


def _held(time: Fraction, shift: Fraction, cuts: Set[Fraction]) -> Fraction:
    """Where an end of a sound comes to be: at the cut at which it is, else it is moved."""
    return next((cut for cut in cuts if abs(cut - time) <= _NEAR), time + shift)


state_endpoint = answering(page_state)
sound_endpoint = answering(page_sound)
alignment_endpoint = answering(page_alignment)
place_endpoint = answering(page_place)
