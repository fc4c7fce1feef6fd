"""Whether a file can be used at all."""

from __future__ import annotations

from avpipe.errors import TruncatedError, UnreadableError
from avpipe.media import MediaInfo, Severity


def require_supported(info: MediaInfo) -> None:
    """Raise TruncatedError or UnreadableError where a file cannot be used."""
    if info.supported:
        return
    errors = [problem for problem in info.problems if problem.severity is Severity.ERROR]
    message = f"{info.path}: {errors[0].message if errors else 'not a file that can be used'}"
    if any(problem.code == "truncated" for problem in errors):
        raise TruncatedError(message)
    raise UnreadableError(message)
