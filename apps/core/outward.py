"""Where the control plane may call: every address is judged before it is dialled.

Who dials takes the address that was judged and never the name again, so that a name cannot lead
elsewhere in between.
"""

import ipaddress
import socket
from collections.abc import Iterable, Iterator

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# Where translators put an IPv4 address into the last 32 bits, and where a site has its own way of it.
NAT64, LOCAL_NAT64 = (ipaddress.IPv6Network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48"))


class Refused(Exception):
    """Nobody is called there; the text says why."""


def addresses_of(host: str, port: int) -> list[str]:
    """What a name resolves to, or the address that it is; raises Refused where it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Refused("the name has no address") from None
    return [str(entry[4][0]) for entry in found]


def check_public(addresses: Iterable[str], *, allowed: Iterable[IPNetwork] = ()) -> None:
    """Raise Refused unless every address is public or in a network that the operator allows.

    Loopback and link-local ones, where the host's own services and a cloud's metadata are, need a
    network that lies within those: 0.0.0.0/0 does not open them.
    """
    allowed = tuple(allowed)
    for text in addresses:
        address = ipaddress.ip_address(text)
        if not (_is_public(address) or any(_opens(network, address) for network in allowed)):
            raise Refused("the address is not public")


def _is_public(address: IPAddress) -> bool:
    if address in LOCAL_NAT64:
        return False
    return all(one.is_global and not one.is_multicast for one in (address, *_embedded(address)))


def _embedded(address: IPAddress) -> Iterator[IPAddress]:
    """IPv4 addresses at which packets to this one may end."""
    if isinstance(address, ipaddress.IPv6Address):
        found = (address.ipv4_mapped, address.sixtofour, *(address.teredo or ()))
        yield from (one for one in found if one is not None)
        if address in NAT64:
            yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)


def _opens(network: IPNetwork, address: IPAddress) -> bool:
    if address.version != network.version or address not in network:
        return False
    if address.is_loopback or address.is_link_local or address.is_unspecified:
        return network.is_loopback or network.is_link_local
    return not address.is_multicast
