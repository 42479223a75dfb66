"""The control plane restarts under a thousand connected agents, on PostgreSQL and Redis, on one core.

`all_back_s` counts from the signal that stops it to the moment when every agent is connected and
knows that its map is the newest. Meanwhile other machines, without a socket, send heartbeats.
"""

import argparse
import asyncio
import sys
import tempfile
import time

import httpx

from tests.bench import agentfarm
from tests.bench.measure import cpu_seconds, finish, progress

AGENTS, OTHERS = 1000, 20
ALL_BACK_SECONDS = 120


class Heartbeats:
    """Machines without a socket: one heartbeat each per second; answers and waits are counted."""

    def __init__(self, url: str, machines: list[agentfarm.Enrolled], version: int) -> None:
        self._url, self._machines, self._version = url, machines, version
        self.latencies_ms: list[float] = []
        self.refusals: list[str] = []
        self.unanswered = 0
        self.longest_gap_s, self._answered_at = 0.0, time.monotonic()

    async def run(self) -> None:
        """Until cancelled."""
        async with httpx.AsyncClient(base_url=self._url, timeout=10, trust_env=False) as http:
            await asyncio.gather(*(self._beat(http, machine) for machine in self._machines))

    async def _beat(self, http: httpx.AsyncClient, machine: agentfarm.Enrolled) -> None:
        while True:
            began = time.monotonic()
            try:
                answer = await http.post(
                    "/api/machine-heartbeat",
                    json={"status": "online", "version": "0.1.0", "netmap_version": self._version},
                    headers={"Authorization": f"Bearer {machine.node_key}"},
                )
            except httpx.HTTPError:
                self.unanswered += 1
            else:
                now = time.monotonic()
                if answer.status_code != 200:
                    self.refusals.append(f"{answer.status_code} {answer.text[:200]}")
                self.latencies_ms.append((now - began) * 1000)
                self.longest_gap_s = max(self.longest_gap_s, now - self._answered_at)
                self._answered_at = now
            await asyncio.sleep(max(0.0, began + 1 - time.monotonic()))


async def measure(running: agentfarm.ControlPlane, machines: list[agentfarm.Enrolled]) -> dict[str, object]:
    """The restart and what it did."""
    connected, others = machines[:-OTHERS], machines[-OTHERS:]
    progress(f"connecting {len(connected)} agents")
    began = time.monotonic()
    async with agentfarm.farm(connected, running.url) as agents:
        progress(f"all have their map after {time.monotonic() - began:.1f} s")
        heartbeats = Heartbeats(running.url, others, max(agent.version or 0 for agent in agents))
        beating = asyncio.create_task(heartbeats.run())
        await asyncio.sleep(3)
        maps = sum(agent.maps for agent in agents)
        for agent in agents:
            agent.refusals.clear()
        progress("restarting the control plane")
        stopped = time.monotonic()
        await asyncio.to_thread(running.stop)
        down = time.monotonic()
        for agent in agents:
            agent.current_at = 0.0
        running.start()
        while heartbeats._answered_at < down:
            await asyncio.sleep(0.02)
        listening = time.monotonic()
        await agentfarm.all_current(agents, ALL_BACK_SECONDS)
        back = max(agent.current_at for agent in agents)
        cpu = cpu_seconds(running.pid)
        await asyncio.sleep(2)
        beating.cancel()
        during = sorted(heartbeats.latencies_ms)
        errors = [*heartbeats.refusals, *(code for agent in agents for code in agent.refusals)]
        for text in sorted(set(errors)):
            progress(f"{errors.count(text)} times: {text}")
        return {
            "agents": len(connected),
            "all_back_s": round(back - stopped, 2),
            "after_listening_s": round(back - listening, 2),
            "server_cpu_s": round(cpu, 2),
            "whole_maps_sent": sum(agent.maps for agent in agents) - maps,
            "errors": len(errors),
            "heartbeats_answered": len(during),
            "heartbeats_unanswered": heartbeats.unanswered,
            "heartbeat_p99_ms": round(during[len(during) * 99 // 100], 1),
            "heartbeat_longest_gap_s": round(heartbeats.longest_gap_s, 2),
        }


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="./dev bench storm", description=__doc__)
    parser.add_argument(
        "--json", action="store_true", help="accepted for symmetry: the last line is always JSON"
    )
    parser.add_argument("--agents", type=int, default=AGENTS, metavar="N", help="connected agents (1000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as data, agentfarm.control_plane(data) as running:
        machines = agentfarm.populate(agentfarm.organisation().pk, options.agents + OTHERS)
        figures = asyncio.run(measure(running, machines))
    finish("storm", figures, {})
    return 0


if __name__ == "__main__":
    sys.exit(main())
