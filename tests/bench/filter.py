"""`python -m tests.bench.filter [--json]`: nftables with 1,000 peers and 200 rules. Needs root."""

import argparse
import base64
import dataclasses
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyroute2 import netns

from agent.engine.filter import FilterSettings, compile_filter
from agent.host.filter import PacketFilter as HostFilter
from agent.host.undo import undo
from agent.io.journal import Journal
from agent.state import Store
from wire.filter import FilterRule, PacketFilter
from wire.netmap import Netmap, Peer, SelfNode

PEERS, CHAINS, RULES, MOVES = 1000, 20, 200, 10
SETTINGS = FilterSettings("ztna0", 0x515A)


def netmap() -> Netmap:
    """Peers in twenty groups of equal rights, each with 200 rules; IPv4 and IPv6."""
    key = base64.b64encode(bytes(32)).decode()
    chains = {
        f"group{group}": tuple(
            FilterRule("accept", "tcp", (str(1000 + rule),), rule_id=f"rule{rule}") for rule in range(RULES)
        )
        for group in range(CHAINS)
    }
    peers = {
        f"m{index}": Peer(
            machine_id=f"m{index}",
            name=f"m{index}",
            magicdns_name=f"m{index}.bench.zt.net",
            tailnet_ip=f"100.64.{1 + index // 250}.{1 + index % 250}",
            tailnet_ipv6=f"fd7a:115c:a1e0::{index + 2:x}",
            wireguard_public_key=key,
            inbound=f"group{index % CHAINS}",
        )
        for index in range(PEERS)
    }
    own = SelfNode("self", "self", "self.bench.zt.net", "100.64.0.1", "fd7a:115c:a1e0::1")
    return Netmap(1, own, peers, packet_filter=PacketFilter("v", chains))


def milliseconds(work: Callable[[], Any]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    work()
    return round((time.perf_counter() - began) * 1000, 1)


def measure() -> dict[str, Any]:
    """The whole table first and again, and one peer that moves to other rights."""
    whole = netmap()
    moved = dict(whole.peers)
    moved["m1"] = dataclasses.replace(moved["m1"], inbound="group7")
    other = dataclasses.replace(whole, peers=moved)
    with tempfile.TemporaryDirectory() as directory:
        journal = Journal(Store(Path(directory)), undo)
        host = HostFilter(journal, SETTINGS.interface)
        compiled = milliseconds(lambda: compile_filter(whole, SETTINGS))
        first = milliseconds(lambda: host.apply(whole, SETTINGS))
        moves = [
            milliseconds(lambda target=target: host.apply(target, SETTINGS))
            for target in (other, whole) * MOVES
        ]
        again = milliseconds(host.restore)
        counters = milliseconds(host.counters)
        host.close()
        journal.replay()
    return {
        "peers": PEERS,
        "rules": RULES,
        "chains": CHAINS,
        "compile_ms": compiled,
        "first_ms": first,
        "again_ms": again,
        "move_ms": sorted(moves)[len(moves) // 2],
        "counters_ms": counters,
    }


def main() -> None:
    """Measure in a namespace of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    namespace = f"qzbench{os.getpid()}"
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    try:
        netns.pushns(namespace)
        figures = measure()
        netns.popns()
    finally:
        subprocess.run(["ip", "netns", "del", namespace], check=True)
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        print("\n".join(f"{name:<12} {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
