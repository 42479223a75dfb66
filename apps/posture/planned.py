"""The table of this app that plans change."""

import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.db.models import Q

from apps.core.actors import Actor
from apps.orgs.models import Organization
from apps.orgs.planning import Change, PlanTable, free_name
from apps.posture.api.policies import WARNED, PolicyWrite
from apps.posture.models import PosturePolicy, PostureReport
from apps.posture.scopes import missing_in, names_of
from apps.posture.services.policies import COLUMNS, TABLE, policy_in, stage, stage_removal
from apps.posture.services.verdict import rejudge

LONGEST_NAME = 100


def _create(org: Organization, actor: Actor, values: Mapping[str, Any]) -> list[Change]:
    return [stage(PosturePolicy(org_id=org.pk, created_by_id=actor.user_id), values)]


def _update(org: Organization, actor: Actor, row_id: uuid.UUID, values: Mapping[str, Any]) -> list[Change]:
    return [stage(policy_in(org, row_id), values)]


def _delete(org: Organization, actor: Actor, row_id: uuid.UUID, force: bool) -> list[Change]:
    return [stage_removal(policy_in(org, row_id))]


def _restore(*, org: Organization, actor: Actor, row_id: uuid.UUID, before: Any, after: Any) -> list[Change]:
    policies = PosturePolicy.objects.for_org(org)
    row = policies.filter(pk=row_id).first()
    if before is None:
        return [stage_removal(row)] if row else []
    row = row or PosturePolicy(pk=row_id, org_id=org.pk, created_by_id=actor.user_id)
    return [
        stage(row, {**before, "name": free_name([policies], row_id, before["name"], LONGEST_NAME)}, back=True)
    ]


def _rename(org: Organization, renamed: Mapping[str, str]) -> list[Change]:
    """Scopes that name a group say its new name; nobody is judged otherwise for it."""
    new = {old.casefold(): name for old, name in renamed.items()}
    changes = []
    for row in PosturePolicy.objects.for_org(org):
        groups = row.scope.get("groups", [])
        named = [new.get(group.casefold(), group) for group in groups]
        if named != groups:
            changes.append(stage(row, {"scope": {**row.scope, "groups": named}}))
    return changes


def _naming(org: Organization, group: str) -> list[PosturePolicy]:
    """Policies whose scope names a group; an emptied scope would ask it of all machines."""
    name = f"group:{group.casefold()}"
    return [row for row in PosturePolicy.objects.for_org(org) if name in names_of(row.scope)]


def _unresolved(org: Organization, ids: Collection[Any]) -> set[str]:
    scopes = PosturePolicy.objects.for_org(org).filter(pk__in=ids).values_list("scope", flat=True)
    return missing_in(org.pk, scopes)


def _judged(org: Organization, rows: Iterable[Mapping[str, Any]]) -> Q:
    return Q(pk__in=PostureReport.objects.for_org(org).values("machine_id"))


def _judge(org: Organization, actor: Actor) -> None:
    rejudge(org, actor=actor)


POLICIES = PlanTable(
    table=TABLE,
    scope="posture:write",
    noun="posture_policy",
    channel="posture",
    shown=COLUMNS,
    serializer=PolicyWrite,
    takes=WARNED,
    create=_create,
    update=_update,
    delete=_delete,
    restore=_restore,
    machines=_judged,
    rename=_rename,
    naming=_naming,
    unresolved=_unresolved,
    follows=frozenset({"posture_enforcement"}),
    finish=_judge,
)
