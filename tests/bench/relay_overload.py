"""Three times what a relay can carry, one datagram a frame, beside a polite pair.

peak is what the relay delivers when the load fits its capacity; overload offers three times that from
three senders that never wait. Reports the share still delivered (`delivered_vs_peak`), how much memory
grew, and the polite pair's p99. Payloads are compared, not counted.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import uvloop

from relay.tls import client_context
from tests.bench.measure import finish, pin, progress
from tests.bench.relay_load import Polite, drive, open_flow, percentile, relay_process, resident_mb
from tests.relay.signer import Signer

SENDERS = 3
POLITE_PER_SECOND = 200
OVERLOAD = 3


async def find_peak(flows, seconds):  # type: ignore[no-untyped-def]
    """Frames per second at the highest rate of a ramp, and what it was offered there."""
    best, rate = 0.0, 20_000.0
    while rate < 2_000_000:
        offered, delivered = await drive(flows, rate, seconds)
        progress(f"offered {offered:,.0f}, delivered {delivered:,.0f} frames a second")
        best = max(best, delivered)
        if delivered < 0.9 * offered:
            break
        rate *= 1.4
    return best


async def measure(pid: int, port: int, ca_file: Path, signer: Signer, seconds: float) -> dict[str, float]:
    """All figures."""
    tls = client_context(str(ca_file))
    flows = [await open_flow(port, tls, signer) for _ in range(SENDERS)]
    polite = Polite(port, tls, signer)
    await polite.up()
    talking = asyncio.create_task(polite.talk(POLITE_PER_SECOND))
    peak = await find_peak(flows, min(seconds, 2))
    progress(f"{OVERLOAD} times the peak")
    await drive(flows, OVERLOAD * peak, 1)
    before, polite.latencies, polite.sent = resident_mb(pid), [], 0
    offered, delivered = await drive(flows, OVERLOAD * peak, seconds)
    after = resident_mb(pid)
    talking.cancel()
    await asyncio.sleep(0.5)
    figures = {
        "peak_frames_per_second": round(peak),
        "offered_frames_per_second": round(offered),
        "delivered_frames_per_second": round(delivered),
        "memory_mb": round(after, 1),
        "memory_growth_mb": round(after - before, 1),
        "polite_sent": polite.sent,
        "polite_received": len(polite.latencies),
        "polite_p50_ms": round(percentile(polite.latencies, 0.5), 2),
        "polite_p99_ms": round(percentile(polite.latencies, 0.99), 2),
        "damaged": sum(flow.receiver.damaged for flow in flows),
    }
    await polite.close()
    for flow in flows:
        flow.sender.close()
        flow.receiver.close()
    return figures


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="./dev bench relay-overload", description=__doc__)
    parser.add_argument("--json", action="store_true", help="the last line is always JSON")
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    signer = Signer()
    with tempfile.TemporaryDirectory() as name:
        pin(0, 0)
        with relay_process(Path(name), signer) as (pid, port, ca_file):
            figures = uvloop.run(measure(pid, port, ca_file, signer, options.seconds))
    ratios = {
        "offered_vs_peak": figures["offered_frames_per_second"] / figures["peak_frames_per_second"],
        "delivered_vs_peak": figures["delivered_frames_per_second"] / figures["peak_frames_per_second"],
    }
    finish("relay-overload", figures, {key: round(value, 3) for key, value in ratios.items()})
    return 1 if figures["damaged"] else 0


if __name__ == "__main__":
    sys.exit(main())
