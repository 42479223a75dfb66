"""A relay at half of what it can carry, for as long as you like: nothing may grow.

Samples memory, descriptors and a polite pair's p99 every minute (or a tenth of a short run); the
ratios compare the last quarter with the first.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

import uvloop

from relay.tls import client_context
from tests.bench.measure import finish, pin, progress
from tests.bench.relay_load import (
    Polite,
    descriptors,
    drive,
    open_flow,
    percentile,
    relay_process,
    resident_mb,
)
from tests.bench.relay_overload import POLITE_PER_SECOND, SENDERS, find_peak
from tests.relay.signer import Signer


async def measure(
    pid: int, port: int, ca_file: Path, signer: Signer, minutes: float
) -> tuple[dict[str, float], dict[str, float]]:
    """(figures, ratios)."""
    tls = client_context(str(ca_file))
    flows = [await open_flow(port, tls, signer) for _ in range(SENDERS)]
    polite = Polite(port, tls, signer)
    await polite.up()
    rate = await find_peak(flows, 2) / 2
    talking = asyncio.create_task(polite.talk(POLITE_PER_SECOND))
    samples = max(10, round(minutes))
    memory, files, p99, delivered = [], [], [], []
    for _ in range(samples):
        polite.latencies = []
        offered, arrived = await drive(flows, rate, minutes * 60 / samples)
        memory.append(resident_mb(pid))
        files.append(descriptors(pid))
        p99.append(percentile(polite.latencies, 0.99))
        delivered.append(arrived / offered)
        progress(f"{memory[-1]:.1f} MB, {files[-1]} descriptors, p99 {p99[-1]:.2f} ms, {delivered[-1]:.4f}")
    talking.cancel()
    await polite.close()
    for flow in flows:
        flow.sender.close()
        flow.receiver.close()
    quarter = max(1, samples // 4)
    figures = {
        "minutes": minutes,
        "frames_per_second": round(rate),
        "memory_first_mb": round(statistics.median(memory[:quarter]), 1),
        "memory_last_mb": round(statistics.median(memory[-quarter:]), 1),
        "descriptors_first": files[0],
        "descriptors_last": files[-1],
        "p99_first_ms": round(statistics.median(p99[:quarter]), 2),
        "p99_last_ms": round(statistics.median(p99[-quarter:]), 2),
        "delivered_share": round(min(delivered), 4),
        "damaged": sum(flow.receiver.damaged for flow in flows),
    }
    ratios = {
        "memory": round(figures["memory_last_mb"] / figures["memory_first_mb"], 3),
        "descriptors": round(files[-1] / files[0], 3),
        "p99": round(figures["p99_last_ms"] / figures["p99_first_ms"], 2),
    }
    return figures, ratios


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="./dev bench soak", description=__doc__)
    parser.add_argument("--json", action="store_true", help="the last line is always JSON")
    parser.add_argument("--minutes", type=float, default=30.0)
    options = parser.parse_args()
    signer = Signer()
    with tempfile.TemporaryDirectory() as name:
        pin(0, 0)
        with relay_process(Path(name), signer) as (pid, port, ca_file):
            figures, ratios = uvloop.run(measure(pid, port, ca_file, signer, options.minutes))
    finish("soak", figures, ratios)
    return 1 if figures["damaged"] else 0


if __name__ == "__main__":
    sys.exit(main())
