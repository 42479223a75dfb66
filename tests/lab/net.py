"""The lab: an internet that is one bridge, hosts on it, and hosts behind NATs.

    with Lab() as lab:
        server = lab.public_host("server")
        alpha = lab.private_host("alpha", lab.nat(Nat.PORT_RESTRICTED))

Everything lives in network namespaces named after this process and goes with it; namespaces of a
lab that was killed are removed by the next one. Needs root.
"""

import ipaddress
import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO

from tests.lab.delay import Link
from tests.lab.nats import STATEFUL_FIREWALL, Nat, inward, rules

PREFIX = "qzlab"
# TEST-NET-3 (RFC 5737): addresses that nobody can take for real ones.
INTERNET = ipaddress.ip_network("203.0.113.0/24")
# The documentation prefix (RFC 3849), its hosts numbered as in IPv4.
INTERNET6 = ipaddress.ip_network("2001:db8::/64")
QUIET_IPV6 = [f"net.ipv6.conf.{which}.disable_ipv6=1" for which in ("all", "default")]
ROOT = Path(__file__).resolve().parents[2]
NETNS_FILES = Path("/etc/netns")
RESOLV_CONF = "# of the lab\nnameserver 192.0.2.53\n"


class LabError(RuntimeError):
    """A namespace, link or rule could not be made."""


