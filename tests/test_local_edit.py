"""Which files of this machine a session's timeline is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from avpipe import jsonform
from avpipe.cloud.local_edit import local_edit
from avpipe.cloud.values import RemoteFile
from avpipe.errors import InputMissingError
from avpipe.journal import UploadRow

CDN = "https://cdn.example.com/videos/7"


def sent(path: Path, number: int = 0) -> UploadRow:
    """A file that was uploaded as it is now."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bytes(100))
    remote = RemoteFile(name=path.name, url=f"{CDN}/{number}")
    return UploadRow(
        session_id="1",
        fingerprint=str(path),
        name=path.name,
        path=str(path),
        size_bytes=100,
        before="[]",
        remote=jsonform.dumps(remote),
        created_at="",
    )


def draft(*segments: tuple[int, dict[str, Any]]) -> dict[str, Any]:
    return {"t": [{"tt": kind, "sg": [{"d": 1000, **form}]} for kind, form in segments]}


@pytest.mark.parametrize(
    "segment",
    [
        {"src": f"{CDN}/0"},
        {"src": "/mnt/userdata/abc/take.mp4"},
        {"src": "0"},
        {"src": "https://elsewhere.example.com/x/take.mp4?sign=1"},
        {"m": {"name": "take"}},
        {"m": {"name": "take.mp4"}},
    ],
    ids=str,
)
def test_however_the_service_calls_a_file(tmp_path: Path, segment: dict[str, Any]) -> None:
    """By its address or the id in it, its name in any place, or its segment's name alone."""
    rows = [sent(tmp_path / "take.mp4", 0), sent(tmp_path / "take.wav", 1)]
    edit = local_edit(draft((0, segment), (1, {"m": {"name": "take"}})), rows)
    assert [track.clips[0].source for track in edit.montage.tracks] == [row.path for row in rows]
    assert edit.sources == {row.path: row.path for row in rows}


def test_what_is_not_here_as_it_was_sent_is_refused(tmp_path: Path) -> None:
    row = sent(tmp_path / "take.mp4")
    same_name = sent(tmp_path / "other" / "take.mp4", 1)
    named = draft((0, {"src": "/mnt/take.mp4"}))
    assert local_edit(named, [row]).sources == {row.path: row.path}
    for form, rows in (
        (named, [row, same_name]),  # nobody knows which
        (named, []),
        (draft((0, {"src": f"{CDN}/0"}), (1, {"src": "https://x.example.com/lofi.mp3"})), [row]),
        (draft((0, {"src": "http://[broken"})), [row]),
    ):
        with pytest.raises(InputMissingError, match="which is not here as sent"):
            local_edit(form, rows)
    Path(row.path).write_bytes(bytes(99))
    with pytest.raises(InputMissingError, match=r"uses /mnt/take\.mp4, which"):
        local_edit(named, [row])


def test_texts_need_no_file() -> None:
    edit = local_edit(draft((7, {"m": {"text": "Hi"}})), [])
    assert edit.sources == {}
