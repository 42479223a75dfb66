"""Table tag_owners."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from apps.core.api.columns import Column
from apps.core.api.tables import TableView
from apps.core.api.views import Call
from apps.machines.models import PRINCIPALS, TagOwner
from apps.machines.services import tagowners as services


class TagOwnerWrite(serializers.Serializer):
    # Characters and length are judged by the service, as for tags of machines.
    tag = serializers.CharField(max_length=100)
    principal = serializers.ChoiceField(PRINCIPALS, required=False)
    principal_id = serializers.UUIDField()


class TagOwnersTable(TableView):
    table, model, scope = "tag_owners", TagOwner, "machines"
    columns = (
        *(Column(name) for name in ("id", "org_id", "tag", "principal")),
        Column("principal_id", source="user_id"),
        Column("principal_email", source="user__email"),
        Column("created_by", source="created_by_id"),
        Column("created_at"),
    )
    default_order = ("tag", "created_at")
    read, insert, delete_by = "M", "A", "A"
    instead = {"update": "Delete the ownership and make another"}
    serializer = TagOwnerWrite

    def create_row(self, call: Call, values: Mapping[str, Any]) -> TagOwner:
        return services.add_tag_owner(org=call.org, actor=call.actor, **values)

    def delete_row(self, call: Call, row: TagOwner, *, force: bool) -> None:
        services.remove_tag_owner(org=call.org, actor=call.actor, owner_id=row.pk)
