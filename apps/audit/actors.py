"""Names behind audit rows, sealed under a key per person that can be destroyed."""

import json
import os
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apps.audit.models import AuditActor
from apps.core import sealing
from apps.core.actors import Actor

TABLE = AuditActor._meta.db_table


def actor_row(org_id: Any, actor: Actor) -> AuditActor:
    """The organisation's row for this actor, made on his first act."""
    subject = str(actor.id or actor.name or "anonymous")
    row = AuditActor.objects.for_org(org_id).filter(kind=actor.kind, subject=subject).first()
    if row is not None:
        return row
    row = AuditActor(org_id=org_id, kind=actor.kind, subject=subject)
    key = os.urandom(32)
    identity = json.dumps({"name": actor.name, "email": actor.email}).encode()
    nonce = os.urandom(12)
    row.identity = nonce + AESGCM(key).encrypt(nonce, identity, row.pk.bytes)
    row.key = sealing.seal_for_org(org_id, table=TABLE, column="key", row=row.pk, secret=key)
    row.save(force_insert=True)
    return row


def identity_of(row: AuditActor) -> dict[str, Any]:
    """{kind, name, email}; name and e-mail are null once the person is forgotten."""
    if row.key is None:
        return {"kind": row.kind, "name": None, "email": None}
    key = sealing.open_for_org(row.org_id, table=TABLE, column="key", row=row.pk, sealed=bytes(row.key))
    sealed = bytes(row.identity)
    opened = json.loads(AESGCM(key).decrypt(sealed[:12], sealed[12:], row.pk.bytes))
    return {"kind": row.kind, **opened}


def forget_person(subject: str) -> int:
    """Destroy the keys of one person in every organisation; returns how many there were."""
    return AuditActor.all_orgs.filter(subject=subject).exclude(key=None).update(key=None)
