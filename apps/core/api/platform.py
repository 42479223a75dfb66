"""Calls about the control plane itself: health, socket tickets, broadcasts."""

import json
from typing import Any

from django.http import JsonResponse
from rest_framework import serializers

from apps.core import health, ratelimit, realtime, tickets
from apps.core.api.principals import credential_of
from apps.core.api.schema import openapi_document
from apps.core.api.views import Answer, Call, CallView, Operation
from apps.core.errors import InvalidInput

LARGEST_PAYLOAD = 4 * 1024


class TicketInput(serializers.Serializer):
    purpose = serializers.ChoiceField(["realtime"], required=False, default="realtime")


class BroadcastInput(serializers.Serializer):
    channel = serializers.ChoiceField(sorted(realtime.CHANNELS), required=False, default="general")
    event = serializers.CharField(max_length=64)
    payload = serializers.JSONField()


def _health(call: Call) -> Answer:
    report = health.report()
    return Answer(report, status=503 if report["status"] == "down" else 200)


def _ticket(call: Call) -> dict[str, Any]:
    credential = credential_of(call.request.headers)
    ticket = tickets.issue(credential, org_id=call.org.pk, purpose=call.data["purpose"])
    return {"ticket": ticket, "expires_in": tickets.LIFE_SECONDS}


def _broadcast(call: Call) -> dict[str, Any]:
    if len(json.dumps(call.data["payload"]).encode()) > LARGEST_PAYLOAD:
        raise InvalidInput("payload: at most 4 KB", field="payload")
    realtime.publish(
        org=call.org,
        channel=call.data["channel"],
        event=call.data["event"],
        table="",
        payload=call.data["payload"],
    )
    return {"delivered": True}


def _openapi(call: Call) -> JsonResponse:
    return JsonResponse(openapi_document())


class OpenApi(CallView):
    path = "openapi.json"
    calls = {"GET": Operation("openapi", "S", _openapi)}


class Health(CallView):
    path = "health"
    calls = {"GET": Operation("health", "P", _health, limit=ratelimit.Limit(300, 60))}


class RealtimeTicket(CallView):
    path = "realtime-ticket"
    calls = {"POST": Operation("realtime-ticket", "M", _ticket, TicketInput, scope="machines:read")}


class RealtimeBroadcast(CallView):
    path = "realtime-broadcast"
    calls = {
        "POST": Operation(
            "realtime-broadcast", "A", _broadcast, BroadcastInput, limit=ratelimit.Limit(10, 60)
        )
    }
