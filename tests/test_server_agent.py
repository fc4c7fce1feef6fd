"""Many sentences at once: they wait for each other, and nothing else waits for them."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from anyio.to_thread import current_default_thread_limiter, run_sync

from avpipe.server.accounts import User
from avpipe.server.agent import AT_ONCE, Agent
from avpipe.server.service import Service
from avpipe.settings import ServerSettings, Settings

LIMIT_S = 60


def test_sentences_that_take_long_leave_threads_for_all_else(tmp_path: Path) -> None:
    """As many as there are threads for requests are at work, and one more request is answered."""
    let_go = threading.Event()
    at_work = threading.Semaphore(0)

    def respond(*_: object) -> bool:
        at_work.release()
        return not let_go.wait(LIMIT_S)

    async def talk(service: Service) -> str:
        agent = Agent(service, respond)
        granted = service.accounts.sign_up("client", "127.0.0.1")
        user = User(user_id=granted.user_id)
        count = int(current_default_thread_limiter().total_tokens) + 1
        sessions = [service.sessions.create(user, "project", None) for _ in range(count)]
        async with asyncio.timeout(LIMIT_S / 2):
            for session in sessions:
                await agent.begin(user, session.session_id, "hello")
            for _ in range(AT_ONCE):
                await asyncio.get_running_loop().run_in_executor(None, at_work.acquire)
            answered = await run_sync(lambda: "answered")
        let_go.set()
        await agent.finish()
        return answered

    server = ServerSettings(data=str(tmp_path / "data"), streams_per_user=1000)
    with Service(Settings(state_dir=tmp_path, server=server)) as service:
        try:
            assert asyncio.run(talk(service)) == "answered"
        finally:
            let_go.set()
