"""What a machine's Ed25519 identity key signs.

Every transcript opens with a label of its own, so that a signature made for one purpose proves
nothing in another. Variable-length parts carry a 16-bit length.
"""

import hashlib

KEYS_LABEL = b"quickztna-machine-keys-v1\0"
AGENT_AUTH_LABEL = b"quickztna-agent-auth-v1\0"
KEY_EXCHANGE_LABEL = b"quickztna-key-exchange-v1\0"
PSK_INFO_V1 = b"quickztna-pqc-wg-psk-v1"
CONFIRM_LABEL = b"quickztna-key-exchange-confirm-v1\0"
REENROLMENT_LABEL = b"quickztna-reenrolment-v1\0"


def _sized(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def signed_bundle(*, identity: bytes, wireguard: bytes, disco: bytes, mlkem: bytes | None) -> bytes:
    """Bytes that bind a machine's public keys to its identity.

    identity, wireguard and disco are 32-byte public keys, mlkem is the 1184-byte ML-KEM-768
    encapsulation key, or None for a machine without it: its absence is signed too, so that
    nobody can strip it.
    """
    return KEYS_LABEL + _sized(identity) + _sized(wireguard) + _sized(disco) + _sized(mlkem or b"")


def agent_auth(*, challenge: str, host: str, session_id: str, machine_id: str) -> bytes:
    """Bytes that a machine signs to open its socket; challenge and session come from `hello`."""
    parts = (challenge, host, session_id, machine_id)
    return AGENT_AUTH_LABEL + b"".join(_sized(part.encode()) for part in parts)


def key_exchange(
    *,
    initiator_id: str,
    responder_id: str,
    initiator_wireguard: bytes,
    responder_wireguard: bytes,
    responder_mlkem: bytes,
    x25519_public: bytes,
    mlkem_ciphertext: bytes,
    nonce: bytes,
) -> bytes:
    """Transcript of a hybrid exchange v1, signed by its initiator.

    x25519_public is the initiator's ephemeral key; the responder's half of the Diffie-Hellman is
    its WireGuard key. nonce is 32 random bytes.
    """
    parts = (
        initiator_id.encode(),
        responder_id.encode(),
        initiator_wireguard,
        responder_wireguard,
        hashlib.sha256(responder_mlkem).digest(),
        x25519_public,
        mlkem_ciphertext,
        nonce,
    )
    return KEY_EXCHANGE_LABEL + b"".join(_sized(part) for part in parts)


def confirm_message(transcript: bytes) -> bytes:
    """Input of the HMAC-SHA256 (key: the PSK) by which the responder shows that it agrees."""
    return CONFIRM_LABEL + hashlib.sha256(transcript).digest()


def key_exchange_complete(*, transcript: bytes, confirm: bytes) -> bytes:
    """What the responder signs when it completes an exchange."""
    return CONFIRM_LABEL + b"complete" + hashlib.sha256(transcript).digest() + _sized(confirm)


def reenrolment(*, machine_id: str, auth_key: str, bundle: bytes) -> bytes:
    """What an old identity signs so that its machine keeps id and address under new keys.

    bundle is `signed_bundle` of the new keys. The auth key binds the proof to this enrolment: a
    bundle alone is known to every peer and proves nothing.
    """
    key_hash = hashlib.sha256(auth_key.encode()).digest()
    return REENROLMENT_LABEL + _sized(machine_id.encode()) + _sized(key_hash) + _sized(bundle)
