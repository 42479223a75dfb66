"""What the control plane signed: ES256 JWTs (RFC 7519), checked with the keys that this machine pinned.

Keys are pinned at first contact. Later ones count when a pinned key signed for them, however many
rotations were missed; a control plane that shows up with keys of its own proves nothing.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from wire.documents import entries, mapping, texts
from wire.losses import (
    AUDIENCE,
    INTRODUCTION_AUDIENCE,
    INTRODUCTION_TYPE,
    REMOVAL_AUDIENCE,
    REMOVAL_TYPE,
    TYPE,
)
from wire.numbers import TOKEN_ISSUER

LEEWAY_SECONDS = 30
MAX_KEYS, MAX_INTRODUCTIONS = 20, 500
_COORDINATE_BYTES = 32

Jwk = Mapping[str, str]


class NotProven(Exception):
    """Nothing that a pinned key signed, or not what it was asked about; the message says which."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What a statement must be about: exactly this. lost is the digest."""

    machine_id: str
    org_id: str
    from_version: int
    to_version: int
    count: int
    lost: str
    nonce: str


@dataclass(slots=True)
class PinnedKeys:
    """The control plane's keys by `kid`, as JWKs."""

    pins: dict[str, Jwk] = field(default_factory=dict)

    def learn(self, published: Any) -> bool:
        """Take what the control plane publishes, {keys, introductions}; True if the pins changed.

        WireError for a document that is none. Keys that no pinned one leads to change nothing.
        """
        document = mapping(published)
        offered = {
            str(key["kid"]): key for key in entries(document.get("keys"), limit=MAX_KEYS) if _is_ours(key)
        }
        reached = dict(self.pins)
        for text in texts(document.get("introductions"), limit=MAX_INTRODUCTIONS):
            try:
                claims = _opened(text, reached, INTRODUCTION_TYPE, INTRODUCTION_AUDIENCE)
            except NotProven:
                continue
            key: Any = claims.get("jwk")
            if _is_ours(key):
                reached[str(key["kid"])] = key
        pins = {kid: key for kid, key in offered.items() if not self.pins or reached.get(kid) == key}
        changed = bool(pins) and pins != self.pins
        if changed:
            self.pins = pins
        return changed

    def reason(self, statement: Any, asked: Loss, now: float) -> str:
        """Why, if the statement is signed, of now (Unix seconds) and about what was asked; else NotProven."""
        claims = _opened(statement, self.pins, TYPE, AUDIENCE)
        found = (*(claims.get(name) for name in ("sub", "org", "from", "to", "count", "lost", "nonce")),)
        wanted = asked.machine_id, asked.org_id, asked.from_version, asked.to_version, asked.count
        if found != (*wanted, asked.lost, asked.nonce):
            raise NotProven("the statement is about something else")
        _hold_to_time(claims, now)
        return str(claims.get("reason"))[:100]

    def check_removal(
        self, statement: Any, *, machine_id: str, org_id: str, node_key: str, now: float
    ) -> None:
        """NotProven unless it says that this very node key is dead."""
        claims = _opened(statement, self.pins, REMOVAL_TYPE, REMOVAL_AUDIENCE)
        key = hashlib.sha256(node_key.encode()).hexdigest()
        if (claims.get("sub"), claims.get("org"), claims.get("key")) != (machine_id, org_id, key):
            raise NotProven("the statement is about something else")
        _hold_to_time(claims, now)


def _hold_to_time(claims: Mapping[str, Any], now: float) -> None:
    begins, ends = claims.get("iat"), claims.get("exp")
    if not (isinstance(begins, int) and isinstance(ends, int)):
        raise NotProven("the statement has no time")
    if not begins - LEEWAY_SECONDS <= now <= ends + LEEWAY_SECONDS:
        raise NotProven("the statement is not of this time")


def _is_ours(key: Any) -> bool:
    """Whether this is a P-256 key with a name."""
    return (
        isinstance(key, Mapping)
        and (key.get("kty"), key.get("crv")) == ("EC", "P-256")
        and all(isinstance(key.get(name), str) for name in ("kid", "x", "y"))
    )


def _opened(token: Any, keys: Mapping[str, Jwk], type_: str, audience: str) -> dict[str, Any]:
    """Claims of a token that one of these keys signed; NotProven."""
    try:
        head, body, signature = str(token).split(".")
        header, claims = (json.loads(_decoded(part)) for part in (head, body))
        if (header["alg"], header["typ"]) != ("ES256", type_) or header["kid"] not in keys:
            raise NotProven("no key that this machine knows signed it")
        _check(keys[header["kid"]], f"{head}.{body}".encode(), _decoded(signature))
        if (claims["iss"], claims["aud"]) != (TOKEN_ISSUER, audience):
            raise NotProven("the statement is for somebody else")
    except (ValueError, KeyError, TypeError, RecursionError, InvalidSignature, binascii.Error):
        raise NotProven("no statement that the control plane signed") from None
    return dict(claims)


def _check(key: Jwk, signed: bytes, signature: bytes) -> None:
    x, y, r, s = (
        int.from_bytes(part) for part in (_decoded(key["x"]), _decoded(key["y"]), *_halves(signature))
    )
    public = EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
    public.verify(encode_dss_signature(r, s), signed, ECDSA(SHA256()))


def _halves(signature: bytes) -> Sequence[bytes]:
    if len(signature) != 2 * _COORDINATE_BYTES:
        raise ValueError("not a signature")
    return signature[:_COORDINATE_BYTES], signature[_COORDINATE_BYTES:]


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
