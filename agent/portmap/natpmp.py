"""NAT-PMP messages (RFC 6886, section 3). Fixed sizes, network byte order."""

import struct
from ipaddress import IPv4Address

from agent.portmap.mapping import PortMapError

PORT = 5351
ADDRESS_REQUEST = bytes(2)  # version 0, opcode 0

_MAP_UDP = 1
_ANSWER = 0x80
_REQUEST = struct.Struct("!BBHHHI")  # version, opcode, reserved, internal, external, lifetime
_HEAD = struct.Struct("!BBH")  # version, opcode, result
_ADDRESS = struct.Struct("!BBHI4s")  # + epoch, address: 12 bytes
_MAPPED = struct.Struct("!BBHIHHI")  # + epoch, internal, external, lifetime: 16 bytes
_RESULTS = {1: "unsupported version", 2: "not authorised", 3: "network failure", 4: "out of resources"}


def map_request(internal: int, external: int, lifetime: int) -> bytes:
    """Ask for a UDP mapping; lifetime 0 with external 0 deletes it (section 3.4)."""
    return _REQUEST.pack(0, _MAP_UDP, 0, internal, external, lifetime)


def parse_address(packet: bytes) -> IPv4Address | None:
    """The router's external address; None: not such an answer. PortMapError: refused."""
    if not _is_answer(packet, opcode=0, size=_ADDRESS.size):
        return None
    return IPv4Address(_ADDRESS.unpack_from(packet)[4])


def parse_mapped(packet: bytes, internal: int) -> tuple[int, int] | None:
    """(external port, lifetime in seconds) for our port; None: not such an answer. PortMapError: refused."""
    if not _is_answer(packet, opcode=_MAP_UDP, size=_MAPPED.size):
        return None
    _, _, _, _, own, external, lifetime = _MAPPED.unpack_from(packet)
    return (external, lifetime) if own == internal else None


def _is_answer(packet: bytes, *, opcode: int, size: int) -> bool:
    """A failure may be as short as the head."""
    if len(packet) < _HEAD.size:
        return False
    version, kind, result = _HEAD.unpack_from(packet)
    if (version, kind) != (0, _ANSWER | opcode):
        return False
    if result:
        raise PortMapError(_RESULTS.get(result, f"result {result}"))
    return len(packet) >= size
