"""Latency of relayed peers, which no probe of the direct path can tell."""

import asyncio
import contextlib

from agent.io.ping import MakeSocket, echo
from agent.network import Network

PAUSE_SECONDS = 30.0
FIRST_SECONDS = 3.0
MAX_PEERS = 32
TIMEOUT_SECONDS = 2.0


async def measure_relayed(network: Network, latencies_ms: dict[str, float], make_socket: MakeSocket) -> None:
    """Keep latencies_ms (by machine id) true until cancelled."""
    await asyncio.sleep(FIRST_SECONDS)
    while True:
        links = network.links.values()
        for link in [link for link in links if link.label == "derp" and link.peer.online][:MAX_PEERS]:
            with contextlib.suppress(OSError):
                answer = await echo(
                    link.peer.tailnet_ip, timeout_seconds=TIMEOUT_SECONDS, make_socket=make_socket
                )
                if answer is not None:
                    latencies_ms[link.peer.machine_id] = round(answer, 2)
        await asyncio.sleep(PAUSE_SECONDS)
