"""What `ztna netcheck` finds out: the network between this host and the relays.

Everything runs at once and is bounded, so that a dead network is reported within ten seconds.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.io.port import SO_MARK
from agent.io.stun import Reflection, StunClient
from agent.portmap.gateway import default_gateway, portmap_protocols
from relay.client import handshake
from relay.tls import TlsError
from wire.binary import Endpoint
from wire.netmap import RelayRegion
from wire.stun import TXID_BYTES, binding_request

RELAY_SECONDS = 5.0
HAIRPIN_SECONDS = 0.5


@dataclass(slots=True)
class Survey:
    """What was seen. Latencies in ms; None is unknown."""

    addresses: tuple[str, ...] = ()
    reflections: Sequence[Reflection] = ()
    hairpinning: bool | None = None
    portmap: list[str] = field(default_factory=list)
    relay: dict[str, Any] | None = None
    mtu: int | None = None
    captive_portal: bool | None = None


class Probe(asyncio.DatagramProtocol):
    """A UDP socket of our own that asks STUN servers; the daemon's port is left alone."""

    def __init__(self) -> None:
        self.stun = StunClient(self.send)
        self._expected: dict[bytes, asyncio.Event] = {}
        self._transports: dict[bool, asyncio.DatagramTransport] = {}

    async def open(self, mark: int) -> None:
        """One socket for each address family that the host has."""
        loop = asyncio.get_running_loop()
        for family, anywhere in ((socket.AF_INET, ""), (socket.AF_INET6, "::")):
            with contextlib.suppress(OSError):
                own = socket.socket(family, socket.SOCK_DGRAM)
                with contextlib.suppress(OSError):
                    # Beside an exit node's tunnel, where the right is there to say so.
                    own.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
                if family == socket.AF_INET6:
                    own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                own.bind((anywhere, 0))
                transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=own)
                self._transports[family == socket.AF_INET6] = transport

    def expect(self, packet: bytes) -> asyncio.Event:
        """Set when exactly this packet arrives."""
        return self._expected.setdefault(packet, asyncio.Event())

    def send(self, endpoint: Endpoint, packet: bytes) -> None:
        """Put a packet on the wire, if there is a socket for its family."""
        if transport := self._transports.get(":" in endpoint.host):
            transport.sendto(packet, (endpoint.host, endpoint.port))

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """An answer, or our own packet that came back through the NAT."""
        if arrival := self._expected.get(data):
            arrival.set()
        self.stun.receive(data, Endpoint(str(addr[0]), int(addr[1])))

    def error_received(self, exc: Exception) -> None:
        """No route, or refused: that server simply does not answer."""

    def close(self) -> None:
        """Close the sockets."""
        for transport in self._transports.values():
            transport.close()


async def survey(
    regions: Sequence[RelayRegion], *, addresses: Sequence[str], ca_file: str | None, mark: int
) -> Survey:
    """Look at everything; never raises for a network that is broken."""
    probe = Probe()
    await probe.open(mark)
    gateway = default_gateway()
    try:
        reflections, portmap = await asyncio.gather(
            probe.stun.survey(regions), portmap_protocols(gateway[0]) if gateway else _nothing()
        )
        nearest = _nearest(reflections, regions)
        relay, hairpinning = await asyncio.gather(
            check_relay(nearest, ca_file=ca_file) if nearest else _nothing(),
            _hairpinning(probe, reflections, addresses),
        )
    finally:
        probe.close()
    return Survey(
        addresses=tuple(addresses),
        reflections=reflections,
        hairpinning=hairpinning,
        portmap=portmap or [],
        relay=relay,
        mtu=_mtu(gateway[1]) if gateway else None,
    )


