"""Networks that machines offer to carry: what may be offered, and what is in force."""

import ipaddress
from collections.abc import Iterable
from typing import Any

from apps.core.errors import InvalidInput
from apps.machines.models import Machine
from wire.numbers import TAILNET_CIDR

MAX_ROUTES = 200
ALL_NETWORKS = ("0.0.0.0/0", "::/0")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_routes(routes: Any, *, field: str = "routes") -> list[str]:
    """Aligned networks in their usual form, sorted, without duplicates; raises InvalidInput."""
    if not isinstance(routes, list):
        raise InvalidInput(f"{field} must be an array", field=field)
    if len(routes) > MAX_ROUTES:
        raise InvalidInput(f"{field}: at most {MAX_ROUTES}", field=field)
    return in_order({_network(route, field) for route in routes})


def in_order(networks: Iterable[Network]) -> list[str]:
    """Networks as text, IPv4 first."""
    return [str(network) for network in sorted(networks, key=lambda each: (each.version, each))]


def pending(machine: Machine) -> list[str]:
    """What the machine offers and nobody has approved."""
    return [route for route in machine.advertised_routes if route not in machine.approved_routes]


def _network(route: Any, field: str) -> Network:
    try:
        network = ipaddress.ip_network(route if isinstance(route, str) else "")
    except ValueError:
        shown = route if isinstance(route, str) else type(route).__name__
        raise InvalidInput(
            f"{field}: {shown!r} is not an aligned network, such as 192.168.1.0/24", field=field
        ) from None
    if str(network) in ALL_NETWORKS:
        raise InvalidInput(f"{field}: {network} is offered as an exit node", field=field)
    if network.is_loopback or network.is_multicast or network.is_link_local:
        raise InvalidInput(f"{field}: {network} cannot be routed", field=field)
    if network.version == 4 and network.overlaps(ipaddress.IPv4Network(TAILNET_CIDR)):
        raise InvalidInput(f"{field}: {network} overlaps the tailnet {TAILNET_CIDR}", field=field)
    return network
