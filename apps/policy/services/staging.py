"""A change in the database that is not on record yet, across all tables that plans know; and the way back."""

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from apps.core.actors import Actor
from apps.machines.models import Machine
from apps.orgs.models import Organization, OrgSettings
from apps.orgs.planning import Change, PlanTable, planned_tables
from apps.orgs.services import update_settings
from apps.policy.services.commit import locked


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
    named = {
        name: [*rows.create, *(values for _, values in rows.update)] for name, rows in wanted.tables.items()
    }
    return _held(org, named, wanted.settings)


def hold_to_undo(org: Any, entries: Iterable[Mapping[str, Any]], settings: Collection[str]) -> Organization:
    """The organisation, locked for taking back what revisions say."""
    named: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        named.setdefault(entry["table"], []).append(entry["before"] or {})
    return _held(org, named, settings)


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


def undone(
    org: Organization, actor: Actor, entries: Iterable[Mapping[str, Any]], settings: Mapping[str, Any]
) -> list[Change]:
    """Take back what revisions say, newest first, and put settings to these values."""
    changes: list[Change] = []
    asked = set()
    for entry in entries:
        asked.add(entry["table"])
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
        update_settings(org=org, actor=actor, values=settings)
    touched = {change.table for change in changes}
    for table in planned_tables().values():
        if table.finish is not None and table.table in touched and table.table in asked:
            table.finish(org, actor)
    return changes


def _held(org: Any, named: Mapping[str, list[Mapping[str, Any]]], settings: Collection[str]) -> Organization:
    """Settings, then machines, then the organisation: the order in which every writer locks them."""
    machines: list[Q] = []
    for name, table in planned_tables().items():
        if table.machines is not None and (name in named or table.follows & set(settings)):
            ids = {str(each) for row in named.get(name, ()) for each in row.get("members") or ()}
            machines.append(table.machines(org, ids))
    if settings or machines:
        OrgSettings.objects.for_org(org).select_for_update().get()
    for which in machines:
        rows = Machine.objects.for_org(org).select_for_update().filter(which).order_by("pk")
        list(rows.values_list("pk", flat=True))
    return locked(org)
