"""Something to be done at a moment of the control plane's time, whatever clocks do meanwhile."""

import asyncio
import contextlib
from collections.abc import Callable

# A clock that is put right moves the moment: nobody tells us.
LOOK_SECONDS = 10.0


class Schedule:
    """due() is called once the planned moment has come. Times are Unix seconds."""

    def __init__(self, now: Callable[[], float], due: Callable[[], None]) -> None:
        self._now, self._due = now, due
        self._at: float | None = None
        self._changed = asyncio.Event()

    def plan(self, at: float | None) -> None:
        """Replace the moment; None for no moment at all."""
        self._at = at
        self._changed.set()

    async def run(self) -> None:
        """Wait and do, until cancelled."""
        while True:
            self._changed.clear()
            wait = LOOK_SECONDS if self._at is None else min(self._at - self._now(), LOOK_SECONDS)
            if wait <= 0:
                self._at = None
                self._due()
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()
