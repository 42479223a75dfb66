"""Changes that are planned, seen by a second person, put on record and taken back.

Whoever keeps plans and revisions registers here, and so does every app with a table that decides who may
reach what: apps that know nothing of each other are then changed by one plan.
"""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from django.db.models import Q, QuerySet
from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.views import Call
from apps.core.errors import FourEyesRequired
from apps.orgs.models import Organization, OrgSettings

ALONE = "A second administrator has to agree: make a plan of it"
SETTINGS_SCOPE = "settings:write"
# What revisions call the settings that a plan changed; they are told where they are written.
SETTINGS_TABLE = "settings"
# Settings that plans may change, each with the values that it takes.
PLANNED_SETTINGS: Mapping[str, tuple[Any, ...]] = {
    "default_deny": (True, False),
    "posture_enforcement": tuple(
        value for value, _ in OrgSettings._meta.get_field("posture_enforcement").choices
    ),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One row before and after, as snapshots; None where it was not or is no more."""

    table: str
    id: Any
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    @property
    def verb(self) -> str:
        """created, updated or deleted."""
        return "created" if self.before is None else "deleted" if self.after is None else "updated"

    @property
    def name(self) -> str | None:
        """What the row is called, at last."""
        return (self.after or self.before or {}).get("name")

    def told(self) -> dict[str, Any]:
        """before and after of what differs, and the name."""
        before, after = dict(self.before or {}), dict(self.after or {})
        if self.before is not None and self.after is not None:
            names = [name for name in after if before.get(name) != after[name]]
            before, after = ({name: side.get(name) for name in names} for side in (before, after))
        return {"name": self.name, "before": before or None, "after": after or None}


class Restore(Protocol):
    """Undo one change, under the row's id, whatever happened to the row since."""

    def __call__(
        self, *, org: Organization, actor: Actor, row_id: uuid.UUID, before: Any, after: Any
    ) -> list[Change]: ...


@dataclass(frozen=True)
class PlanTable:
    """A table that plans change. The callables run in the plan's transaction and tell nobody.

    scope: what an API key needs to write it, through whatever door.
    noun, channel: of its rows in the trail and in events; shown: the columns that events carry.
    serializer: takes the columns as they are asked for; takes: further names that it knows.
    create: (org, actor, values); update: (org, actor, id, values); delete: (org, actor, id, force); each
    answers the changes, those of other rows too.
    children: tables whose rows change with its rows.
    named: rows of other tables name its rows, which are made before those and go after them.
    machines: (org, rows as they become or were, each with its id) -> the machines that it may write to.
    rename: (org, {old: new}) for groups that its rows may name; what they mean stays the same.
    naming: (org, name) -> the rows that name a group of machines; they are disabled as it goes.
    unresolved: (org, ids of rows) -> members of selectors that they name and nothing has.
    follows: settings that its rows are judged by. finish: (org, actor), once rows and settings stand.
    """

    table: str
    scope: str
    noun: str
    channel: str
    shown: Collection[str]
    serializer: type[serializers.Serializer]
    create: Callable[[Organization, Actor, Mapping[str, Any]], list[Change]]
    update: Callable[[Organization, Actor, uuid.UUID, Mapping[str, Any]], list[Change]]
    delete: Callable[[Organization, Actor, uuid.UUID, bool], list[Change]]
    restore: Restore
    takes: Collection[str] = ()
    children: Collection[str] = ()
    named: bool = False
    machines: Callable[[Organization, Iterable[Mapping[str, Any]]], Q] | None = None
    rename: Callable[[Organization, Mapping[str, str]], list[Change]] | None = None
    naming: Callable[[Organization, str], Iterable[Any]] | None = None
    unresolved: Callable[[Organization, Collection[Any]], Iterable[str]] | None = None
    follows: frozenset[str] = frozenset()
    finish: Callable[[Organization, Actor], Any] | None = None


# (org, actor, changes) -> the revision; needs the organisation's lock
Recorder = Callable[..., int]
# Keeps a change as a plan, and raises FourEyesRequired with its id, or what is wrong with the change.
Planner = Callable[[Call, Mapping[str, Any]], NoReturn]
_tables: dict[str, PlanTable] = {}
_planner: list[Planner] = []
_recorder: list[Recorder] = []


def register_planned(table: PlanTable) -> None:
    """Let plans change a table."""
    _tables[table.table] = table


def planned_tables() -> Mapping[str, PlanTable]:
    """The tables that plans change, by name."""
    return _tables


def provide_plans(planner: Planner, recorder: Recorder) -> None:
    """Register who keeps plans and revisions."""
    _planner[:], _recorder[:] = [planner], [recorder]


def refuse_and_plan(call: Call, document: Mapping[str, Any]) -> NoReturn:
    """Keep a change as a plan for a second administrator, in a transaction of its own.

    Raises FourEyesRequired with the plan's id, or what is wrong with the change.
    """
    _planner[0](call, document)
    raise AssertionError("a planner always raises")


def put_on_record(*, org: Organization, actor: Actor, changes: Sequence[Change]) -> int:
    """A new revision, its trail and its events, and new rights. Needs the organisation's lock."""
    return _recorder[0](org=org, actor=actor, changes=changes)


def asked_for(org: Any) -> bool:
    """Whether a second administrator has to agree to a change of what decides access."""
    return OrgSettings.objects.for_org(org).filter(four_eyes=True).exists()


def refuse_alone(org: Any) -> None:
    """Before a change that is made without a plan; raises FourEyesRequired."""
    if asked_for(org):
        raise FourEyesRequired(ALONE)


def free_name(tables: Iterable[QuerySet], row_id: uuid.UUID, name: str, longest: int) -> str:
    """The name for a row of these tables, or one like it where another row has it by now, in any case."""
    others = (rows.exclude(pk=row_id).values_list("name", flat=True) for rows in tables)
    taken = {other.casefold() for names in others for other in names}
    found, number = name, 1
    while found.casefold() in taken:
        number += 1
        ending = f" {number}"
        found = name[: longest - len(ending)].rstrip() + ending
    return found
