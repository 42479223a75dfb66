"""Writing groups of machines. Rules that name a group follow it in the same transaction."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.errors import Conflict, InvalidInput, NotFound
from apps.core.realtime import publish
from apps.machines.changes import touch
from apps.machines.models import Machine
from apps.policy.errors import GroupInUse
from apps.policy.models import AclRule, SegmentationGroup, SegmentationGroupMember
from apps.policy.references import exchanged, policies_naming, rules_naming
from apps.policy.services.checks import require_tests
from apps.policy.services.commit import Change, commit, locked
from apps.policy.services.rules import disable_rules, stage_rule

COLUMNS = ("name", "description", "color")


def create_group(*, org: Any, actor: Actor, values: Mapping[str, Any]) -> SegmentationGroup:
    """Add a group; rules that named it before it was there mean it from now on. Raises Conflict."""
    with transaction.atomic():
        org = locked(org)
        row = SegmentationGroup(org_id=org.pk, created_by_id=actor.user_id, **values)
        _require_free(row)
        row.save(force_insert=True)
        changes = [Change("segmentation_groups", row.pk, None, _snapshot(row))]
        commit(org=org, actor=actor, changes=changes)
        _resolve_again(org, row.name)
        return row


def update_group(*, org: Any, actor: Actor, group_id: Any, values: Mapping[str, Any]) -> list[AclRule]:
    """Change name, description or colour; returns the rules rewritten. Raises Conflict, NotFound."""
    with transaction.atomic():
        org = locked(org)
        row = group_in(org, group_id)
        before = _snapshot(row)
        for name, value in values.items():
            setattr(row, name, value)
        if _snapshot(row) == before:
            return []
        _require_free(row)
        row.save()
        changes = [Change("segmentation_groups", row.pk, before, _snapshot(row))]
        rewritten = []
        if row.name != before["name"]:
            old, new = f"group:{before['name']}", f"group:{row.name}"
            rewritten = rules_naming(org, old)
            changes += [
                stage_rule(
                    org,
                    rule,
                    {
                        "source": exchanged(rule.source, old, new),
                        "destination": exchanged(rule.destination, old, new),
                    },
                )
                for rule in rewritten
            ]
            for policy in policies_naming(org, old):
                policy.selector = exchanged(policy.selector, old, new)
                policy.save(update_fields=["selector", "updated_at"])
            _touch_members(row)
        commit(org=org, actor=actor, changes=changes)
        return rewritten


def delete_group(*, org: Any, actor: Actor, group_id: Any, force: bool = False) -> None:
    """Take a group away; raises GroupInUse while rules name it, unless forced: those are disabled."""
    with transaction.atomic():
        org = locked(org)
        row = group_in(org, group_id)
        member = f"group:{row.name}"
        naming = rules_naming(org, member)
        if naming and not force:
            told = [{"id": rule.pk, "name": rule.name} for rule in naming]
            raise GroupInUse(rules=told)
        disable_rules(org=org, actor=actor, rows=naming, reason=f"{member} was deleted")
        _touch_members(row)
        change = Change("segmentation_groups", row.pk, _snapshot(row), None)
        row.delete()
        require_tests(org)
        commit(org=org, actor=actor, changes=[change])


def add_member(*, org: Any, actor: Actor, group_id: Any, machine_id: Any) -> SegmentationGroupMember:
    """Put a machine into a group; raises NotFound, Conflict, TestsFailed."""
    with transaction.atomic():
        machine = Machine.objects.for_org(org).locked_row(machine_id)
        org = locked(org)
        group = group_in(org, group_id)
        if machine is None:
            raise NotFound("No such machine")
        if SegmentationGroupMember.objects.for_org(org).filter(group=group, machine=machine).exists():
            raise Conflict("The machine is in this group", field="machine_id")
        row = SegmentationGroupMember.objects.create_in(org, group=group, machine=machine)
        _tell_member(org, actor, group, machine, row.pk, "added")
        return row


def remove_member(*, org: Any, actor: Actor, member_id: Any) -> None:
    """Take a machine out of a group; raises NotFound, TestsFailed."""
    with transaction.atomic():
        rows = SegmentationGroupMember.objects.for_org(org).select_related("group", "machine")
        row = rows.filter(pk=member_id).first()
        if row is None:
            raise NotFound()
        org = locked(org)
        row.delete()
        _tell_member(org, actor, row.group, row.machine, member_id, "removed")


def group_in(org: Any, group_id: Any) -> SegmentationGroup:
    """The group, locked; raises NotFound."""
    row = SegmentationGroup.objects.for_org(org).select_for_update().filter(pk=group_id).first()
    if row is None:
        raise NotFound("No such group")
    return row


def _snapshot(row: SegmentationGroup) -> dict[str, Any]:
    return {name: getattr(row, name) for name in COLUMNS}


def _require_free(row: SegmentationGroup) -> None:
    others = SegmentationGroup.objects.for_org(row.org_id).filter(name__iexact=row.name).exclude(pk=row.pk)
    if others.exists():
        raise Conflict("A group has this name", field="name")
    if row.name != row.name.strip():
        raise InvalidInput("name: begins or ends with a space", field="name")


def _resolve_again(org: Any, name: str) -> None:
    """Rules that were warned of lose the warning, and gain the group."""
    for rule in rules_naming(org, f"group:{name}"):
        rule.unresolved = [m for m in rule.unresolved if m.casefold() != f"group:{name}".casefold()]
        rule.save(update_fields=["unresolved"])


def _touch_members(group: SegmentationGroup) -> None:
    members = SegmentationGroupMember.objects.for_org(group.org_id).filter(group=group)
    if ids := list(members.values_list("machine_id", flat=True)):
        touch(group.org_id, changed=Machine.objects.for_org(group.org_id).filter(pk__in=ids))


def _tell_member(
    org: Any, actor: Actor, group: SegmentationGroup, machine: Machine, row_id: Any, verb: str
) -> None:
    require_tests(org)
    touch(org, changed=[machine])
    payload = {"id": row_id, "group_id": group.pk, "machine_id": machine.pk}
    event = "INSERT" if verb == "added" else "DELETE"
    publish(org=org, channel="acl", event=event, table="segmentation_group_members", payload=payload)
    details = {"group": group.name, "machine": machine.name, **payload}
    action = f"segmentation_member.{verb}"
    record(org=org, actor=actor, action=action, resource_id=row_id, details=details)
