"""PCP messages: MAP and ANNOUNCE (RFC 6887, sections 7, 11 and 14.1)."""

import struct
from ipaddress import IPv6Address, ip_address

from agent.portmap.mapping import Mapping, PortMapError
from wire.binary import Endpoint

NONCE_BYTES = 12

_VERSION = 2
_ANNOUNCE, _MAP = 0, 1
_ANSWER = 0x80
_UDP = 17
_REQUEST = struct.Struct("!BBHI16s")  # version, opcode, reserved, lifetime, client: 24 bytes
_RESPONSE = struct.Struct("!BBBBII12x")  # version, opcode, reserved, result, lifetime, epoch: 24 bytes
_DATA = struct.Struct("!12sB3xHH16s")  # nonce, protocol, internal, external, address: 36 bytes
_RESULTS = {1: "unsupported version", 2: "not authorised", 8: "out of resources", 12: "address mismatch"}


def announce_request(client: str) -> bytes:
    """Ask for nothing: an answer tells that PCP is spoken."""
    return _REQUEST.pack(_VERSION, _ANNOUNCE, 0, 0, _address(client))


def parse_announced(packet: bytes) -> bool | None:
    """True: PCP is spoken; None: not such an answer. PortMapError: refused."""
    if len(packet) < 4 or not packet[1] & _ANSWER:
        return None
    if packet[0] != _VERSION or packet[3]:
        raise PortMapError(_RESULTS.get(packet[3], "unsupported version"))
    return True if packet[1] == _ANSWER | _ANNOUNCE else None


def map_request(*, client: str, nonce: bytes, internal: int, wanted: Endpoint | None, lifetime: int) -> bytes:
    """Ask for a UDP mapping to client:internal, at best at `wanted`; lifetime 0 deletes it."""
    host, external = (wanted.host, wanted.port) if wanted else ("0.0.0.0", 0)  # noqa: S104 - "any" in PCP
    head = _REQUEST.pack(_VERSION, _MAP, 0, lifetime, _address(client))
    return head + _DATA.pack(nonce, _UDP, internal, external, _address(host))


def parse_mapped(packet: bytes, *, nonce: bytes, internal: int) -> Mapping | None:
    """What was granted to our nonce and port; None: not such an answer. PortMapError: refused."""
    # A NAT-PMP server answers version 0, a newer PCP server its own version: both mean "not this one".
    if len(packet) >= 4 and packet[0] != _VERSION and packet[1] & _ANSWER:
        raise PortMapError(_RESULTS[1])
    if len(packet) < _RESPONSE.size + _DATA.size:
        return None
    version, opcode, _, result, lifetime, _ = _RESPONSE.unpack_from(packet)
    own_nonce, protocol, own_port, external, address = _DATA.unpack_from(packet, _RESPONSE.size)
    asked = (version, opcode) == (_VERSION, _ANSWER | _MAP) and (protocol, own_port) == (_UDP, internal)
    if not asked or own_nonce != nonce:
        return None
    if result:
        raise PortMapError(_RESULTS.get(result, f"result {result}"))
    host = IPv6Address(address)
    return Mapping("pcp", Endpoint(str(host.ipv4_mapped or host), external), lifetime)


def _address(host: str) -> bytes:
    """16 bytes: IPv4 is written as ::ffff:a.b.c.d (section 5)."""
    address = ip_address(host)
    return address.packed if isinstance(address, IPv6Address) else bytes(10) + b"\xff\xff" + address.packed
