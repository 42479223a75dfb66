"""Tables segmentation_groups and segmentation_group_members."""

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from django.db import transaction
from rest_framework import serializers

from apps.core.api.columns import Column
from apps.core.api.tables import TableView
from apps.core.api.views import Answer, Call
from apps.core.errors import Conflict, NotFound, UnsafeUpdate
from apps.orgs.api.planned import PlannedTable
from apps.orgs.groupnames import GROUP_NAME
from apps.orgs.planning import asked_for, refuse_and_plan
from apps.policy.api.changes import require_scopes
from apps.policy.models import SegmentationGroup, SegmentationGroupMember
from apps.policy.services import groups as services
from apps.policy.services.groupstages import members_of, tables_naming


class GroupWrite(serializers.Serializer):
    name = serializers.RegexField(GROUP_NAME)
    description = serializers.CharField(max_length=500, required=False, allow_null=True, allow_blank=True)
    color = serializers.RegexField(r"^#[0-9A-Fa-f]{6}$", required=False)


class MemberWrite(serializers.Serializer):
    group_id = serializers.UUIDField()
    machine_id = serializers.UUIDField()


class SegmentationGroupsTable(PlannedTable):
    table, model, scope = "segmentation_groups", SegmentationGroup, "acl"
    columns = (
        *(Column(name) for name in ("id", "org_id", "created_by", "created_at", "updated_at")),
        *(Column(name, write="A") for name in ("name", "description", "color")),
    )
    default_order = ("name",)
    read, insert, update, delete_by = "M", "A", "A", "A"
    serializer = GroupWrite

    def _update(self, call: Call) -> dict[str, int]:
        if asked_for(call.org):
            return super()._update(call)
        with transaction.atomic():
            rows = self._rows_to_write(call, call.data.get("_filters"), UnsafeUpdate)
            services.hold_groups(call.org, [row.pk for row in rows])
            return super()._update(call)

    def _delete(self, call: Call) -> dict[str, int]:
        if asked_for(call.org):
            return super()._delete(call)
        with transaction.atomic():
            services.hold_groups(call.org, [row.pk for row in self.rows_to_delete(call)])
            return super()._delete(call)

    def create_row(self, call: Call, values: Mapping[str, Any]) -> SegmentationGroup:
        return services.create_group(org=call.org, actor=call.actor, values=values)

    def update_row(self, call: Call, row: SegmentationGroup, values: Mapping[str, Any]) -> None:
        services.update_group(org=call.org, actor=call.actor, group_id=row.pk, values=values)

    def delete_row(self, call: Call, row: SegmentationGroup, *, force: bool) -> None:
        if force:
            require_scopes(call, (table.table for table in tables_naming(call.org, [row.pk])))
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

    def _insert(self, call: Call) -> Answer:
        rows = [call.data] if call.data.get("rows") is None else call.data["rows"]
        came = [self._values(call, row, partial=False) for row in rows] if isinstance(rows, list) else []
        if came and asked_for(call.org):
            self._plan(call, came, ())
        with transaction.atomic():
            services.hold_members(call.org, [row["machine_id"] for row in came])
            return super()._insert(call)

    def _delete(self, call: Call) -> dict[str, int]:
        if asked_for(call.org):
            self._plan(call, (), self.rows_to_delete(call))
        with transaction.atomic():
            services.hold_members(call.org, [row.machine_id for row in self.rows_to_delete(call)])
            return super()._delete(call)

    def _plan(self, call: Call, came: Iterable[Mapping[str, Any]], left: Iterable[Any]) -> NoReturn:
        """Who is in a group is planned with the group; raises FourEyesRequired, NotFound, Conflict."""
        after: dict[Any, set[Any]] = {}

        def members(group_id: Any) -> set[Any]:
            if group_id not in after:
                group = SegmentationGroup.objects.for_org(call.org).filter(pk=group_id).first()
                if group is None:
                    raise NotFound("No such group")
                after[group_id] = members_of(group)
            return after[group_id]

        for row in came:
            if row["machine_id"] in members(row["group_id"]):
                raise Conflict("The machine is in this group", field="machine_id")
            after[row["group_id"]].add(row["machine_id"])
        for row in left:
            members(row.group_id).discard(row.machine_id)
        update = [{"id": str(pk), "members": sorted(map(str, ids))} for pk, ids in after.items()]
        refuse_and_plan(call, {SegmentationGroupsTable.table: {"update": update}})

    def create_row(self, call: Call, values: Mapping[str, Any]) -> SegmentationGroupMember:
        return services.add_member(org=call.org, actor=call.actor, **values)

    def delete_row(self, call: Call, row: SegmentationGroupMember, *, force: bool) -> None:
        services.remove_member(org=call.org, actor=call.actor, member_id=row.pk)
