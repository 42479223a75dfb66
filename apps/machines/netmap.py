"""What each machine is told of its network: pure functions from a snapshot to maps and deltas."""

import hashlib
import json
import uuid
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, field

from apps.core.clock import rfc3339
from apps.machines.models import Machine
from apps.machines.names import domain_of, magicdns_name
from apps.machines.routes import ALL_NETWORKS
from apps.machines.state import key_expires_at
from apps.orgs.models import OrgSettings
from wire.filter import FilterRule, PacketFilter
from wire.naming import Dns
from wire.netmap import Netmap, NetmapDelta, Peer, RelayRegion, SelfNode

# The one chain there is until rules say more.
EVERYTHING_CHAIN = "all"


@dataclass(frozen=True, slots=True)
class MapNode:
    """A machine in a snapshot. admitted: approved and not quarantined, disabled, locked or expired."""

    self_node: SelfNode
    peer: Peer
    admitted: bool
    key_expires_at: float | None
    disco_public_key: str | None

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


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An organisation's network at one version; nodes are keyed by machine id in text."""

    org_id: uuid.UUID
    version: int
    dns: Dns
    relays: tuple[RelayRegion, ...]
    terms: Terms
    nodes: Mapping[str, MapNode] = field(default_factory=dict)


def visible_to(viewer: MapNode, node: MapNode, now: float) -> bool:
    """Whether `viewer` is told of `node`: both are part of the network."""
    return viewer is not node and viewer.connects(now) and node.connects(now)


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
            inbound=EVERYTHING_CHAIN,
            owner_email=machine.owner.email if machine.owner else None,
        ),
        admitted=machine.status in ("online", "offline") and not (machine.admin_disabled or machine.locked),
        key_expires_at=expires.timestamp() if expires else None,
        disco_public_key=machine.disco_public_key,
    )


def packet_filter(viewer: MapNode) -> PacketFilter:
    """What its peers may send to a machine: everything, to it and to what it is approved to carry."""
    own = viewer.self_node
    carried = ALL_NETWORKS if own.exit_node_approved else own.approved_routes
    rules = [FilterRule("accept")]
    if carried:
        rules.append(FilterRule("accept", destinations=carried))
    chains = {} if own.shields_up else {EVERYTHING_CHAIN: tuple(rules)}
    content = json.dumps([[name, *map(asdict, chain)] for name, chain in sorted(chains.items())])
    return PacketFilter(hashlib.sha256(content.encode()).hexdigest()[:16], chains)


def visible_peers(snapshot: Snapshot, machine_id: str, now: float) -> dict[str, Peer]:
    """The peers that a machine of the snapshot is told of."""
    viewer = snapshot.nodes[machine_id]
    return {key: node.peer for key, node in snapshot.nodes.items() if visible_to(viewer, node, now)}


def full_map(snapshot: Snapshot, machine_id: str, now: float) -> Netmap:
    """The whole map of one machine."""
    return Netmap(
        version=snapshot.version,
        self_node=snapshot.nodes[machine_id].self_node,
        peers=visible_peers(snapshot, machine_id, now),
        relays=snapshot.relays,
        dns=snapshot.dns,
        packet_filter=packet_filter(snapshot.nodes[machine_id]),
    )


def delta_for(
    snapshot: Snapshot, machine_id: str, *, since: int, changed: Set[str], known: Set[str], now: float
) -> NetmapDelta:
    """What takes a machine from version `since`, at which it knew of `known`, to the snapshot.

    changed: ids that changed or went away in between. A machine that never knew of a peer is not told
    that it went.
    """
    viewer = snapshot.nodes[machine_id]
    # A change of the viewer itself may open or close its whole view.
    candidates = snapshot.nodes.keys() | known if machine_id in changed else changed
    upsert, remove = [], set()
    for key in candidates:
        node = snapshot.nodes.get(key)
        if node is not None and visible_to(viewer, node, now):
            if key in changed or key not in known:
                upsert.append(node.peer)
        elif key in known:
            remove.add(key)
    return NetmapDelta(
        from_version=since,
        to_version=snapshot.version,
        upsert=tuple(upsert),
        remove=frozenset(remove),
        self_node=viewer.self_node if machine_id in changed else None,
        packet_filter=packet_filter(viewer) if machine_id in changed else None,
    )
