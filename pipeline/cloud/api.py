"""The API's endpoints: each knows its path, what it sends, and every form of its answer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from avpipe.cloud.account import TokenStore, credentials_of
from avpipe.cloud.answers import credits_of, files_of, render_of, says_status, state_of
from avpipe.cloud.door import Call, Door, NoConnectionError, UnreadableAnswerError
from avpipe.cloud.envelope import (
    BadRequestError,
    text_of,
)
from avpipe.cloud.values import (
    Clock,
    Credentials,
    Credits,
    RemoteFile,
    Render,
    Session,
    SessionState,
)
from avpipe.errors import (
    CloudError,
    CreditsUsedUpError,
    ExportBlockedError,
    NotAuthorisedError,
)
from avpipe.journal import Journal
from avpipe.settings import CloudSettings
from avpipe.updates import Note

Result = TypeVar("Result")
AGENT_IDLE_S = 900.0
"""The most that a stream may be silent, where the settings don't say less."""
MISSING_ID = 400
"""What a service answers that was not told a client id, or one that it takes for none."""


class Api:
    """The service, as one user of it.

    Every method raises CloudError, and UnsupportedFileError or FileTooLargeError where the service
    answers so. A refused token is replaced once by an anonymous one; `tell` hears of it.
    """

    def __init__(
        self,
        door: Door,
        settings: CloudSettings,
        store: TokenStore,
        journal: Journal,
        *,
        clock: Clock,
        tell: Callable[[Note], None],
    ) -> None:
        self.door = door
        self.settings = settings
        self._store = store
        self._journal = journal
        self._clock = clock
        self._tell = tell
        self._known: Credentials | None = None
        self._user_id: str | None = None

    def credentials(self) -> Credentials:
        """The token to use: the user's own, the kept one, or a new anonymous one."""
        if self._known is None:
            given = self.settings.token
            if given is not None:
                self._known = Credentials(token=given, given=True)
            else:
                self._known = self._kept_or_new(refused=None)
        return self._known

    def connect(self) -> None:
        """Get a token, where there is none yet."""
        with self._noted():
            self.credentials()

    @property
    def user_id(self) -> str | None:
        """Who asks, as far as the service has told."""
        told = None if self._known is None else self._known.user_id
        return told or self._user_id

    @property
    def anonymous(self) -> bool:
        """Whether nobody is registered behind the token, as far as is known."""
        if self.user_id is None:
            return not self.credentials().given
        return self.user_id.startswith("anon_")

    def note_user(self, user_id: str | None) -> None:
        """Keep who asks, where an answer or the journal tells it."""
        self._user_id = user_id or self._user_id

    def create_session(self, language: str | None = None) -> Session:
        """Make a new session."""
        form = {"task_name": "project", **({"language": language} if language else {})}
        path = "/api/tasks/me/with-session/nemo_agent"
        data = self._call(Call(method="POST", path=path, form=form, repeatable=True))
        session_id = text_of(data, "session_id", "sessionId")
        if session_id is None:
            raise UnreadableAnswerError("the cloud made no session")
        user_id = text_of(data, "user_id", "userId")
        self.note_user(user_id)
        return Session(
            session_id=session_id, task_id=text_of(data, "task_id", "taskId"), user_id=user_id
        )

    def state(self, session_id: str) -> SessionState:
        """What a session holds."""
        path = f"/api/state/nemo_agent/me/{_part(session_id)}/latest"
        data = self._call(Call(method="GET", path=path, repeatable=True))
        if not isinstance(data, Mapping):
            raise UnreadableAnswerError("the session's state cannot be read")
        self.note_user(text_of(data, "user_id", "userId"))
        return state_of(session_id, data)

    def credits(self) -> Credits:
        """What the account can spend."""
        call = Call(method="GET", path="/api/credits/balance/simple", repeatable=True)
        return credits_of(self._call(call))

    def upload(
        self, session_id: str, body: Callable[[], Iterator[bytes]], headers: Mapping[str, str]
    ) -> tuple[RemoteFile, ...]:
        """Send one multipart body; gives what the service made of its files."""
        call = Call(
            method="POST",
            path=_upload_path(session_id),
            body=body,
            headers=headers,
            idle_s=self.settings.idle_s,
        )
        return files_of(self._call(call))

    def upload_urls(self, session_id: str, urls: Sequence[str]) -> tuple[RemoteFile, ...]:
        """Let the service fetch files by itself."""
        form = {"urls": list(urls), "source_type": "url"}
        return files_of(
            self._call(
                Call(
                    method="POST",
                    path=_upload_path(session_id),
                    form=form,
                    idle_s=self.settings.idle_s,
                )
            )
        )

    @contextlib.contextmanager
    def message(self, session_id: str, text: str) -> Iterator[Iterator[str]]:
        """Send a message to the agent; gives the pieces of its event stream."""
        call = Call(
            method="POST",
            path="/run_sse",
            form={
                "app_name": "nemo_agent",
                "user_id": "me",
                "session_id": session_id,
                "new_message": {"parts": [{"text": text}]},
            },
            headers={"Accept": "text/event-stream"},
            idle_s=AGENT_IDLE_S,
        )
        with contextlib.ExitStack() as stack:
            yield self._as_user(lambda who: stack.enter_context(self.door.stream(call, who.token)))

    def submit(
        self,
        render_id: str,
        session_id: str,
        draft: Mapping[str, Any],
        resolution: str | None = None,
    ) -> Render | None:
        """Ask for a render by an id of our own; None where the answer does not tell its state.

        Raises DuplicateError where the id is taken, BadRequestError where the form is not.
        """
        output = {"format": "mp4", "quality": "high"}
        if resolution is not None:
            output["resolution"] = resolution
        form = {"id": render_id, "sessionId": session_id, "draft": draft, "output": output}
        data = self._call(Call(method="POST", path="/api/render/proxy/lambda", form=form))
        return render_of(data) if isinstance(data, Mapping) and says_status(data) else None

    def render(self, render_id: str) -> Render:
        """One look at a render. Raises NotFoundError where the service does not know it."""
        path = f"/api/render/proxy/lambda/{_part(render_id)}"
        data = self._call(Call(method="GET", path=path, repeatable=True))
        if not isinstance(data, Mapping) or not says_status(data):
            raise UnreadableAnswerError("the render's state cannot be read")
        return render_of(data)

    def cancel(self, render_id: str) -> None:
        """End a render."""
        path = f"/api/render/proxy/lambda/{_part(render_id)}/cancel"
        self._call(Call(method="POST", path=path, repeatable=True))

    @contextlib.contextmanager
    def download(self, render_id: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """The finished file by way of the API itself; the status is not looked at."""
        path = f"/api/render/proxy/{_part(render_id)}/download"
        call = Call(method="GET", path=path, idle_s=self.settings.idle_s)
        with self.door.inside(
            call, self.credentials().token, {**headers, "Accept": "*/*"}
        ) as response:
            yield response

    def claim_link(self, session: Session) -> str:
        """A link at which the session opens in a browser; it holds no token."""
        form = {"task_id": session.task_id, "session_id": session.session_id}
        call = Call(method="POST", path="/api/auth/claim-token", form=form, repeatable=True)
        claim = text_of(self._call(call), "claim_token", "claimToken")
        if claim is None:
            raise UnreadableAnswerError("the cloud gave no link")
        return f"{self.settings.web_url}/workspace/claim?ct={quote(claim, safe='')}"

    def _call(self, call: Call) -> Any:
        return self._as_user(lambda who: self.door.call(call, who.token))

    def _as_user(self, ask: Callable[[Credentials], Result]) -> Result:
        """Ask; once more with another token where this one is refused."""
        with self._noted():
            who = self.credentials()
            try:
                result = ask(who)
            except NotAuthorisedError:
                self._replace(who)
                result = ask(self.credentials())
        if self._journal.failed_at(self.settings.api_url) is not None:
            self._journal.note_reach(self.settings.api_url, failed_at=None)
        return result

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        """Keep that the service could not be reached, and let no error out without its hint."""
        try:
            yield
        except NoConnectionError:
            self._journal.note_reach(self.settings.api_url, failed_at=self._clock.wall())
            raise
        except CloudError as error:
            self.explain(error)
            raise

    def replace_token(self) -> None:
        """Take another token where it is only an answer's body that refuses the one in use."""
        with self._noted():
            self._replace(self.credentials())

    def _replace(self, refused: Credentials) -> None:
        """Take an anonymous token instead of one that the service refused."""
        self._known = self._kept_or_new(refused=refused)
        self._user_id = None
        self._tell(
            Note(
                code="token_replaced",
                message="the cloud refused "
                + ("NEMO_TOKEN" if refused.given else "the kept token")
                + "; an anonymous one is used instead",
            )
        )

    def _kept_or_new(self, refused: Credentials | None) -> Credentials:
        """One process asks for a token at a time; the others then find it."""
        with self._journal.claim(f"token {self.settings.api_url}"):
            kept = self._store.token(self._clock.wall())
            if kept is not None and (refused is None or kept.token != refused.token):
                return kept
            self._tell(Note(code="connecting", message="Connecting…"))
            made = self._anonymous()
            self._store.keep(made)
            self._tell(Note(code="connected", message="Ready!"))
            return made

    def _anonymous(self) -> Credentials:
        client_id = self.settings.client_id or self._store.client_id()
        try:
            data = self.door.call(_token_call(client_id))
        except BadRequestError as error:
            if error.status != MISSING_ID:
                raise
            data = self.door.call(_token_call(self._store.new_client_id()))
        made = credentials_of(data)
        if made is None:
            raise UnreadableAnswerError("the cloud gave no token")
        return made

    def explain(self, error: CloudError) -> None:
        """Give an error the hint that depends on who asks."""
        if isinstance(error, NotAuthorisedError):
            error.hint = "set NEMO_TOKEN to a valid token, or unset it to go on without one"
        elif isinstance(error, CreditsUsedUpError | ExportBlockedError):
            error.hint = self._way_out(error)

    def _way_out(self, error: CloudError) -> str:
        bound = ""
        if self.anonymous and self.user_id is not None:
            bound = f"{self.settings.web_url}/register?bind={quote(self.user_id, safe='')}"
        if isinstance(error, ExportBlockedError):
            return "register or upgrade your plan to unlock export: " + (
                bound or self.settings.web_url
            )
        if self.anonymous:
            return f"register to go on: {bound or self.settings.web_url + '/register'}"
        return f"top up credits in your account: {self.settings.web_url}"


def _token_call(client_id: str) -> Call:
    return Call(
        method="POST",
        path="/api/auth/anonymous-token",
        headers={"X-Client-Id": client_id},
        repeatable=True,
    )


def _part(text: str) -> str:
    return quote(text, safe="")


def _upload_path(session_id: str) -> str:
    return f"/api/upload-video/nemo_agent/me/{_part(session_id)}"
