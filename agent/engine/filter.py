"""From the netmap to nftables: who may send what to this host and through it.

One table of our own. Packets from the tunnel are judged in prerouting, after conntrack and before any
destination NAT, so that input, forwarding and forwarded ports of containers all meet the same rules. The
source address names the peer (WireGuard proves it) and a verdict map leads to its chain.

A packet in the original direction of its flow is judged every time, even when the flow is established: a
right that is withdrawn cuts what flows. Answers to our own flows pass by conntrack. What nothing accepts
is dropped.
"""

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.engine.flowlog import PASSED, FlowLogging
from wire.filter import FilterRule, port_range
from wire.netmap import Netmap

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# Not the internet (RFC 6890): an exit node keeps them closed unless they are approved as routes.
PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"),
        *("::/8", "fc00::/7", "fe80::/10", "ff00::/8"),
    )
)
_COMMENT = re.compile(r"[A-Za-z0-9:_-]{1,64}")


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """What the filter needs besides the map. mark: firewall mark of the agent's own packets.

    log_group: the netlink group that flows are told to, where the map asks for it.
    """

    interface: str
    mark: int
    shields_up: bool = False
    gateway: bool = False
    log_group: int | None = None


@dataclass(frozen=True, slots=True)
class Ruleset:
    """The table without its peers, and per verdict map its elements: address to chain."""

    structure: str
    elements: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def full(self, table: str) -> str:
        """nft input that puts the whole table in place of what was there, in one transaction."""
        maps = "".join(
            f"  map {name} {{ type {_address_type(name)} : verdict; {_elements(entries)} }}\n"
            for name, entries in self.elements.items()
        )
        head = f"table inet {table}\ndelete table inet {table}\ntable inet {table} {{\n"
        # Maps refer to chains and chains to maps: nft resolves both within one transaction.
        return f"{head}{maps}{self.structure}}}\n"

    def changes(self, former: "Ruleset", table: str) -> str | None:
        """nft input that leads here from a former state; None when only the whole will do."""
        if former.structure != self.structure or former.elements.keys() != self.elements.keys():
            return None
        lines = []
        for name, entries in self.elements.items():
            old = former.elements[name]
            gone = [address for address in old if entries.get(address) != old[address]]
            new = {address: chain for address, chain in entries.items() if old.get(address) != chain}
            if gone:
                lines.append(f"delete element inet {table} {name} {{ {', '.join(gone)} }}\n")
            if new:
                pairs = ", ".join(f"{address} : goto {chain}" for address, chain in new.items())
                lines.append(f"add element inet {table} {name} {{ {pairs} }}\n")
        return "".join(lines)


@dataclass(frozen=True, slots=True)
class Scope:
    """What packets from the tunnel may be for at all. closed: nothing passes either way."""

    own: tuple[IPNetwork, ...]
    carried: tuple[IPNetwork, ...]
    exit_node: bool
    closed: bool


def scope_of(netmap: Netmap) -> Scope:
    """The scope of a map's machine."""
    own = netmap.self_node
    return Scope(
        own=tuple(ipaddress.ip_network(text) for text in (own.tailnet_ip, own.tailnet_ipv6) if text),
        carried=tuple(ipaddress.ip_network(route) for route in own.approved_routes),
        exit_node=own.advertise_exit_node and own.exit_node_approved,
        closed=own.status == "quarantined",
    )


def compile_filter(netmap: Netmap, settings: FilterSettings) -> Ruleset:
    """The table for this map."""
    scope = scope_of(netmap)
    own, carried, exit_node, closed = scope.own, scope.carried, scope.exit_node, scope.closed
    chains = {} if closed or settings.shields_up else netmap.packet_filter and netmap.packet_filter.chains
    logged = netmap.packet_filter is not None and netmap.packet_filter.log and not closed
    log = FlowLogging(settings.interface, settings.log_group if logged else None)
    parts = [log.objects(), _blocked(netmap, settings)]
    elements: dict[str, dict[str, str]] = {}
    for side in ("own", "beyond") if carried or exit_node else ("own",):
        names = {name: f"{side}_{_digest(name)}" for name in chains or {}}
        for name, chain in names.items():
            assert chains
            parts.append(_chain(chain, chains[name], own if side == "own" else None, log))
        for version in (4, 6):
            elements[f"{side}{version}"] = {
                address: names[peer.inbound]
                for peer in netmap.peers.values()
                if peer.inbound in names
                and (address := peer.tailnet_ip if version == 4 else peer.tailnet_ipv6) is not None
            }
    parts += [_judge(own, carried, exit_node, settings.interface, log, closed=closed)]
    if carried or exit_node:
        parts.append(_translation(own, settings.interface))
    if settings.gateway:
        parts.append(_gateway(settings.interface))
    if settings.gateway or carried or exit_node:
        parts.append(_clamp(settings.interface))
    return Ruleset("".join(parts), elements)


