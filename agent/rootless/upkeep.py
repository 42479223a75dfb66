"""What is kept in step without root: who carries which network. The host itself is left alone."""

import asyncio

from agent.engine.routes import LocalNetwork
from agent.host.upkeep import Upkeep
from wire.connections import Counted, FilterTrial
from wire.netmap import Netmap


class InsideUpkeep(Upkeep):
    """No filter: nothing listens inside. No names and no routes of the host: its programs are outside."""

    def apply(self, netmap: Netmap) -> None:
        """A map came."""
        self._netmap = netmap

    def count_cut(self, trial: FilterTrial) -> Counted:
        """Nothing comes in here."""
        return Counted()

    async def run(self) -> None:
        """Nothing of the host needs to be watched."""
        await asyncio.Event().wait()

    def rebuilt(self) -> None:
        """The interface is new."""
        if self._netmap is not None:
            self.steer()

    def _lead(self, local: list[LocalNetwork]) -> None:
        """The inside has one route, into the tunnel."""
