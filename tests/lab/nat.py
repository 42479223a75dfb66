"""`./dev lab nat`: every pair of NATs, from both daemons starting to the first ping and the final path.

Each pair is two machines that never met before. Pings run at 50 a second from the start, so that
loss counts the moves between paths too. Output with --json: one document, {"pairs": [...], ...}.
"""

import argparse
import itertools
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.bench.measure import progress
from tests.lab.delay import Link
from tests.lab.nats import Nat
from tests.lab.net import Host, Lab, LabError
from tests.lab.site import Account, Machine, Site, site, wait_until

KINDS = (
    *("none", "firewall", "full-cone", "address-restricted", "port-restricted", "symmetric"),
    *("cgn", "udp-blocked", "ipv6-only", "hairpin"),
)
# Endpoint-dependent filtering: only the very address and port that was written to may answer.
STRICT = {"firewall", "port-restricted", "cgn", "symmetric"}
PUBLIC = {"none", "firewall"}
SETTLE_SECONDS = 11.0
STEADY_SECONDS = 2.0
FIRST_SECONDS = 15.0
_MOVE = re.compile(r"^(\S+) INFO agent\.network path peer=(\S+) to=(\S+)", re.MULTILINE)


def possible(a: str, b: str) -> str | None:
    """Why a pair cannot be direct without help of a router; None when it can."""
    pair = {a, b}
    if "udp-blocked" in pair:
        return "UDP is blocked"
    if "ipv6-only" in pair and not pair <= {"ipv6-only", *PUBLIC}:
        return "no address family in common"
    if "symmetric" in pair and (pair - {"symmetric"} or pair) <= STRICT:
        return "the mapping cannot be known, and the other side admits no other port"
    return None


def host_of(lab: Lab, kind: str, name: str) -> Host:
    """A host of that kind."""
    match kind:
        case "none" | "firewall":
            return lab.public_host(name, ipv6=True, firewall=kind == "firewall")
        case "ipv6-only":
            return lab.public_host(name, ipv4=False, ipv6=True)
        case "cgn":
            outer = lab.nat(Nat.PORT_RESTRICTED)
            return lab.private_host(name, lab.nat(Nat.PORT_RESTRICTED, outer=outer))
        case _:
            return lab.private_host(name, lab.nat(Nat(kind)))


def pairs(chosen: Iterable[str] = ()) -> Iterator[tuple[str, str]]:
    """All pairs of kinds, or those chosen as a:b. Hairpin is two hosts of one router."""
    wanted = [tuple(text.split(":", 1)) for text in chosen]
    for pair in itertools.combinations_with_replacement(KINDS, 2):
        chosen_one = not wanted or pair in wanted or pair[::-1] in wanted
        if chosen_one and (pair == ("hairpin", "hairpin") or "hairpin" not in pair):
            yield pair


class Matrix:
    """The machines of a site, made when they are first needed, and what was measured between them."""

    def __init__(self, running: Site, account: Account) -> None:
        self.site, self.account = running, account
        self._machines: dict[tuple[str, int], Machine] = {}
        self._key = running.auth_key(account)

    def machine(self, kind: str, side: int) -> Machine:
        """The machine of that kind on side 0 or 1, enrolled and not running."""
        if (kind, side) not in self._machines:
            name = f"{''.join(part[0] for part in kind.split('-'))}{KINDS.index(kind)}{'ab'[side]}"
            if kind == "hairpin" and side == 1:
                router = self.machine(kind, 0).host.router
                assert router is not None
                host = self.site.lab.private_host(name, router)
            else:
                host = host_of(self.site.lab, kind, name)
            machine = self._machines[kind, side] = self.site.machine(host)
            if kind == "ipv6-only":
                machine.environment["ZTNA_API_URL"] = f"https://[{self.site.control.address6}]"
            machine.up(self._key)
            wait_until(lambda: (machine.json("status") or {}).get("tailnet_ip"), f"enrolment of {kind}", 20)
            machine.stop()
        return self._machines[kind, side]

    def measure(self, a: str, b: str) -> dict[str, Any]:
        """One row of the matrix."""
        left, right = self.machine(a, 0), self.machine(b, 1)
        target = json.loads((right.directory / "state.json").read_text())["tailnet_ip"]
        logs = [machine.directory / "ztna.log" for machine in (left, right)]
        offsets = [log.stat().st_size if log.exists() else 0 for log in logs]
        with tempfile.NamedTemporaryFile("w+b") as output:
            pinger = left.host.spawn(
                [sys.executable, "-m", "tests.lab.pinger", target],
                log=output,  # type: ignore[arg-type]
                env={"PYTHONPATH": left.environment["PYTHONPATH"]},
            )
            began = time.time()
            left.up()
            right.up()
            try:
                written = list(zip(logs, offsets, strict=True))
                moves = self._settled(written, hopeless=possible(a, b) is not None)
                seen = (left.peers().get(right.host.name) or {}).get("path")
            finally:
                pinger.terminate()
                pinger.wait(5)
                left.stop()
                right.stop()
            figures = json.loads(Path(output.name).read_text())
        first = figures["first_at"]
        direct = seen == "direct"
        return {
            "a_nat": a,
            "b_nat": b,
            "path": seen or "none",
            "first_ping_ms": round((first - began) * 1000) if first else None,
            "direct_ms": round((max(max(moves), first) - began) * 1000) if direct and first else None,
            "rtt_ms": round(statistics.median(figures["rtts_ms"]), 2) if first else None,
            "loss_pct": round(100 * figures["lost"] / max(1, figures["sent"]), 2) if first else 100.0,
            "outages_s": figures["outages_s"],
            "relay_by_nature": possible(a, b),
        }

    def _settled(self, logs: list[tuple[Path, int]], *, hopeless: bool) -> list[float]:
        """Wait for a session, and for the direct path on both sides, then a while of steady pings.

        Times of the last moves to a direct path.
        """
        link = self.site.lab.link
        # A start takes some thirty one-way trips: links, keys, handshakes.
        trips = 30 * link.delay_ms / 1000 if link else 0.0
        deadline = time.monotonic() + SETTLE_SECONDS + 2 * trips
        while time.monotonic() < deadline:
            texts = [_written(log, offset) for log, offset in logs]
            # Keys are renewed as soon as the first session stands.
            if all("psk renewed" in text and (hopeless or _moves(text)) for text in texts):
                break
            time.sleep(0.1)
        time.sleep(STEADY_SECONDS)
        found = [_moves(_written(log, offset)) for log, offset in logs]
        return [moves[-1] for moves in found if moves] or [0.0]