def kill_switch(
    table: str, *, interface: str, mark: int, exempt: Sequence[str], allow_lan: bool, lan: Sequence[str]
) -> str:
    """nft input for the table that drops what would leave in clear. exempt: networks that bypass."""
    passing = [*exempt, *(lan if allow_lan else ())]
    lines = _by_family(passing, "{family} daddr {networks} accept")
    # A strict reverse path check asks the routing tables: what answers our marked packets must be
    # marked as well, or it would have had to come out of the tunnel (as wg-quick does).
    marks = (
        "  chain remember {\n    type filter hook postrouting priority -150; policy accept;\n"
        f"    meta mark {mark:#x} ct mark set meta mark\n  }}\n"
        "  chain recall {\n    type filter hook prerouting priority -150; policy accept;\n"
        f"    ct mark {mark:#x} meta mark set ct mark\n  }}\n"
    )
    # Docker and the like route between networks of this host: nothing of that leaves it.
    local = _by_family(lan, "{family} daddr {networks} accept")
    return (
        f"table inet {table}\ndelete table inet {table}\ntable inet {table} {{\n"
        "  chain leave {\n"
        f'    meta mark {mark:#x} accept\n    oifname {{ "lo", "{interface}" }} accept\n'
        # DHCP (RFC 2131, RFC 8415) and neighbour discovery (RFC 4861) keep the link itself alive.
        "    udp sport . udp dport { 68 . 67, 546 . 547 } accept\n"
        "    icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept\n"
        f"{lines}    counter drop\n  }}\n"
        "  chain output {\n    type filter hook output priority 10; policy accept;\n    goto leave\n  }\n"
        "  chain forward {\n    type filter hook forward priority 10; policy accept;\n"
        f'    oifname "{interface}" accept\n    iifname "{interface}" accept\n{local}    goto leave\n  }}\n'
        f"{marks}}}\n"
    )


def _digest(name: str) -> str:
    """A chain's name comes from elsewhere; what nft sees is ours."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _chain(name: str, rules: Iterable[FilterRule], own: Sequence[IPNetwork] | None, log: FlowLogging) -> str:
    """One chain: for packets to our own addresses, or (own None) for those that go beyond."""
    lines = []
    for index, rule in enumerate(rules):
        for match in _destinations(rule, own):
            comment = rule.rule_id if rule.rule_id and _COMMENT.fullmatch(rule.rule_id) else f"#{index}"
            what = " ".join(part for part in (match, _service(rule)) if part)
            noted = log.noted(rule.action, comment)
            verdict = f"goto {PASSED}" if noted and rule.action == "accept" else rule.action
            lines += [f"    {what} {noted}\n"] if noted else []
            lines.append(f'    {what} counter {verdict} comment "{comment}"\n')
    return f"  chain {name} {{\n{''.join(lines)}{log.refused()}  }}\n"


def _destinations(rule: FilterRule, own: Sequence[IPNetwork] | None) -> list[str]:
    """Matches of the destination, any of which will do; "" for no restriction."""
    if own is None:
        lines = _by_family(rule.destinations, "{family} daddr {networks}").splitlines()
        return [line.strip() for line in lines]
    if not rule.destinations:
        return [""]
    networks = [ipaddress.ip_network(text) for text in rule.destinations]
    covered = [
        address
        for address in own
        if any(network.version == address.version and _within(address, network) for network in networks)
    ]
    if len(covered) == len(own):
        return [""]
    return [f"meta nfproto ipv{address.version}" for address in covered]


def _service(rule: FilterRule) -> str:
    ports = ["-".join(str(end) for end in dict.fromkeys(port_range(text))) for text in rule.ports]
    # One port needs no set: a thousand sets would be a thousand objects in the kernel.
    listed = ports[0] if len(ports) == 1 else f"{{ {', '.join(ports)} }}"
    port = f"th dport {listed}" if ports else ""
    if rule.protocol == "icmp":
        return "meta l4proto { icmp, icmpv6 }"
    if rule.protocol == "any":
        return f"meta l4proto {{ tcp, udp }} {port}" if ports else ""
    return f"meta l4proto {rule.protocol} {port}".rstrip()


def _judge(
    own: Sequence[IPNetwork],
    carried: Sequence[IPNetwork],
    exit_node: bool,
    interface: str,
    log: FlowLogging,
    *,
    closed: bool,
) -> str:
    """The way of a packet from the tunnel."""
    if closed:
        steps, leaving = "    drop\n", f'    oifname "{interface}" drop\n'
    else:
        beyond = carried or exit_node
        steps = (
            "    ct direction reply ct state established,related accept\n"
            # Errors about flows of either direction; no helper may relate anything else.
            "    ct state related meta l4proto { icmp, icmpv6 } accept\n"
            "    ct state invalid drop\n"
            + _by_family(own, "{family} daddr {networks} goto mine")
            + ("    goto through\n" if beyond else log.refused())
        )
        leaving = ""
    parts = [
        f"  chain arrive {{\n{steps}  }}\n",
        f"  chain mine {{\n{_lookup('own')}{log.refused()}  }}\n",
        "  chain prerouting {\n    type filter hook prerouting priority -150; policy accept;\n"
        f'    iifname "{interface}" goto arrive\n  }}\n',
    ]
    if leaving:
        parts += [
            f"  chain {hook} {{\n    type filter hook {hook} priority 0; policy accept;\n{leaving}  }}\n"
            for hook in ("output", "forward")
        ]
    elif carried or exit_node:
        parts.append(_through(carried, exit_node, log))
    return "".join(parts)


def _through(carried: Sequence[IPNetwork], exit_node: bool, log: FlowLogging) -> str:
    """What is not for this host: approved networks, and the internet on an exit node."""
    steps = _by_family(carried, "{family} daddr {networks} goto permitted")
    if exit_node:
        steps += "    fib daddr type { local, broadcast, multicast } drop\n"
        steps += _by_family(PRIVATE, "{family} daddr {networks} counter drop")
        steps += "    goto permitted\n"
    return (
        f"  chain permitted {{\n{_lookup('beyond')}{log.refused()}  }}\n"
        f"  chain through {{\n{steps}{log.refused()}  }}\n"
    )


def _lookup(side: str) -> str:
    return f"    ip saddr vmap @{side}4\n    ip6 saddr vmap @{side}6\n"


def _translation(own: Sequence[IPNetwork], interface: str) -> str:
    """Hosts behind us see our address: they have no route to the tailnet."""
    ula = [address.supernet(new_prefix=48) for address in own if address.version == 6]
    tailnet = [ipaddress.ip_network("100.64.0.0/10"), *ula]
    lines = _by_family(tailnet, f'oifname != "{interface}" {{family}} saddr {{networks}} masquerade')
    return f"  chain translate {{\n    type nat hook postrouting priority 100; policy accept;\n{lines}  }}\n"


def _gateway(interface: str) -> str:
    """Hosts of the LAN use our address in the tailnet: peers know no other of ours."""
    return (
        "  chain gateway {\n    type nat hook postrouting priority 100; policy accept;\n"
        f'    oifname "{interface}" ip saddr != 100.64.0.0/10 masquerade\n'
        f'    oifname "{interface}" ip6 saddr != fc00::/7 masquerade\n  }}\n'
    )


def _clamp(interface: str) -> str:
    """TCP of hosts that do not know the tunnel's MTU fits it from the start (RFC 4459, section 3.2)."""
    return (
        "  chain clamp {\n    type filter hook forward priority -5; policy accept;\n"
        f'    oifname "{interface}" tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu\n  }}\n'
    )


