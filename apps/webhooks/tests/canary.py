"""Rows of this app full of a canary, for the tenancy sweeps."""

import uuid
from typing import Any

from django.utils import timezone

from apps.core import sealing
from apps.webhooks.models import Webhook, WebhookDelivery


def plant(org: Any, canary: str) -> None:
    hook = Webhook(
        org_id=org.pk,
        url=f"https://{canary}.example/hook",
        events=[f"{canary}.made"],
        seen_seq=0,
        enabled=False,
    )
    hook.secret = sealing.seal_for_org(
        org.pk, table="webhooks", column="secret", row=hook.pk, secret=f"secret-{canary}".encode()
    )
    hook.save(force_insert=True)
    WebhookDelivery.objects.create_in(
        org,
        webhook=hook,
        event=f"{canary}.made",
        event_id=uuid.uuid4(),
        body=f'{{"data": "{canary}"}}',
        response=canary,
        error=canary,
        status="failed",
        queued_at=timezone.now(),
    )
