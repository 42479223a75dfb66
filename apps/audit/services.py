"""Writing the trail: one row in the transaction of the change, chained to the row before (wire.audit)."""

import json
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.audit import actors
from apps.audit.models import AuditHead, AuditLog
from apps.core.actors import Actor
from apps.core.api.rendering import WireEncoder
from apps.core.realtime import publish
from wire import audit


def record(
    *,
    org: Any,
    actor: Actor,
    action: str,
    resource: Any = None,
    resource_type: str = "",
    resource_id: Any = None,
    details: dict[str, Any] | None = None,
) -> AuditLog:
    """Append one row; must run inside the transaction of the change it tells of.

    action: `noun.verb_past`. resource: a model row, whose type is the noun of the action unless
    resource_type says otherwise. details: plain values, never a secret.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError(f"{action}: an audit row belongs into the transaction of its change")
    org_id = getattr(org, "pk", org)
    AuditHead.objects.for_org(org_id).get_or_create(org_id=org_id)
    # Writers of one organisation queue here until the one before has committed.
    head = AuditHead.objects.for_org(org_id).select_for_update().get()
    row = AuditLog(
        org_id=org_id,
        seq=head.seq + 1,
        action=action,
        resource_type=resource_type or action.partition(".")[0],
        resource_id=str(resource.pk if resource is not None else resource_id or "") or None,
        user_id=actor.user_id,
        actor_kind=actor.kind,
        actor=actors.actor_row(org_id, actor),
        details=json.loads(json.dumps(details or {}, cls=WireEncoder)),
        ip_address=actor.ip_address,
        user_agent=actor.user_agent,
        request_id=actor.request_id,
        prev_hash=head.hash,
        created_at=timezone.now(),
    )
    row.hash = row_hash(row)
    row.save(force_insert=True)
    head.seq, head.hash = row.seq, row.hash
    head.save(update_fields=["seq", "hash"])
    publish(
        org=org_id,
        channel="audit",
        event="INSERT",
        table="audit_logs",
        payload={"id": row.pk, "action": row.action, "created_at": row.created_at},
    )
    return row


def row_hash(row: AuditLog) -> str:
    """What the row's hash must be."""
    return audit.row_hash(row.prev_hash, canonical(row))


def canonical(row: AuditLog) -> str:
    """The text that is hashed."""
    fields = {
        "id": str(row.pk),
        "org_id": str(row.org_id),
        "seq": row.seq,
        "action": row.action,
        "resource_type": row.resource_type,
        "resource_id": row.resource_id,
        "user_id": str(row.user_id) if row.user_id else None,
        "actor_kind": row.actor_kind,
        "actor": str(row.actor_id),
        "details": row.details,
        "ip_address": row.ip_address,
        "user_agent": row.user_agent,
        "request_id": row.request_id,
        "created_at": _exact(row.created_at),
    }
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _exact(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
