"""A change in the database that is not on record yet, across all tables that plans know; and the way back."""

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any

from apps.core.actors import Actor
from apps.machines.models import Machine
from apps.machines.services.writing import hold_machines
from apps.machines.signals import machines_regrouped
from apps.orgs.models import Organization, OrgSettings
from apps.orgs.planning import SETTINGS_TABLE, Change, PlanTable, planned_tables
from apps.orgs.services import update_settings
from apps.policy.services.commit import locked
from apps.policy.services.groupstages import TABLE as GROUPS
from apps.policy.services.groupstages import regrouped, tables_naming


@dataclass(frozen=True, slots=True)
class TableChanges:
    """Rows to make, (id, columns) of rows to change, (id, forced) of rows to take away; all parsed."""

    create: Sequence[Mapping[str, Any]] = ()
    update: Sequence[tuple[Any, Mapping[str, Any]]] = ()
    delete: Sequence[tuple[Any, bool]] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that one plan changes."""

    tables: Mapping[str, TableChanges] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


def hold_for(org: Any, wanted: Wanted) -> Organization:
    """The organisation, locked for a change that is wanted."""
    meant = {
        name: [
            *rows.create,
            *({"id": row_id, **values} for row_id, values in rows.update),
            *({"id": row_id} for row_id, _ in rows.delete),
        ]
        for name, rows in wanted.tables.items()
    }
    going = [row_id for row_id, _ in wanted.tables.get(GROUPS, TableChanges()).delete]
    return _held(org, meant, wanted.settings, going)


def hold_to_undo(org: Any, entries: Iterable[Mapping[str, Any]]) -> Organization:
    """The organisation, locked for taking back what revisions say."""
    meant: dict[str, list[Mapping[str, Any]]] = {}
    settings: set[str] = set()
    going = []
    for entry in entries:
        if entry["table"] == SETTINGS_TABLE:
            settings |= entry["before"].keys()
            continue
        sides = [{**side, "id": entry["id"]} for side in (entry["before"], entry["after"]) if side]
        meant.setdefault(entry["table"], []).extend(sides)
        if entry["table"] == GROUPS and entry["before"] is None:
            going.append(entry["id"])
    return _held(org, meant, settings, going)


def staged(org: Organization, actor: Actor, wanted: Wanted) -> list[Change]:
    """Make a change without putting it on record; raises whatever is wrong with it."""
    changes: list[Change] = []
    for table, verb in _steps():
        rows = wanted.tables.get(table.table, TableChanges())
        if verb == "create":
            for values in rows.create:
                changes += table.create(org, actor, values)
        elif verb == "update":
            for row_id, values in rows.update:
                changes += table.update(org, actor, row_id, values)
        else:
            for row_id, force in rows.delete:
                changes += table.delete(org, actor, row_id, force)
    return _settled(org, actor, changes, wanted.settings, wanted.tables)


def undone(org: Organization, actor: Actor, entries: Iterable[Mapping[str, Any]]) -> list[Change]:
    """Take back what revisions say, newest first."""
    changes: list[Change] = []
    settings: dict[str, Any] = {}
    asked = set()
    for entry in entries:
        asked.add(entry["table"])
        if entry["table"] == SETTINGS_TABLE:
            settings |= entry["before"]
        table = planned_tables().get(entry["table"])
        if table is not None:
            changes += table.restore(
                org=org,
                actor=actor,
                row_id=uuid.UUID(entry["id"]),
                before=entry["before"],
                after=entry["after"],
            )
    return _settled(org, actor, changes, settings, asked)


def _steps() -> Iterator[tuple[PlanTable, str]]:
    """What others name is made before them and goes after them; what is renamed carries them along."""
    tables = planned_tables().values()
    named = [table for table in tables if table.named]
    others = [table for table in tables if not table.named]
    yield from ((table, "create") for table in named)
    yield from ((table, verb) for table in others for verb in ("delete", "update"))
    yield from ((table, "update") for table in named)
    yield from ((table, "create") for table in others)
    yield from ((table, "delete") for table in named)


def _settled(
    org: Organization,
    actor: Actor,
    changes: list[Change],
    settings: Mapping[str, Any],
    asked: Collection[str],
) -> list[Change]:
    """With the settings, and what follows from the rows that were asked for; only what differs is a change.

    Rows that only follow a new name mean what they meant, and their machines are not held.
    """
    changes = [change for change in changes if change.before != change.after]
    if settings:
        changes += _set(org, actor, settings)
    changed = {change.table for change in changes if change.table in asked or _switched(change)}
    for table in planned_tables().values():
        if table.finish is not None and table.table in changed:
            table.finish(org, actor)
    if machine_ids := regrouped(org, changes):
        machines_regrouped.send(Machine, org_id=org.pk, actor=actor, machine_ids=machine_ids)
    return changes


def _set(org: Organization, actor: Actor, values: Mapping[str, Any]) -> list[Change]:
    """Put settings to these values; those that differ are one change."""
    stored = OrgSettings.objects.for_org(org).get()
    before = {name: getattr(stored, name) for name in values if getattr(stored, name) != values[name]}
    if not before:
        return []
    update_settings(org=org, actor=actor, values=values)
    return [Change(SETTINGS_TABLE, stored.pk, before, {name: values[name] for name in before})]


def _switched(change: Change) -> bool:
    """Whether a row was enabled or disabled, as those are that name a group that goes."""
    before, after = change.before or {}, change.after or {}
    return before.get("enabled") != after.get("enabled")


def _held(
    org: Any,
    meant: Mapping[str, list[Mapping[str, Any]]],
    settings: Collection[str],
    going: Collection[Any],
) -> Organization:
    """Settings, then machines, then the organisation: the order in which every writer locks them.

    going: groups that are taken away, which disables what names them.
    """
    tables = planned_tables()
    if settings or any(tables[name].machines is not None for name in meant if name in tables):
        OrgSettings.objects.for_org(org).select_for_update().get()
    concerned = {*meant, *(table.table for table in tables_naming(org, going))}
    which = [
        table.machines(org, meant.get(name, ()))
        for name, table in tables.items()
        if table.machines is not None and (name in concerned or table.follows & set(settings))
    ]
    if which:
        hold_machines(org, reduce(or_, which))
    return locked(org)
