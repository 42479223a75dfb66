"""Webhooks as administrators make, change, try and remove them."""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.audit.models import AuditHead
from apps.audit.services import record
from apps.auth.secrets import new_secret
from apps.core import sealing
from apps.core.actors import Actor
from apps.core.errors import InvalidInput, InvalidState, NotFound
from apps.orgs.models import Organization
from apps.webhooks.bodies import compose
from apps.webhooks.events import TEST, parse_events
from apps.webhooks.models import WAITING, Webhook, WebhookDelivery
from apps.webhooks.sending import Letter, Outcome, send, tls_context
from apps.webhooks.services.telling import tell
from apps.webhooks.targets import host_of, parse_target

MOST_HOOKS = 20
SECRET_PREFIX = "whsec_"


def create_webhook(
    *, org: Any, actor: Actor, url: str, events: list[str], secret: str | None = None
) -> tuple[Webhook, str]:
    """(webhook, its secret); it hears what happens from now on. Raises InvalidInput."""
    with transaction.atomic():
        org = Organization.objects.for_org(org).select_for_update().get()
        if Webhook.objects.for_org(org).count() >= MOST_HOOKS:
            raise InvalidInput(f"an organisation has at most {MOST_HOOKS} webhooks")
        row = Webhook(org_id=org.pk, url=parse_target(url), events=parse_events(events))
        row.created_by_id = actor.user_id
        secret = _seal(row, secret)
        told = record(org=org, actor=actor, action="webhook.created", resource=row, details=_shown(row))
        row.seen_seq = told.seq
        row.save(force_insert=True)
        tell(org)
        return row, secret


def update_webhook(
    *, org: Any, actor: Actor, webhook_id: Any, values: Mapping[str, Any]
) -> tuple[Webhook, str | None]:
    """(webhook, its new secret or None); raises NotFound, InvalidInput.

    values: url, events, enabled, secret, renew_secret. What waits for a webhook that is switched off is
    given up, and what happens meanwhile is not told later.
    """
    with transaction.atomic():
        row = _locked(org, webhook_id)
        before, secret = _shown(row), None
        if "url" in values:
            row.url = parse_target(values["url"])
        if "events" in values:
            row.events = parse_events(values["events"])
        if values.get("secret") or values.get("renew_secret"):
            secret = _seal(row, values.get("secret"))
        if values.get("enabled", row.enabled) != row.enabled:
            _switch(row, on=values["enabled"])
        row.save()
        after = _shown(row)
        changed = [name for name in after if before[name] != after[name]]
        details = {
            "before": {name: before[name] for name in changed},
            "after": {name: after[name] for name in changed},
            "secret_renewed": secret is not None,
        }
        record(org=org, actor=actor, action="webhook.updated", resource=row, details=details)
        tell(org)
        return row, secret


def delete_webhook(*, org: Any, actor: Actor, webhook_id: Any) -> None:
    """Remove it with its deliveries; raises NotFound."""
    with transaction.atomic():
        row = _locked(org, webhook_id)
        details, row_id = _shown(row), row.pk
        row.delete()
        record(org=org, actor=actor, action="webhook.deleted", resource_id=row_id, details=details)
        tell(org)


def send_test(*, org: Any, actor: Actor, webhook_id: Any) -> WebhookDelivery:
    """Send a test event now, once, also to a webhook that is off; raises NotFound."""
    now = timezone.now()
    with transaction.atomic():
        row = _locked(org, webhook_id)
        record(org=org, actor=actor, action="webhook.tested", resource=row, details=_shown(row))
        event_id = uuid.uuid4()
        told = {"id": str(actor.id) if actor.id else None, "type": actor.kind}
        resource = {"type": "webhook", "id": row.pk}
        data = {"message": "This is a test."}
        delivery = WebhookDelivery.objects.create_in(
            org,
            webhook=row,
            event=TEST,
            event_id=event_id,
            body=compose(event_id, TEST, now, row.org_id, told, resource, data),
            status="failed",
            queued_at=now,
            error="interrupted",
        )
        letter = letter_of(delivery, secret_of(row))
    tls = tls_context(settings.WEBHOOK_CA_FILE)
    note_try(delivery, asyncio.run(send(letter, tls, settings.WEBHOOK_NETWORKS)))
    delivery.status = "delivered" if not delivery.error else "failed"
    with transaction.atomic():
        if WebhookDelivery.objects.for_org(org).filter(pk=delivery.pk).exists():
            delivery.save(force_update=True)
        tell(org)
    return delivery


