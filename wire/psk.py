"""Renewal of a pair's pre-shared key, v2: messages of an exchange, and how disco carries them.

    initiator (lower WireGuard key)              responder
      OFFER      epoch, base, X25519, ML-KEM key  -->
                                                  <--  ANSWER     X25519, ciphertext, proof
      CONFIRM    proof                            -->              the responder installs here
                                                  <--  INSTALLED  proof
      the initiator installs here
                                                  <--  REFUSED    base or exchange is not known
                                                  <--  WANTED     the responder has no key at all

An exchange is named by 16 random bytes of its initiator. Offer and answer do not fit one datagram
beside a tunnel's MTU of 1280, so every message travels in parts of at most 1024 bytes.
docs/protocols/psk-v2.md has the whole protocol.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from wire.binary import WireError
from wire.numbers import (
    ED25519_SIGNATURE_BYTES,
    MLKEM768_CIPHERTEXT_BYTES,
    MLKEM768_PUBLIC_KEY_BYTES,
    X25519_KEY_BYTES,
)

EXCHANGE_BYTES: Final = 16
BASE_BYTES: Final = 16
PROOF_BYTES: Final = 32
EPOCH_BYTES: Final = 4
CHUNK_BYTES: Final = 1024
MAX_PARTS: Final = 2
PART_HEADER_BYTES: Final = EXCHANGE_BYTES + 3

PSK_INFO_V2: Final = b"quickztna-pqc-wg-psk-v2\0"
_OFFER_LABEL: Final = b"quickztna-psk-v2-offer\0"
_ANSWER_LABEL: Final = b"quickztna-psk-v2-answer\0"
_BASE_LABEL: Final = b"quickztna-psk-v2-base\0"
_PROOF_LABELS: Final = {
    "answer": b"quickztna-psk-v2-proof-answer\0",
    "confirm": b"quickztna-psk-v2-proof-confirm\0",
    "installed": b"quickztna-psk-v2-proof-installed\0",
}

_OFFER, _ANSWER, _CONFIRM, _INSTALLED, _REFUSED, _WANTED = 1, 2, 3, 4, 5, 6


@dataclass(frozen=True, slots=True)
class Offer:
    """Key `epoch` shall follow the key named by base. x25519 and mlkem are ephemeral public keys."""

    exchange: bytes
    epoch: int
    base: bytes
    x25519: bytes
    mlkem: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """The responder's half; proof shows that it derived the new key."""

    exchange: bytes
    x25519: bytes
    ciphertext: bytes
    proof: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Confirm:
    """The initiator has derived and stored the same key; the responder may install it."""

    exchange: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class Installed:
    """The responder has installed the key; the initiator may."""

    exchange: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """The responder can't go on: it does not know the base of an offer, or the confirmed exchange."""

    exchange: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """The responder lost its key and asks for an exchange; the name is random."""

    exchange: bytes


Message = Offer | Answer | Confirm | Installed | Refused | Wanted


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a message. step is the message's type, index counts from 0."""

    exchange: bytes
    step: int
    index: int
    count: int
    chunk: bytes


@dataclass(frozen=True, slots=True)
class Ends:
    """Who exchanges: 32-byte public keys of both, the initiator's first."""

    initiator_identity: bytes
    responder_identity: bytes
    initiator_wireguard: bytes
    responder_wireguard: bytes


_BODIES: Final = {
    _OFFER: EPOCH_BYTES + BASE_BYTES + X25519_KEY_BYTES + MLKEM768_PUBLIC_KEY_BYTES + ED25519_SIGNATURE_BYTES,
    _ANSWER: X25519_KEY_BYTES + MLKEM768_CIPHERTEXT_BYTES + PROOF_BYTES + ED25519_SIGNATURE_BYTES,
    _CONFIRM: PROOF_BYTES,
    _INSTALLED: PROOF_BYTES,
    _REFUSED: 0,
    _WANTED: 0,
}


def split(message: Message) -> list[Part]:
    """The parts that carry a message, one or two."""
    step, body = _encode(message)
    chunks = [body[at : at + CHUNK_BYTES] for at in range(0, len(body), CHUNK_BYTES)] or [b""]
    return [Part(message.exchange, step, index, len(chunks), chunk) for index, chunk in enumerate(chunks)]


