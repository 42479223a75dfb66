"""STUN binding (RFC 8489), as much of it as address discovery needs.

Used by the agent to ask and by the STUN server to answer. No credentials, no redirection.
"""

import ipaddress
import struct
import zlib
from dataclasses import dataclass
from typing import Final

from wire.binary import Endpoint, WireError

MAGIC_COOKIE: Final = 0x2112A442
COOKIE_BYTES: Final = struct.pack("!I", MAGIC_COOKIE)
HEADER_BYTES: Final = 20
TXID_BYTES: Final = 12
MAX_MESSAGE_BYTES: Final = 548

BINDING_REQUEST: Final = 0x0001
BINDING_SUCCESS: Final = 0x0101
BINDING_ERROR: Final = 0x0111

_MAPPED_ADDRESS = 0x0001
_CHANGE_REQUEST = 0x0003
_ERROR_CODE = 0x0009
_UNKNOWN_ATTRIBUTES = 0x000A
_XOR_MAPPED_ADDRESS = 0x0020
_FINGERPRINT = 0x8028
_FINGERPRINT_XOR = 0x5354554E
_COMPREHENSION_OPTIONAL = 0x8000
# Comprehension-required attributes that a binding request may carry and that change nothing here:
# USERNAME, MESSAGE-INTEGRITY, PRIORITY and USE-CANDIDATE of ICE are not among them on purpose.
_UNDERSTOOD = frozenset({_MAPPED_ADDRESS, _XOR_MAPPED_ADDRESS})


@dataclass(frozen=True, slots=True)
class StunMessage:
    """A parsed message. attributes keeps the order of arrival: (type, value)."""

    kind: int
    txid: bytes
    attributes: tuple[tuple[int, bytes], ...]

    def unknown_required(self) -> tuple[int, ...]:
        """Comprehension-required attribute types that this implementation does not understand."""
        return tuple(
            kind for kind, _ in self.attributes if kind < _COMPREHENSION_OPTIONAL and kind not in _UNDERSTOOD
        )

    def mapped_endpoint(self) -> Endpoint | None:
        """The reflexive address of a success response, if it carries one."""
        for kind, value in self.attributes:
            if kind == _XOR_MAPPED_ADDRESS:
                return _unpack_address(value, self.txid, xored=True)
        for kind, value in self.attributes:
            if kind == _MAPPED_ADDRESS:
                return _unpack_address(value, self.txid, xored=False)
        return None


def parse(packet: bytes) -> StunMessage:
    """Parse a datagram; WireError on anything that RFC 8489 section 6 does not allow."""
    if not HEADER_BYTES <= len(packet) <= MAX_MESSAGE_BYTES:
        raise WireError("not STUN: size")
    kind, length, cookie = struct.unpack_from("!HHI", packet)
    if kind & 0xC000 or cookie != MAGIC_COOKIE or length % 4 or length != len(packet) - HEADER_BYTES:
        raise WireError("not STUN: header")
    attributes: list[tuple[int, bytes]] = []
    offset = HEADER_BYTES
    while offset < len(packet):
        if offset + 4 > len(packet):
            raise WireError("truncated attribute")
        attribute, size = struct.unpack_from("!HH", packet, offset)
        end = offset + 4 + size
        if end > len(packet):
            raise WireError("truncated attribute")
        if attribute == _FINGERPRINT:
            _check_fingerprint(packet, offset, end, size)
        attributes.append((attribute, packet[offset + 4 : end]))
        offset = end + (-size % 4)
    return StunMessage(kind, packet[8:HEADER_BYTES], tuple(attributes))


def _check_fingerprint(packet: bytes, offset: int, end: int, size: int) -> None:
    if size != 4 or end != len(packet):
        raise WireError("fingerprint must come last")
    if int.from_bytes(packet[end - 4 : end], "big") != zlib.crc32(packet[:offset]) ^ _FINGERPRINT_XOR:
        raise WireError("fingerprint does not match")


def binding_request(txid: bytes) -> bytes:
    """A request without attributes but FINGERPRINT; txid is 12 random bytes."""
    return _with_fingerprint(BINDING_REQUEST, txid, b"")


def binding_success(txid: bytes, source: Endpoint) -> bytes:
    """Tell the asker where its request came from (XOR-MAPPED-ADDRESS, section 14.2)."""
    return _with_fingerprint(
        BINDING_SUCCESS, txid, _attribute(_XOR_MAPPED_ADDRESS, _pack_xored(source, txid))
    )


def unknown_attributes(txid: bytes, kinds: tuple[int, ...]) -> bytes:
    """Error 420 naming the attributes that were not understood (section 6.3.1)."""
    reason = b"Unknown Attribute"
    body = _attribute(_ERROR_CODE, b"\0\0\x04\x14" + reason)
    body += _attribute(_UNKNOWN_ATTRIBUTES, b"".join(struct.pack("!H", kind) for kind in kinds[:16]))
    return _with_fingerprint(BINDING_ERROR, txid, body)


def classic_request(packet: bytes) -> bytes | None:
    """The 16 bytes of id of a request in the manner of RFC 3489, which has no cookie; None for others.

    CHANGE-REQUEST may be there as long as it asks for no change.
    """
    if not HEADER_BYTES <= len(packet) <= HEADER_BYTES + 8:
        return None
    kind, length = struct.unpack_from("!HH", packet)
    if kind != BINDING_REQUEST or length != len(packet) - HEADER_BYTES or packet[4:8] == COOKIE_BYTES:
        return None
    if packet[HEADER_BYTES:] not in (b"", struct.pack("!HHI", _CHANGE_REQUEST, 4, 0)):
        return None
    return packet[4:HEADER_BYTES]


def classic_success(ident: bytes, source: Endpoint) -> bytes:
    """The answer to it: MAPPED-ADDRESS in clear (RFC 8489, section 11)."""
    raw = ipaddress.ip_address(source.host).packed
    value = struct.pack("!BBH", 0, 1 if len(raw) == 4 else 2, source.port) + raw
    body = _attribute(_MAPPED_ADDRESS, value)
    return struct.pack("!HH", BINDING_SUCCESS, len(body)) + ident + body


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + b"\0" * (-len(value) % 4)


def _with_fingerprint(kind: int, txid: bytes, body: bytes) -> bytes:
    message = struct.pack("!HHI", kind, len(body) + 8, MAGIC_COOKIE) + txid + body
    return message + struct.pack("!HHI", _FINGERPRINT, 4, zlib.crc32(message) ^ _FINGERPRINT_XOR)


def _pack_xored(source: Endpoint, txid: bytes) -> bytes:
    address = ipaddress.ip_address(source.host).packed
    mask = COOKIE_BYTES + txid
    family = 1 if len(address) == 4 else 2
    port = source.port ^ (MAGIC_COOKIE >> 16)
    return struct.pack("!BBH", 0, family, port) + bytes(a ^ b for a, b in zip(address, mask, strict=False))


def _unpack_address(value: bytes, txid: bytes, *, xored: bool) -> Endpoint:
    sizes = {1: 8, 2: 20}
    if len(value) < 4 or len(value) != sizes.get(value[1]):
        raise WireError("malformed mapped address")
    port, raw = int.from_bytes(value[2:4], "big"), value[4:]
    if xored:
        port ^= MAGIC_COOKIE >> 16
        raw = bytes(a ^ b for a, b in zip(raw, COOKIE_BYTES + txid, strict=False))
    return Endpoint(str(ipaddress.ip_address(raw)), port)