def _written(log: Path, offset: int) -> str:
    """What a log says from an offset on."""
    if not log.exists():
        return ""
    with log.open() as file:
        file.seek(offset)
        return file.read()


def _moves(text: str) -> list[float]:
    """Unix times of the moves to a direct path, none if the last one went back to the relay."""
    found = _MOVE.findall(text)
    if not found or found[-1][2] == "relay":
        return []
    return [datetime.fromisoformat(at).timestamp() for at, _, to in found if to != "relay"]


def summary(rows: list[dict[str, Any]], delay_ms: float) -> dict[str, Any]:
    """The document that is printed."""
    direct = [row for row in rows if row["path"] == "direct"]
    relayed = [row for row in rows if row["path"] != "direct"]

    def median(found: list[dict[str, Any]], figure: str) -> float | None:
        values = [row[figure] for row in found if row[figure] is not None]
        return round(statistics.median(values)) if values else None

    return {
        "one_way_delay_ms": delay_ms,
        "pairs": rows,
        "direct_share": round(len(direct) / len(rows), 3) if rows else None,
        "medians": {
            "first_ping_by_relay_ms": median(relayed, "first_ping_ms"),
            "first_ping_ms": median(rows, "first_ping_ms"),
            "direct_ms": median(direct, "direct_ms"),
        },
        "unreached": [f"{row['a_nat']}:{row['b_nat']}" for row in rows if row["first_ping_ms"] is None],
        "not_direct_though_possible": [
            f"{row['a_nat']}:{row['b_nat']}" for row in relayed if row["relay_by_nature"] is None
        ],
        "relay_by_nature": {
            f"{row['a_nat']}:{row['b_nat']}": row["relay_by_nature"] for row in rows if row["relay_by_nature"]
        },
    }


def run(delay_ms: float, chosen: Iterable[str] = (), logs: Path | None = None) -> dict[str, Any]:
    """Measure pairs on links of that one-way delay; logs stay in a directory if one is given."""
    rows = []
    link = Link(delay_ms=delay_ms) if delay_ms else None
    with (
        tempfile.TemporaryDirectory() as name,
        site(logs or Path(name), progress=progress, link=link) as running,
    ):
        matrix = Matrix(running, running.sign_up("Lab"))
        todo = list(pairs(chosen))
        for number, (a, b) in enumerate(todo, 1):
            row = matrix.measure(a, b)
            rows.append(row)
            progress(
                f"{number}/{len(todo)} {a} - {b}: {row['path']}, first ping {row['first_ping_ms']} ms, "
                f"direct {row['direct_ms']} ms, rtt {row['rtt_ms']} ms, loss {row['loss_pct']} %"
            )
    return summary(rows, delay_ms)


def main() -> int:
    """Exit status 1 when a pair was not reached, or not direct though it could be."""
    parser = argparse.ArgumentParser(prog="./dev lab nat", description=__doc__)
    parser.add_argument(
        "--json", action="store_true", help="accepted for symmetry: the last line is always JSON"
    )
    parser.add_argument("--delay", type=float, default=0.0, metavar="MS", help="one-way delay between hosts")
    parser.add_argument("--pairs", nargs="*", default=[], metavar="A:B", help=f"of {', '.join(KINDS)}")
    parser.add_argument("--logs", type=Path, metavar="DIR", help="keep state and logs there")
    options = parser.parse_args()
    try:
        document = run(options.delay, options.pairs, options.logs)
    except LabError as error:
        print(f"lab nat: {error}", file=sys.stderr)
        return 1
    print(json.dumps(document))
    return 1 if document["unreached"] or document["not_direct_though_possible"] else 0


if __name__ == "__main__":
    sys.exit(main())
