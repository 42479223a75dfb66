"""What the daemon says of its host: routes, exit node, names."""

from typing import Any

from agent.engine.routes import AUTO, LINK_ONLY
from agent.errors import AgentError
from agent.host.upkeep import Upkeep
from agent.preferences import OFF
from wire.netmap import Netmap

_LAN = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")


def described(upkeep: Upkeep, netmap: Netmap | None) -> dict[str, Any]:
    """Fields of `status` about this host."""
    config, own = upkeep.config, netmap.self_node if netmap else None
    names = upkeep.dns.status()
    return {
        "exit_node": upkeep.exit_node,
        "exit_node_wanted": config.exit_node,
        "exit_node_allow_lan_access": config.exit_node_allow_lan_access,
        "advertise_exit_node": own.advertise_exit_node if own else config.advertise_exit_node,
        "advertised_routes": list(own.advertised_routes if own else config.advertise_routes),
        "approved_routes": list(own.approved_routes) if own else [],
        "accept_routes": config.accept_routes,
        "carriers": upkeep.carriers,
        "bypass": bypass(upkeep, netmap),
        "shields_up": own.shields_up if own else config.shields_up,
        "ssh": False,
        "magic_dns": names["installed"] is not None,
        "dns": {
            "enabled": names["installed"] is not None,
            "blocked": (names["counters"] or {}).get("blocked", 0),
        },
        "problems": upkeep.problems | ({"dns": upkeep.dns.problem} if upkeep.dns.problem else {}),
    }


def bypass(upkeep: Upkeep, netmap: Netmap | None) -> list[dict[str, str]]:
    """Networks that avoid the tunnel: {cidr, reason, source}."""
    config = upkeep.config
    rows = [{"cidr": cidr, "reason": "your list", "source": "user"} for cidr in config.bypass]
    if not config.exit_node or config.exit_node_allow_lan_access:
        rows += [{"cidr": cidr, "reason": "local LAN (RFC 1918)", "source": "system"} for cidr in _LAN]
    rows += [
        {"cidr": cidr, "reason": "link-local" if index % 2 == 0 else "multicast", "source": "system"}
        for index, cidr in enumerate(LINK_ONLY)
    ]
    if config.exit_node and netmap:
        relays = (region.ipv4 for region in netmap.relays if region.ipv4)
        rows += [{"cidr": f"{address}/32", "reason": "relay", "source": "system"} for address in relays]
    return rows


def naming(upkeep: Upkeep, netmap: Netmap | None) -> dict[str, Any]:
    """What `ztna dns status` shows."""
    dns = netmap.dns if netmap else None
    return {
        "magic_dns": bool(dns and dns.magic_dns),
        "accept_dns": upkeep.config.accept_dns,
        "domain": dns.domain if dns else None,
        "search_domains": [dns.domain, *dns.search_domains] if dns else [],
        "pattern": f"<machine>.{dns.domain}" if dns else None,
        "split": {domain: list(servers) for domain, servers in dns.split.items()} if dns else {},
        **upkeep.dns.status(),
    }


def check_exit_node(wanted: Any, netmap: Netmap | None) -> None:
    """AgentError unless it is off, auto, or a peer that may be one."""
    if wanted is None or wanted in OFF or wanted == AUTO:
        return
    name = str(wanted).casefold()
    for peer in netmap.peers.values() if netmap else ():
        if name in (peer.machine_id, peer.name.casefold(), peer.magicdns_name.casefold(), peer.tailnet_ip):
            if peer.exit_node:
                return
            raise AgentError("NOT_AN_EXIT_NODE", f"{peer.name} is no exit node, or not approved as one")
    raise AgentError("NOT_FOUND", f"--exit-node: no machine {wanted!r} in your network")
