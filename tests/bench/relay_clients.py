"""Thousands of idle TLS clients of one relay: its memory with them, and their return after a restart.

The relay ends by SIGTERM, which tells every client when to come back, and starts again at once.
`busiest_second` is how many came back in the fullest second: what the spread is for.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import uvloop

from relay.run import raise_descriptor_limit
from relay.tls import client_context
from tests.bench.measure import cpu_seconds, finish, pin, progress
from tests.bench.relay_load import make_client, relay_process, resident_mb
from tests.relay.signer import Signer

AT_ONCE = 100
GIVE_UP_SECONDS = 120
SETTLE_SECONDS = 3


class Crowd:
    """The clients, and how many came back in each second."""

    def __init__(self, port: int, ca_file: Path, signer: Signer, size: int) -> None:
        self.up = 0
        self.came: Counter[int] = Counter()
        self._changed = asyncio.Event()
        tls = client_context(str(ca_file))
        self._clients = [make_client(port, tls, signer, on_state=self._state)[0] for _ in range(size)]
        self._tasks: list[asyncio.Task[None]] = []

    async def enter(self) -> None:
        """Start them, not all at once, and wait until all are registered."""
        for at, client in enumerate(self._clients):
            self._tasks.append(asyncio.create_task(client.run()))
            if at >= AT_ONCE:
                await self.reach(at - AT_ONCE)
        await self.reach(len(self._clients))

    async def reach(self, count: int) -> None:
        """Wait until so many are registered."""
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while self.up < count:
                self._changed.clear()
                await self._changed.wait()

    async def back(self) -> None:
        """Wait until all are connected again. Who moves before its old link ends says nothing of it."""
        known = sum(client.connected for client in self._clients)
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while known < len(self._clients):
                await asyncio.sleep(0.1)
                now = sum(client.connected for client in self._clients)
                self.came[int(time.monotonic())] += max(0, now - known)
                known = now

    async def close(self) -> None:
        """Leave."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _state(self, connected: bool, reason: str | None) -> None:
        self.up += 1 if connected else 0
        self._changed.set()


async def measure(directory: Path, signer: Signer, size: int) -> dict[str, float]:
    """All figures."""
    figures: dict[str, float] = {"clients": size}
    with relay_process(directory, signer) as (pid, port, ca_file):
        crowd = Crowd(port, ca_file, signer, size)
        await asyncio.sleep(1)
        empty = resident_mb(pid)
        progress(f"{size} clients come")
        began, cpu = time.monotonic(), cpu_seconds(pid)
        await crowd.enter()
        figures["enter_seconds"] = round(time.monotonic() - began, 1)
        figures["cpu_us_per_handshake"] = round((cpu_seconds(pid) - cpu) / size * 1e6)
        await asyncio.sleep(SETTLE_SECONDS)
        figures["memory_mb"] = round(resident_mb(pid), 1)
        figures["kb_per_client"] = round((resident_mb(pid) - empty) / size * 1024, 1)
        progress("the relay restarts")
        began = time.monotonic()
        # Leaving the block waits for the process: the clients must be served meanwhile.
        stop = asyncio.to_thread(_stop, pid)
        await stop
    with relay_process(directory, signer, port=port) as (pid, _, _):
        await crowd.back()
        figures["all_back_seconds"] = round(time.monotonic() - began, 1)
        figures["busiest_second"] = max(crowd.came.values())
        figures["memory_after_restart_mb"] = round(resident_mb(pid), 1)
        await crowd.close()
    return figures


def _stop(pid: int) -> None:
    """SIGTERM, and wait until the process is gone or a zombie of ours."""
    os.kill(pid, signal.SIGTERM)
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.02)


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="./dev bench relay-clients", description=__doc__)
    parser.add_argument("--json", action="store_true", help="the last line is always JSON")
    parser.add_argument("--clients", type=int, default=10_000)
    options = parser.parse_args()
    raise_descriptor_limit()
    pin(0, 0)
    with tempfile.TemporaryDirectory() as name:
        figures = uvloop.run(measure(Path(name), Signer(), options.clients))
    ratios = {
        "memory_vs_limit": round(figures["memory_mb"] / 700, 3),
        "all_back_vs_limit": round(figures["all_back_seconds"] / 60, 3),
    }
    finish("relay-clients", figures, ratios)
    return 0


if __name__ == "__main__":
    sys.exit(main())
