"""Writing groups of machines. Rules that name a group follow it in the same transaction."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.errors import Conflict, NotFound
from apps.core.realtime import publish
from apps.machines.changes import touch_groups
from apps.machines.models import Machine
from apps.machines.services.writing import hold_machines
from apps.machines.signals import machines_regrouped
from apps.orgs.models import Organization, OrgSettings
from apps.orgs.planning import Change, refuse_alone
from apps.policy.models import SegmentationGroup, SegmentationGroupMember
from apps.policy.services.checks import require_tests
from apps.policy.services.commit import commit, keep_revision, locked
from apps.policy.services.groupstages import TABLE, group_in, group_snapshot
from apps.policy.services.staging import TableChanges, Wanted, hold_for, staged


def create_group(*, org: Any, actor: Actor, values: Mapping[str, Any]) -> SegmentationGroup:
    """Add a group; rules that named it before it was there mean it from now on.

    Raises Conflict, FourEyesRequired.
    """
    with transaction.atomic():
        org, changes = _staged(org, actor, TableChanges(create=[values]))
        commit(org=org, actor=actor, changes=changes)
        return group_in(org, changes[0].id)


def update_group(*, org: Any, actor: Actor, group_id: Any, values: Mapping[str, Any]) -> list[Change]:
    """Change name, description or colour; answers what changed, whatever names the group too.

    Raises Conflict, NotFound, FourEyesRequired.
    """
    with transaction.atomic():
        org, changes = _staged(org, actor, TableChanges(update=[(group_id, values)]))
        if changes:
            commit(org=org, actor=actor, changes=changes)
        return changes


def delete_group(*, org: Any, actor: Actor, group_id: Any, force: bool = False) -> None:
    """Take a group away; raises GroupInUse while anything names it, unless forced: that is disabled.

    Raises also NotFound, TestsFailed, FourEyesRequired.
    """
    with transaction.atomic():
        org, changes = _staged(org, actor, TableChanges(delete=[(group_id, force)]))
        reason = f"group:{changes[-1].name} was deleted" if force else None
        require_tests(org)
        commit(org=org, actor=actor, changes=changes, reason=reason)


def add_member(*, org: Any, actor: Actor, group_id: Any, machine_id: Any) -> SegmentationGroupMember:
    """Put a machine into a group; raises NotFound, Conflict, TestsFailed, FourEyesRequired."""
    with transaction.atomic():
        org = hold_members(org, [machine_id])
        refuse_alone(org)
        group = group_in(org, group_id)
        machine = Machine.objects.for_org(org).filter(pk=machine_id).first()
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
        rows = SegmentationGroupMember.objects.for_org(org).filter(pk=member_id)
        org = hold_members(org, rows.values_list("machine_id", flat=True))
        refuse_alone(org)
        row = rows.select_related("group", "machine").first()
        if row is None:
            raise NotFound()
        row.delete()
        row.pk = member_id
        _put_on_record(org, actor, row, "removed")


def hold_groups(org: Any, group_ids: Iterable[Any]) -> None:
    """Lock all that several groups concern before the first of them is written; inside a transaction."""
    hold_for(org, Wanted({TABLE: TableChanges(delete=[(group_id, True) for group_id in group_ids])}))


def hold_members(org: Any, machine_ids: Iterable[Any]) -> Organization:
    """The organisation, locked for machines that come or leave; inside a transaction."""
    OrgSettings.objects.for_org(org).select_for_update().get()
    hold_machines(org, Q(pk__in=list(machine_ids)))
    return locked(org)


def _staged(org: Any, actor: Actor, rows: TableChanges) -> tuple[Organization, list[Change]]:
    """As a plan that is applied at once: the organisation, locked, and what changed."""
    wanted = Wanted({TABLE: rows})
    org = hold_for(org, wanted)
    refuse_alone(org)
    return org, staged(org, actor, wanted)


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
    machines_regrouped.send(Machine, org_id=org.pk, actor=actor, machine_ids=[machine.pk])
