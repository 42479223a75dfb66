"""Writing attribute policies."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from apps.core.actors import Actor
from apps.core.errors import Conflict, NotFound
from apps.orgs.models import Organization
from apps.orgs.planning import Change, refuse_alone
from apps.policy.documents import as_api_error, attribute_policy_of, selectors_of, snapshot_of
from apps.policy.faults import RuleFault
from apps.policy.models import AbacPolicy
from apps.policy.references import resolve_hosts, unresolved
from apps.policy.services.checks import require_tests
from apps.policy.services.commit import commit, locked

TABLE = "abac_policies"


def create_policy(*, org: Any, actor: Actor, values: Mapping[str, Any]) -> AbacPolicy:
    """Add one; raises ValidationFailed, InvalidInput, Conflict, TestsFailed, FourEyesRequired."""
    with transaction.atomic():
        org = locked(org)
        refuse_alone(org)
        row = AbacPolicy(org_id=org.pk, created_by_id=actor.user_id)
        change = stage_policy(org, row, values)
        require_tests(org)
        commit(org=org, actor=actor, changes=[change])
        return row


def update_policy(*, org: Any, actor: Actor, policy_id: Any, values: Mapping[str, Any]) -> None:
    """Change one; raises NotFound and the above."""
    with transaction.atomic():
        org = locked(org)
        refuse_alone(org)
        change = stage_policy(org, policy_in(org, policy_id), values)
        if change.before != change.after:
            require_tests(org)
            commit(org=org, actor=actor, changes=[change])


def delete_policy(*, org: Any, actor: Actor, policy_id: Any) -> None:
    """Take one away; raises NotFound, TestsFailed, FourEyesRequired."""
    with transaction.atomic():
        org = locked(org)
        refuse_alone(org)
        change = stage_removal(policy_in(org, policy_id))
        require_tests(org)
        commit(org=org, actor=actor, changes=[change])


def policy_in(org: Any, policy_id: Any) -> AbacPolicy:
    """The policy, locked; raises NotFound."""
    row = AbacPolicy.objects.for_org(org).select_for_update().filter(pk=policy_id).first()
    if row is None:
        raise NotFound("No such policy")
    return row


def stage_policy(
    org: Organization, row: AbacPolicy, values: Mapping[str, Any], *, row_id: Any = None
) -> Change:
    """Check and save a row without putting it on record."""
    new = row._state.adding
    before = None if new else snapshot_of(row)
    if new and row_id:
        row.pk = row_id
    for name, value in values.items():
        setattr(row, name, value)
    try:
        row.selector = resolve_hosts(org, row.selector, "selector")
        row.name = attribute_policy_of(row).name
        row.unresolved = unresolved(org, selectors_of(row))
    except RuleFault as fault:
        raise as_api_error(fault) from None
    if AbacPolicy.objects.for_org(org).filter(name=row.name).exclude(pk=row.pk).exists():
        raise Conflict("An attribute policy has this name", field="name")
    after = snapshot_of(row)
    if before != after:
        row.save(force_insert=new)
    return Change(TABLE, row.pk, before, after)


def stage_removal(row: AbacPolicy) -> Change:
    """Delete a row without putting it on record."""
    change = Change(TABLE, row.pk, snapshot_of(row), None)
    row.delete()
    return change
