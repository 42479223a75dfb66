"""`POST /api/auth` and `POST /api/auth/device`: how the command line gets a session."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from apps.auth import handover
from apps.auth.api.pair import pair_answer
from apps.core import ratelimit
from apps.core.api import access
from apps.core.api.views import ActionView, Answer, Call, Operation

# A person types the code; guessing one of 20^8 within ten minutes must stay hopeless.
CODE_TRIES = ratelimit.Limit(10, 300)
S256 = r"^[A-Za-z0-9_-]{43}=?$"


class CliCompleteInput(serializers.Serializer):
    cli_state = serializers.CharField(min_length=16, max_length=200)
    code_challenge = serializers.RegexField(S256)
    org_id = serializers.UUIDField(required=False, allow_null=True)


class CliExchangeInput(serializers.Serializer):
    code = serializers.CharField(max_length=100)
    code_verifier = serializers.CharField(min_length=43, max_length=128)
    cli_state = serializers.CharField(max_length=200)


class DeviceStartInput(serializers.Serializer):
    hostname = serializers.CharField(max_length=100, required=False, allow_blank=True)


class DevicePollInput(serializers.Serializer):
    device_code = serializers.CharField(max_length=100)


class UserCodeInput(serializers.Serializer):
    user_code = serializers.CharField(max_length=20)


def _cli_complete(call: Call) -> dict[str, Any]:
    org_id = call.data.get("org_id")
    if org_id:
        access.org_access(call.principal, org_id)
    code = handover.issue_cli_code(
        user=call.principal.subject,
        actor=call.actor,
        cli_state=call.data["cli_state"],
        code_challenge=call.data["code_challenge"],
        org_id=org_id,
    )
    return {"code": code, "expires_in": handover.CODE_SECONDS}


def _cli_exchange(call: Call) -> Answer:
    pair, org_id = handover.exchange_cli_code(**call.data, actor=call.actor)
    return pair_answer(call.request, pair, org_id=org_id)


def _start(call: Call) -> dict[str, Any]:
    codes = handover.start_device(hostname=call.data.get("hostname", ""), actor=call.actor)
    return {**codes, "verification_uri": f"{settings.PUBLIC_URL}/auth/device"}


def _poll(call: Call) -> Answer:
    pair = handover.poll_device(device_code=call.data["device_code"], actor=call.actor)
    return pair_answer(call.request, pair)


def _lookup(call: Call) -> dict[str, Any]:
    token = handover.find_device(user_code=call.data["user_code"])
    subject = token.subject
    return {
        "hostname": subject["hostname"],
        "ip": subject["ip"],
        "place": None,
        "created_at": token.created_at,
    }


def _decide(call: Call, approved: bool) -> dict[str, Any]:
    handover.decide_device(
        user_code=call.data["user_code"],
        user=call.principal.subject,
        actor=call.actor,
        approved=approved,
    )
    return {"approved" if approved else "denied": True}


def _approve(call: Call) -> dict[str, Any]:
    return _decide(call, True)


def _deny(call: Call) -> dict[str, Any]:
    return _decide(call, False)


class CliSignIn(ActionView):
    topic = "auth"
    actions = (
        Operation("cli_complete", "S", _cli_complete, CliCompleteInput),
        Operation("cli_exchange", "P", _cli_exchange, CliExchangeInput),
    )


class DeviceSignIn(ActionView):
    topic = "auth/device"
    actions = (
        Operation("start", "P", _start, DeviceStartInput),
        Operation("poll", "P", _poll, DevicePollInput, limit=ratelimit.Limit(240, 60)),
        Operation("lookup", "S", _lookup, UserCodeInput, limit=CODE_TRIES),
        Operation("approve", "S", _approve, UserCodeInput, limit=CODE_TRIES),
        Operation("deny", "S", _deny, UserCodeInput, limit=CODE_TRIES),
    )
