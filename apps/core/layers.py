"""The channel layer of embedded mode."""

import time
from typing import Any

from channels.layers import InMemoryChannelLayer

SWEEP_SECONDS = 5.0


class LocalChannelLayer(InMemoryChannelLayer):
    """Channels' in-memory layer for a thousand sockets.

    The original looks through all channels and all members of all groups whenever one socket waits for
    its next message, which makes a message to n sockets cost n times n. Expired messages wait for the
    next sweep here.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # The original takes them and cannot read them.
        self.channel_capacity = self.compile_capacities(self.channel_capacity)
        self._swept_at = 0.0

    def _clean_expired(self) -> None:
        now = time.monotonic()
        if now - self._swept_at > SWEEP_SECONDS:
            self._swept_at = now
            super()._clean_expired()