class Host:
    """One namespace. address and address6 are its own; router is the NAT that it sits behind, if any."""

    address6: str | None = None

    def __init__(self, lab: "Lab", name: str, address: str, router: "Router | None" = None) -> None:
        self.lab, self.name, self.address, self.router = lab, name, address, router
        self.namespace = lab.namespace(name)

    def command(self, argv: Sequence[str]) -> list[str]:
        """The argument vector that runs argv inside this host."""
        return ["ip", "netns", "exec", self.namespace, *argv]

    def run(
        self, *argv: str, timeout: float = 30, check: bool = True, env: Mapping[str, str] | None = None
    ) -> str:
        """Run a command to its end and return its standard output."""
        result = subprocess.run(
            self.command(argv), capture_output=True, text=True, timeout=timeout, env=_environment(env)
        )
        if check and result.returncode:
            raise LabError(f"{self.name}: {' '.join(argv)}: {result.stderr.strip() or result.stdout.strip()}")
        return result.stdout

    def spawn(
        self,
        argv: Sequence[str],
        *,
        log: IO[bytes],
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start a command; the lab ends it when it closes."""
        process = subprocess.Popen(
            self.command(argv),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(env),
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
        self.lab.processes.append(process)
        return process

    def nft(self, rules: str) -> None:
        """Apply nftables rules in one transaction."""
        result = subprocess.run(
            self.command(["nft", "-f", "-"]), input=rules, capture_output=True, text=True, timeout=10
        )
        if result.returncode:
            raise LabError(f"{self.name}: nft: {result.stderr.strip()}")


class Router(Host):
    """A NAT between the internet, or another NAT, and a private network for each host behind it."""

    def __init__(self, lab: "Lab", name: str, outside: str, kind: Nat, outer: "Router | None") -> None:
        super().__init__(lab, name, outside, outer)
        self.kind = kind
        self.inside: list[ipaddress.IPv4Network] = []

    def block_udp(self, other: "Router") -> None:
        """Drop every UDP packet between this NAT and another one, both ways."""
        self.nft(
            f"""table ip cut {{
                chain pass {{
                    type filter hook forward priority -10; policy accept;
                    oifname "wan" meta l4proto udp ip daddr {other.address} drop
                    iifname "wan" meta l4proto udp ip saddr {other.address} drop
                }}
            }}"""
        )

    def unblock(self) -> None:
        """Take the block back."""
        self.nft("table ip cut\ndelete table ip cut\n")


class Lab:
    """A small internet. Use as a context manager.

    link is what lies between any two hosts of the internet, one way; half of it is on the line of each.
    """

    def __init__(self, link: Link | None = None) -> None:
        self.link = link
        self.id = f"{PREFIX}{os.getpid()}"
        self.processes: list[subprocess.Popen[bytes]] = []
        self._namespaces: list[str] = []
        self._numbers = iter(range(1, INTERNET.num_addresses - 1))
        self._names = itertools.count()
        self._networks = ipaddress.ip_network("192.168.0.0/16").subnets(new_prefix=24)
        self._links = 0
        self._owner = os.getpid()

    def __enter__(self) -> "Lab":
        remove_stale()
        try:
            self._wan = self._namespace("wan")
            # Frames only pass through: an address of its own would answer for others.
            self._ip("netns", "exec", self._wan, "sysctl", "-qw", *QUIET_IPV6)
            self._ip("-n", self._wan, "link", "add", "lan0", "type", "bridge")
            self._ip("-n", self._wan, "link", "set", "lan0", "up")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def namespace(self, name: str) -> str:
        """Name of a host's namespace."""
        return f"{self.id}-{name}"

    def public_host(
        self, name: str, *, ipv4: bool = True, ipv6: bool = False, firewall: bool = False
    ) -> Host:
        """A host with addresses of the internet; firewall lets in only answers."""
        number = next(self._numbers)
        host = Host(self, name, str(INTERNET[number]))
        self._namespace(name)
        if ipv6:
            host.address6 = str(INTERNET6[number])
        self._plug(host.namespace, "eth0", host.address if ipv4 else None, host.address6)
        if firewall:
            host.nft(STATEFUL_FIREWALL)
        return host

    def nat(
        self,
        kind: Nat,
        name: str | None = None,
        *,
        outer: "Router | None" = None,
        link: Link | None = None,
    ) -> Router:
        """A NAT on the internet, or behind another NAT. link: what its line adds."""
        number = None if outer else next(self._numbers)
        outside = str(INTERNET[number]) if number else ""
        router = Router(self, name or f"nat{next(self._names)}", outside, kind, outer)
        self._namespace(router.name)
        if outer is None:
            self._plug(router.namespace, "wan", router.address, None, link)
        else:
            router.address = self._attach(router.namespace, "wan", outer)
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        router.nft(rules(kind))
        return router

    def private_host(self, name: str, router: Router, lan: ipaddress.IPv4Network | None = None) -> Host:
        """A host behind a NAT, at .10 of a network of its own; the NAT is .1.

        lan: that network, which other NATs may have as well, as homes have 192.168.1.0/24.
        """
        host = Host(self, name, "", router)
        self._namespace(name)
        host.address = self._attach(host.namespace, "eth0", router, lan)
        more = inward(router.kind, host.address, len(router.inside) - 1, router.address)
        if more:
            router.nft(more)
        return host

    def second_line(self, host: Host, router: Router, interface: str) -> str:
        """Another interface of a host, behind another router and down; the gateway's address there."""
        self._attach(host.namespace, interface, router)
        host.run("ip", "link", "set", interface, "down")
        return str(router.inside[-1][1])

    def close(self) -> None:
        """End every process and remove every namespace; safe to call twice."""
        if os.getpid() != self._owner:
            return
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()
        for namespace in reversed(self._namespaces):
            _remove(namespace)
        self._namespaces.clear()

    def _namespace(self, name: str) -> str:
        namespace = self.namespace(name)
        self._ip("netns", "add", namespace)
        self._namespaces.append(namespace)
        self._ip("-n", namespace, "link", "set", "lo", "up")
        # Mounted over /etc/resolv.conf by `ip netns exec`: an agent never touches this machine's own.
        resolver = NETNS_FILES / namespace / "resolv.conf"
        resolver.parent.mkdir(parents=True, exist_ok=True)
        resolver.write_text(RESOLV_CONF)
        return namespace

    def _plug(
        self,
        namespace: str,
        interface: str,
        address: str | None,
        address6: str | None,
        link: Link | None = None,
    ) -> None:
        """Put a line from the namespace to the internet."""
        port = f"p{self._links}"
        self._link(namespace, interface, self._wan, port)
        for each in filter(None, (self.link and self.link.half(), link)):
            port = self._slow(port, each)
        self._ip("-n", self._wan, "link", "set", port, "master", "lan0", "up")
        if address:
            self._ip("-n", namespace, "addr", "add", f"{address}/{INTERNET.prefixlen}", "dev", interface)
        if address6:
            where = (f"{address6}/{INTERNET6.prefixlen}", "dev", interface, "nodad")
            self._ip("-n", namespace, "addr", "add", *where)
        self._ip("-n", namespace, "link", "set", interface, "up")

    def _slow(self, port: str, link: Link) -> str:
        """Continue a line by a slow one; the port at its far end."""
        near, far = f"{port}a", f"{port}b"
        self._link(self._wan, near, self._wan, far)
        for interface in (port, near):
            self._ip("-n", self._wan, "link", "set", interface, "up")
        command = [sys.executable, "-m", "tests.lab.delay", port, near, *link.arguments()]
        self.processes.append(
            subprocess.Popen(["ip", "netns", "exec", self._wan, *command], cwd=ROOT, start_new_session=True)
        )
        return far

    def _attach(
        self, namespace: str, interface: str, router: Router, network: ipaddress.IPv4Network | None = None
    ) -> str:
        """Put a namespace behind a router, in a network of its own; its address there."""
        inside = network or next(self._networks)
        lan = f"lan{len(router.inside)}"
        router.inside.append(inside)
        self._link(namespace, interface, router.namespace, lan)
        self._ip("-n", router.namespace, "addr", "add", f"{inside[1]}/24", "dev", lan)
        self._ip("-n", router.namespace, "link", "set", lan, "up")
        self._ip("-n", namespace, "addr", "add", f"{inside[10]}/24", "dev", interface)
        self._ip("-n", namespace, "link", "set", interface, "up")
        self._ip("-n", namespace, "route", "replace", "default", "via", str(inside[1]))
        return str(inside[10])

    def _link(self, namespace: str, interface: str, other: str, other_interface: str) -> None:
        self._links += 1
        self._ip(
            *("-n", namespace, "link", "add", interface, "type", "veth"),
            *("peer", "name", other_interface, "netns", other),
        )

    def _ip(self, *arguments: str) -> None:
        result = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=15)
        if result.returncode:
            raise LabError(f"ip {' '.join(arguments)}: {result.stderr.strip()}")


