"""Tables segmentation_groups and segmentation_group_members."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from apps.core.api.columns import Column
from apps.core.api.tables import TableView
from apps.core.api.views import Call
from apps.policy.models import SegmentationGroup, SegmentationGroupMember
from apps.policy.services import groups as services


class GroupWrite(serializers.Serializer):
    name = serializers.RegexField(r"^[A-Za-z0-9 _-]{1,64}$")
    description = serializers.CharField(max_length=500, required=False, allow_null=True, allow_blank=True)
    color = serializers.RegexField(r"^#[0-9A-Fa-f]{6}$", required=False)


class MemberWrite(serializers.Serializer):
    group_id = serializers.UUIDField()
    machine_id = serializers.UUIDField()


class SegmentationGroupsTable(TableView):
    table, model, scope = "segmentation_groups", SegmentationGroup, "acl"
    columns = (
        *(Column(name) for name in ("id", "org_id", "created_by", "created_at", "updated_at")),
        *(Column(name, write="A") for name in ("name", "description", "color")),
    )
    default_order = ("name",)
    read, insert, update, delete_by = "M", "A", "A", "A"
    serializer = GroupWrite

    def create_row(self, call: Call, values: Mapping[str, Any]) -> SegmentationGroup:
        return services.create_group(org=call.org, actor=call.actor, values=values)

    def update_row(self, call: Call, row: SegmentationGroup, values: Mapping[str, Any]) -> None:
        services.update_group(org=call.org, actor=call.actor, group_id=row.pk, values=values)

    def delete_row(self, call: Call, row: SegmentationGroup, *, force: bool) -> None:
        services.delete_group(org=call.org, actor=call.actor, group_id=row.pk, force=force)


class SegmentationMembersTable(TableView):
    table, model, scope = "segmentation_group_members", SegmentationGroupMember, "acl"
    columns = (
        Column("id"),
        Column("group_id"),
        Column("machine_id"),
        Column("added_at", source="created_at", kind="time"),
    )
    default_order = ("added_at",)
    read, insert, delete_by = "M", "A", "A"
    instead = {"update": "Delete the membership and make another"}
    serializer = MemberWrite

    def create_row(self, call: Call, values: Mapping[str, Any]) -> SegmentationGroupMember:
        return services.add_member(org=call.org, actor=call.actor, **values)

    def delete_row(self, call: Call, row: SegmentationGroupMember, *, force: bool) -> None:
        services.remove_member(org=call.org, actor=call.actor, member_id=row.pk)
