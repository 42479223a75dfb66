"""The netmap: what one machine must know of its network, and the deltas that keep it true.

Unknown JSON fields are dropped, so that an old agent understands a newer control plane.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from wire.binary import WireError, decode_key
from wire.documents import MAX_ENTRIES, build, entries, mapping, texts
from wire.filter import BlockedIps, PacketFilter
from wire.naming import Dns, DnsBlocklist
from wire.numbers import (
    ED25519_SIGNATURE_BYTES,
    MLKEM768_PUBLIC_KEY_BYTES,
    RELAY_PORT,
    STUN_PORT,
    X25519_KEY_BYTES,
)

MAX_ENDPOINTS = 32
MAX_ROUTES = 1000


@dataclass(frozen=True, slots=True)
class SelfNode:
    """The machine itself. status: online, offline, pending or quarantined.

    approved_routes: those of advertised_routes that it may carry. routes_allowed, exit_nodes_allowed:
    whether the organisation lets machines offer them.
    """

    machine_id: str
    name: str
    magicdns_name: str
    tailnet_ip: str
    tailnet_ipv6: str | None = None
    status: str = "online"
    quarantine_reason: str | None = None
    tags: tuple[str, ...] = ()
    shields_up: bool = False
    advertised_routes: tuple[str, ...] = ()
    approved_routes: tuple[str, ...] = ()
    advertise_exit_node: bool = False
    exit_node_approved: bool = False
    routes_allowed: bool = True
    exit_nodes_allowed: bool = True


@dataclass(frozen=True, slots=True)
class Peer:
    """A machine that this one may reach or be reached by. Keys are padded base64.

    routes: networks behind it that it may carry; several peers may name the same. exit_node: it may
    carry everything else. inbound: chain of the packet filter that judges what comes from it, None for
    nothing at all.
    """

    machine_id: str
    name: str
    magicdns_name: str
    tailnet_ip: str
    wireguard_public_key: str
    disco_public_key: str | None = None
    mlkem_public_key: str | None = None
    identity_public_key: str | None = None
    identity_signature: str | None = None
    tailnet_ipv6: str | None = None
    os: str = "unknown"
    online: bool = False
    last_seen: str | None = None
    endpoints: tuple[str, ...] = ()
    derp_region: str | None = None
    tags: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    exit_node: bool = False
    inbound: str | None = None
    owner_email: str | None = None


@dataclass(frozen=True, slots=True)
class RelayRegion:
    """Where a relay and its STUN server listen. Lower priority is preferred at equal latency."""

    region_code: str
    region_name: str
    hostname: str
    ipv4: str | None = None
    ipv6: str | None = None
    stun_port: int = STUN_PORT
    derp_port: int = RELAY_PORT
    priority: int = 100


@dataclass(frozen=True, slots=True)
class Netmap:
    """One version of the map. peers is keyed by machine id."""

    version: int
    self_node: SelfNode
    peers: Mapping[str, Peer] = field(default_factory=dict)
    relays: tuple[RelayRegion, ...] = ()
    dns: Dns | None = None
    packet_filter: PacketFilter | None = None
    dns_blocklist: DnsBlocklist | None = None
    blocked_ips: BlockedIps | None = None

    def to_json(self) -> dict[str, Any]:
        """The document as it travels (`self`, not `self_node`; peers as a list)."""
        return {
            "version": self.version,
            "self": asdict(self.self_node),
            "peers": [asdict(peer) for peer in self.peers.values()],
            "relays": [asdict(region) for region in self.relays],
            **_parts_to_json(self),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Netmap":
        """Parse a full map; WireError names the first thing that is wrong."""
        peers = _parse_peers(document.get("peers"))
        return cls(
            version=_version(document.get("version")),
            self_node=build(SelfNode, document.get("self")),
            peers={peer.machine_id: peer for peer in peers},
            relays=_parse_relays(document.get("relays")),
            **_parse_parts(document),
        )

    def apply(self, delta: "NetmapDelta") -> "Netmap":
        """The next map; WireError unless the delta starts at this version."""
        if delta.from_version != self.version:
            raise WireError(f"delta starts at {delta.from_version}, map is at {self.version}")
        peers = {key: peer for key, peer in self.peers.items() if key not in delta.remove}
        peers.update({peer.machine_id: peer for peer in delta.upsert})
        for key, chain in delta.inbound.items():
            if key in peers:
                peers[key] = replace(peers[key], inbound=chain)
        return replace(
            self,
            version=delta.to_version,
            self_node=delta.self_node or self.self_node,
            peers=peers,
            relays=self.relays if delta.relays is None else delta.relays,
            dns=delta.dns or self.dns,
            packet_filter=delta.packet_filter or self.packet_filter,
            dns_blocklist=delta.dns_blocklist or self.dns_blocklist,
            blocked_ips=delta.blocked_ips or self.blocked_ips,
        )


@dataclass(frozen=True, slots=True)
class NetmapDelta:
    """What changed between two versions. None means: as before. inbound: peers that got another chain."""

    from_version: int
    to_version: int
    upsert: tuple[Peer, ...] = ()
    remove: frozenset[str] = frozenset()
    inbound: Mapping[str, str | None] = field(default_factory=dict)
    self_node: SelfNode | None = None
    relays: tuple[RelayRegion, ...] | None = None
    dns: Dns | None = None
    packet_filter: PacketFilter | None = None
    dns_blocklist: DnsBlocklist | None = None
    blocked_ips: BlockedIps | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it changes nothing but the version."""
        return self == NetmapDelta(self.from_version, self.to_version)

    def to_json(self) -> dict[str, Any]:
        """The document as it travels."""
        document: dict[str, Any] = {
            "from": self.from_version,
            "to": self.to_version,
            "peers": {"upsert": [asdict(peer) for peer in self.upsert], "remove": sorted(self.remove)},
        }
        if self.inbound:
            document["peers"]["inbound"] = dict(self.inbound)
        if self.self_node:
            document["self"] = asdict(self.self_node)
        if self.relays is not None:
            document["relays"] = [asdict(region) for region in self.relays]
        return document | _parts_to_json(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "NetmapDelta":
        """Parse a delta; WireError names the first thing that is wrong."""
        changes = mapping(document.get("peers"))
        own, relays = document.get("self"), document.get("relays")
        return cls(
            from_version=_version(document.get("from")),
            to_version=_version(document.get("to")),
            upsert=tuple(_parse_peers(changes.get("upsert"))),
            remove=frozenset(texts(changes.get("remove"))),
            inbound=_parse_inbound(changes.get("inbound")),
            self_node=build(SelfNode, own) if own else None,
            relays=None if relays is None else _parse_relays(relays),
            **_parse_parts(document),
        )


def _version(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise WireError("netmap version must be a whole number")
    return value


def _parts_to_json(holder: "Netmap | NetmapDelta") -> dict[str, Any]:
    """The optional parts that maps and deltas carry alike; an absent one stays as it was."""
    parts: dict[str, Any] = {}
    if holder.packet_filter:
        parts["packet_filter"] = holder.packet_filter.to_json()
    for name in ("dns", "dns_blocklist", "blocked_ips"):
        if part := getattr(holder, name):
            parts[name] = asdict(part)
    return parts


def _parse_parts(document: Mapping[str, Any]) -> dict[str, Any]:
    parsers = {
        "dns": Dns.from_json,
        "packet_filter": PacketFilter.from_json,
        "dns_blocklist": DnsBlocklist.from_json,
        "blocked_ips": BlockedIps.from_json,
    }
    return {name: parse(document[name]) for name, parse in parsers.items() if document.get(name)}


def _parse_relays(value: Any) -> tuple[RelayRegion, ...]:
    return tuple(build(RelayRegion, entry) for entry in entries(value))


def _parse_inbound(value: Any) -> dict[str, str | None]:
    chains = dict(mapping(value, limit=MAX_ENTRIES))
    if not all(chain is None or isinstance(chain, str) for chain in chains.values()):
        raise WireError("chains are named by text")
    return chains


def _parse_peers(value: Any) -> list[Peer]:
    peers = [build(Peer, entry) for entry in entries(value)]
    for peer in peers:
        _check_peer(peer)
    return peers


def _check_peer(peer: Peer) -> None:
    """Sizes of keys and lists: what passes here may go to WireGuard."""
    decode_key(peer.wireguard_public_key, X25519_KEY_BYTES)
    for value, size in (
        (peer.disco_public_key, X25519_KEY_BYTES),
        (peer.mlkem_public_key, MLKEM768_PUBLIC_KEY_BYTES),
        (peer.identity_public_key, X25519_KEY_BYTES),
        (peer.identity_signature, ED25519_SIGNATURE_BYTES),
    ):
        if value is not None:
            decode_key(value, size)
    if len(peer.endpoints) > MAX_ENDPOINTS:
        raise WireError("peer has too many endpoints")
    if len(peer.routes) > MAX_ROUTES:
        raise WireError("peer has too many routes")
    try:
        ipaddress.IPv4Address(peer.tailnet_ip)
        if peer.tailnet_ipv6 is not None:
            ipaddress.IPv6Address(peer.tailnet_ipv6)
        for route in peer.routes:
            ipaddress.ip_network(route)
    except ValueError as error:
        raise WireError(f"peer {peer.machine_id}: {error}") from None
