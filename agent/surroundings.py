"""The addresses of this host, watched."""

import asyncio
from collections.abc import Callable, Sequence

# They come and go in bursts while a network changes.
SETTLES_SECONDS = 0.1


class Surroundings:
    """settled(addresses) is called when they are others than before and have been for a moment."""

    def __init__(self, addresses: Callable[[], list[str]], settled: Callable[[Sequence[str]], None]) -> None:
        self._read, self._settled = addresses, settled
        self._timer: asyncio.TimerHandle | None = None
        self._addresses = addresses()

    def changed(self) -> None:
        """Something of the host's network changed."""
        known, self._addresses = self._addresses, self._read()
        if set(self._addresses) == set(known):
            return
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(SETTLES_SECONDS, lambda: self._settled(self._addresses))
