"""`./dev lab psk`: pair keys renewed every few seconds under a steady ping, by relay and direct.

A key takes force at WireGuard's own next handshake, every 120 s; so a run of many minutes shows
that each of those found the same key on both sides. On the direct path handshakes are recorded:
five minutes of traffic hold two further ones, spaced as WireGuard does it. The last line is one JSON
object.
"""

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.lab.capture import INITIATIONS, SPACING_SECONDS, Capture, captured
from tests.lab.demo import enrol, settled
from tests.lab.net import LabError, parse_ping
from tests.lab.site import Machine, site, wait_until

RENEWAL_SECONDS = 5
PINGS_PER_SECOND = 50
SAMPLE_SECONDS = 0.25
FIVE_MINUTES = 300
PAIRS = (("alpha", "beta"), ("alpha", "gamma"))


def keyring(machine: Machine, peer: str) -> dict[str, Any]:
    """What a machine's file says of its keys with a peer."""
    public = {entry["name"]: entry["public_key"] for entry in machine.json("peers")}[peer]
    for path in (machine.directory / "psk").glob("*.json"):
        document: dict[str, Any] = json.loads(path.read_text())
        if document["wireguard_public_key"] == public:
            return document
    return {}


class Watch:
    """One pair under load: the ping, and how long the two sides held different keys."""

    def __init__(
        self, machines: dict[str, Machine], a: str, b: str, seconds: float, initiations: Capture
    ) -> None:
        self.ends = {a: machines[a], b: machines[b]}
        self.a, self.b = a, b
        self.longest_difference_s = 0.0
        self.handshakes: set[str] = set()
        self.initiations = initiations
        self.epochs: set[int] = set()
        self._files = [self._file(a, b), self._file(b, a)]
        self._differ_since: float | None = None
        count = str(int(seconds * PINGS_PER_SECOND))
        target = machines[a].ztna("ip", b).strip()
        argv = ["ping", "-n", "-q", "-i", str(1 / PINGS_PER_SECOND), "-c", count, "-W", "5", target]
        self.ping = subprocess.Popen(
            machines[a].host.command(argv), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def sample(self) -> None:
        """Look at both key files."""
        now = time.monotonic()
        first, second = (json.loads(path.read_text())["current"] for path in self._files)
        self.epochs.add(first["epoch"])
        if first == second:
            self._differ_since = None
        else:
            self._differ_since = self._differ_since or now
            self.longest_difference_s = max(self.longest_difference_s, now - self._differ_since)

    def sample_handshake(self) -> None:
        """Note the present session's start."""
        self.handshakes.add(self.ends[self.a].peers()[self.b]["last_handshake"])

    def result(self) -> dict[str, Any]:
        """The pair's figures, once its ping has ended."""
        output, _ = self.ping.communicate(timeout=30)
        return {
            "a": self.a,
            "b": self.b,
            "path": self.ends[self.a].peers()[self.b]["path"],
            **parse_ping(output),
            "renewals": len(self.epochs) - 1,
            "handshakes": len(self.handshakes),
            "handshake_gaps_s": self._gaps(),
            "longest_difference_s": round(self.longest_difference_s, 2),
        }

    def _gaps(self) -> list[float]:
        """Between initiations on the direct path; that of a relayed pair has none."""
        times = [each.at for each in self.initiations.datagrams()]
        return [round(after - before, 1) for before, after in pairwise(times)]

    def _file(self, machine: str, peer: str) -> Path:
        own = self.ends[machine]
        wanted = keyring(own, peer)["wireguard_public_key"]
        return next(
            path
            for path in (own.directory / "psk").glob("*.json")
            if json.loads(path.read_text())["wireguard_public_key"] == wanted
        )


def load(machines: dict[str, Machine], seconds: float) -> list[dict[str, Any]]:
    """Ping along the pairs for so long; the figures of each."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        return _watch(
            [
                Watch(machines, a, b, seconds, stack.enter_context(_initiations(machines, a, b, directory)))
                for a, b in PAIRS
            ]
        )


def _initiations(
    machines: dict[str, Machine], a: str, b: str, directory: Path
) -> contextlib.AbstractContextManager[Capture]:
    """Record the handshakes that two machines begin on the direct path."""
    near, far = machines[a].host.router, machines[b].host.router
    assert near is not None
    assert far is not None
    return captured(near, "wan", f"host {far.address} and {INITIATIONS}", directory / f"{a}-{b}.pcap")


def _watch(watches: list[Watch]) -> list[dict[str, Any]]:
    next_look = time.monotonic()
    while any(watch.ping.poll() is None for watch in watches):
        for watch in watches:
            watch.sample()
        if time.monotonic() >= next_look:
            next_look += 30
            for watch in watches:
                watch.sample_handshake()
        time.sleep(SAMPLE_SECONDS)
    for watch in watches:
        watch.sample_handshake()
    return [watch.result() for watch in watches]


def spaced(gaps: list[float], seconds: float) -> bool:
    """Whether handshakes under so much traffic are as rare, and as frequent, as WireGuard makes them."""
    least, most = SPACING_SECONDS
    return all(least < gap < most for gap in gaps) and len(gaps) >= 2 * seconds // FIVE_MINUTES - 1


def exchanges(machine: Machine) -> int:
    """How often a machine agreed on a key through the control plane."""
    log = (machine.directory / "ztna.log").read_text()
    return len(re.findall(r"psk installed peer=", log))


@contextlib.contextmanager
def network(directory: Path) -> Iterator[dict[str, Machine]]:
    """Three machines whose pair keys are renewed every few seconds."""
    with site(directory) as running:
        account = running.sign_up("Lab")
        machines = enrol(running, account, {"QUICKZTNA_PSK_SECONDS": str(RENEWAL_SECONDS)})
        wait_until(lambda: settled(machines), "a hybrid path between every pair", 60, pause=0.5)
        yield machines


def main() -> int:
    """Run and print; the status is 1 when a packet was lost or keys differed for too long."""
    parser = argparse.ArgumentParser(prog="./dev lab psk", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument(
        "--json", action="store_true", help="accepted for symmetry: the last line is always JSON"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, network(Path(name)) as machines:
        pairs = load(machines, options.minutes * 60)
        through_control_plane = sum(exchanges(machine) for machine in machines.values()) // 2
    ok = all(pair["lost"] == 0 and pair["longest_difference_s"] < 60 for pair in pairs) and all(
        spaced(pair["handshake_gaps_s"], options.minutes * 60) for pair in pairs if pair["path"] == "direct"
    )
    print(json.dumps({"ok": ok, "pairs": pairs, "exchanges": through_control_plane}))
    return 0 if ok else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"lab: {error}")
