"""Answers the control plane's questions about open connections, one at a time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from wire.connections import Counted, FilterTrial
from wire.control import FromAgent

logger = logging.getLogger("agent.census")

MAX_WAITING = 4


class Census:
    """count(trial) may block and raise OSError; send is AgentLink.send. Who can't say is silent."""

    def __init__(self, count: Callable[[FilterTrial], Counted], send: Callable[..., Awaitable[bool]]) -> None:
        self._count, self._send = count, send
        self._asked: asyncio.Queue[tuple[str, FilterTrial]] = asyncio.Queue(MAX_WAITING)

    def ask(self, question: str, trial: FilterTrial) -> None:
        """To be answered soon; one too many is not."""
        if not self._asked.full():
            self._asked.put_nowait((question, trial))

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            question, trial = await self._asked.get()
            try:
                counted = await asyncio.to_thread(self._count, trial)
            except OSError as error:
                logger.warning("open connections can't be counted on this host: %s", error)
                continue
            await self._send(FromAgent.CUT_COUNTED, id=question, counted=counted.to_json())
