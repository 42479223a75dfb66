"""Changes of groups in the database and not on record yet. Rules that name a group follow it."""

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from apps.core.actors import Actor
from apps.core.errors import Conflict, InvalidInput, NotFound
from apps.machines.changes import touch_groups
from apps.machines.models import Machine
from apps.orgs.groupnames import LONGEST_GROUP_NAME
from apps.orgs.models import IdpGroup, Organization
from apps.orgs.planning import Change, PlanTable, free_name, planned_tables
from apps.orgs.signals import names_changed
from apps.policy.errors import GroupInUse
from apps.policy.models import SegmentationGroup, SegmentationGroupMember
from apps.policy.services.groupnames import carry_along
from apps.policy.services.rules import TABLE as RULES

TABLE = "segmentation_groups"
COLUMNS = ("name", "description", "color")


def group_in(org: Any, group_id: Any) -> SegmentationGroup:
    """The group, locked; raises NotFound."""
    row = SegmentationGroup.objects.for_org(org).select_for_update().filter(pk=group_id).first()
    if row is None:
        raise NotFound("No such group")
    return row


def group_snapshot(row: SegmentationGroup, members: Iterable[uuid.UUID] = ()) -> dict[str, Any]:
    """What a group says, with machines: all of one that is made or goes, else those that came or left."""
    columns = {name: getattr(row, name) for name in COLUMNS}
    return {**columns, "members": sorted(map(str, members))}


def stage_new(
    org: Organization, actor: Actor, values: Mapping[str, Any], *, row_id: uuid.UUID | None = None
) -> list[Change]:
    """Make a group; rules that named it before mean it from now on. Raises Conflict, NotFound."""
    columns = {name: value for name, value in values.items() if name != "members"}
    row = SegmentationGroup(org_id=org.pk, created_by_id=actor.user_id, **columns)
    if row_id is not None:
        row.pk = row_id
    _require_free(row)
    row.save(force_insert=True)
    came = _join(org, row, values.get("members") or ())
    _touch(org, came)
    _tell_names(org, came=row.name)
    return [Change(TABLE, row.pk, None, group_snapshot(row, came))]


def stage_edit(org: Organization, row: SegmentationGroup, values: Mapping[str, Any]) -> list[Change]:
    """Change columns, and `members` to exactly these; raises Conflict, NotFound."""
    before = {name: getattr(row, name) for name in COLUMNS}
    for name in values.keys() & set(COLUMNS):
        setattr(row, name, values[name])
    left, came = _set_members(org, row, values.get("members"))
    old, new = group_snapshot(row, left) | before, group_snapshot(row, came)
    if old == new:
        return []
    _require_free(row)
    row.save()
    changes = [Change(TABLE, row.pk, old, new)]
    if row.name != before["name"]:
        changes += carry_along(org, {before["name"]: row.name})
        _tell_names(org, came=row.name, went=before["name"])
        _touch(org, members_of(row))
    _touch(org, {*left, *came})
    return changes


def stage_removal(org: Organization, actor: Actor, row: SegmentationGroup, force: bool) -> list[Change]:
    """Take a group away; raises GroupInUse while anything names it, unless forced: that is disabled."""
    naming = [(table, found) for table, rows in _naming(org, row.name) for found in rows]
    if naming and not force:
        told = [(table, {"id": found.pk, "name": found.name}) for table, found in naming]
        raise GroupInUse(
            rules=[entry for table, entry in told if table.table == RULES],
            policies=[{**entry, "kind": table.noun} for table, entry in told if table.table != RULES],
        )
    changes: list[Change] = []
    for table, found in naming:
        if found.enabled:
            changes += table.update(org, actor, found.pk, {"enabled": False})
    members = members_of(row)
    _touch(org, members)
    changes.append(Change(TABLE, row.pk, group_snapshot(row, members), None))
    row.delete()
    _tell_names(org, went=row.name)
    return changes


