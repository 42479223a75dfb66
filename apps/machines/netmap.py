"""What each machine is told of its network: pure functions from a snapshot to maps and deltas."""

import hashlib
import uuid
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace

from apps.core.clock import rfc3339
from apps.machines.models import Machine
from apps.machines.names import domain_of, magicdns_name
from apps.machines.rights import Reach, Rights
from apps.machines.routes import ALL_NETWORKS
from apps.machines.state import key_expires_at
from apps.orgs.models import OrgSettings
from wire.filter import FilterRule, PacketFilter
from wire.naming import Dns
from wire.netmap import Netmap, NetmapDelta, Peer, RelayRegion, SelfNode


@dataclass(frozen=True, slots=True)
class MapNode:
    """A machine in a snapshot. admitted: approved and not quarantined, disabled, locked or expired."""

    self_node: SelfNode
    peer: Peer
    admitted: bool
    key_expires_at: float | None
    disco_public_key: str | None

    @property
    def carries(self) -> tuple[str, ...]:
        """Networks behind it that others may reach through it."""
        own = self.self_node
        return ALL_NETWORKS if own.exit_node_approved else own.approved_routes

    def connects(self, now: float) -> bool:
        """Whether it may be part of the network at this Unix time."""
        return self.admitted and (self.key_expires_at is None or now < self.key_expires_at)


@dataclass(frozen=True, slots=True)
class Terms:
    """What an organisation's settings mean for each of its machines."""

    slug: str
    key_expiry_days: int
    routes_allowed: bool
    exit_nodes_allowed: bool
    log_flows: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An organisation's network at one version; nodes are keyed by machine id in text."""

    org_id: uuid.UUID
    version: int
    dns: Dns
    relays: tuple[RelayRegion, ...]
    terms: Terms
    rights: Rights
    nodes: Mapping[str, MapNode] = field(default_factory=dict)

    def shows(self, viewer: MapNode, node: MapNode, now: float) -> bool:
        """Whether `viewer` is told of `node`: both are in the network, and rights lead one way or both."""
        return self.judge(viewer, node, now)[0]

    def judge(self, viewer: MapNode, node: MapNode, now: float) -> tuple[bool, str | None]:
        """The same, and the name of the chain for what `node` sends to `viewer`."""
        if viewer is node or not (viewer.connects(now) and node.connects(now)):
            return False, None
        return self.rights.judge(viewer.self_node.machine_id, node.self_node.machine_id, now)


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened between two versions: machines that changed, and between whom rights may have."""

    ids: frozenset[str] = frozenset()
    reaches: tuple[Reach, ...] = ()

    def seen_by(self, machine_id: str) -> Set[str]:
        """Machines that another one must look at again."""
        return self.ids.union(*(reach.others(machine_id) for reach in self.reaches))

    def concern(self, machine_id: str) -> bool:
        """Whether a machine's map may differ; of a machine that changed everybody may have been told."""
        return bool(self.ids) or any(
            machine_id in reach.sources or machine_id in reach.destinations for reach in self.reaches
        )

    def refilters(self, machine_id: str) -> bool:
        """Whether what a machine lets in may have changed."""
        return any(machine_id in reach.destinations for reach in self.reaches)


@dataclass(frozen=True, slots=True)
class View:
    """What a machine knows of others: the chain that judges each peer it is told of, and the chains."""

    inbound: Mapping[str, str | None]
    packet_filter: PacketFilter


def organisation_dns(slug: str, settings: OrgSettings) -> Dns:
    """How names of this tailnet are resolved, without nameservers and records."""
    return Dns(
        domain=domain_of(slug),
        magic_dns=settings.magic_dns_enabled,
        search_domains=tuple(settings.search_domains),
        override_local_dns=settings.override_local_dns,
    )


def map_node(machine: Machine, terms: Terms) -> MapNode:
    """A row, with its owner loaded, as it stands in a snapshot."""
    name = magicdns_name(machine.name, terms.slug)
    expires = key_expires_at(machine, terms.key_expiry_days)
    tags = tuple(machine.tags)
    # Where the organisation's switch is off, offers and approvals are kept but mean nothing.
    advertised = tuple(machine.advertised_routes) if terms.routes_allowed else ()
    approved = tuple(machine.approved_routes) if terms.routes_allowed else ()
    offers_exit = terms.exit_nodes_allowed and machine.advertise_exit_node
    exit_node = offers_exit and machine.exit_node_approved
    return MapNode(
        self_node=SelfNode(
            machine_id=str(machine.pk),
            name=machine.name,
            magicdns_name=name,
            tailnet_ip=machine.tailnet_ip,
            tailnet_ipv6=machine.tailnet_ipv6,
            status=machine.status,
            quarantine_reason=machine.quarantine_reason,
            tags=tags,
            shields_up=machine.shields_up,
            advertised_routes=advertised,
            approved_routes=approved,
            advertise_exit_node=offers_exit,
            exit_node_approved=exit_node,
            routes_allowed=terms.routes_allowed,
            exit_nodes_allowed=terms.exit_nodes_allowed,
        ),
        peer=Peer(
            machine_id=str(machine.pk),
            name=machine.name,
            magicdns_name=name,
            tailnet_ip=machine.tailnet_ip,
            tailnet_ipv6=machine.tailnet_ipv6,
            wireguard_public_key=machine.public_key,
            disco_public_key=machine.disco_public_key,
            mlkem_public_key=machine.mlkem_public_key,
            identity_public_key=machine.identity_public_key,
            identity_signature=machine.identity_signature,
            os=machine.os,
            online=machine.status == "online",
            last_seen=rfc3339(machine.last_seen) if machine.last_seen else None,
            endpoints=tuple(machine.endpoints),
            derp_region=machine.derp_region,
            tags=tags,
            routes=approved,
            exit_node=exit_node,
            owner_email=machine.owner.email if machine.owner else None,
        ),
        admitted=machine.status in ("online", "offline") and not (machine.admin_disabled or machine.locked),
        key_expires_at=expires.timestamp() if expires else None,
        disco_public_key=machine.disco_public_key,
    )


