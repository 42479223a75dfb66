"""Random secrets that are handed out once and stored as hashes."""

import hashlib
import secrets


def new_secret(prefix: str = "") -> str:
    """prefix + 64 hex digits (256 bits)."""
    return prefix + secrets.token_hex(32)


def secret_hash(secret: str) -> str:
    """What is stored: SHA-256 suffices for 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()
