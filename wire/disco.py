"""Disco: the small sealed messages by which two agents find and prove a path.

    packet  = MAGIC (4) | sender disco key (32) | nonce (24) | box
    box     = NaCl crypto_box of a message between the two disco keys
    message = type (1) | version 0 (1) | body

The box authenticates type, id, sender and reported address; sealing itself is the caller's, for
this module holds formats only. Type 4 is reserved for path commit; type 5 carries the parts of
`wire.psk`.
"""

from dataclasses import dataclass
from typing import Final

from wire import psk
from wire.binary import ENDPOINT_BYTES, Endpoint, WireError, pack_endpoint, unpack_endpoint

# The first byte must not read as a WireGuard type (1..4 followed by three zeros).
MAGIC: Final = b"QZd\xa7"
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 24
TAG_BYTES: Final = 16
HEADER_BYTES: Final = len(MAGIC) + KEY_BYTES + NONCE_BYTES
TXID_BYTES: Final = 12
MAX_ENDPOINTS: Final = 32
# The longest message is a part of a key exchange; it fits a tunnel's own MTU with room to spare.
MAX_PACKET_BYTES: Final = HEADER_BYTES + TAG_BYTES + 2 + psk.PART_HEADER_BYTES + psk.CHUNK_BYTES

_PING, _PONG, _CALL_ME_MAYBE, _PSK_PART = 1, 2, 3, 5
_VERSION = 0


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for a pong from the address it arrives at. wireguard is the sender's public key."""

    txid: bytes
    wireguard: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """Answers a ping with its id and the source address that the ping was seen to come from."""

    txid: bytes
    source: Endpoint


@dataclass(frozen=True, slots=True)
class CallMeMaybe:
    """Sent by relay: 'these are my candidates; probe them now, I am probing yours'."""

    endpoints: tuple[Endpoint, ...]


Message = Ping | Pong | CallMeMaybe | psk.Part


def is_disco(datagram: bytes | memoryview) -> bool:
    """Whether a datagram claims to be disco."""
    return bytes(datagram[: len(MAGIC)]) == MAGIC


def pack_header(sender: bytes, nonce: bytes) -> bytes:
    """The clear part of a packet."""
    return MAGIC + sender + nonce


def split_packet(packet: bytes) -> tuple[bytes, bytes, bytes]:
    """(sender disco key, nonce, box); WireError when it cannot be a disco packet."""
    if not HEADER_BYTES + TAG_BYTES + 2 <= len(packet) <= MAX_PACKET_BYTES or not is_disco(packet):
        raise WireError("not a disco packet")
    key_end = len(MAGIC) + KEY_BYTES
    return packet[len(MAGIC) : key_end], packet[key_end:HEADER_BYTES], packet[HEADER_BYTES:]


def encode(message: Message) -> bytes:
    """The plaintext of a message, ready to be sealed."""
    match message:
        case Ping(txid, wireguard):
            return bytes((_PING, _VERSION)) + txid + wireguard
        case Pong(txid, source):
            return bytes((_PONG, _VERSION)) + txid + pack_endpoint(source)
        case CallMeMaybe(endpoints):
            body = b"".join(pack_endpoint(endpoint) for endpoint in endpoints[:MAX_ENDPOINTS])
            return bytes((_CALL_ME_MAYBE, _VERSION)) + body
        case psk.Part():
            return bytes((_PSK_PART, _VERSION)) + psk.encode_part(message)


def decode(plaintext: bytes) -> Message:
    """Parse an opened box; WireError on anything malformed or of an unknown type."""
    if len(plaintext) < 2 or plaintext[1] != _VERSION:
        raise WireError("unknown disco version")
    kind, body = plaintext[0], plaintext[2:]
    if kind == _PING and len(body) == TXID_BYTES + KEY_BYTES:
        return Ping(body[:TXID_BYTES], body[TXID_BYTES:])
    if kind == _PONG and len(body) == TXID_BYTES + ENDPOINT_BYTES:
        return Pong(body[:TXID_BYTES], unpack_endpoint(body[TXID_BYTES:]))
    if kind == _CALL_ME_MAYBE and len(body) % ENDPOINT_BYTES == 0:
        if len(body) > MAX_ENDPOINTS * ENDPOINT_BYTES:
            raise WireError("too many endpoints")
        chunks = (body[i : i + ENDPOINT_BYTES] for i in range(0, len(body), ENDPOINT_BYTES))
        return CallMeMaybe(tuple(unpack_endpoint(chunk) for chunk in chunks))
    if kind == _PSK_PART:
        return psk.decode_part(body)
    raise WireError("malformed disco message")
