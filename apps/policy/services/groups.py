"""Writing groups of machines. Rules that name a group follow it in the same transaction."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.errors import Conflict, NotFound
from apps.core.realtime import publish
from apps.machines.changes import touch_groups
from apps.machines.models import Machine
from apps.orgs.models import OrgSettings
from apps.orgs.planning import Change, refuse_alone
from apps.policy.models import SegmentationGroup, SegmentationGroupMember
from apps.policy.services.checks import require_tests
from apps.policy.services.commit import commit, keep_revision, locked
from apps.policy.services.groupstages import (
    TABLE,
    group_in,
    group_snapshot,
    stage_edit,
    stage_new,
    stage_removal,
)


def create_group(*, org: Any, actor: Actor, values: Mapping[str, Any]) -> SegmentationGroup:
    """Add a group; rules that named it before it was there mean it from now on.

    Raises Conflict, FourEyesRequired.
    """
    with transaction.atomic():
        org = locked(org)
        refuse_alone(org)
        changes = stage_new(org, actor, values)
        commit(org=org, actor=actor, changes=changes)
        return group_in(org, changes[0].id)


def update_group(*, org: Any, actor: Actor, group_id: Any, values: Mapping[str, Any]) -> list[Change]:
    """Change name, description or colour; answers what changed, whatever names the group too.

    Raises Conflict, NotFound, FourEyesRequired.
    """
    with transaction.atomic():
        # What other apps keep and names the group is written behind this lock, before the organisation's.
        OrgSettings.objects.for_org(org).select_for_update().get()
        org = locked(org)
        refuse_alone(org)
        changes = stage_edit(org, group_in(org, group_id), values)
        if changes:
            commit(org=org, actor=actor, changes=changes)
        return changes


def delete_group(*, org: Any, actor: Actor, group_id: Any, force: bool = False) -> None:
    """Take a group away; raises GroupInUse while rules name it, unless forced: those are disabled.

    Raises also NotFound, TestsFailed, FourEyesRequired.
    """
    with transaction.atomic():
        org = locked(org)
        refuse_alone(org)
        row = group_in(org, group_id)
        reason = f"group:{row.name} was deleted" if force else None
        changes = stage_removal(org, row, force)
        require_tests(org)
        commit(org=org, actor=actor, changes=changes, reason=reason)


def add_member(*, org: Any, actor: Actor, group_id: Any, machine_id: Any) -> SegmentationGroupMember:
    """Put a machine into a group; raises NotFound, Conflict, TestsFailed, FourEyesRequired."""
    with transaction.atomic():
        machine = Machine.objects.for_org(org).locked_row(machine_id)
        org = locked(org)
        refuse_alone(org)
        group = group_in(org, group_id)
        if machine is None:
            raise NotFound("No such machine")
        if SegmentationGroupMember.objects.for_org(org).filter(group=group, machine=machine).exists():
            raise Conflict("The machine is in this group", field="machine_id")
        row = SegmentationGroupMember.objects.create_in(org, group=group, machine=machine)
        _put_on_record(org, actor, row, "added")
        return row


def remove_member(*, org: Any, actor: Actor, member_id: Any) -> None:
    """Take a machine out of a group; raises NotFound, TestsFailed, FourEyesRequired."""
    with transaction.atomic():
        rows = SegmentationGroupMember.objects.for_org(org).select_related("group", "machine")
        row = rows.filter(pk=member_id).first()
        if row is None:
            raise NotFound()
        org = locked(org)
        refuse_alone(org)
        row.delete()
        row.pk = member_id
        _put_on_record(org, actor, row, "removed")


def _put_on_record(org: Any, actor: Actor, row: SegmentationGroupMember, verb: str) -> None:
    group, machine = row.group, row.machine
    require_tests(org)
    left, came = ((), (machine.pk,)) if verb == "added" else ((machine.pk,), ())
    change = Change(TABLE, group.pk, group_snapshot(group, left), group_snapshot(group, came))
    summary = f"{machine.name} {verb} {'to' if verb == 'added' else 'from'} {group.name}"
    keep_revision(org=org, actor=actor, changes=[change], summary=summary[:1].upper() + summary[1:])
    touch_groups(org, [machine.pk])
    payload = {"id": row.pk, "group_id": group.pk, "machine_id": machine.pk}
    event = "INSERT" if verb == "added" else "DELETE"
    publish(org=org, channel="acl", event=event, table="segmentation_group_members", payload=payload)
    details = {"group": group.name, "machine": machine.name, **payload}
    action = f"segmentation_member.{verb}"
    record(org=org, actor=actor, action=action, resource_id=row.pk, details=details)
