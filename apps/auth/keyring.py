"""The signing keys: made on first use, sealed, rotated with an overlap longer than any token."""

import base64
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.auth.models import SigningKey
from apps.core import sealing
from apps.core.api.signing import jwk_of, sign_with
from wire.losses import INTRODUCTION_AUDIENCE, INTRODUCTION_TYPE

OVERLAP = timedelta(hours=2)
CACHED_SECONDS = 60
AGAIN_AFTER_SECONDS = 1
# A machine may have been off for years; who leads to whom does not change.
INTRODUCTIONS_KEPT, INTRODUCTION_SECONDS = 500, 20 * 365 * 24 * 3600

_cache: dict[str, tuple[float, Any]] = {}


def current() -> tuple[str, ec.EllipticCurvePrivateKey]:
    """(kid, private key) that signs now."""
    return _cached("current", _load_current, CACHED_SECONDS)


def public(unknown_kid: bool = False) -> dict[str, ec.EllipticCurvePublicKey]:
    """kid -> public key of every key that still verifies.

    A kid that this process has not seen may belong to a key that another one just made.
    """
    return _cached("public", _load_public, AGAIN_AFTER_SECONDS if unknown_kid else CACHED_SECONDS)


def introductions() -> list[str]:
    """For each key what the one before it signed, oldest first: whoever knows one finds the present."""
    return _cached("introductions", _load_introductions, CACHED_SECONDS)


def forget() -> None:
    """Drop what this process remembers."""
    _cache.clear()


def rotate() -> str:
    """Make a new signing key and return its kid; the old one goes on verifying for the overlap."""
    with transaction.atomic():
        former = _load_current()
        SigningKey.objects.filter(state="retiring", not_after__lt=timezone.now()).update(state="retired")
        SigningKey.objects.filter(state="active").update(state="retiring", not_after=timezone.now() + OVERLAP)
        made = _make()
        made.introduction = _introduce(made, former)
        made.save(update_fields=["introduction"])
    transaction.on_commit(forget)
    return made.kid


def _cached(name: str, load: Callable[[], Any], seconds: float) -> Any:
    at, value = _cache.get(name, (0.0, None))
    if value is None or time.monotonic() - at > seconds:
        value = load()
        _cache[name] = (time.monotonic(), value)
    return value


def _load_current() -> tuple[str, ec.EllipticCurvePrivateKey]:
    row = SigningKey.objects.filter(state="active").first()
    if row is None:
        try:
            with transaction.atomic():
                row = _make()
        except IntegrityError:  # another process was first
            row = SigningKey.objects.get(state="active")
    opened = sealing.open_platform("signing keys", row.kid, bytes(row.private_key))
    return row.kid, serialization.load_der_private_key(opened, None)


def _load_public() -> dict[str, ec.EllipticCurvePublicKey]:
    current()
    rows = SigningKey.objects.exclude(state="retired").exclude(not_after__lt=timezone.now())
    return {row.kid: serialization.load_pem_public_key(row.public_key.encode()) for row in rows}


def _load_introductions() -> list[str]:
    rows = SigningKey.objects.exclude(introduction=None).order_by("-created_at")
    return list(rows.values_list("introduction", flat=True)[:INTRODUCTIONS_KEPT])[::-1]


def _introduce(made: SigningKey, former: tuple[str, ec.EllipticCurvePrivateKey]) -> str:
    key = serialization.load_pem_public_key(made.public_key.encode())
    claims = {"sub": made.kid, "jwk": jwk_of(made.kid, key)}
    return sign_with(
        former,
        claims,
        audience=INTRODUCTION_AUDIENCE,
        seconds=INTRODUCTION_SECONDS,
        type_=INTRODUCTION_TYPE,
    )


def _make() -> SigningKey:
    key = ec.generate_private_key(ec.SECP256R1())
    spki = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashes.Hash(hashes.SHA256())
    digest.update(spki)
    kid = base64.urlsafe_b64encode(digest.finalize()).rstrip(b"=").decode()
    private = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return SigningKey.objects.create(
        kid=kid,
        state="active",
        public_key=pem.decode(),
        private_key=sealing.seal_platform("signing keys", kid, private),
    )
