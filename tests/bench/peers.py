"""500 quiet peers on direct paths: memory and processor time of one agent; and the cost of a big filter.

The agent's paths and renewals are real (`tests/bench/peerfarm.py`); wireguard-go is counted apart.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.engine.filter import FilterSettings, compile_filter
from tests.bench.measure import cpu_seconds, finish, progress
from tests.bench.peerfarm import keys_of, netmap, peer
from tests.lab.net import Host, Lab
from tests.lab.site import ROOT, wait_until
from wire.binary import Endpoint
from wire.filter import FilterRule, PacketFilter

FILTER_PEERS, FILTER_RULES, FILTER_CHAINS = 1000, 200, 20


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def idle(lab: Lab, directory: Path, count: int, seconds: float) -> dict[str, Any]:
    """The agent with its peers, once every path and key is settled."""
    hosts = {role: lab.public_host(role) for role in ("agent", "farm")}
    seed = secrets.token_hex(8)

    def start(role: str, other: str, log: Any) -> subprocess.Popen[bytes]:
        interface = f"qb{os.getpid() % 100_000}"
        arguments = [role, seed, str(count), hosts[role].address, hosts[other].address, str(directory)]
        command = [sys.executable, "-m", "tests.bench.peerfarm", *arguments, interface]
        return hosts[role].spawn(command, log=log, env={"PYTHONPATH": str(ROOT)})

    def figures() -> dict[str, int]:
        path = directory / "figures.json"
        return json.loads(path.read_text()) if path.exists() else {"direct": 0, "renewed": 0}

    with (directory / "log").open("ab") as log:
        start("farm", "agent", log)
        agent = start("agent", "farm", log)
        progress(f"waiting for {count} direct paths and renewed keys")
        wait_until(lambda: figures()["direct"] == figures()["renewed"] == count, "every path and key", 180)
        settled = figures()
        time.sleep(10)
        progress(f"measuring for {seconds:.0f} s")
        pids = {"agent": agent.pid, "wireguard_go": settled["wireguard_pid"]}
        before, began = {name: cpu_seconds(pid) for name, pid in pids.items()}, time.monotonic()
        time.sleep(seconds)
        elapsed = time.monotonic() - began
        found: dict[str, Any] = {"peers": count, **figures(), "seconds": round(elapsed, 1)}
        for name, pid in pids.items():
            found[f"{name}_cpu_pct"] = round(100 * (cpu_seconds(pid) - before[name]) / elapsed, 2)
            found[f"{name}_rss_mb"] = resident_mb(pid)
    return found


def filter_figures(host: Host) -> dict[str, float]:
    """Milliseconds to compile and to apply 1,000 peers under 20 chains of 200 rules; then one move."""
    keys = keys_of("filter", 1)
    own = netmap(0, [peer(number, keys, Endpoint("192.0.2.1", 1)) for number in range(1, FILTER_PEERS + 1)])
    rules = {
        f"chain{chain}": tuple(
            FilterRule("accept", "tcp", (str(1000 + chain * FILTER_RULES + rule),), rule_id=f"r{rule}")
            for rule in range(FILTER_RULES)
        )
        for chain in range(FILTER_CHAINS)
    }
    assign = {name: f"chain{number % FILTER_CHAINS}" for number, name in enumerate(own.peers)}

    def ruleset(chains: dict[str, str]) -> Any:
        peers = {name: replace(entry, inbound=chains[name]) for name, entry in own.peers.items()}
        full = replace(own, peers=peers, packet_filter=PacketFilter("1", rules))
        began = time.perf_counter()
        compiled = compile_filter(full, FilterSettings("eth0", 0x515A))
        return compiled, (time.perf_counter() - began) * 1000

    def apply(text: str) -> float:
        began = time.perf_counter()
        host.nft(text)
        return round((time.perf_counter() - began) * 1000, 1)

    first, compiled_ms = ruleset(assign)
    moved, _ = ruleset({**assign, "peer1": "chain7"})
    delta = moved.changes(first, "bench")
    assert delta is not None
    return {
        "filter_compile_ms": round(compiled_ms, 1),
        "filter_apply_ms": apply(first.full("bench")),
        "filter_again_ms": apply(first.full("bench")),
        "filter_move_one_ms": apply(delta),
    }


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="./dev bench peers", description=__doc__)
    parser.add_argument(
        "--json", action="store_true", help="accepted for symmetry: the last line is always JSON"
    )
    parser.add_argument("--peers", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Lab() as lab:
        figures = idle(lab, Path(name), options.peers, options.seconds)
        progress("filter of 1,000 peers and 20 chains of 200 rules")
        figures |= filter_figures(lab.public_host("filter"))
    finish("peers", figures, {})
    return 0


if __name__ == "__main__":
    sys.exit(main())
