"""Whom we talk to: keys count only when the peer's identity key signed them.

The identity of a machine is pinned at first sight. A map that shows another one, or that takes
the ML-KEM key away from a machine that had one, is refused for that peer and reported; so a
control plane that swaps or strips keys is caught.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wire.binary import decode_key, encode_key
from wire.identity import signed_bundle
from wire.netmap import Peer
from wire.numbers import ED25519_SIGNATURE_BYTES, MLKEM768_PUBLIC_KEY_BYTES, X25519_KEY_BYTES


@dataclass(frozen=True, slots=True)
class IdentityChange:
    """A machine shows another identity than the pinned one; both are base64 Ed25519 keys."""

    pinned: str
    offered: str


class RefusedPeer(Exception):
    """The peer's keys must not be used; the message says why. change: what a person may accept."""

    def __init__(self, reason: str, change: IdentityChange | None = None) -> None:
        super().__init__(reason)
        self.change = change


@dataclass(frozen=True, slots=True)
class PeerKeys:
    """Public keys that the peer's identity signed. mlkem None: a classical peer."""

    identity: bytes
    wireguard: bytes
    disco: bytes
    mlkem: bytes | None


@dataclass(frozen=True, slots=True)
class Pin:
    """What we hold a machine to. identity is base64; hybrid: it once had an ML-KEM key."""

    identity: str
    hybrid: bool


def verify(peer: Peer, pins: Mapping[str, Pin]) -> tuple[PeerKeys, Pin]:
    """(keys, pin to keep) of a peer in the map; raises RefusedPeer."""
    if not (peer.identity_public_key and peer.identity_signature and peer.disco_public_key):
        raise RefusedPeer("its keys are not signed")
    keys = PeerKeys(
        identity=decode_key(peer.identity_public_key, X25519_KEY_BYTES),
        wireguard=decode_key(peer.wireguard_public_key, X25519_KEY_BYTES),
        disco=decode_key(peer.disco_public_key, X25519_KEY_BYTES),
        mlkem=decode_key(peer.mlkem_public_key, MLKEM768_PUBLIC_KEY_BYTES) if peer.mlkem_public_key else None,
    )
    bundle = signed_bundle(
        identity=keys.identity, wireguard=keys.wireguard, disco=keys.disco, mlkem=keys.mlkem
    )
    signature = decode_key(peer.identity_signature, ED25519_SIGNATURE_BYTES)
    if not signed_by(keys.identity, signature, bundle):
        raise RefusedPeer("the signature over its keys does not verify")
    pin = pins.get(peer.machine_id)
    if pin is not None and pin.identity != encode_key(keys.identity):
        change = IdentityChange(pin.identity, encode_key(keys.identity))
        raise RefusedPeer("its identity is not the one seen before", change)
    if pin is not None and pin.hybrid and keys.mlkem is None:
        raise RefusedPeer("it had a post-quantum key before and shows none now")
    return keys, Pin(encode_key(keys.identity), hybrid=keys.mlkem is not None)


def signed_by(identity: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the Ed25519 key `identity` made signature over message."""
    try:
        Ed25519PublicKey.from_public_bytes(identity).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
