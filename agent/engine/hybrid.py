"""Hybrid key exchange v1: X25519 and ML-KEM-768 together make a pair's pre-shared key.

The initiator (lower WireGuard key) encapsulates to the responder's signed ML-KEM key and offers;
the responder derives the same key, proves it with `confirm`, and only then installs it.
"""

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from agent.engine.identity import PeerKeys, signed_by
from agent.keys import MachineKeys
from wire.identity import PSK_INFO_V1, confirm_message, key_exchange, key_exchange_complete

NONCE_BYTES = 32


class ExchangeRefused(Exception):
    """The other side's part does not hold; nothing may be installed."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The initiator's message. All sizes as wire.identity.key_exchange has them."""

    x25519_public: bytes
    mlkem_ciphertext: bytes
    nonce: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """The responder's message: proof of the same key, signed."""

    confirm: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Pair:
    """Both ends of an exchange, seen from the initiator's place or the responder's."""

    initiator_id: str
    responder_id: str
    initiator_wireguard: bytes
    responder_wireguard: bytes
    responder_mlkem: bytes

    def transcript(self, offer: Offer) -> bytes:
        """What the initiator signs."""
        return key_exchange(
            initiator_id=self.initiator_id,
            responder_id=self.responder_id,
            initiator_wireguard=self.initiator_wireguard,
            responder_wireguard=self.responder_wireguard,
            responder_mlkem=self.responder_mlkem,
            x25519_public=offer.x25519_public,
            mlkem_ciphertext=offer.mlkem_ciphertext,
            nonce=offer.nonce,
        )


def offer(pair: Pair, keys: MachineKeys, *, ephemeral: bytes, nonce: bytes) -> tuple[Offer, bytes]:
    """(offer, PSK). ephemeral is a fresh X25519 private key, nonce 32 random bytes."""
    private = X25519PrivateKey.from_private_bytes(ephemeral)
    shared = private.exchange(X25519PublicKey.from_public_bytes(pair.responder_wireguard))
    encapsulated, ciphertext = MLKEM768PublicKey.from_public_bytes(pair.responder_mlkem).encapsulate()
    unsigned = Offer(private.public_key().public_bytes_raw(), ciphertext, nonce, b"")
    signature = keys.sign(pair.transcript(unsigned))
    signed = Offer(unsigned.x25519_public, ciphertext, nonce, signature)
    return signed, _derive(shared, encapsulated)


def answer(pair: Pair, keys: MachineKeys, initiator: PeerKeys, received: Offer) -> tuple[Answer, bytes]:
    """(answer, PSK) of the responder; raises ExchangeRefused."""
    transcript = pair.transcript(received)
    if not signed_by(initiator.identity, received.signature, transcript):
        raise ExchangeRefused("the offer is not signed by the peer")
    try:
        private = X25519PrivateKey.from_private_bytes(keys.wireguard)
        shared = private.exchange(X25519PublicKey.from_public_bytes(received.x25519_public))
        encapsulated = MLKEM768PrivateKey.from_seed_bytes(keys.mlkem).decapsulate(received.mlkem_ciphertext)
    except ValueError:
        raise ExchangeRefused("the offer's keys are malformed") from None
    psk = _derive(shared, encapsulated)
    confirm = _confirm(psk, transcript)
    return Answer(confirm, keys.sign(key_exchange_complete(transcript=transcript, confirm=confirm))), psk


def accept(pair: Pair, responder: PeerKeys, sent: Offer, psk: bytes, received: Answer) -> None:
    """Raise ExchangeRefused unless the responder holds the same PSK and signed so."""
    transcript = pair.transcript(sent)
    statement = key_exchange_complete(transcript=transcript, confirm=received.confirm)
    if not signed_by(responder.identity, received.signature, statement):
        raise ExchangeRefused("the answer is not signed by the peer")
    if not hmac.compare_digest(received.confirm, _confirm(psk, transcript)):
        raise ExchangeRefused("the peer derived another key")


def _derive(x25519_shared: bytes, mlkem_shared: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=PSK_INFO_V1).derive(x25519_shared + mlkem_shared)


def _confirm(psk: bytes, transcript: bytes) -> bytes:
    return hmac.new(psk, confirm_message(transcript), hashlib.sha256).digest()
