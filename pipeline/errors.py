"""Every error that avpipe raises on purpose.

AvpipeError                       exit code, code
├── RequestError                  2   request
│   ├── ManyFaultsError           2   request           several things are wrong with it
│   ├── InputMissingError         2   input_missing
│   ├── WrongMediaError           2   wrong_media       no picture or no sound in it
│   ├── InputChangedError         2   input_changed     a plan's input is not what was planned for
│   ├── OutputExistsError         2   output_exists
│   ├── OutputIsInputError        2   output_is_input
│   ├── DoesNotFitError           2   does_not_fit      nothing worth to look at fits under the size
│   ├── NothingToExportError      2   nothing_to_export the session's timeline is empty
│   ├── NotUnderstoodError        2   not_understood    a sentence, or a part of it
│   ├── EditRefusedError          2   edit_refused      an edit that this timeline does not allow
│   ├── UnsupportedFileError      2   4001              the cloud takes no such file
│   └── FileTooLargeError         2   4002              the cloud takes none as large
├── MediaError                    1   media
│   ├── UnreadableError           1   unreadable
│   └── TruncatedError            1   truncated
├── RenderError                   1   render
│   ├── ChildFailedError          1   child_failed      ffmpeg or a worker ended with an error
│   ├── StalledError              1   stalled
│   ├── OverLimitError            1   over_limit        the output grows larger than it may
│   ├── DiskFullError             1   disk_full
│   └── VerificationError         1   rejected
├── CloudError                    7   failed            5xx that stays, a failed render, bad answers
│   ├── UnreachableError          7   unreachable       no connection, or one that keeps dropping
│   ├── RateLimitedError          7   429
│   ├── SessionGoneError          7   1002
│   ├── NotAuthorisedError        4   1001
│   ├── CreditsUsedUpError        5   2001
│   └── ExportBlockedError        5   402
├── JobCancelledError             1   cancelled         somebody cancelled the job
├── SyncUncertainError            6   sync_uncertain    a certain place was asked for
└── ToolMissingError              3   tool_missing

StoppedError                      130, 143 or 129       SIGINT, SIGTERM or SIGHUP

The last one is no AvpipeError and no Exception, as KeyboardInterrupt is none: whoever handles a
failure and goes on must not handle the user's wish to stop.
"""

from __future__ import annotations

from collections.abc import Sequence

MOST_TOLD = 20
"""How many faults of one request are told; of more, how many they are."""


class AvpipeError(Exception):
    """Something that a user is told in one line, with the exit code that scripts see."""

    exit_code = 1
    code = "error"
    retryable = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class RequestError(AvpipeError):
    """The request is wrong; nothing was started."""

    exit_code = 2
    code = "request"


class ManyFaultsError(RequestError):
    """Several things are wrong with the request; each is told in a line of its own."""

    def __init__(self, faults: Sequence[AvpipeError]) -> None:
        lines = [one.message for one in faults[:MOST_TOLD]]
        if len(faults) > len(lines):
            lines.append(f"and {len(faults) - len(lines)} more")
        hints = list(dict.fromkeys(one.hint for one in faults if one.hint))
        super().__init__("; ".join(lines), hint="; ".join(hints[:2]) or None)
        self.lines = tuple(lines)


def raise_faults(faults: Sequence[AvpipeError]) -> None:
    """Raise what is wrong with a request, where anything is."""
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise ManyFaultsError(faults)


class InputMissingError(RequestError):
    """An input is not there, or is not a file."""

    code = "input_missing"


class WrongMediaError(RequestError):
    """An input has no stream of the kind that it was given for."""

    code = "wrong_media"


class InputChangedError(RequestError):
    """An input is no longer the file that the plan was made for."""

    code = "input_changed"


class OutputExistsError(RequestError):
    """The output is there already, and overwriting was not asked for."""

    code = "output_exists"


class OutputIsInputError(RequestError):
    """The output is one of the inputs, by whatever name."""

    code = "output_is_input"


