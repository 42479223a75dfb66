"""Public keys of a machine as they arrive, and the identity's signatures over them."""

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature as BadSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from apps.core.errors import InvalidInput, MissingFields
from apps.machines.errors import InvalidSignature
from wire import identity
from wire.binary import WireError, decode_key
from wire.numbers import ED25519_SIGNATURE_BYTES, MLKEM768_PUBLIC_KEY_BYTES, X25519_KEY_BYTES


@dataclass(frozen=True)
class KeyBundle:
    """Base64 public keys of one machine; only `wireguard` may stand alone."""

    wireguard: str
    disco: str | None = None
    mlkem: str | None = None
    identity: str | None = None
    signature: str | None = None

    @property
    def transcript(self) -> bytes:
        """What the identity signs; only for a bundle with an identity."""
        return identity.signed_bundle(
            identity=raw_key(self.identity, "identity_public_key"),
            wireguard=raw_key(self.wireguard, "wireguard_public_key"),
            disco=raw_key(self.disco, "disco_public_key"),
            mlkem=raw_key(self.mlkem, "mlkem_public_key", MLKEM768_PUBLIC_KEY_BYTES) if self.mlkem else None,
        )

    def check(self) -> None:
        """Raise InvalidInput for a malformed key, InvalidSignature for one that was not signed."""
        raw_key(self.wireguard, "wireguard_public_key")
        if self.mlkem:
            raw_key(self.mlkem, "mlkem_public_key", MLKEM768_PUBLIC_KEY_BYTES)
        if self.identity is None:
            return  # an old agent: peers show its keys as unproven
        if not self.signature or not self.disco:
            name = "disco_public_key" if self.signature else "identity_signature"
            raise MissingFields(f"{name} required", field=name)
        verify(self.identity, self.signature, self.transcript)


def raw_key(text: str | None, name: str, size: int = X25519_KEY_BYTES) -> bytes:
    """Decoded bytes of a field; raises InvalidInput naming it."""
    try:
        return decode_key(text or "", size)
    except WireError as error:
        raise InvalidInput(f"{name}: {error}", field=name) from None


def verify(identity_key: str, signature: str, message: bytes) -> None:
    """Raise InvalidSignature unless the base64 Ed25519 key signed the message."""
    raw = raw_key(signature, "signature", ED25519_SIGNATURE_BYTES)
    try:
        Ed25519PublicKey.from_public_bytes(raw_key(identity_key, "identity_public_key")).verify(raw, message)
    except (BadSignature, ValueError):
        raise InvalidSignature() from None
