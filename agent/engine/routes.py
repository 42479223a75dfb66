"""Which peer carries which network, and what the host's routing must be for it.

Several peers may offer one network; WireGuard sends it to one of them, so that one is chosen here: the
nearest that answers, and the present one for as long as it does.
"""

import ipaddress
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wire.netmap import Peer

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

AUTO = "auto"
DEFAULT_ROUTES = ("0.0.0.0/0", "::/0")
TAILNET = ipaddress.ip_network("100.64.0.0/10")
# Never leaves the link by any route (RFC 3927, RFC 1112, RFC 4291).
LINK_ONLY = ("169.254.0.0/16", "224.0.0.0/4", "fe80::/10", "ff00::/8")
# A nearer router takes over only if it is this much nearer: no flapping between equals.
NEARER_SECONDS = 0.010
NEARER_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Health:
    """How a peer does now. rtt_seconds is None while unknown (relayed)."""

    alive: bool
    rtt_seconds: float | None = None

    @property
    def distance(self) -> float:
        """Seconds, for comparison."""
        return math.inf if self.rtt_seconds is None else self.rtt_seconds


@dataclass(frozen=True, slots=True)
class LocalNetwork:
    """A network that the host reaches without us. connected: it is on a link of its own."""

    prefix: IPNetwork
    connected: bool


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """Our routing table: what goes into the tunnel, and what is left to the host's other tables."""

    tunnel: frozenset[str] = frozenset()
    bypass: frozenset[str] = frozenset()

    @property
    def everything(self) -> bool:
        """Whether an exit node carries the rest."""
        return DEFAULT_ROUTES[0] in self.tunnel


def choose(
    offers: Mapping[str, Iterable[str]], health: Mapping[str, Health], current: Mapping[str, str]
) -> dict[str, str]:
    """Network to peer, from peer to the networks that it offers and from the choice so far."""
    candidates: dict[str, list[str]] = {}
    for machine_id, prefixes in offers.items():
        for prefix in prefixes:
            candidates.setdefault(prefix, []).append(machine_id)
    return {
        prefix: _best(machine_ids, health, current.get(prefix)) for prefix, machine_ids in candidates.items()
    }


def exit_node(
    wanted: str | None, peers: Iterable[Peer], health: Mapping[str, Health], current: str | None
) -> str | None:
    """The peer that carries everything else: by name, address or id, or the best one for "auto".

    A node that was named stays chosen while it is silent: traffic waits for it and does not leave in clear.
    """
    offering = {peer.machine_id: peer for peer in peers if peer.exit_node}
    if not wanted:
        return None
    if wanted == AUTO:
        return _best(sorted(offering), health, current if current in offering else None) if offering else None
    name = wanted.casefold()
    for peer in offering.values():
        if name in (peer.machine_id, peer.name.casefold(), peer.magicdns_name.casefold(), peer.tailnet_ip):
            return peer.machine_id
    return None


def offered(peers: Iterable[Peer], local: Sequence[LocalNetwork], own: Iterable[str]) -> dict[str, list[str]]:
    """Networks of each peer that may be used here.

    Not ours, not the tailnet, not the default route (that is for exit nodes), and nothing inside a link of
    this host: a peer must not take over the LAN that we sit on.
    """
    connected = [network.prefix for network in local if network.connected]
    own = set(own)
    found: dict[str, list[str]] = {}
    for peer in peers:
        for text in peer.routes:
            prefix = ipaddress.ip_network(text)
            if (
                prefix.prefixlen == 0
                or text in own
                or any(_inside(prefix, taken) for taken in connected)
                or _overlap(prefix, TAILNET)
            ):
                continue
            found.setdefault(peer.machine_id, []).append(str(prefix))
    return found


def plan(
    carried: Iterable[str],
    *,
    everything: bool,
    local: Sequence[LocalNetwork],
    allow_lan: bool,
    user_bypass: Iterable[str],
) -> RoutePlan:
    """The routing table for the networks carried; everything: an exit node has the rest."""
    tunnel = {*carried, *(DEFAULT_ROUTES if everything else ())}
    if not tunnel:
        return RoutePlan()
    bypass = set(user_bypass)
    if everything:
        bypass.update(LINK_ONLY)
    if allow_lan or not everything:
        bypass.update(str(network.prefix) for network in local)
    return RoutePlan(frozenset(tunnel), frozenset(bypass - tunnel))


def _best(machine_ids: Sequence[str], health: Mapping[str, Health], current: str | None) -> str:
    def order(machine_id: str) -> tuple[bool, float]:
        state = health.get(machine_id, Health(alive=False))
        return not state.alive, state.distance

    best = min(sorted(machine_ids), key=order)
    if current not in machine_ids or current is None:
        return best
    now, then = health.get(best, Health(alive=False)), health.get(current, Health(alive=False))
    if not then.alive:
        return best if now.alive else current
    nearer = now.distance < then.distance * NEARER_SHARE and then.distance - now.distance > NEARER_SECONDS
    # Unknown against known is a relay against a direct path: that is always nearer.
    return best if nearer else current


def _inside(prefix: IPNetwork, network: IPNetwork) -> bool:
    return prefix.version == network.version and prefix.subnet_of(network)  # type: ignore[arg-type]


def _overlap(prefix: IPNetwork, network: IPNetwork) -> bool:
    return prefix.version == network.version and prefix.overlaps(network)