def remove_stale() -> None:
    """Remove namespaces of labs whose process is gone."""
    listing = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, timeout=10).stdout
    for namespace, pid in re.findall(rf"^({PREFIX}(\d+)-\S+)", listing, re.MULTILINE):
        if not Path(f"/proc/{pid}").exists():
            _remove(namespace)


def _remove(namespace: str) -> None:
    found = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, timeout=10)
    if found.stdout.split():
        subprocess.run(["kill", "-9", *found.stdout.split()], capture_output=True, timeout=10)
    subprocess.run(["ip", "netns", "del", namespace], capture_output=True, timeout=10)
    shutil.rmtree(NETNS_FILES / namespace, ignore_errors=True)


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **(extra or {})}


@contextmanager
def loss_counter(host: Host, target: str, *, interval: float = 0.05) -> Iterator[dict[str, float]]:
    """Ping target from host while the block runs; afterwards the dict holds sent, lost, rtt_ms."""
    figures: dict[str, float] = {}
    process = subprocess.Popen(
        host.command(["ping", "-n", "-i", str(interval), "-W", "2", target]),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield figures
    finally:
        process.send_signal(2)
        output, _ = process.communicate(timeout=10)
        figures.update(parse_ping(output))


def parse_ping(output: str) -> dict[str, float]:
    """sent, received, lost, loss_pct and the mean rtt_ms (absent without any answer)."""
    counts = re.search(r"(\d+) packets transmitted, (\d+) (?:packets )?received", output)
    if counts is None:
        return {"sent": 0, "received": 0, "lost": 0, "loss_pct": 100.0}
    sent, received = int(counts[1]), int(counts[2])
    figures = {
        "sent": float(sent),
        "received": float(received),
        "lost": float(sent - received),
        "loss_pct": round(100.0 * (sent - received) / sent, 2) if sent else 100.0,
    }
    times = re.search(r"= [\d.]+/([\d.]+)/", output)
    if times:
        figures["rtt_ms"] = float(times[1])
    return figures
