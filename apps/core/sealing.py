"""Secrets at rest: AES-256-GCM under a key per organisation, itself wrapped by the KEK.

A sealed value is `version (1) || nonce (12) || ciphertext and tag`. Table, column, organisation and
row are authenticated with it, so that a ciphertext moved elsewhere does not open.
"""

import os
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import IntegrityError, transaction

VERSION = b"\x01"


class SealBrokenError(Exception):
    """A sealed value does not open: wrong key, wrong place or altered."""


def seal_platform(purpose: str, place: str, secret: bytes) -> bytes:
    """Seal what belongs to no organisation, under a sub-key of the KEK for this purpose."""
    return _seal(_platform_key(purpose), place.encode(), secret)


def open_platform(purpose: str, place: str, sealed: bytes) -> bytes:
    """Open what seal_platform sealed; raises SealBrokenError."""
    return _open(_platform_key(purpose), place.encode(), sealed)


def seal_for_org(org_id: uuid.UUID, *, table: str, column: str, row: uuid.UUID, secret: bytes) -> bytes:
    """Seal a value of one organisation's row."""
    return _seal(_org_key(org_id), _place(org_id, table, column, row), secret)


def open_for_org(org_id: uuid.UUID, *, table: str, column: str, row: uuid.UUID, sealed: bytes) -> bytes:
    """Open what seal_for_org sealed in the same place; raises SealBrokenError."""
    return _open(_org_key(org_id), _place(org_id, table, column, row), sealed)


def _place(org_id: uuid.UUID, table: str, column: str, row: uuid.UUID) -> bytes:
    return "\0".join((table, column, str(org_id), str(row))).encode()


def _platform_key(purpose: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=f"quickztna {purpose}".encode()).derive(settings.KEK)


def _org_key(org_id: uuid.UUID) -> bytes:
    from apps.core.models import OrgDataKey

    stored = OrgDataKey.objects.for_org(org_id).first()
    if stored is None:
        wrapped = _seal(_platform_key("org data keys"), org_id.bytes, os.urandom(32))
        try:
            with transaction.atomic():
                stored = OrgDataKey.objects.create_in(org_id, wrapped=wrapped)
        except IntegrityError:
            stored = OrgDataKey.objects.for_org(org_id).get()
    return _open(_platform_key("org data keys"), org_id.bytes, bytes(stored.wrapped))


def _seal(key: bytes, place: bytes, secret: bytes) -> bytes:
    nonce = os.urandom(12)
    return VERSION + nonce + AESGCM(key).encrypt(nonce, secret, VERSION + place)


def _open(key: bytes, place: bytes, sealed: bytes) -> bytes:
    if sealed[:1] != VERSION:
        raise SealBrokenError("unknown version")
    try:
        return AESGCM(key).decrypt(sealed[1:13], sealed[13:], VERSION + place)
    except (InvalidTag, ValueError):
        raise SealBrokenError("does not open") from None