def replay(*, org: Any, actor: Actor, delivery_id: Any) -> WebhookDelivery:
    """Send what was sent or given up once more, under the same ids; raises NotFound, InvalidState."""
    with transaction.atomic():
        rows = WebhookDelivery.objects.for_org(org).select_for_update(of=("self",)).select_related("webhook")
        row = rows.filter(pk=delivery_id).first()
        if row is None:
            raise NotFound("No such delivery")
        if row.event == TEST:
            raise InvalidState("A test is not repeated; send another one")
        if row.status in WAITING:
            raise InvalidState("It is still to be delivered")
        if not row.webhook.enabled:
            raise InvalidState("The webhook is switched off")
        now = timezone.now()
        row.status, row.attempts, row.queued_at, row.next_try_at, row.error = "pending", 0, now, now, ""
        row.save(update_fields=["status", "attempts", "queued_at", "next_try_at", "error"])
        details = {"webhook_id": row.webhook_id, "event": row.event}
        record(
            org=org,
            actor=actor,
            action="webhook.replayed",
            resource_type="webhook_delivery",
            resource=row,
            details=details,
        )
        tell(org)
        return row


def secret_of(row: Webhook) -> str:
    """What signs its bodies."""
    sealed = bytes(row.secret)
    table = Webhook._meta.db_table
    opened = sealing.open_for_org(row.org_id, table=table, column="secret", row=row.pk, sealed=sealed)
    return opened.decode()


def letter_of(delivery: WebhookDelivery, secret: str) -> Letter:
    """What a delivery sends."""
    hook = delivery.webhook
    suspect = hook.failing_since is not None
    return Letter(delivery.pk, hook.url, delivery.event, delivery.body, secret, suspect)


def note_try(delivery: WebhookDelivery, outcome: Outcome) -> None:
    """Put down what came of one try; not saved."""
    delivery.attempts += 1
    delivery.attempted_at = timezone.now()
    delivery.duration_ms, delivery.response_status = outcome.duration_ms, outcome.status
    delivery.response = outcome.response
    delivery.error = "" if outcome.ok else outcome.error or f"answered {outcome.status}"


def switch_off(row: Webhook) -> None:
    """Give up what waits for it, in the caller's transaction; the row itself is not saved."""
    row.enabled = False
    waiting = WebhookDelivery.objects.for_org(row.org_id).filter(webhook=row, status__in=WAITING)
    waiting.update(status="failed", next_try_at=None, claim=None, error="the webhook was switched off")


def _switch(row: Webhook, *, on: bool) -> None:
    if not on:
        switch_off(row)
        return
    head = AuditHead.objects.for_org(row.org_id).get()
    row.enabled, row.seen_seq, row.failing_since, row.disabled_at = True, head.seq, None, None


def _seal(row: Webhook, secret: str | None) -> str:
    secret = secret or new_secret(SECRET_PREFIX)
    row.secret = sealing.seal_for_org(
        row.org_id, table=row._meta.db_table, column="secret", row=row.pk, secret=secret.encode()
    )
    return secret


def _locked(org: Any, webhook_id: Any) -> Webhook:
    row = Webhook.objects.for_org(org).select_for_update().filter(pk=webhook_id).first()
    if row is None:
        raise NotFound("No such webhook")
    return row


def _shown(row: Webhook) -> dict[str, Any]:
    """What the trail is told: members read it, so of the address no more than its host."""
    return {"host": host_of(row.url), "events": row.events, "enabled": row.enabled}
