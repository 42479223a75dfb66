"""Throughput of a direct path: the daemon's tunnel against the same wireguard-go set up by hand.

Two hosts of the lab have both tunnels at once, so both pay for the host's connection tracking; two
more hosts have only the one set up by hand and no packet filter at all ("clean"). Short rounds of
iperf3 take turns between the three, so that whatever else this machine does falls on all alike; a
ratio is the median of the rounds' own ratios.
"""

import argparse
import json
import operator
import os
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.io.wireguard_go import UAPI_DIRECTORY
from tests.bench.measure import cpu_seconds, finish, progress
from tests.lab.net import Host
from tests.lab.site import Machine, site, wait_until
from wire.numbers import TUNNEL_MTU

PORT = 21820
ADDRESSES = ("192.168.77.1", "192.168.77.2")
Figures, Ratios = dict[str, Any], dict[str, float]


def configure(interface: str, text: str) -> None:
    """One `set` of wireguard-go's UAPI, as an operator's script would do it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(UAPI_DIRECTORY / f"{interface}.sock"))
        connection.sendall(f"set=1\n{text}\n\n".encode())
        assert connection.recv(100) == b"errno=0\n\n"


def by_hand(hosts: tuple[Host, Host], log: Any) -> None:
    """A plain tunnel between two hosts, with a pre-shared key and the product's MTU."""
    keys = [X25519PrivateKey.generate() for _ in hosts]
    psk = os.urandom(32).hex()
    for number, host in enumerate(hosts):
        other = 1 - number
        # Control sockets of wireguard-go live in one directory for all namespaces of a host.
        interface = f"qb{os.getpid() % 100_000}{host.name[:4]}{host.name[-1]}"
        host.spawn(["wireguard-go", "-f", interface], log=log, env={"LOG_LEVEL": "error"})
        wait_until((UAPI_DIRECTORY / f"{interface}.sock").exists, "wireguard-go", 5, pause=0.02)
        settings = {
            "private_key": keys[number].private_bytes_raw().hex(),
            "listen_port": PORT,
            "public_key": keys[other].public_key().public_bytes_raw().hex(),
            "preshared_key": psk,
            "endpoint": f"{hosts[other].address}:{PORT}",
            "allowed_ip": f"{ADDRESSES[other]}/32",
        }
        configure(interface, "\n".join(f"{name}={value}" for name, value in settings.items()))
        host.run("ip", "link", "set", interface, "mtu", str(TUNNEL_MTU), "up")
        host.run("ip", "addr", "add", f"{ADDRESSES[number]}/24", "dev", interface)


def throughput(client: Host, server: Host, address: str, seconds: int, log: Any) -> float:
    """Mbit/s of one TCP stream to address."""
    listener = server.spawn(["iperf3", "-s", "-1", "-B", address], log=log)
    wait_until(lambda: ":5201 " in server.run("ss", "-Hltn"), "iperf3", 5, pause=0.02)
    output = client.run("iperf3", "-c", address, "-t", str(seconds), "-J", timeout=seconds + 20)
    listener.wait(10)
    return float(json.loads(output)["end"]["sum_received"]["bits_per_second"]) / 1e6


def enrol(running: Any, port: str) -> tuple[Machine, Machine]:
    """Two machines on the open internet, with a direct path between them; port is auto or owned."""
    key = running.auth_key(running.sign_up("Bench"))
    machines = [running.machine(running.lab.public_host(name)) for name in ("left", "right")]
    for machine in machines:
        machine.environment["QUICKZTNA_PORT"] = port
        machine.up(key)

    def direct() -> bool:
        peer = machines[0].peers().get("right")
        return bool(peer) and peer["path"] == "direct" and peer["pqc"]["state"] == "verified"

    wait_until(direct, "a direct path", 60, pause=0.5)
    return machines[0], machines[1]


def measure(left: Machine, right: Machine, log: Any, *, rounds: int, seconds: int) -> tuple[Figures, Ratios]:
    """Figures of the three tunnels, in turns."""
    lab = left.host.lab
    both, clean = (left.host, right.host), (lab.public_host("cleanl"), lab.public_host("cleanr"))
    for hosts in (both, clean):
        by_hand(hosts, log)
    targets = {
        "bare": (both, ADDRESSES[1]),
        "daemon": (both, left.ztna("ip", "right").strip()),
        "clean": (clean, ADDRESSES[1]),
    }
    found: dict[str, list[float]] = {name: [] for name in targets}
    daemon_pid = int((left.directory / "ztna.pid").read_text())
    cpu, elapsed = 0.0, 0.0
    for number in range(rounds):
        first = number % len(targets)
        names = list(targets)[first:] + list(targets)[:first]
        for name in names if number % 2 else reversed(names):
            before, began = cpu_seconds(daemon_pid), time.monotonic()
            hosts, address = targets[name]
            found[name].append(throughput(*hosts, address, seconds, log))
            if name == "daemon":
                cpu += cpu_seconds(daemon_pid) - before
                elapsed += time.monotonic() - began
        progress(f"round {number + 1}: " + ", ".join(f"{n} {found[n][-1]:.0f} Mbit/s" for n in targets))
    figures = {
        **{f"{name}_mbit_s": round(statistics.median(values), 1) for name, values in found.items()},
        **{f"{name}_range_mbit_s": [round(min(v), 1), round(max(v), 1)] for name, v in found.items()},
        "daemon_cpu_pct": round(100 * cpu / elapsed, 2),
        "backend": left.json("status")["backend"],
        **_packets_per_call(left, right),
        "rounds": rounds,
        "seconds_a_round": seconds,
    }
    ratios = {
        f"vs_{label}": round(statistics.median(map(operator.truediv, found["daemon"], found[name])), 3)
        for label, name in (("bare_wireguard", "bare"), ("bare_without_filter", "clean"))
    }
    return figures, ratios


def _packets_per_call(left: Machine, right: Machine) -> dict[str, Any]:
    """How many packets the sender's and the receiver's daemon moved in a system call, on an owned port."""
    ways = {"sender": left.json("debug", "metrics"), "receiver": right.json("debug", "metrics")}
    return {
        "port": ways["sender"]["port"],
        "sender_packets_per_call": ways["sender"]["packets_per_call_out"],
        "receiver_packets_per_call": ways["receiver"]["packets_per_call_in"],
    }


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="./dev bench direct", description=__doc__)
    parser.add_argument(
        "--json", action="store_true", help="accepted for symmetry: the last line is always JSON"
    )
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument(
        "--port", choices=("auto", "owned"), default="auto", help="QUICKZTNA_PORT of the agents"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, site(Path(name), progress=progress) as running:
        progress("bringing up two machines")
        left, right = enrol(running, options.port)
        with (Path(name) / "bench.log").open("ab") as log:
            figures, ratios = measure(left, right, log, rounds=options.rounds, seconds=options.seconds)
    finish("direct", figures, ratios)
    return 0


if __name__ == "__main__":
    sys.exit(main())