def visible_peers(snapshot: Snapshot, machine_id: str, now: float) -> dict[str, Peer]:
    """The peers that a machine of the snapshot is told of."""
    viewer = snapshot.nodes[machine_id]
    return {key: node.peer for key, node in snapshot.nodes.items() if snapshot.shows(viewer, node, now)}


def full_map(snapshot: Snapshot, machine_id: str, now: float) -> tuple[Netmap, View]:
    """The whole map of one machine, and what it knows then."""
    viewer = snapshot.nodes[machine_id]
    inbound: dict[str, str | None] = {}
    peers: dict[str, Peer] = {}
    for key, node in snapshot.nodes.items():
        shown, name = snapshot.judge(viewer, node, now)
        if shown:
            inbound[key] = name
            peers[key] = replace(node.peer, inbound=name)
    view = View(inbound, _packet_filter(snapshot, viewer, inbound))
    netmap = Netmap(
        version=snapshot.version,
        self_node=viewer.self_node,
        peers=peers,
        relays=snapshot.relays,
        dns=snapshot.dns,
        packet_filter=view.packet_filter,
    )
    return netmap, view


def delta_for(
    snapshot: Snapshot, machine_id: str, *, since: int, changes: Changes, held: View, now: float
) -> tuple[NetmapDelta, View]:
    """What takes a machine from version `since`, at which it knew `held`, to the snapshot."""
    viewer = snapshot.nodes[machine_id]
    itself = machine_id in changes.ids
    # A change of the viewer itself may open or close its whole view.
    candidates = snapshot.nodes.keys() | held.inbound.keys() if itself else changes.seen_by(machine_id)
    inbound = dict(held.inbound)
    upsert, moved, remove = [], {}, set()
    for key in candidates:
        node = snapshot.nodes.get(key)
        shown, name = snapshot.judge(viewer, node, now) if node else (False, None)
        if node is None or not shown:
            if inbound.pop(key, _UNKNOWN) is not _UNKNOWN:
                remove.add(key)
            continue
        if key in changes.ids or key not in held.inbound:
            upsert.append(replace(node.peer, inbound=name))
        elif held.inbound[key] != name:
            moved[key] = name
        inbound[key] = name
    rules = held.packet_filter
    if itself or changes.refilters(machine_id) or not set(inbound.values()) <= rules.chains.keys() | {None}:
        rules = _packet_filter(snapshot, viewer, inbound)
    delta = NetmapDelta(
        from_version=since,
        to_version=snapshot.version,
        upsert=tuple(upsert),
        remove=frozenset(remove),
        inbound=moved,
        self_node=viewer.self_node if itself else None,
        packet_filter=rules if rules.version != held.packet_filter.version else None,
    )
    return delta, View(inbound, rules)


def resumed(
    snapshot: Snapshot, machine_id: str, *, since: int, ids: Set[str], now: float
) -> tuple[NetmapDelta, View]:
    """The same for a machine that was away while only these machines changed, whatever it knew of them."""
    netmap, view = full_map(snapshot, machine_id, now)
    delta = NetmapDelta(
        from_version=since,
        to_version=snapshot.version,
        upsert=tuple(netmap.peers[key] for key in sorted(ids & netmap.peers.keys())),
        remove=frozenset(ids - netmap.peers.keys() - {machine_id}),
        self_node=netmap.self_node if machine_id in ids else None,
        packet_filter=netmap.packet_filter,
    )
    return delta, view


_UNKNOWN = object()


def _packet_filter(snapshot: Snapshot, viewer: MapNode, inbound: Mapping[str, str | None]) -> PacketFilter:
    """The chains that these peers name at a machine."""
    own = viewer.self_node.machine_id
    chains: dict[str, tuple[FilterRule, ...]] = {}
    # Of the peers that name a chain any one will do.
    for key, name in () if viewer.self_node.shields_up else inbound.items():
        if name is not None and name not in chains and (found := snapshot.rights.inbound(key, own)):
            chains[name] = found[1]
    log = snapshot.terms.log_flows
    content = repr((sorted(chains.items()), log)).encode()
    return PacketFilter(hashlib.blake2s(content, digest_size=8).hexdigest(), chains, log)
