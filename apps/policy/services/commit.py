"""The steps that every change of policy ends with: tests, revision, trail, event, new maps."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Max

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.realtime import publish
from apps.machines.changes import touch_rights
from apps.orgs.models import Organization
from apps.policy.models import PolicyRevision

EVENTS = {"created": "INSERT", "updated": "UPDATE", "deleted": "DELETE", "reordered": "UPDATE"}
NOUNS = {
    "acl_rules": "acl_rule",
    "abac_policies": "abac_policy",
    "segmentation_groups": "segmentation_group",
    "policy_tests": "policy_test",
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

    def told(self) -> dict[str, Any]:
        """before and after of what differs, and the name."""
        before, after = dict(self.before or {}), dict(self.after or {})
        if self.before is not None and self.after is not None:
            names = [name for name in after if before.get(name) != after[name]]
            before, after = ({name: side.get(name) for name in names} for side in (before, after))
        name = (self.after or self.before or {}).get("name")
        return {"name": name, "before": before or None, "after": after or None}


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
    revision = present_revision(org) + 1
    PolicyRevision.objects.create_in(
        org,
        revision=revision,
        user_id=actor.user_id,
        summary=(summary or _summary(changes))[:300],
        changes=[{"table": c.table, "id": str(c.id), "before": c.before, "after": c.after} for c in changes],
        plan_id=plan_id,
    )
    touch_rights(org)
    for change in changes:
        details = change.told() | {"revision": revision} | ({"reason": reason} if reason else {})
        action = f"{NOUNS[change.table]}.{change.verb}"
        record(org=org, actor=actor, action=action, resource_id=change.id, details=details)
        publish(
            org=org,
            channel="acl",
            event=EVENTS[change.verb],
            table=change.table,
            payload={"id": change.id, **(change.after or {})},
        )
    return revision


def _summary(changes: list[Change]) -> str:
    first = changes[0].told()["name"] or changes[0].id
    more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
    return f"{changes[0].verb.capitalize()} {first}{more}"
