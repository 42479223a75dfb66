"""The steps that every change of policy ends with: tests, revision, trail, event, new maps."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Max

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.realtime import publish
from apps.machines.changes import touch_rights
from apps.orgs.models import Organization
from apps.orgs.planning import SETTINGS_TABLE, Change, planned_tables
from apps.policy.models import PolicyRevision

EVENTS = {"created": "INSERT", "updated": "UPDATE", "deleted": "DELETE"}


def locked(org: object) -> Organization:
    """The organisation, so that its policy is written by one at a time."""
    return Organization.objects.for_org(org).select_for_update().get()


def present_revision(org: object) -> int:
    """The number of the newest revision; 0 before the first."""
    rows = PolicyRevision.objects.for_org(org)
    return rows.aggregate(newest=Max("revision"))["newest"] or 0


def commit(
    *,
    org: Organization,
    actor: Actor,
    changes: Iterable[Change],
    summary: str | None = None,
    plan_id: Any = None,
    reason: str | None = None,
) -> int:
    """Put changes that are saved on record and in force; returns the revision. Needs `locked`.

    reason: why a job or another action changed it, for the trail.
    """
    changes = list(changes)
    revision = keep_revision(org=org, actor=actor, changes=changes, summary=summary, plan_id=plan_id)
    touch_rights(org)
    changes = [change for change in changes if change.table != SETTINGS_TABLE]
    for change in changes:
        table = planned_tables()[change.table]
        details = change.told() | {"revision": revision} | ({"reason": reason} if reason else {})
        action = f"{table.noun}.{change.verb}"
        record(org=org, actor=actor, action=action, resource_id=change.id, details=details)
        shown = {name: value for name, value in (change.after or {}).items() if name in table.shown}
        publish(
            org=org,
            channel=table.channel,
            event=EVENTS[change.verb],
            table=change.table,
            payload={"id": change.id, **shown},
        )
    for table in {change.table: planned_tables()[change.table] for change in changes}.values():
        for child in table.children:
            publish(org=org, channel=table.channel, event="REFRESH", table=child, payload={})
    return revision


def keep_revision(
    *, org: Organization, actor: Actor, changes: list[Change], summary: str | None = None, plan_id: Any = None
) -> int:
    """The revision alone, for a change that is told elsewhere; needs `locked`."""
    revision = present_revision(org) + 1
    PolicyRevision.objects.create_in(
        org,
        revision=revision,
        user_id=actor.user_id,
        summary=(summary or _summary(changes))[:300],
        changes=[{"table": c.table, "id": str(c.id), "before": c.before, "after": c.after} for c in changes],
        plan_id=plan_id,
    )
    return revision


def _summary(changes: list[Change]) -> str:
    first = changes[0].name or changes[0].id
    more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
    return f"{changes[0].verb.capitalize()} {first}{more}"
