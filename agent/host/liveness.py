"""Whether peers that carry networks for us still answer, measured through the tunnel itself."""

import asyncio
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass

from agent.engine.routes import Health
from agent.io.ping import echo
from agent.network import Network
from agent.peering import PeerLink

# Two misses in a row: silence shows within two seconds.
PROBE_SECONDS = 0.6
MISSES = 2
# WireGuard gives a session up after this long without a handshake (whitepaper, section 6.1).
SESSION_SECONDS = 180.0


@dataclass
class _Seen:
    """answers: it ever echoed, so that silence means something (policy may refuse echoes)."""

    answers: bool = False
    misses: int = 0
    rtt_seconds: float | None = None
    rx_bytes: int = 0


class Liveness:
    """Probes the peers that are watched, and those only."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._seen: dict[str, _Seen] = {}

    def watch(self, machine_ids: Iterable[str]) -> None:
        """From now on these."""
        wanted = set(machine_ids)
        self._seen = {key: self._seen.get(key, _Seen()) for key in wanted}

    def health(self) -> dict[str, Health]:
        """Every peer, as far as is known."""
        now = time.monotonic()
        return {key: self._judge(link, now) for key, link in self._network.links.items()}

    async def run(self) -> None:
        """Probe at a steady pace."""
        while True:
            began = time.monotonic()
            watched = [
                (link, self._seen[key]) for key, link in self._network.links.items() if key in self._seen
            ]
            await asyncio.gather(*(self._probe(link, seen) for link, seen in watched))
            await asyncio.sleep(max(0.05, PROBE_SECONDS - (time.monotonic() - began)))

    async def _probe(self, link: PeerLink, seen: _Seen) -> None:
        try:
            elapsed = await echo(link.peer.tailnet_ip, timeout_seconds=PROBE_SECONDS)
        except OSError:
            elapsed = None
        moved, seen.rx_bytes = link.status.rx_bytes > seen.rx_bytes, link.status.rx_bytes
        if elapsed is not None:
            seen.answers, seen.misses, seen.rtt_seconds = True, 0, elapsed / 1000
        elif moved:
            seen.misses = 0
        else:
            seen.misses += 1

    def _judge(self, link: PeerLink, now: float) -> Health:
        seen = self._seen.get(link.peer.machine_id)
        rtt = link.path.rtt if link.path.rtt is not None else seen.rtt_seconds if seen else None
        if seen is not None and seen.answers:
            return Health(seen.misses < MISSES, rtt)
        session = not math.isinf(link.last_handshake) and now - link.last_handshake < SESSION_SECONDS
        return Health(link.peer.online or session, rtt)