def restore_group(
    *, org: Organization, actor: Actor, row_id: uuid.UUID, before: Any, after: Any
) -> list[Change]:
    """As it was before a change; machines that came or left since then are left as they are."""
    groups = SegmentationGroup.objects.for_org(org)
    row = groups.select_for_update().filter(pk=row_id).first()
    if before is None:
        return [] if row is None else stage_removal(org, actor, row, True)
    columns = {name: before[name] for name in COLUMNS}
    columns["name"] = free_name(
        (groups, IdpGroup.objects.for_org(org)), row_id, before["name"], LONGEST_GROUP_NAME
    )
    # What has been deleted since cannot come back.
    back = set(_machines(org, before.get("members", ())).values_list("pk", flat=True))
    if row is None:
        return stage_new(org, actor, {**columns, "members": back}, row_id=row_id)
    newcomers = {uuid.UUID(machine_id) for machine_id in (after or {}).get("members", ())}
    return stage_edit(org, row, {**columns, "members": (members_of(row) - newcomers) | back})


def regrouped(org: Any, changes: Iterable[Change]) -> set[uuid.UUID]:
    """Machines that are in other groups after these changes, or in one of another name."""
    found: set[uuid.UUID] = set()
    for change in changes:
        if change.table == TABLE:
            sides = [side for side in (change.before, change.after) if side is not None]
            found |= {uuid.UUID(machine_id) for side in sides for machine_id in side.get("members", ())}
            if len({side["name"] for side in sides}) > 1:
                found |= _ids_in(org, change.id)
    return found


def tables_naming(org: Any, group_ids: Collection[Any]) -> list[PlanTable]:
    """Tables with rows that name one of these groups, and change as it goes."""
    groups = SegmentationGroup.objects.for_org(org).filter(pk__in=group_ids)
    names = list(groups.values_list("name", flat=True))
    return [table for name in names for table, rows in _naming(org, name) if rows]


def members_of(row: SegmentationGroup) -> set[uuid.UUID]:
    """Its machines, by id."""
    return _ids_in(row.org_id, row.pk)


def _ids_in(org: Any, group_id: Any) -> set[uuid.UUID]:
    rows = SegmentationGroupMember.objects.for_org(org).filter(group_id=group_id)
    return set(rows.values_list("machine_id", flat=True))


def _naming(org: Any, name: str) -> Iterator[tuple[PlanTable, list[Any]]]:
    """Each table that may name a group, with its rows that name this one."""
    for table in planned_tables().values():
        if table.naming is not None:
            yield table, list(table.naming(org, name))


def _set_members(
    org: Organization, row: SegmentationGroup, wanted: Collection[uuid.UUID] | None
) -> tuple[set[uuid.UUID], set[uuid.UUID]]:
    """(who left, who came); None changes nobody."""
    if wanted is None:
        return set(), set()
    present = members_of(row)
    left, came = present - set(wanted), set(wanted) - present
    SegmentationGroupMember.objects.for_org(org).filter(group=row, machine_id__in=left).delete()
    return left, _join(org, row, came)


def _join(org: Organization, row: SegmentationGroup, ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Machines into a group that none of them is in; raises NotFound for a foreign one too."""
    wanted = set(ids)
    if _machines(org, wanted).count() != len(wanted):
        raise NotFound("No such machine")
    SegmentationGroupMember.objects.for_org(org).bulk_create(
        SegmentationGroupMember(org_id=org.pk, group=row, machine_id=machine_id) for machine_id in wanted
    )
    return wanted


def _require_free(row: SegmentationGroup) -> None:
    if IdpGroup.objects.for_org(row.org_id).filter(name__iexact=row.name).exists():
        raise Conflict("A group of people has this name", field="name")
    others = SegmentationGroup.objects.for_org(row.org_id).filter(name__iexact=row.name).exclude(pk=row.pk)
    if others.exists():
        raise Conflict("A group has this name", field="name")
    if row.name != row.name.strip():
        raise InvalidInput("name: begins or ends with a space", field="name")


def _tell_names(org: Organization, *, came: str | None = None, went: str | None = None) -> None:
    """Who warns of groups that are not there hears of one that came or went."""
    new, old = ([f"group:{name.casefold()}"] if name else [] for name in (came, went))
    names_changed.send(SegmentationGroup, org_id=org.pk, came=new, went=old)


def _touch(org: Organization, ids: Collection[uuid.UUID]) -> None:
    if ids:
        touch_groups(org, ids)


def _machines(org: Organization, ids: Collection[Any]) -> Any:
    return Machine.objects.for_org(org).filter(pk__in=ids)
