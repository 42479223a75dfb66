"""The netmap: what one machine must know of its network, and the deltas that keep it true.

Unknown JSON fields are dropped, so that an old agent understands a newer control plane.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypeVar

from wire.binary import WireError, decode_key
from wire.numbers import (
    ED25519_SIGNATURE_BYTES,
    MLKEM768_PUBLIC_KEY_BYTES,
    RELAY_PORT,
    STUN_PORT,
    X25519_KEY_BYTES,
)

_T = TypeVar("_T")

MAX_PEERS = 100_000
MAX_ENDPOINTS = 32


@dataclass(frozen=True, slots=True)
class SelfNode:
    """The machine itself. status: online, offline, pending or quarantined."""

    machine_id: str
    name: str
    magicdns_name: str
    tailnet_ip: str
    tailnet_ipv6: str | None = None
    status: str = "online"
    quarantine_reason: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Peer:
    """A machine that this one may reach or be reached by. Keys are padded base64."""

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
class Dns:
    """Naming of the tailnet: domain is `<slug>.zt.net`."""

    domain: str
    magic_dns: bool = True
    nameservers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Netmap:
    """One version of the map. peers is keyed by machine id."""

    version: int
    self_node: SelfNode
    peers: Mapping[str, Peer] = field(default_factory=dict)
    relays: tuple[RelayRegion, ...] = ()
    dns: Dns | None = None

    def to_json(self) -> dict[str, Any]:
        """The document as it travels (`self`, not `self_node`; peers as a list)."""
        return {
            "version": self.version,
            "self": asdict(self.self_node),
            "peers": [asdict(peer) for peer in self.peers.values()],
            "relays": [asdict(region) for region in self.relays],
            "dns": asdict(self.dns) if self.dns else None,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Netmap":
        """Parse a full map; WireError names the first thing that is wrong."""
        peers = _parse_peers(document.get("peers"))
        dns = document.get("dns")
        return cls(
            version=_version(document.get("version")),
            self_node=_build(SelfNode, document.get("self")),
            peers={peer.machine_id: peer for peer in peers},
            relays=tuple(_build(RelayRegion, entry) for entry in _entries(document.get("relays"))),
            dns=_build(Dns, dns) if dns else None,
        )

    def apply(self, delta: "NetmapDelta") -> "Netmap":
        """The next map; WireError unless the delta starts at this version."""
        if delta.from_version != self.version:
            raise WireError(f"delta starts at {delta.from_version}, map is at {self.version}")
        peers = {key: peer for key, peer in self.peers.items() if key not in delta.remove}
        peers.update({peer.machine_id: peer for peer in delta.upsert})
        return replace(
            self,
            version=delta.to_version,
            self_node=delta.self_node or self.self_node,
            peers=peers,
            relays=self.relays if delta.relays is None else delta.relays,
            dns=delta.dns or self.dns,
        )


@dataclass(frozen=True, slots=True)
class NetmapDelta:
    """What changed between two versions. None means: as before."""

    from_version: int
    to_version: int
    upsert: tuple[Peer, ...] = ()
    remove: frozenset[str] = frozenset()
    self_node: SelfNode | None = None
    relays: tuple[RelayRegion, ...] | None = None
    dns: Dns | None = None

    def to_json(self) -> dict[str, Any]:
        """The document as it travels."""
        document: dict[str, Any] = {
            "from": self.from_version,
            "to": self.to_version,
            "peers": {"upsert": [asdict(peer) for peer in self.upsert], "remove": sorted(self.remove)},
        }
        if self.self_node:
            document["self"] = asdict(self.self_node)
        if self.relays is not None:
            document["relays"] = [asdict(region) for region in self.relays]
        if self.dns:
            document["dns"] = asdict(self.dns)
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "NetmapDelta":
        """Parse a delta; WireError names the first thing that is wrong."""
        changes = document.get("peers") or {}
        own, relays, dns = (document.get(name) for name in ("self", "relays", "dns"))
        return cls(
            from_version=_version(document.get("from")),
            to_version=_version(document.get("to")),
            upsert=tuple(_parse_peers(changes.get("upsert"))),
            remove=frozenset(str(key) for key in _entries(changes.get("remove"))),
            self_node=_build(SelfNode, own) if own else None,
            relays=None if relays is None else tuple(_build(RelayRegion, entry) for entry in relays),
            dns=_build(Dns, dns) if dns else None,
        )


def _version(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise WireError("netmap version must be a whole number")
    return value


def _entries(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MAX_PEERS:
        raise WireError("expected a list")
    return value


def _build(cls: type[_T], entry: Any) -> _T:
    if not isinstance(entry, Mapping):
        raise WireError(f"{cls.__name__} must be an object")
    known = {item.name: item for item in fields(cls)}  # type: ignore[arg-type]
    values = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in entry.items()
        if name in known
    }
    try:
        return cls(**values)
    except TypeError:
        raise WireError(f"{cls.__name__} lacks a required field") from None


def _parse_peers(value: Any) -> list[Peer]:
    peers = [_build(Peer, entry) for entry in _entries(value)]
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
    ipaddress.IPv4Address(peer.tailnet_ip)
