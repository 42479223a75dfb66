"""Tailnet addresses: the nth of an organisation, given out once each and never again.

An index counts all addresses of 100.64.0.0/10 but .0 and .255 of each /24 and the resolver's; four
million enrolments exhaust it, and a machine that left never leaves its address to a stranger.
"""

import ipaddress
from typing import Any, NamedTuple

from apps.core.errors import Conflict
from apps.machines.models import AddressCursor
from wire.numbers import MAGICDNS_ADDRESS, TAILNET_CIDR

_TAILNET = ipaddress.IPv4Network(TAILNET_CIDR)
_HOSTS_PER_BLOCK = 254


class TailnetAddress(NamedTuple):
    """Both addresses of a machine, as text."""

    ipv4: str
    ipv6: str


def _index_of(address: ipaddress.IPv4Address) -> int:
    block, host = divmod(int(address) - int(_TAILNET.network_address), 256)
    return block * _HOSTS_PER_BLOCK + host - 1


_RESOLVER_INDEX = _index_of(ipaddress.IPv4Address(MAGICDNS_ADDRESS))
CAPACITY = _TAILNET.num_addresses // 256 * _HOSTS_PER_BLOCK - 1


def nth_address(index: int, ipv6_prefix: str) -> TailnetAddress:
    """Address number `index` (from 0); the IPv6 one carries the IPv4 one in its last 32 bits."""
    if not 0 <= index < CAPACITY:
        raise Conflict("The organisation has no tailnet address left")
    block, host = divmod(index + (index >= _RESOLVER_INDEX), _HOSTS_PER_BLOCK)
    ipv4 = _TAILNET.network_address + block * 256 + host + 1
    ipv6 = ipaddress.IPv6Network(ipv6_prefix).network_address + int(ipv4)
    return TailnetAddress(str(ipv4), str(ipv6))


def take_address(org: Any) -> TailnetAddress:
    """The next free address; runs inside the enrolment's transaction and is undone with it."""
    AddressCursor.objects.for_org(org).get_or_create(org_id=org.pk)
    cursor = AddressCursor.objects.for_org(org).select_for_update().get()
    address = nth_address(cursor.given, org.ipv6_prefix)
    cursor.given += 1
    cursor.save(update_fields=["given"])
    return address
