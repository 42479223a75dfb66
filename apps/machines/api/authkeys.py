"""Auth keys: their actions on `POST /api/key-management` and the table auth_keys."""

from typing import Any

from rest_framework import serializers

from apps.core.api.columns import Column
from apps.core.api.tables import TableView
from apps.core.api.views import ActionView, Answer, Call, Operation
from apps.core.errors import InvalidInput, MissingFields
from apps.machines.api.fields import Flag, WholeNumber, tag_list
from apps.machines.models import AuthKey
from apps.machines.services import authkeys

SECOND_FORM = ("expires_in", "tags", "description")


class CreateInput(serializers.Serializer):
    name = serializers.CharField(max_length=100, required=False)
    description = serializers.CharField(max_length=255, required=False, allow_null=True, allow_blank=True)
    reusable = Flag(required=False)
    ephemeral = Flag(required=False)
    pre_approved = Flag(required=False)
    expiry_days = serializers.JSONField(required=False, allow_null=True)
    expires_in = WholeNumber(required=False, allow_null=True)
    tags = tag_list(required=False, allow_null=True)
    allowed_tags = tag_list(required=False, allow_null=True)
    allowed_cidrs = serializers.ListField(
        child=serializers.CharField(max_length=43), max_length=50, required=False, allow_null=True
    )
    max_uses = WholeNumber(min_value=1, max_value=1_000_000, required=False, allow_null=True)

    def validate_expiry_days(self, value: Any) -> int | None:
        if value is not None and (type(value) is not int or not 1 <= value <= authkeys.MOST_DAYS):
            raise authkeys.bad_days()
        return value


class RevokeInput(serializers.Serializer):
    key_id = serializers.UUIDField()
    quarantine_machines = Flag(required=False, default=True)


def create_key(call: Call, values: Any) -> tuple[AuthKey, str]:
    """Make a key from either form of the request."""
    values = dict(values)
    if not values.get("name"):
        if not any(name in values for name in SECOND_FORM):
            raise MissingFields("name required", field="name")
        values["name"] = (values.get("description") or "auth key")[:100]
    if "expiry_days" not in values and any(name in values for name in SECOND_FORM):
        values.setdefault("expires_in", 3600)
    return authkeys.create_auth_key(org=call.org, actor=call.actor, **values)


def _create(call: Call) -> Answer:
    key, secret = create_key(call, call.data)
    shown = ("key_prefix", "name", "description", "reusable", "ephemeral", "pre_approved", "max_uses")
    data = {
        "id": key.pk,
        "org_id": key.org_id,
        "key": secret,
        **{name: getattr(key, name) for name in shown},
        "expiry_days": (key.expires_at - key.created_at).days,
        "expires_at": key.expires_at,
        "tags": key.tags,
        "allowed_tags": key.allowed_tags,
        "allowed_cidrs": key.allowed_cidrs,
        "created_by": key.created_by_id,
        "created_at": key.created_at,
        "revoked": False,
    }
    return Answer(data, status=201)


def _revoke(call: Call) -> dict[str, Any]:
    stopped = authkeys.revoke_auth_key(org=call.org, actor=call.actor, **call.data)
    return {"revoked": call.data["key_id"], "machines_quarantined": stopped}


class AuthKeyManagement(ActionView):
    topic = "key-management"
    retired = {"create": "create_auth_key or create_api_key"}
    actions = (
        Operation("create_auth_key", "A", _create, CreateInput, scope="keys:write"),
        Operation("revoke_auth_key", "A", _revoke, RevokeInput, scope="keys:write"),
    )


class OrgManagement(ActionView):
    """The same under the name of older programs."""

    topic = "org-management"
    actions = (Operation("revoke_auth_key", "A", _revoke, RevokeInput, scope="keys:write"),)


class AuthKeyWrite(CreateInput):
    """What the table takes: all of the action's fields at insert, name and revoked later."""

    revoked = Flag(required=False)


class AuthKeysTable(TableView):
    table, model, scope = "auth_keys", AuthKey, "keys"
    columns = (
        *(Column(name) for name in ("id", "org_id", "key_prefix", "description", "reusable", "ephemeral")),
        *(Column(name) for name in ("pre_approved", "tags", "allowed_tags", "allowed_cidrs", "max_uses")),
        *(Column(name) for name in ("used_count", "expires_at", "expired", "revoked_at")),
        Column("created_by", source="created_by_id"),
        Column("created_at"),
        Column("name", write="A"),
        Column("revoked", write="A"),
    )
    default_order = ("created_at",)
    read, insert, update = "U", "A", "A"
    instead = {"delete": "Use POST /api/key-management {action: revoke_auth_key}"}
    serializer = AuthKeyWrite

    def create_row(self, call: Call, values: Any) -> AuthKey:
        values = {name: value for name, value in values.items() if name != "revoked"}
        key, secret = create_key(call, values)
        self._secrets = {**getattr(self, "_secrets", {}), key.pk: secret}
        return key

    def update_row(self, call: Call, row: AuthKey, values: Any) -> None:
        if unknown := set(values) - {"name", "revoked"}:
            raise InvalidInput(f"{min(unknown)}: can't be changed", field=min(unknown))
        if "revoked" in values:
            if not values["revoked"]:
                raise InvalidInput("revoked: can only become true", field="revoked")
            authkeys.revoke_auth_key(org=call.org, actor=call.actor, key_id=row.pk)
        if "name" in values:
            authkeys.rename_auth_key(org=call.org, actor=call.actor, key_id=row.pk, name=values["name"])

    def decorate(self, rows: list[dict[str, Any]], call: Call) -> None:
        """The answer to an insert, and no other, carries the key."""
        for row in rows:
            if secret := getattr(self, "_secrets", {}).get(row.get("id")):
                row["key"] = secret