class DoesNotFitError(RequestError):
    """The limit is below what leaves something worth to look at."""

    code = "does_not_fit"

    def __init__(self, message: str, *, least_bytes: int, hint: str | None = None) -> None:
        """`least_bytes` is the smallest limit that would do."""
        super().__init__(message, hint=hint)
        self.least_bytes = least_bytes


class NothingToExportError(RequestError):
    """The session's timeline has nothing that could be rendered."""

    code = "nothing_to_export"


class NotUnderstoodError(RequestError):
    """A sentence asks for something that is not known; the hint is the nearest that is."""

    code = "not_understood"


class EditRefusedError(RequestError):
    """An edit was understood, and this timeline has nothing that it could be done to."""

    code = "edit_refused"


class UnsupportedFileError(RequestError):
    """The cloud does not take files of this type."""

    code = "4001"


class FileTooLargeError(RequestError):
    """The cloud does not take files of this size."""

    code = "4002"


class MediaError(AvpipeError):
    """An input cannot be worked with."""

    code = "media"


class UnreadableError(MediaError):
    """A file is not media, or too damaged to open."""

    code = "unreadable"


class TruncatedError(MediaError):
    """A file ends before its own index says it does."""

    code = "truncated"


class RenderError(AvpipeError):
    """The work was started and failed."""

    code = "render"


class ChildFailedError(RenderError):
    """A child process ended with an error; `command` and `tail` say which and what it said."""

    code = "child_failed"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        command: tuple[str, ...] = (),
        tail: str = "",
        returncode: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.command = command
        self.tail = tail
        self.returncode = returncode


class StalledError(RenderError):
    """A child process stopped making progress, or ran past its bound."""

    code = "stalled"
    retryable = True


class OverLimitError(RenderError):
    """The output grows larger than it may."""

    code = "over_limit"


class DiskFullError(RenderError):
    """There is, or will be, no room for the output."""

    code = "disk_full"


class VerificationError(RenderError):
    """What was written is not what was planned; it was not given the output's name."""

    code = "rejected"


class CloudError(AvpipeError):
    """The cloud failed: an error that stays, a failed render, an answer that cannot be read."""

    exit_code = 7
    code = "failed"


class UnreachableError(CloudError):
    """No connection, a time-out, or a connection that keeps dropping."""

    code = "unreachable"
    retryable = True


class RateLimitedError(CloudError):
    """The cloud wants fewer requests, and still did after the wait that it asks for."""

    code = "429"
    retryable = True


class SessionGoneError(CloudError):
    """The cloud does not know the session, or not any more."""

    code = "1002"


class NotAuthorisedError(CloudError):
    """The cloud refuses the token."""

    exit_code = 4
    code = "1001"


class CreditsUsedUpError(CloudError):
    """The account has no credits left."""

    exit_code = 5
    code = "2001"


class ExportBlockedError(CloudError):
    """The account's plan does not allow the export."""

    exit_code = 5
    code = "402"


class JobCancelledError(AvpipeError):
    """The job was cancelled, here or in another process."""

    code = "cancelled"


class StoreError(AvpipeError):
    """What the server keeps is damaged, or cannot be read or written."""

    code = "store"


class UnknownRenderError(AvpipeError):
    """The server knows no render of that id, or not for this user."""

    code = "404"


class DuplicateRenderError(AvpipeError):
    """The id of a render is chosen by the client, once."""

    code = "409"


class SyncUncertainError(AvpipeError):
    """Where the sound belongs is not certain, and certainty was required."""

    exit_code = 6
    code = "sync_uncertain"


class ToolMissingError(AvpipeError):
    """Something that is needed is not installed; the hint is the line that installs it."""

    exit_code = 3
    code = "tool_missing"


class StoppedError(BaseException):
    """The run was ended from outside, by SIGINT, SIGTERM or SIGHUP."""

    code = "interrupted"
    hint = None

    def __init__(self, signal_number: int) -> None:
        self.message = "interrupted" if signal_number == 2 else "terminated"
        self.exit_code = 128 + signal_number
        super().__init__(self.message)
