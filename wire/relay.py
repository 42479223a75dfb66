"""Frames between a machine and its relay: one frame is one binary WebSocket message.

    frame = type (1) | body

SEND and RECV have one layout, so that a relay rewrites the key and nothing else:

    key (32) | segment size (2) | datagrams of that size, the last may be shorter

A frame is parsed by direction: what only a relay may say cannot be parsed as a client's word.
Type numbers are never used twice.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from wire.binary import WireError

SUBPROTOCOL: Final = "quickztna-relay.v1"
PATH: Final = "/derp"
PROBE_PATH: Final = "/derp/probe"
# The control plane's signed list of machines that relays serve no more.
CUTS_PATH: Final = "/api/derp-cuts"
CUTS_AUDIENCE: Final = "quickztna-relay-cuts"
MAX_CUTS: Final = 20_000
# Where relays report who is connected, many reports for many clients.
REPORT_PATH: Final = "/api/derp-relay"
RELAY_KEY_PREFIX: Final = "rk_live_"
MAX_REPORTED: Final = 500
VERSION: Final = 1
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 32
MAC_BYTES: Final = 32
MAX_TOKEN_BYTES: Final = 4096
DATA_HEADER_BYTES: Final = 1 + KEY_BYTES + 2
# One TLS record when idle; more only when a queue has built up.
IDLE_BATCH_BYTES: Final = 15_900
MAX_PAYLOAD_BYTES: Final = 65_000
MAX_FRAME_BYTES: Final = DATA_HEADER_BYTES + MAX_PAYLOAD_BYTES
MAX_DATAGRAM_BYTES: Final = 2048

SERVER_HELLO: Final = 0x01
CLIENT_HELLO: Final = 0x02
READY: Final = 0x03
REFUSED: Final = 0x04
RENEW: Final = 0x05
SEND: Final = 0x10
RECV: Final = 0x11
PEER_GONE: Final = 0x20
RESTARTING: Final = 0x22
PING: Final = 0x30
PONG: Final = 0x31

_PROOF_LABEL = b"quickztna-relay-proof-v1\0"


@dataclass(frozen=True, slots=True)
class ServerHello:
    """First word of a relay: an ephemeral X25519 key and 32 random bytes."""

    ephemeral: bytes
    nonce: bytes


@dataclass(frozen=True, slots=True)
class ClientHello:
    """Answer to it: the client's disco key, proof that it holds the key, and its token (a JWT)."""

    key: bytes
    proof: bytes
    token: str


@dataclass(frozen=True, slots=True)
class Renew:
    """A fresh token for the key that this connection has proven, before the old one ends."""

    token: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The client is registered, and found by all of its region. keepalive_seconds bounds its silence.

    A client that takes over from an older connection of its own gets frames once it has pinged.
    """

    keepalive_seconds: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The relay will not serve this client; the connection closes after it."""

    code: str


@dataclass(frozen=True, slots=True)
class Send:
    """Datagrams for the client that registered `key`; segment is the size of all but the last."""

    key: bytes
    segment: int
    payload: bytes | memoryview


@dataclass(frozen=True, slots=True)
class Recv:
    """Datagrams from the client that registered `key`."""

    key: bytes
    segment: int
    payload: bytes | memoryview


@dataclass(frozen=True, slots=True)
class PeerGone:
    """Nobody registered `key` here (any more)."""

    key: bytes


@dataclass(frozen=True, slots=True)
class Restarting:
    """The relay goes away; come back after the given milliseconds."""

    reconnect_in_ms: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Keepalive; answered by a Pong with the same 8 bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """Answer to a Ping."""

    data: bytes


FromServer = ServerHello | Ready | Refused | Recv | PeerGone | Restarting | Ping | Pong
FromClient = ClientHello | Renew | Send | Ping | Pong


def proof(shared: bytes, *, hello: ServerHello, key: bytes, token: str) -> bytes:
    """HMAC-SHA256 over the hello, the key and the token.

    shared is X25519(client disco key, relay's ephemeral key), 32 bytes: only the holder of the
    disco key and this relay know it, and only for this connection.
    """
    transcript = hello.ephemeral + hello.nonce + key + hashlib.sha256(token.encode()).digest()
    return hmac.new(shared, _PROOF_LABEL + transcript, hashlib.sha256).digest()


def cut_id(organisation: str, key: bytes = b"") -> str:
    """How the list names the holder of a disco key, or a whole organisation, to who knows it already.

    22 characters: base64url of the first 16 bytes of SHA-256(organisation, 0, key).
    """
    digest = hashlib.sha256(organisation.encode() + b"\0" + key).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


def encode_data(kind: int, key: bytes, segment: int, payload: bytes | memoryview) -> bytes:
    """A SEND or RECV frame. Sizes are the caller's to keep: parse refuses what breaks them."""
    return b"".join((bytes((kind,)), key, segment.to_bytes(2, "big"), payload))


