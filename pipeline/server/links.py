"""Links to files that work without a token, for a time, and cannot be guessed."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from avpipe.errors import SessionGoneError, StoreError

LAST_S = 86_400
"""How long a link works at least."""
_KEY_BYTES = 32


class Links:
    """Makes links and looks at them."""

    def __init__(self, key: bytes, now: Callable[[], float]) -> None:
        self._key = key
        self._now = now

    def to(self, base_url: str, what: str, session_id: str, name: str, shown: str) -> str:
        """An address: of what kind, which, and the file name that it ends with."""
        # The same for half a day, so that a browser can keep what it has.
        expires = (int(self._now()) // (LAST_S // 2) + 3) * (LAST_S // 2)
        signature = self._sign(what, session_id, name, expires)
        path = "/".join((what, session_id, quote(name, safe=""), str(expires), signature))
        return f"{base_url}/media/{path}/{quote(shown, safe='')}"

    def check(self, what: str, session_id: str, name: str, expires: int, signature: str) -> None:
        """Raise SessionGoneError where a link is not one of ours, or too old."""
        known = self._sign(what, session_id, name, expires)
        if not hmac.compare_digest(known, signature) or expires <= self._now():
            raise SessionGoneError("the link is not valid, or not any more")

    def _sign(self, *parts: object) -> str:
        text = "\n".join(map(str, parts)).encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()[:40]


def key_in(folder: Path) -> bytes:
    """The key of a data folder, made once. Raises StoreError."""
    path = folder / "link_key"
    try:
        if not path.exists():
            part = folder / f".link_key-{os.getpid()}"
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        key = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be used: {error.strerror}") from error
    if len(key) < _KEY_BYTES:
        raise StoreError(f"{path} is damaged", hint="remove it: links given before end to work")
    return key