async def check_relay(region: RelayRegion, *, ca_file: str | None) -> dict[str, Any]:
    """{"ok", "version", "group", "ms", "error"} of a TLS handshake with a region's relay."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(RELAY_SECONDS):
            group = await handshake(
                region.hostname,
                region.derp_port,
                [address for address in (region.ipv4, region.ipv6) if address],
                ca_file=ca_file,
            )
    except (OSError, TimeoutError, TlsError) as error:
        reason = str(error) or "no answer"
        return {"ok": False, "version": None, "group": None, "ms": None, "error": reason}
    elapsed = round((time.monotonic() - began) * 1000, 1)
    # Client and relay speak TLS 1.3 or not at all.
    return {"ok": True, "version": "TLSv1.3", "group": group, "ms": elapsed, "error": None}


def document(found: Survey, regions: Sequence[RelayRegion]) -> dict[str, Any]:
    """The JSON of `ztna netcheck`."""
    best: dict[str, float] = {}
    for reflection in found.reflections:
        best[reflection.region] = min(best.get(reflection.region, 1e9), reflection.latency_ms)
    mapped4 = [item.mapped for item in found.reflections if ":" not in item.mapped.host]
    mapped6 = [item.mapped for item in found.reflections if ":" in item.mapped.host]
    varies = len(set(mapped4)) > 1 if len(mapped4) > 1 else None
    nearest = _nearest(found.reflections, regions)
    public = next(iter(mapped4 or mapped6), None)
    lines = [
        {
            "code": region.region_code,
            "name": region.region_name,
            "stun_ms": round(best[region.region_code], 2) if region.region_code in best else None,
            "ok": region.region_code in best,
        }
        for region in regions
    ]
    answer: dict[str, Any] = {
        "udp": bool(found.reflections),
        "ipv4": mapped4[0].host if mapped4 else None,
        "ipv6": mapped6[0].host if mapped6 else None,
        "public_ip": public.host if public else None,
        "public_port": public.port if public else None,
        "nat_type": _nat_type(found, public, varies),
        "mapping_varies": varies,
        "hairpinning": found.hairpinning,
        "portmap": found.portmap,
        "mtu": found.mtu,
        "captive_portal": found.captive_portal,
        "regions": lines,
        "nearest_derp": nearest.region_code if nearest else None,
        "stun_status": "ok" if found.reflections else "failed",
        "derp_tls": found.relay,
    }
    return {**answer, "verdict": _verdict(found, answer)}


def _nat_type(found: Survey, public: Endpoint | None, varies: bool | None) -> str:
    """In the words of RFC 4787: how the NAT maps."""
    if public is None:
        return "unknown"
    if public.host in found.addresses:
        return "none"
    if varies is None:
        return "unknown mapping (one STUN server cannot tell)"
    return "address-dependent mapping (symmetric)" if varies else "endpoint-independent mapping"


def _verdict(found: Survey, answer: dict[str, Any]) -> str:
    relay = found.relay is not None and found.relay["ok"]
    if not found.addresses:
        return "No network: this host has no address."
    if found.captive_portal:
        return "A captive portal answers in the control plane's place: sign in to this network first."
    if not answer["udp"]:
        if relay:
            return "UDP is blocked. Peers are reached through relays, which work."
        return "Neither UDP nor a relay can be reached from here."
    if not relay:
        return "UDP works, but the nearest relay does not answer: peers behind hard NATs are out of reach."
    if answer["mapping_varies"] and not found.portmap:
        return "This NAT is symmetric: peers behind another such NAT are reached through relays."
    return "Direct connections should work."


def _nearest(reflections: Sequence[Reflection], regions: Sequence[RelayRegion]) -> RelayRegion | None:
    """The region that answered first; without any answer the one that is preferred."""
    by_code = {region.region_code: region for region in regions}
    answered = [item for item in reflections if item.region in by_code]
    if answered:
        return by_code[min(answered, key=lambda item: item.latency_ms).region]
    return min(regions, key=lambda region: region.priority, default=None)


async def _hairpinning(
    probe: Probe, reflections: Sequence[Reflection], addresses: Sequence[str]
) -> bool | None:
    """Whether the NAT lets us reach ourselves at our outside address; None where there is no NAT."""
    outside = next((item.mapped for item in reflections if ":" not in item.mapped.host), None)
    if outside is None or outside.host in addresses:
        return None
    packet = binding_request(os.urandom(TXID_BYTES))
    other = Probe()
    await other.open(0)
    try:
        arrival = probe.expect(packet)
        other.send(outside, packet)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HAIRPIN_SECONDS):
                await arrival.wait()
        return arrival.is_set()
    finally:
        other.close()


def _mtu(interface: str) -> int | None:
    try:
        return int(Path(f"/sys/class/net/{interface}/mtu").read_text())
    except (OSError, ValueError):
        return None


async def _nothing() -> None:
    return None