def encode(frame: FromServer | FromClient) -> bytes:
    """Bytes of one frame."""
    match frame:
        case ServerHello(ephemeral, nonce):
            return bytes((SERVER_HELLO, VERSION)) + ephemeral + nonce
        case ClientHello(key, mac, token):
            return bytes((CLIENT_HELLO, VERSION)) + key + mac + token.encode("ascii")
        case Renew(token):
            return bytes((RENEW,)) + token.encode("ascii")
        case Ready(seconds):
            return bytes((READY,)) + seconds.to_bytes(2, "big")
        case Refused(code):
            return bytes((REFUSED,)) + code.encode("ascii")
        case Send(key, segment, payload):
            return encode_data(SEND, key, segment, payload)
        case Recv(key, segment, payload):
            return encode_data(RECV, key, segment, payload)
        case PeerGone(key):
            return bytes((PEER_GONE,)) + key
        case Restarting(milliseconds):
            return bytes((RESTARTING,)) + milliseconds.to_bytes(4, "big")
        case Ping(data):
            return bytes((PING,)) + data
        case Pong(data):
            return bytes((PONG,)) + data


def parse_from_client(frame: bytes | memoryview) -> FromClient:
    """A frame as a relay receives it; WireError on anything a client may not say."""
    kind, body = _split(frame)
    if kind == SEND:
        return Send(*_parse_data(body))
    if kind == CLIENT_HELLO:
        raw = bytes(body)
        start = 1 + KEY_BYTES + MAC_BYTES
        if not start < len(raw) <= start + MAX_TOKEN_BYTES or raw[0] != VERSION:
            raise WireError("malformed client hello")
        return ClientHello(raw[1 : 1 + KEY_BYTES], raw[1 + KEY_BYTES : start], _ascii(raw[start:]))
    if kind == RENEW and 1 <= len(body) <= MAX_TOKEN_BYTES:
        return Renew(_ascii(bytes(body)))
    return _parse_keepalive(kind, body)


def parse_from_server(frame: bytes | memoryview) -> FromServer:
    """A frame as a client receives it; WireError on anything a relay may not say."""
    kind, body = _split(frame)
    if kind == RECV:
        return Recv(*_parse_data(body))
    raw = bytes(body)
    if kind == SERVER_HELLO and len(raw) == 1 + KEY_BYTES + NONCE_BYTES and raw[0] == VERSION:
        return ServerHello(raw[1 : 1 + KEY_BYTES], raw[1 + KEY_BYTES :])
    if kind == READY and len(raw) == 2:
        return Ready(int.from_bytes(raw, "big"))
    if kind == REFUSED and len(raw) <= 64:
        return Refused(_ascii(raw))
    if kind == PEER_GONE and len(raw) == KEY_BYTES:
        return PeerGone(raw)
    if kind == RESTARTING and len(raw) == 4:
        return Restarting(int.from_bytes(raw, "big"))
    return _parse_keepalive(kind, body)


def readdress(frame: memoryview, sender_header: bytes) -> bytes:
    """The RECV frame for the addressee of a SEND frame; WireError if it is none.

    sender_header is `recv_header(sender's key)`; the rest of the frame is copied once, unread.
    """
    if not DATA_HEADER_BYTES < len(frame) <= MAX_FRAME_BYTES or frame[0] != SEND:
        raise WireError("not a data frame")
    if not 1 <= (frame[1 + KEY_BYTES] << 8 | frame[2 + KEY_BYTES]) <= MAX_DATAGRAM_BYTES:
        raise WireError("segment size out of bounds")
    return b"".join((sender_header, frame[1 + KEY_BYTES :]))


def recv_header(key: bytes) -> bytes:
    """The start of every RECV frame that carries datagrams of `key`."""
    return bytes((RECV,)) + key


def datagrams(segment: int, payload: bytes | memoryview) -> list[memoryview]:
    """The single datagrams of a batch, without copying."""
    view = memoryview(payload)
    return [view[start : start + segment] for start in range(0, len(view), segment)]


def _split(frame: bytes | memoryview) -> tuple[int, memoryview]:
    view = memoryview(frame)
    if not 1 <= len(view) <= MAX_FRAME_BYTES:
        raise WireError("frame size")
    return view[0], view[1:]


def _parse_data(body: memoryview) -> tuple[bytes, int, memoryview]:
    if len(body) <= KEY_BYTES + 2:
        raise WireError("data frame without datagrams")
    segment = int.from_bytes(body[KEY_BYTES : KEY_BYTES + 2], "big")
    if not 1 <= segment <= MAX_DATAGRAM_BYTES:
        raise WireError("segment size out of bounds")
    return bytes(body[:KEY_BYTES]), segment, body[KEY_BYTES + 2 :]


def _parse_keepalive(kind: int, body: memoryview) -> Ping | Pong:
    if kind in (PING, PONG) and len(body) == 8:
        return Ping(bytes(body)) if kind == PING else Pong(bytes(body))
    raise WireError("unexpected frame")


def _ascii(raw: bytes) -> str:
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError:
        raise WireError("text is not ASCII") from None
