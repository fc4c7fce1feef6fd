"""Who asks: the client id, the token, and where both are kept."""

from __future__ import annotations

import json
import os
import re
import uuid
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from avpipe.cloud.values import Credentials
from avpipe.errors import AvpipeError
from avpipe.settings import TOKEN_NAME, Secret

EARLY_S = 60.0
"""How long before its expiry a token is no longer used."""


class TokenStore:
    """The token and the client id of one state folder, each in a file of its own (0600)."""

    def __init__(self, folder: Path, api_url: str) -> None:
        self._folder = folder
        self._api_url = api_url

    def token(self, now_s: float) -> Credentials | None:
        """The kept token, where it is one of this service and has not expired."""
        form = self._read(TOKEN_NAME)
        if form is None or form.get("api_url") != self._api_url:
            return None
        kept = credentials_of(form)
        if kept is None or _passed(kept.expires_at, now_s):
            return None
        return kept

    def keep(self, credentials: Credentials) -> None:
        """Keep a token that the service gave."""
        form = {
            "api_url": self._api_url,
            "token": credentials.token.reveal(),
            "user_id": credentials.user_id,
            "expires_at": credentials.expires_at,
        }
        self._write(TOKEN_NAME, json.dumps(form))

    def client_id(self) -> str:
        """The id of this installation, made once."""
        with suppress(OSError):
            text = (self._folder / "client_id").read_text(encoding="utf-8").strip()
            if re.fullmatch(r"[!-~]{1,64}", text):
                return text
        return self.new_client_id()

    def new_client_id(self) -> str:
        """Make an id, and keep it in the place of the one before."""
        made = str(uuid.uuid4())
        self._write("client_id", made)
        return made

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            form = json.loads((self._folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None  # none was kept, or not by us: another one is asked for
        return form if isinstance(form, dict) else None

    def _write(self, name: str, text: str) -> None:
        """Write a file whole, for this user's eyes alone. Raises AvpipeError."""
        made = self._folder / f".{name}-{uuid.uuid4().hex}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            made.replace(self._folder / name)
        except OSError as error:
            made.unlink(missing_ok=True)
            raise AvpipeError(
                f"the state folder {self._folder} cannot be written: {error.strerror}",
                hint="AVPIPE_STATE_DIR names another folder",
            ) from error


def credentials_of(form: Any) -> Credentials | None:
    """The credentials in an answer's data or a kept file; None where there are none."""
    if not isinstance(form, dict):
        return None
    (token, user_id, expires_at) = (form.get(key) for key in ("token", "user_id", "expires_at"))
    if not isinstance(token, str) or not re.fullmatch(r"[!-~]+", token):
        return None
    return Credentials(
        token=Secret(token),
        user_id=user_id if isinstance(user_id, str) and user_id else None,
        expires_at=expires_at if isinstance(expires_at, str) else None,
    )


def _passed(expires_at: str | None, now_s: float) -> bool:
    if expires_at is None:
        return False
    try:
        moment = datetime.fromisoformat(expires_at)
    except ValueError:
        return False  # not for us to tell: the service will
    if moment.tzinfo is None:
        moment = datetime.fromisoformat(f"{expires_at}+00:00")
    return moment.timestamp() - EARLY_S <= now_s