class Joiner:
    """Puts the parts of one peer's messages together; holds one unfinished message at most."""

    def __init__(self) -> None:
        self._key: tuple[bytes, int] | None = None
        self._chunks: dict[int, bytes] = {}

    def add(self, part: Part) -> Message | None:
        """The message that this part completes, if it does; WireError when it completes nonsense."""
        if part.count == 1:
            return _decode(part.exchange, part.step, part.chunk)
        if self._key != (part.exchange, part.step):
            self._key, self._chunks = (part.exchange, part.step), {}
        self._chunks[part.index] = part.chunk
        if len(self._chunks) < part.count:
            return None
        body = b"".join(self._chunks[index] for index in range(part.count))
        self._key, self._chunks = None, {}
        return _decode(part.exchange, part.step, body)


def encode_part(part: Part) -> bytes:
    """The body of a disco message of type 5."""
    return part.exchange + bytes((part.step, part.index, part.count)) + part.chunk


def decode_part(body: bytes) -> Part:
    """Reverse of encode_part; WireError unless the part has the one size that its place allows."""
    if len(body) < PART_HEADER_BYTES:
        raise WireError("key exchange part too short")
    exchange, (step, index, count) = body[:EXCHANGE_BYTES], body[EXCHANGE_BYTES:PART_HEADER_BYTES]
    chunk = body[PART_HEADER_BYTES:]
    size = _BODIES.get(step)
    if size is None:
        raise WireError("unknown step of a key exchange")
    if count != max(1, -(-size // CHUNK_BYTES)) or index >= count:
        raise WireError("key exchange part out of place")
    if len(chunk) != min(CHUNK_BYTES, size - index * CHUNK_BYTES):
        raise WireError("key exchange part of a wrong size")
    return Part(exchange, step, index, count, chunk)


def offer_transcript(ends: Ends, offer: Offer) -> bytes:
    """What the initiator signs. All parts have fixed sizes, so that no two offers read alike."""
    return b"".join(
        (
            _OFFER_LABEL,
            ends.initiator_identity,
            ends.responder_identity,
            ends.initiator_wireguard,
            ends.responder_wireguard,
            offer.exchange,
            offer.epoch.to_bytes(EPOCH_BYTES, "big"),
            offer.base,
            offer.x25519,
            offer.mlkem,
        )
    )


def transcript_hash(ends: Ends, offer: Offer, x25519: bytes, ciphertext: bytes) -> bytes:
    """SHA-256 over the whole exchange up to the answer's keys; it is mixed into the new key."""
    return hashlib.sha256(offer_transcript(ends, offer) + offer.signature + x25519 + ciphertext).digest()


def answer_transcript(digest: bytes, proof: bytes) -> bytes:
    """What the responder signs; digest is transcript_hash."""
    return _ANSWER_LABEL + digest + proof


def base_name(psk: bytes) -> bytes:
    """The name of a key that an exchange builds on; it tells nothing of the key."""
    return hmac.digest(psk, _BASE_LABEL, "sha256")[:BASE_BYTES]


def proof(psk: bytes, step: str, exchange: bytes) -> bytes:
    """Shows knowledge of the new key at step 'answer', 'confirm' or 'installed' of an exchange."""
    return hmac.digest(psk, _PROOF_LABELS[step] + exchange, "sha256")


def _encode(message: Message) -> tuple[int, bytes]:
    match message:
        case Offer(_, epoch, base, x25519, mlkem, signature):
            return _OFFER, epoch.to_bytes(EPOCH_BYTES, "big") + base + x25519 + mlkem + signature
        case Answer(_, x25519, ciphertext, proof, signature):
            return _ANSWER, x25519 + ciphertext + proof + signature
        case Confirm(_, proof):
            return _CONFIRM, proof
        case Installed(_, proof):
            return _INSTALLED, proof
        case Refused():
            return _REFUSED, b""
        case Wanted():
            return _WANTED, b""


def _decode(exchange: bytes, step: int, body: bytes) -> Message:
    if len(body) != _BODIES.get(step):
        raise WireError("key exchange message of a wrong size")

    def take(size: int) -> bytes:
        nonlocal body
        taken, body = body[:size], body[size:]
        return taken

    if step == _OFFER:
        return Offer(
            exchange,
            int.from_bytes(take(EPOCH_BYTES), "big"),
            take(BASE_BYTES),
            take(X25519_KEY_BYTES),
            take(MLKEM768_PUBLIC_KEY_BYTES),
            take(ED25519_SIGNATURE_BYTES),
        )
    if step == _ANSWER:
        return Answer(
            exchange,
            take(X25519_KEY_BYTES),
            take(MLKEM768_CIPHERTEXT_BYTES),
            take(PROOF_BYTES),
            take(ED25519_SIGNATURE_BYTES),
        )
    if step == _CONFIRM:
        return Confirm(exchange, body)
    if step == _INSTALLED:
        return Installed(exchange, body)
    return Refused(exchange) if step == _REFUSED else Wanted(exchange)
