"""Who a request comes from: the client's address behind proxies we trust, and its network."""

import ipaddress
from collections.abc import Mapping
from typing import Any

import iptocc
from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_address(peer: str | None, forwarded_for: str | None) -> str | None:
    """The first hop from the right that is no trusted proxy; headers of others are ignored."""
    address = peer
    hops = [hop.strip() for hop in (forwarded_for or "").split(",") if hop.strip()]
    while hops and _is_trusted(address):
        address = hops.pop()
    return address if parse_address(address) else peer


def socket_address(scope: Mapping[str, Any]) -> str | None:
    """The same of an ASGI connection."""
    headers = dict(scope["headers"])
    forwarded_for = headers.get(b"x-forwarded-for", b"").decode("latin-1")
    return client_address(scope["client"][0] if scope.get("client") else None, forwarded_for)


def client_network(address: str | None) -> str:
    """What limits count by: an IPv4 address, or an IPv6 /64, which one host owns whole."""
    return network_of(address, 32, 64)


def network_of(address: str | None, ipv4_bits: int, ipv6_bits: int) -> str:
    """The network an address lies in; "unknown" for what is none."""
    parsed = parse_address(address)
    if parsed is None:
        return "unknown"
    bits = ipv4_bits if parsed.version == 4 else ipv6_bits
    return str(ipaddress.ip_network((parsed, bits), strict=False))


def parse_address(address: str | None) -> Address | None:
    """The address, an IPv4-mapped one as IPv4; None for what is none."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def in_networks(address: str | None, networks: list[str]) -> bool:
    """Whether an address lies in one of the CIDR networks."""
    parsed = parse_address(address)
    return parsed is not None and any(parsed in ipaddress.ip_network(network) for network in networks)


def country_of(address: str | None) -> str | None:
    """ISO 3166-1 alpha-2 code of the country to which a registry gave the address; None if unknown.

    From the registries' own statistics, which the package carries: nobody is asked.
    """
    parsed = parse_address(address)
    return iptocc.country_code(str(parsed)) if parsed and parsed.is_global else None


def _is_trusted(address: str | None) -> bool:
    parsed = parse_address(address)
    return parsed is not None and any(parsed in network for network in settings.TRUSTED_PROXIES)
