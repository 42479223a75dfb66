"""The chain of an audit trail: each row's hash covers the row before it.

Canonical form of a row: compact JSON, keys sorted, UTF-8, times in RFC 3339 with microseconds. `hash` is
SHA-256 of `prev_hash` (64 hex digits), a line feed and that; the first row's prev_hash is 64 zeros.
"""

import hashlib
from typing import Final

GENESIS: Final = "0" * 64


def row_hash(prev_hash: str, canonical: str) -> str:
    """64 hex digits."""
    return hashlib.sha256(f"{prev_hash}\n{canonical}".encode()).hexdigest()
