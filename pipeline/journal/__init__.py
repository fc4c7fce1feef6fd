"""What must survive a crash: `Journal`, and the rows that it gives."""

from avpipe.journal.rows import ENDED, JobRow, JobState, MessageRow, SessionRow, UploadRow
from avpipe.journal.store import Journal

__all__ = [
    "ENDED",
    "JobRow",
    "JobState",
    "Journal",
    "MessageRow",
    "SessionRow",
    "UploadRow",
]
