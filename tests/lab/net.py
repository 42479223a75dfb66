"""The lab: an internet that is one bridge, hosts on it, and hosts behind NATs.

    with Lab() as lab:
        server = lab.public_host("server")
        alpha = lab.private_host("alpha", lab.nat(Nat.PORT_RESTRICTED))

Everything lives in network namespaces named after this process and goes with it; namespaces of a
lab that was killed are removed by the next one. Needs root.
"""

import ipaddress
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import IO

PREFIX = "qzlab"
# TEST-NET-3 (RFC 5737): addresses that nobody can take for real ones.
INTERNET = ipaddress.ip_network("203.0.113.0/24")
NETNS_FILES = Path("/etc/netns")
RESOLV_CONF = "# of the lab\nnameserver 192.0.2.53\n"


class Nat(StrEnum):
    """How a NAT maps and filters (RFC 4787 terms in the comments)."""

    PORT_RESTRICTED = "port-restricted"  # endpoint-independent mapping, address and port filtering
    SYMMETRIC = "symmetric"  # address- and port-dependent mapping
    FULL_CONE = "full-cone"  # endpoint-independent mapping and filtering


class LabError(RuntimeError):
    """A namespace, link or rule could not be made."""


class Host:
    """One namespace. address is its own one; router is the NAT that it sits behind, if any."""

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
    """A NAT between the internet and one private network."""

    def __init__(self, lab: "Lab", name: str, outside: str, inside: ipaddress.IPv4Network, kind: Nat) -> None:
        super().__init__(lab, name, outside)
        self.kind, self.inside = kind, inside

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
    """A small internet. Use as a context manager."""

    def __init__(self) -> None:
        self.id = f"{PREFIX}{os.getpid()}"
        self.processes: list[subprocess.Popen[bytes]] = []
        self._namespaces: list[str] = []
        self._addresses: Iterator[ipaddress.IPv4Address] = INTERNET.hosts()
        self._networks = ipaddress.ip_network("192.168.0.0/16").subnets(new_prefix=24)
        self._links = 0
        self._owner = os.getpid()

    def __enter__(self) -> "Lab":
        remove_stale()
        try:
            self._wan = self._namespace("wan")
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

    def public_host(self, name: str) -> Host:
        """A host with an address of the internet."""
        host = Host(self, name, str(next(self._addresses)))
        self._namespace(name)
        self._plug(host.namespace, "eth0", host.address)
        return host

    def nat(self, kind: Nat, name: str | None = None) -> Router:
        """A NAT with an internet address and a private network of its own."""
        inside = next(self._networks)
        router = Router(
            self, name or f"nat{inside.network_address.packed[2]}", str(next(self._addresses)), inside, kind
        )
        self._namespace(router.name)
        self._plug(router.namespace, "wan", router.address)
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        router.nft(_nat_rules(kind))
        return router

    def private_host(self, name: str, router: Router) -> Host:
        """The host behind a NAT, at .10 of its network; the NAT is .1."""
        gateway, address = router.inside[1], router.inside[10]
        host = Host(self, name, str(address), router)
        self._namespace(name)
        self._link(host.namespace, "eth0", router.namespace, "lan")
        self._ip("-n", router.namespace, "addr", "add", f"{gateway}/24", "dev", "lan")
        self._ip("-n", router.namespace, "link", "set", "lan", "up")
        self._ip("-n", host.namespace, "addr", "add", f"{address}/24", "dev", "eth0")
        self._ip("-n", host.namespace, "link", "set", "eth0", "up")
        self._ip("-n", host.namespace, "route", "add", "default", "via", str(gateway))
        if router.kind is Nat.FULL_CONE:
            router.nft(_forward_all(str(address)))
        return host

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

    def _plug(self, namespace: str, interface: str, address: str) -> None:
        port = f"p{self._links}"
        self._link(namespace, interface, self._wan, port)
        self._ip("-n", self._wan, "link", "set", port, "master", "lan0", "up")
        self._ip("-n", namespace, "addr", "add", f"{address}/{INTERNET.prefixlen}", "dev", interface)
        self._ip("-n", namespace, "link", "set", interface, "up")

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


def _nat_rules(kind: Nat) -> str:
    # New packets that arrive outside are dropped in input too: an early probe would otherwise
    # leave a conntrack entry that makes masquerade choose another port for our own flow.
    how = "masquerade random,fully-random" if kind is Nat.SYMMETRIC else "masquerade"
    strangers = "" if kind is Nat.FULL_CONE else 'iifname "wan" ct state new drop'
    return f"""
        table ip nat {{
            chain out {{
                type nat hook postrouting priority 100;
                oifname "wan" {how}
            }}
        }}
        table ip guard {{
            chain arrive {{
                type filter hook input priority 0;
                iifname "wan" ct state new drop
            }}
            chain pass {{
                type filter hook forward priority 0;
                {strangers}
            }}
        }}
        """


def _forward_all(address: str) -> str:
    return f"""
        table ip cone {{
            chain arrive {{
                type nat hook prerouting priority -100;
                iifname "wan" meta l4proto udp dnat to {address}
            }}
        }}
        """


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
