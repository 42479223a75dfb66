"""API keys: `POST /api/key-management` and the table api_keys."""

from typing import Any

from rest_framework import serializers

from apps.auth import apikeys
from apps.auth.models import ApiKey
from apps.core.api.columns import Column
from apps.core.api.tables import TableView
from apps.core.api.views import ActionView, Answer, Call, Operation
from apps.core.errors import InvalidInput


class WholeNumber(serializers.IntegerField):
    """An integer that is written as one."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class CreateInput(serializers.Serializer):
    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(
        child=serializers.CharField(max_length=40), max_length=50, required=False, default=list
    )
    rate_limit_rpm = WholeNumber(min_value=1, max_value=100_000, required=False, default=60)
    expiry_days = WholeNumber(required=False, allow_null=True, default=None)
    allowed_cidrs = serializers.ListField(
        child=serializers.CharField(max_length=43),
        max_length=50,
        required=False,
        allow_null=True,
        default=None,
    )


class RotateInput(serializers.Serializer):
    key_id = serializers.UUIDField()
    grace_hours = WholeNumber(min_value=0, max_value=72, required=False, default=0)


class KeyInput(serializers.Serializer):
    key_id = serializers.UUIDField()


def _create(call: Call) -> Answer:
    key, secret = apikeys.create_api_key(org=call.org, actor=call.actor, **call.data)
    data = {
        "id": key.pk,
        "key": secret,
        "key_prefix": key.key_prefix,
        "name": key.name,
        "scopes": key.scopes,
        "rate_limit_rpm": key.rate_limit_rpm,
        "expiry_days": (key.expires_at - key.created_at).days,
        "expires_at": key.expires_at,
        "created_at": key.created_at,
        "revoked": False,
    }
    return Answer(data, status=201)


def _rotate(call: Call) -> Answer:
    key, secret = apikeys.rotate_api_key(org=call.org, actor=call.actor, **call.data)
    data = {
        "id": key.pk,
        "key": secret,
        "key_prefix": key.key_prefix,
        "name": key.name,
        "expires_at": key.expires_at,
        "old_key_revoked": not call.data["grace_hours"],
    }
    return Answer(data, status=201)


def _revoke(call: Call) -> dict[str, Any]:
    apikeys.revoke_api_key(org=call.org, actor=call.actor, key_id=call.data["key_id"])
    return {"revoked": call.data["key_id"]}


class ApiKeyManagement(ActionView):
    topic = "key-management"
    aliases = ("api-keys",)
    actions = (
        Operation("create_api_key", "A", _create, CreateInput),
        Operation("rotate_api_key", "A", _rotate, RotateInput),
        Operation("revoke_api_key", "A", _revoke, KeyInput),
    )


class ApiKeyWrite(serializers.Serializer):
    name = serializers.CharField(max_length=100)
    revoked = serializers.BooleanField()


class ApiKeysTable(TableView):
    table = "api_keys"
    model = ApiKey
    columns = (
        *(Column(name) for name in ("id", "key_prefix", "scopes", "rate_limit_rpm", "allowed_cidrs")),
        *(Column(name) for name in ("usage_count", "last_used_at", "expires_at", "revoked_at")),
        *(Column(name) for name in ("rotated_from_id", "grace_until", "created_by_id", "created_at")),
        Column("name", write="A"),
        Column("revoked", write="A"),
    )
    default_order = ("created_at",)
    read = "U"
    update = "A"
    scope = "keys"
    serializer = ApiKeyWrite
    instead = {
        "insert": "Use POST /api/key-management {action: create_api_key}",
        "delete": "Use POST /api/key-management {action: revoke_api_key}",
    }

    def update_row(self, call: Call, row: ApiKey, values: Any) -> None:
        if "revoked" in values:
            if not values["revoked"]:
                raise InvalidInput("revoked: can only become true", field="revoked")
            apikeys.revoke_api_key(org=call.org, actor=call.actor, key_id=row.pk)
        if "name" in values:
            apikeys.rename_api_key(org=call.org, actor=call.actor, key_id=row.pk, name=values["name"])
