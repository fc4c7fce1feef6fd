"""Whether a cloud is connected, and how fast it is reached: from the disk alone, nothing is sent.

A merge looks here before it knows whether it has any use for the cloud, so nothing heavy is
imported where no token is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from avpipe.cloud.envelope import FORMATS
from avpipe.plan.values import CloudFacts
from avpipe.settings import JOURNAL_NAME, TOKEN_NAME, Settings

if TYPE_CHECKING:
    from avpipe.cloud.values import Clock


def cloud_facts(settings: Settings, clock: Clock | None = None) -> CloudFacts:
    """What a plan needs to know of the cloud."""
    return CloudFacts(
        connected=is_connected(settings, clock),
        uplink_bytes_s=settings.cloud.uplink_bytes_s or _measured_uplink(settings),
        upload_limit=settings.cloud.upload_limit,
        formats=FORMATS,
    )


def is_connected(settings: Settings, clock: Clock | None = None) -> bool:
    """Whether there is a token, given or kept."""
    if settings.cloud.token is not None:
        return True
    if not (settings.state_dir / TOKEN_NAME).is_file():
        return False
    from avpipe.cloud.account import TokenStore
    from avpipe.cloud.values import Clock

    store = TokenStore(settings.state_dir, settings.cloud.api_url)
    return store.token((clock or Clock()).wall()) is not None


def _measured_uplink(settings: Settings) -> float | None:
    if not (settings.state_dir / JOURNAL_NAME).is_file():
        return None  # nothing was ever sent, and a plan makes no files
    from avpipe.journal import Journal  # SQLite: only where there is something to read

    with Journal(settings.state_dir) as journal:
        return journal.uplink_bytes_s(settings.cloud.api_url)
