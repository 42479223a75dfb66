"""Cryptography of a renewal: the next pre-shared key from fresh keys and from the present one.

    secret = X25519(ephemeral, ephemeral) || ML-KEM-768 shared secret
    next   = HKDF-SHA256(secret, salt present key, info PSK_INFO_V2 || transcript hash, 32 bytes)

Both sides sign what they say; the present key authenticates as well, for without it the proof of
the next one cannot be made.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from agent.engine.hybrid import ExchangeRefused
from agent.engine.identity import signed_by
from wire.psk import (
    PSK_INFO_V2,
    Answer,
    Ends,
    Offer,
    answer_transcript,
    base_name,
    offer_transcript,
    proof,
    transcript_hash,
)


class Ratchet(Protocol):
    """What a renewal needs of cryptography. Refusals are ExchangeRefused."""

    def offer(self, exchange: bytes, epoch: int, base: bytes) -> tuple[Offer, Any]:
        """(offer, its secret) for the key that follows base."""

    def answer(self, offer: Offer, base: bytes) -> tuple[Answer, bytes]:
        """(answer, next key) of the responder."""

    def accept(self, offer: Offer, secret: Any, base: bytes, answer: Answer) -> bytes:
        """The next key, once the responder has shown that it holds the same."""


@dataclass(frozen=True, slots=True)
class Ephemeral:
    """Secrets of one offer; they go with it."""

    x25519: X25519PrivateKey
    mlkem: MLKEM768PrivateKey


class HybridRatchet:
    """X25519 and ML-KEM-768 between two machines. peer_identity is the other side's Ed25519 key."""

    def __init__(self, *, ends: Ends, peer_identity: bytes, sign: Callable[[bytes], bytes]) -> None:
        self._ends, self._peer_identity, self._sign = ends, peer_identity, sign

    def offer(self, exchange: bytes, epoch: int, base: bytes) -> tuple[Offer, Ephemeral]:
        """Fresh keys, signed."""
        secret = Ephemeral(X25519PrivateKey.generate(), MLKEM768PrivateKey.generate())
        unsigned = Offer(
            exchange=exchange,
            epoch=epoch,
            base=base_name(base),
            x25519=secret.x25519.public_key().public_bytes_raw(),
            mlkem=secret.mlkem.public_key().public_bytes_raw(),
            signature=b"",
        )
        return replace(unsigned, signature=self._sign(offer_transcript(self._ends, unsigned))), secret

    def answer(self, offer: Offer, base: bytes) -> tuple[Answer, bytes]:
        """Encapsulate to the offer's key and derive; the secrets used are gone when this returns."""
        if not signed_by(self._peer_identity, offer.signature, offer_transcript(self._ends, offer)):
            raise ExchangeRefused("the offer is not signed by the peer")
        private = X25519PrivateKey.generate()
        try:
            shared = private.exchange(X25519PublicKey.from_public_bytes(offer.x25519))
            encapsulated, ciphertext = MLKEM768PublicKey.from_public_bytes(offer.mlkem).encapsulate()
        except ValueError:
            raise ExchangeRefused("the offer's keys are malformed") from None
        public = private.public_key().public_bytes_raw()
        digest = transcript_hash(self._ends, offer, public, ciphertext)
        psk = _next(base, shared + encapsulated, digest)
        shown = proof(psk, "answer", offer.exchange)
        signature = self._sign(answer_transcript(digest, shown))
        return Answer(offer.exchange, public, ciphertext, shown, signature), psk

    def accept(self, offer: Offer, secret: Ephemeral, base: bytes, answer: Answer) -> bytes:
        """Decapsulate, derive, compare."""
        digest = transcript_hash(self._ends, offer, answer.x25519, answer.ciphertext)
        if not signed_by(self._peer_identity, answer.signature, answer_transcript(digest, answer.proof)):
            raise ExchangeRefused("the answer is not signed by the peer")
        try:
            shared = secret.x25519.exchange(X25519PublicKey.from_public_bytes(answer.x25519))
            encapsulated = secret.mlkem.decapsulate(answer.ciphertext)
        except ValueError:
            raise ExchangeRefused("the answer's keys are malformed") from None
        psk = _next(base, shared + encapsulated, digest)
        if not hmac.compare_digest(answer.proof, proof(psk, "answer", offer.exchange)):
            raise ExchangeRefused("the peer derived another key")
        return psk


def _next(base: bytes, secret: bytes, digest: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=base, info=PSK_INFO_V2 + digest).derive(secret)