def _blocked(netmap: Netmap, settings: FilterSettings) -> str:
    """Threats: dropped both ways on every interface, but for the agent's own packets."""
    ips = netmap.blocked_ips.ips if netmap.blocked_ips else ()
    if not ips:
        return ""
    networks = [ipaddress.ip_network(text) for text in ips]
    exempt = f'    oifname "lo" accept\n    meta mark {settings.mark:#x} accept\n'
    sets, lines = "", {"output": exempt, "forward": "", "input": ""}
    for family, version in (("ip", 4), ("ip6", 6)):
        members = [str(network) for network in networks if network.version == version]
        if not members:
            continue
        sets += (
            f"  set blocked{version} {{ type ipv{version}_addr; flags interval; auto-merge; "
            f"elements = {{ {', '.join(members)} }} }}\n"
        )
        lines["output"] += f"    {family} daddr @blocked{version} counter drop\n"
        lines["forward"] += f"    {family} daddr @blocked{version} counter drop\n"
        lines["input"] += f"    ct direction original {family} saddr @blocked{version} counter drop\n"
    hooks = "".join(
        f"  chain blocked_{hook} {{\n    type filter hook {hook} priority -10; policy accept;\n{steps}  }}\n"
        for hook, steps in lines.items()
    )
    return sets + hooks


def _by_family(networks: Iterable[IPNetwork | str], template: str) -> str:
    """One line for each address family that occurs, with its networks as an anonymous set."""
    parsed = [ipaddress.ip_network(network) for network in networks]
    lines = ""
    for family, version in (("ip", 4), ("ip6", 6)):
        members = sorted({network for network in parsed if network.version == version}, key=str)
        collapsed = [str(network) for network in ipaddress.collapse_addresses(members)]  # type: ignore[type-var]
        if collapsed:
            listed = f"{{ {', '.join(collapsed)} }}"
            lines += f"    {template.format(family=family, networks=listed)}\n"
    return lines


def _within(address: IPNetwork, network: IPNetwork) -> bool:
    return network.supernet_of(address)  # type: ignore[arg-type]


def _elements(entries: Mapping[str, str]) -> str:
    if not entries:
        return ""
    return f"elements = {{ {', '.join(f'{address} : goto {chain}' for address, chain in entries.items())} }};"


def _address_type(name: str) -> str:
    return "ipv4_addr" if name.endswith("4") else "ipv6_addr"
