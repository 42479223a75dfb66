"""Open connections held against a filter: which of them it would cut.

The verdict is that of the table which `agent.engine.filter` writes, worked out here line by line. A
connection is judged by the packets of its original direction: answers pass by conntrack.
"""

import ipaddress
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.engine.filter import PRIVATE, Scope, scope_of
from agent.engine.flows import PROTOCOLS
from wire.connections import MAX_CUT, Counted, CutConnections, FilterTrial
from wire.filter import FilterRule, port_range
from wire.netmap import Netmap

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Chain = tuple[FilterRule, ...]


@dataclass(frozen=True, slots=True)
class Connection:
    """One that the kernel tracks, as its first packet went. number: the IP protocol's. port: the
    destination's, 0 where there is none.
    """

    source: IPAddress
    destination: IPAddress
    number: int
    port: int


def count_cut(
    netmap: Netmap, trial: FilterTrial, connections: Iterable[Connection], *, shields_up: bool
) -> Counted:
    """What the trial's filter would cut of what the map's filter lets in; both without conditions of time."""
    scope = scope_of(netmap)
    present = netmap.packet_filter.chains if netmap.packet_filter and not shields_up else {}
    peers = _by_address(netmap, trial.inbound)
    found: Counter[tuple[str, str, int, str | None]] = Counter()
    for connection in connections:
        machine_id = peers.get(connection.source)
        if machine_id is None:
            continue
        now = _chain(present, netmap.peers[machine_id].inbound)
        then = _chain(trial.packet_filter.chains, trial.inbound[machine_id])
        lets_in = deciding(scope, now, connection)
        if lets_in is not None and deciding(scope, then, connection) is None:
            name = PROTOCOLS.get(connection.number, str(connection.number))
            found[machine_id, name, connection.port, lets_in.rule_id] += 1
    kinds = [CutConnections(*kind, connections=number) for kind, number in found.most_common()]
    return Counted(tuple(kinds[:MAX_CUT]), sum(kind.connections for kind in kinds[MAX_CUT:]))


def deciding(scope: Scope, chain: Chain, connection: Connection) -> FilterRule | None:
    """The line that accepts a connection's packets; None when they are dropped."""
    beyond = not _inside(connection.destination, scope.own)
    if scope.closed or (beyond and not _carries(scope, connection.destination)):
        return None
    line = next((line for line in chain if _speaks_of(line, connection, beyond=beyond)), None)
    return line if line is not None and line.action == "accept" else None


def _by_address(netmap: Netmap, asked: Mapping[str, str | None]) -> dict[IPAddress, str]:
    """The peers in question by each of their addresses."""
    peers = [peer for key in asked if (peer := netmap.peers.get(key))]
    addresses = ((text, peer) for peer in peers for text in (peer.tailnet_ip, peer.tailnet_ipv6))
    return {ipaddress.ip_address(text): peer.machine_id for text, peer in addresses if text}


def _chain(chains: Mapping[str, Chain], name: str | None) -> Chain:
    return chains.get(name, ()) if name is not None else ()


def _carries(scope: Scope, destination: IPAddress) -> bool:
    """Whether this machine takes packets there for others."""
    if _inside(destination, scope.carried):
        return True
    return scope.exit_node and not _inside(destination, PRIVATE)


def _speaks_of(line: FilterRule, connection: Connection, *, beyond: bool) -> bool:
    """Whether a line matches. One without destinations is about the machine's own addresses alone."""
    if beyond or line.destinations:
        networks = [ipaddress.ip_network(text) for text in line.destinations]
        if not _inside(connection.destination, networks):
            return False
    name = PROTOCOLS.get(connection.number)
    ported = name in ("tcp", "udp")
    named = line.protocol in (name, str(connection.number))
    if not named and (line.protocol != "any" or (line.ports and not ported)):
        return False
    if not line.ports or line.protocol == "icmp":
        return True
    return ported and any(first <= connection.port <= last for first, last in map(port_range, line.ports))


def _inside(address: IPAddress, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
