"""CPU of the relay per 1280-byte datagram, TLS on: full batches, and one datagram a frame.

Bulk is fed as the agent feeds it: batches of 12 datagrams, which the client merges while its link is
busy. `vs_tls_floor` holds its cost against a single-threaded TLS echo that receives, decrypts, encrypts
and sends the same bytes with the same TLS backend, pinned to the same core in the same run, and parses
nothing. `vs_tls_in_memory` holds it against decrypting and encrypting without any socket: no relay in
Python comes below 2 there, since the echo itself (`echo_vs_memory`) does not, for the kernel's share.
Payloads are checked end to end. Where a `derper` is on the PATH, it carries the same datagrams in the
same run, on the same core.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from relay.client import RelayClient
from relay.tls import client_context
from tests.bench import derper, relay_floor
from tests.bench.measure import cpu_seconds, finish, pin, progress
from tests.bench.relay_load import HOST, REGION, relay_process
from tests.relay.signer import Signer
from wire import relay as frames

DATAGRAM = 1280
BULK = frames.IDLE_BATCH_BYTES // DATAGRAM
WINDOW_BYTES = 768 * 1024


class Pair:
    """A sender and a receiver that checks each batch."""

    def __init__(self, port: int, ca_file: Path, signer: Signer) -> None:
        self.received = self.damaged = 0
        self.batch_bytes, self.filling = 0, b""
        self.arrived = asyncio.Event()
        self.latencies: list[float] = []
        self._ups = asyncio.Semaphore(0)
        self.sender, self.sender_key = self._client(port, ca_file, signer, lambda *_: None)
        self.receiver, self.receiver_key = self._client(port, ca_file, signer, self._take)
        self.tasks = [asyncio.create_task(link.run()) for link in (self.sender, self.receiver)]

    def _client(self, port, ca_file, signer, take):  # type: ignore[no-untyped-def]
        private = X25519PrivateKey.generate()
        key = private.public_key().public_bytes_raw()
        token = signer.token(key, regions=(REGION,), life=3600)
        link = RelayClient(
            host=HOST,
            port=port,
            addresses=["127.0.0.1"],
            disco_private=private.private_bytes_raw(),
            token=lambda: token,
            on_datagrams=take,
            on_state=lambda up, reason: self._ups.release() if up else None,
            on_peer_gone=lambda key: None,
            tls=client_context(str(ca_file)),
        )
        return link, key

    async def up(self) -> None:
        """Wait until both ends are registered."""
        for _ in range(2):
            await asyncio.wait_for(self._ups.acquire(), 10)

    def _take(self, key: bytes, segment: int, payload: memoryview) -> None:
        self.received += -(-len(payload) // segment)
        now = time.monotonic_ns()
        for start in range(0, len(payload), self.batch_bytes):
            batch = bytes(payload[start : start + self.batch_bytes])
            self.latencies.append((now - int.from_bytes(batch[:8], "big")) / 1000)
            # Comparing is much cheaper than a checksum, so that the load is not the bottleneck.
            whole = len(batch) >= self.batch_bytes - 1 and self.filling.startswith(batch[8:])
            if not whole or key != self.sender_key:
                self.damaged += 1
        self.arrived.set()

    async def load(self, per_frame: int, seconds: float, rate: float | None = None) -> int:
        """Send checked batches for a while, or at a rate; returns the datagrams sent."""
        self.batch_bytes = per_frame * DATAGRAM
        self.filling = os.urandom(self.batch_bytes - 8)
        sent, before = 0, self.received
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            batch = time.monotonic_ns().to_bytes(8, "big") + self.filling
            size = DATAGRAM
            if per_frame == 1 and sent % 2:
                # Datagrams of two sizes in turn cannot merge into one frame.
                batch, size = batch[:-1], DATAGRAM - 1
            if self.sender.send(self.receiver_key, size, batch):
                sent += per_frame
            if rate:
                await asyncio.sleep(1 / rate)
            while (sent - (self.received - before)) * DATAGRAM > WINDOW_BYTES:
                self.arrived.clear()
                await asyncio.wait_for(self.arrived.wait(), 5)
            # A datagram alone must not wait for company, or it would share a frame.
            if per_frame == 1 or sent % (per_frame * 8) == 0:
                await asyncio.sleep(0)
        while self.received - before < sent:
            self.arrived.clear()
            await asyncio.wait_for(self.arrived.wait(), 5)
        return sent


async def measure(pid: int, port: int, ca_file: Path, signer: Signer, seconds: float) -> dict[str, float]:
    """Figures of both feeds."""
    pair = Pair(port, ca_file, signer)
    await pair.up()
    figures: dict[str, float] = {}
    for name, per_frame in (("bulk", BULK), ("single", 1)):
        progress(f"{name}: {per_frame} datagrams a frame")
        await pair.load(per_frame, 1)
        before = cpu_seconds(pid)
        count = await pair.load(per_frame, seconds)
        figures[f"{name}_us_per_datagram"] = round((cpu_seconds(pid) - before) / count * 1e6, 3)
        figures[f"{name}_datagrams"] = count
    progress("latency at 1,000 frames a second")
    pair.latencies.clear()
    await pair.load(1, min(seconds, 3), rate=1000)
    figures["single_p50_us"] = round(statistics.median(pair.latencies), 1)
    figures["damaged"] = pair.damaged
    for task in pair.tasks:
        task.cancel()
    await asyncio.gather(*pair.tasks, return_exceptions=True)
    return figures


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="./dev bench relay", description=__doc__)
    parser.add_argument(
        "--json", action="store_true", help="accepted for symmetry: the last line is always JSON"
    )
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    signer = Signer()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        pin(0, 0)
        with relay_process(directory, signer) as (pid, port, ca_file):
            figures = uvloop.run(measure(pid, port, ca_file, signer, options.seconds))
        for name, floor in (
            ("tls_echo", relay_floor.with_sockets),
            ("tls_in_memory", relay_floor.without_sockets),
        ):
            progress(f"floor: {name}")
            figures[f"{name}_us_per_datagram"] = round(floor(directory / name, options.seconds), 3)
        if shutil.which("derper"):
            with derper.derper_process(directory / "derper") as (pid, port, ca_file):
                figures |= uvloop.run(derper.measure(pid, port, ca_file, BULK, options.seconds))
    bulk, echo = figures["bulk_us_per_datagram"], figures["tls_echo_us_per_datagram"]
    ratios = {
        "vs_tls_floor": round(bulk / echo, 2),
        "vs_tls_in_memory": round(bulk / figures["tls_in_memory_us_per_datagram"], 2),
        "echo_vs_memory": round(echo / figures["tls_in_memory_us_per_datagram"], 2),
        "bulk_vs_single": round(bulk / figures["single_us_per_datagram"], 3),
    }
    for name in ("bulk", "single"):
        if rival := figures.get(f"derper_{name}_us_per_datagram"):
            ratios[f"{name}_vs_derper"] = round(figures[f"{name}_us_per_datagram"] / rival, 3)
    if rival := figures.get("derper_single_us_per_datagram"):
        # As agents of either feed their relay: batches here, a record for each datagram there.
        ratios["bulk_vs_derper_single"] = round(bulk / rival, 3)
    finish("relay", figures, ratios)
    return 1 if figures["damaged"] or figures.get("derper_damaged") else 0


if __name__ == "__main__":
    sys.exit(main())
