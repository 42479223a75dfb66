"""`POST /api/webhooks` and the table webhooks.

A webhook reads the whole trail, so of API keys only those with full access may touch one.
"""

from typing import Any

from rest_framework import serializers

from apps.core.api.columns import Column
from apps.core.api.cursor import newest_first
from apps.core.api.tables import TableView
from apps.core.api.views import ActionView, Answer, Call, Operation
from apps.core.errors import MissingFields, NotFound
from apps.core.ratelimit import Limit
from apps.machines.api.fields import Flag, WholeNumber
from apps.webhooks.events import GROUPS
from apps.webhooks.models import STATES, Webhook, WebhookDelivery
from apps.webhooks.services import hooks
from apps.webhooks.targets import MAX_URL

TESTS = Limit(10, 60)
MAX_EVENTS = 200
LISTED = (
    *("id", "webhook_id", "event", "event_id", "status", "attempts", "created_at", "attempted_at"),
    *("next_try_at", "duration_ms", "response_status", "error"),
)


class EventsField(serializers.ListField):
    child = serializers.CharField(max_length=100)


class SecretField(serializers.RegexField):
    """Printable ASCII, long enough to sign with."""

    def __init__(self, **options: Any) -> None:
        super().__init__(r"^[!-~]+$", min_length=16, max_length=128, **options)


class CreateInput(serializers.Serializer):
    url = serializers.CharField(max_length=MAX_URL)
    events = EventsField(max_length=MAX_EVENTS)
    secret = SecretField(required=False, allow_null=True)


class WebhookInput(serializers.Serializer):
    webhook_id = serializers.UUIDField()


class UpdateInput(WebhookInput):
    url = serializers.CharField(max_length=MAX_URL, required=False)
    events = EventsField(max_length=MAX_EVENTS, required=False)
    enabled = Flag(required=False)
    secret = SecretField(required=False, allow_null=True)
    renew_secret = Flag(required=False)


class DeliveriesInput(WebhookInput):
    """delivery_id: that one alone, with what was sent and answered."""

    delivery_id = serializers.UUIDField(required=False, allow_null=True)
    status = serializers.ChoiceField(STATES, required=False, allow_null=True)
    limit = WholeNumber(min_value=1, max_value=200, required=False, default=50)
    cursor = serializers.CharField(max_length=100, required=False, allow_null=True)


class DeliveryInput(serializers.Serializer):
    delivery_id = serializers.UUIDField()


def _create(call: Call) -> Answer:
    row, secret = hooks.create_webhook(org=call.org, actor=call.actor, **call.data)
    return Answer({"id": row.pk, "secret": secret}, status=201)


def _update(call: Call) -> dict[str, Any]:
    values = dict(call.data)
    webhook_id = values.pop("webhook_id")
    if not values:
        raise MissingFields("Nothing to change")
    row, secret = hooks.update_webhook(org=call.org, actor=call.actor, webhook_id=webhook_id, values=values)
    shown = {"id": row.pk, "url": row.url, "events": row.events, "enabled": row.enabled}
    return {**shown, **({"secret": secret} if secret else {})}


def _delete(call: Call) -> dict[str, bool]:
    hooks.delete_webhook(org=call.org, actor=call.actor, **call.data)
    return {"deleted": True}


def _test(call: Call) -> dict[str, Any]:
    return _whole(hooks.send_test(org=call.org, actor=call.actor, **call.data))


def _deliveries(call: Call) -> dict[str, Any]:
    wanted = call.data
    if not Webhook.objects.for_org(call.org).filter(pk=wanted["webhook_id"]).exists():
        raise NotFound("No such webhook")
    rows = WebhookDelivery.objects.for_org(call.org).filter(webhook_id=wanted["webhook_id"])
    if delivery_id := wanted.get("delivery_id"):
        row = rows.filter(pk=delivery_id).first()
        if row is None:
            raise NotFound("No such delivery")
        return {"deliveries": [_whole(row)], "next_cursor": None}
    if status := wanted.get("status"):
        rows = rows.filter(status=status)
    rows = rows.defer("body", "response")
    found, following = newest_first(rows, limit=wanted["limit"], cursor=wanted.get("cursor"))
    return {"deliveries": [_listed(row) for row in found], "next_cursor": following}


def _replay(call: Call) -> dict[str, Any]:
    return _listed(hooks.replay(org=call.org, actor=call.actor, **call.data))


def _events(call: Call) -> dict[str, Any]:
    groups = [
        {"title": title, "events": [f"{noun}.{verb}" for noun, verbs in nouns.items() for verb in verbs]}
        for title, nouns in GROUPS.items()
    ]
    return {"groups": groups}


def _listed(row: WebhookDelivery) -> dict[str, Any]:
    return {name: getattr(row, name) for name in LISTED}


def _whole(row: WebhookDelivery) -> dict[str, Any]:
    return _listed(row) | {"body": row.body, "response": row.response}


class Webhooks(ActionView):
    topic = "webhooks"
    actions = (
        Operation("create", "A", _create, CreateInput),
        Operation("update", "A", _update, UpdateInput),
        Operation("delete", "A", _delete, WebhookInput),
        Operation("test", "A", _test, WebhookInput, limit=TESTS),
        Operation("deliveries", "A", _deliveries, DeliveriesInput),
        Operation("replay", "A", _replay, DeliveryInput),
        Operation("events", "A", _events),
    )


class WebhooksTable(TableView):
    table, model, scope, read = "webhooks", Webhook, "connectors", "A"
    columns = (
        *(Column(name) for name in ("id", "org_id", "url", "events", "enabled")),
        Column("created_by", source="created_by_id"),
        *(Column(name) for name in ("last_attempt_at", "last_ok", "failing_since", "disabled_at")),
        *(Column(name) for name in ("created_at", "updated_at")),
    )
    instead = dict.fromkeys(("insert", "update", "delete"), "Use POST /api/webhooks")
