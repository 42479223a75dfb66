"""Calls of the tests in this folder."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.policy.tests.calls import act, data
from apps.webhooks.models import WebhookDelivery


def hook(person: Any, org: Any, url: str, *events: str, **values: Any) -> dict[str, Any]:
    """Create one: {id, secret}."""
    return act(person, org, "webhooks", "create", 201, url=url, events=list(events or ("*",)), **values)


def deliveries(person: Any, org: Any, webhook_id: str, **filters: Any) -> list[dict[str, Any]]:
    """Newest first."""
    body = {"action": "deliveries", "org_id": str(org.pk), "webhook_id": webhook_id, **filters}
    return data(person.client.call("/api/webhooks", body))["deliveries"]


def request_access(person: Any, org: Any, **values: Any) -> dict[str, Any]:
    body = {
        "source_selector": f"user:{person.user.pk}",
        "destination_selector": "tag:db",
        "ports": "5432",
        "duration_hours": 2,
        "reason": "restore",
    }
    return act(person, org, "governance", "jit_request", 201, **body | values)


def pass_time(**span: float) -> None:
    """As if so much time had passed since deliveries were queued and tried."""
    for row in WebhookDelivery.all_orgs.exclude(next_try_at=None):
        row.next_try_at -= timedelta(**span)
        row.queued_at -= timedelta(**span)
        row.save(update_fields=["next_try_at", "queued_at"])


def make_due() -> None:
    """As if the wait of all that waits were over, and no time had passed besides."""
    WebhookDelivery.all_orgs.filter(status="pending").update(next_try_at=timezone.now())
