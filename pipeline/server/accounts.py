"""Who uses the server: tokens, the users behind them, what they may spend, links for browsers."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from avpipe.errors import (
    CreditsUsedUpError,
    NotAuthorisedError,
    RateLimitedError,
    SessionGoneError,
)
from avpipe.server.database import Database
from avpipe.settings import ServerSettings

DAY_S = 86_400.0
ANONYMOUS = "anon_"
INVITED = "user_"
CLAIM_S = 604_800
"""How long a link for a browser lasts."""
Now = Callable[[], float]


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """Who asks."""

    user_id: str
    only_session: str | None = None
    """The one session that the token opens; None for all of the user's."""

    @property
    def anonymous(self) -> bool:
        """Whether nobody invited this user."""
        return self.user_id.startswith(ANONYMOUS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Granted:
    """A token that was just made; it is told this once and kept as a hash."""

    token: str
    user_id: str
    expires_s: float
    credits: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Balance:
    """What a user can spend."""

    available: int
    frozen: int
    """Held for what is running."""


class Accounts:
    """Users and their tokens."""

    def __init__(self, database: Database, settings: ServerSettings, now: Now) -> None:
        self._db = database
        self._settings = settings
        self._now = now

    def sign_up(self, client_id: str, address: str) -> Granted:
        """A token for an anonymous user: one at a time for a client, and some for an address.

        Raises RateLimitedError.
        """
        now = self._now()
        since = now - self._settings.token_days * DAY_S
        with self._db.writing() as db:
            client = _hash(client_id)
            known = db.execute("SELECT * FROM users WHERE client = ?", (client,)).fetchone()
            held = (
                known
                and db.execute(
                    "SELECT 1 FROM tokens WHERE user_id = ? AND only_session IS NULL"
                    " AND expires_s > ?",
                    (known["user_id"], now),
                ).fetchone()
            )
            if held:
                raise RateLimitedError("this client has a token that is still valid")
            db.execute("DELETE FROM grants WHERE at_s < ?", (since,))
            (count,) = db.execute(
                "SELECT count(*) FROM grants WHERE address = ?", (address,)
            ).fetchone()
            if count >= self._settings.tokens_per_address:
                raise RateLimitedError("this address was given all the tokens that it may have")
            db.execute("INSERT INTO grants VALUES (?, ?)", (address, now))
            user_id = known["user_id"] if known else ANONYMOUS + secrets.token_hex(8)
            granted = known["credits"] if known else self._settings.credits
            if not known:
                db.execute("INSERT INTO users VALUES (?, ?, ?, ?)", (user_id, client, granted, now))
            expires_s = now + self._settings.token_days * DAY_S
            token = _add_token(db, user_id, expires_s)
        return Granted(token=token, user_id=user_id, expires_s=expires_s, credits=granted)

    def invite(self, *, days: float) -> Granted:
        """A token for a new user whom the operator knows."""
        user_id = INVITED + secrets.token_hex(8)
        expires_s = self._now() + days * DAY_S
        with self._db.writing() as db:
            row = (user_id, None, self._settings.credits, self._now())
            db.execute("INSERT INTO users VALUES (?, ?, ?, ?)", row)
            token = _add_token(db, user_id, expires_s)
        return Granted(
            token=token, user_id=user_id, expires_s=expires_s, credits=self._settings.credits
        )

    def user(self, token: str) -> User:
        """Who has a token. Raises NotAuthorisedError."""
        row = self._db.row("SELECT * FROM tokens WHERE hash = ?", _hash(token))
        if row is None or row["expires_s"] <= self._now():
            raise NotAuthorisedError("invalid or expired token")
        return User(user_id=row["user_id"], only_session=row["only_session"])

    def balance(self, user: User) -> Balance:
        """What is left, and what of it is held."""
        row = self._db.row(_BALANCE, user.user_id)
        assert row is not None
        return Balance(available=row["credits"] - row["frozen"], frozen=row["frozen"])

    @contextlib.contextmanager
    def held(self, user: User) -> Iterator[Hold]:
        """Hold what a message costs; it is taken where it was used, else given back.

        Raises CreditsUsedUpError.
        """
        amount = self._settings.edit_credits
        with self._db.writing() as db:
            row = db.execute(_BALANCE, (user.user_id,)).fetchone()
            if row["credits"] - row["frozen"] < amount:
                raise CreditsUsedUpError("insufficient credits")
            held = db.execute(
                "INSERT INTO holds (user_id, amount) VALUES (?, ?)", (user.user_id, amount)
            ).lastrowid
        hold = Hold()
        try:
            yield hold
        finally:
            with self._db.writing() as db:
                db.execute("DELETE FROM holds WHERE id = ?", (held,))
                if hold.used:
                    db.execute(
                        "UPDATE users SET credits = credits - ? WHERE user_id = ?",
                        (amount, user.user_id),
                    )

    def release_all(self) -> None:
        """Give back what was held by a server that is gone."""
        self._db.write("DELETE FROM holds")

    def make_claim(self, session_id: str) -> str:
        """A text for a link that opens one session in a browser."""
        claim = "clm_" + secrets.token_urlsafe(24)
        expires_s = self._now() + CLAIM_S
        self._db.write("INSERT INTO claims VALUES (?, ?, ?)", _hash(claim), session_id, expires_s)
        return claim

    def take_claim(self, claim: str) -> tuple[Granted, str]:
        """A token for the one session of a claim, and that session. Raises SessionGoneError."""
        now = self._now()
        with self._db.writing() as db:
            row = db.execute(
                "SELECT session_id, user_id, claims.expires_s FROM claims"
                " JOIN sessions USING (session_id) WHERE hash = ?",
                (_hash(claim),),
            ).fetchone()
            if row is None or row["expires_s"] <= now:
                raise SessionGoneError("the link is not valid, or not any more")
            token = _add_token(db, row["user_id"], row["expires_s"], row["session_id"])
        granted = Granted(
            token=token, user_id=row["user_id"], expires_s=row["expires_s"], credits=0
        )
        return granted, row["session_id"]

    def forget_expired(self) -> None:
        """Remove tokens and claims that open nothing any more."""
        with self._db.writing() as db:
            db.execute("DELETE FROM tokens WHERE expires_s <= ?", (self._now(),))
            db.execute("DELETE FROM claims WHERE expires_s <= ?", (self._now(),))


@dataclass(kw_only=True, slots=True)
class Hold:
    """Credits that are held; `used` says whether they are taken in the end."""

    used: bool = False


_BALANCE = (
    "SELECT credits, (SELECT coalesce(sum(amount), 0) FROM holds"
    " WHERE holds.user_id = users.user_id) AS frozen FROM users WHERE user_id = ?"
)


def _add_token(
    db: sqlite3.Connection, user_id: str, expires_s: float, only: str | None = None
) -> str:
    token = "nmv_usr_" + secrets.token_urlsafe(32)
    db.execute("INSERT INTO tokens VALUES (?, ?, ?, ?)", (_hash(token), user_id, only, expires_s))
    return token


def _hash(text: str) -> str:
    """Of a text that nobody can guess: no salt is needed."""
    return hashlib.sha256(text.encode()).hexdigest()
