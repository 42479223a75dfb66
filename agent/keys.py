"""The machine's own keys: made here, never sent anywhere."""

from dataclasses import dataclass
from functools import cached_property

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.errors import AgentError
from agent.state import MachineState
from wire.binary import WireError, decode_key, encode_key
from wire.identity import signed_bundle

MLKEM_SEED_BYTES = 64


@dataclass(frozen=True)
class MachineKeys:
    """Private keys as raw bytes: identity, wireguard and disco 32, mlkem a 64-byte seed."""

    identity: bytes
    wireguard: bytes
    disco: bytes
    mlkem: bytes

    @classmethod
    def generate(cls, identity: bytes | None = None) -> "MachineKeys":
        """Fresh keys, under a known identity if there is one; AgentError where there is no ML-KEM."""
        try:
            mlkem = MLKEM768PrivateKey.generate().private_bytes_raw()
        except UnsupportedAlgorithm:
            raise AgentError(
                "NO_MLKEM",
                "the cryptography library has no ML-KEM-768; install version 48 or newer",
            ) from None
        return cls(
            identity=identity or Ed25519PrivateKey.generate().private_bytes_raw(),
            wireguard=X25519PrivateKey.generate().private_bytes_raw(),
            disco=X25519PrivateKey.generate().private_bytes_raw(),
            mlkem=mlkem,
        )

    @classmethod
    def from_state(cls, state: MachineState) -> "MachineKeys":
        """The keys that were saved at enrolment."""
        try:
            return cls(
                identity=decode_key(state.identity_private_key, 32),
                wireguard=decode_key(state.wireguard_private_key, 32),
                disco=decode_key(state.disco_private_key, 32),
                mlkem=decode_key(state.mlkem_private_key, MLKEM_SEED_BYTES),
            )
        except WireError:
            raise AgentError(
                "BAD_STATE", "state.json is damaged. Run 'ztna logout' and enrol this machine again"
            ) from None

    @cached_property
    def identity_public(self) -> bytes:
        """Ed25519 public key, 32 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.identity).public_key().public_bytes_raw()

    @cached_property
    def wireguard_public(self) -> bytes:
        """X25519 public key, 32 bytes."""
        return X25519PrivateKey.from_private_bytes(self.wireguard).public_key().public_bytes_raw()

    @cached_property
    def disco_public(self) -> bytes:
        """X25519 public key, 32 bytes."""
        return X25519PrivateKey.from_private_bytes(self.disco).public_key().public_bytes_raw()

    @cached_property
    def mlkem_public(self) -> bytes:
        """ML-KEM-768 encapsulation key, 1184 bytes."""
        return MLKEM768PrivateKey.from_seed_bytes(self.mlkem).public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature by the identity key, 64 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.identity).sign(message)

    def secrets(self) -> dict[str, str]:
        """The key fields of state.json."""
        return {
            "identity_private_key": encode_key(self.identity),
            "wireguard_private_key": encode_key(self.wireguard),
            "disco_private_key": encode_key(self.disco),
            "mlkem_private_key": encode_key(self.mlkem),
            "wireguard_public_key": encode_key(self.wireguard_public),
        }

    @property
    def bundle(self) -> bytes:
        """What binds the public keys to the identity."""
        return signed_bundle(
            identity=self.identity_public,
            wireguard=self.wireguard_public,
            disco=self.disco_public,
            mlkem=self.mlkem_public,
        )

    def announcement(self) -> dict[str, str]:
        """The public keys with the identity's signature, as enrolment sends them."""
        return {
            "wireguard_public_key": encode_key(self.wireguard_public),
            "mlkem_public_key": encode_key(self.mlkem_public),
            "disco_public_key": encode_key(self.disco_public),
            "identity_public_key": encode_key(self.identity_public),
            "identity_signature": encode_key(self.sign(self.bundle)),
        }
