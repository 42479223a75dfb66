"""Writing rules. One validator for every door that a rule comes through."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.errors import Conflict, InvalidInput, NotFound
from apps.orgs.models import Organization
from apps.orgs.planning import Change, refuse_alone
from apps.policy.conditions import format_days, format_hours, parse_days, parse_hours
from apps.policy.documents import as_api_error, rule_of, snapshot_of
from apps.policy.faults import RuleFault
from apps.policy.models import AclRule
from apps.policy.ports import format_ports
from apps.policy.references import resolve_hosts, unresolved
from apps.policy.services.checks import require_tests
from apps.policy.services.commit import commit, locked

MAX_RULES = 10_000
TABLE = "acl_rules"


def create_rule(*, org: Any, actor: Actor, values: Mapping[str, Any], row_id: Any = None) -> AclRule:
    """Add a rule; raises ValidationFailed, InvalidInput, TestsFailed, FourEyesRequired."""
    with transaction.atomic():
        org = locked(org)
        refuse_alone(org)
        change = stage_rule(org, AclRule(org_id=org.pk, created_by_id=actor.user_id), values, row_id=row_id)
        require_tests(org)
        commit(org=org, actor=actor, changes=[change])
        return AclRule.objects.for_org(org).get(pk=change.id)


def update_rule(*, org: Any, actor: Actor, rule_id: Any, values: Mapping[str, Any]) -> AclRule:
    """Change a rule; equal values change nothing and leave no trace.

    revision, where given, is the one that the caller saw. Raises NotFound, Conflict, ValidationFailed,
    InvalidInput, TestsFailed, FourEyesRequired.
    """
    with transaction.atomic():
        org = locked(org)
        refuse_alone(org)
        row = rule_in(org, rule_id)
        values = dict(values)
        seen = values.pop("revision", None)
        if seen is not None and seen != row.revision:
            raise Conflict("Somebody else has changed this rule; look at it again", field="revision")
        change = stage_rule(org, row, values)
        if change.before != change.after:
            require_tests(org)
            commit(org=org, actor=actor, changes=[change])
        return row


def delete_rule(*, org: Any, actor: Actor, rule_id: Any) -> None:
    """Take a rule away; raises NotFound, TestsFailed, FourEyesRequired."""
    with transaction.atomic():
        org = locked(org)
        refuse_alone(org)
        change = stage_removal(rule_in(org, rule_id))
        require_tests(org)
        commit(org=org, actor=actor, changes=[change])


def disable_rules(*, org: Organization, actor: Actor, rows: Sequence[AclRule], reason: str) -> None:
    """Switch rules off, in the caller's transaction, which holds the organisation's lock."""
    changes = [stage_rule(org, row, {"enabled": False}) for row in rows if row.enabled]
    if changes:
        commit(org=org, actor=actor, changes=changes, reason=reason)


def reorder_rules(*, org: Any, actor: Actor, rule_ids: Sequence[Any]) -> list[AclRule]:
    """Give all rules new priorities in this order.

    Raises Conflict unless it names each rule once, TestsFailed, FourEyesRequired.
    """
    with transaction.atomic():
        org = locked(org)
        refuse_alone(org)
        rows = {row.pk: row for row in AclRule.objects.for_org(org).select_for_update()}
        if len(rule_ids) != len(rows) or set(rule_ids) != set(rows):
            raise Conflict("The list of rules has changed; look at it again", field="rule_ids")
        ordered = [rows[rule_id] for rule_id in rule_ids]
        changes = [
            stage_rule(org, row, {"priority": (position + 1) * 10}) for position, row in enumerate(ordered)
        ]
        changes = [change for change in changes if change.before != change.after]
        if changes:
            require_tests(org)
            commit(org=org, actor=actor, changes=changes, summary=f"Reordered {len(changes)} rules")
        return ordered


def rule_in(org: Any, rule_id: Any) -> AclRule:
    """The rule, locked; raises NotFound for a foreign one too."""
    row = AclRule.objects.for_org(org).select_for_update().filter(pk=rule_id).first()
    if row is None:
        raise NotFound("No such rule")
    return row


def stage_rule(
    org: Organization, row: AclRule, values: Mapping[str, Any], *, row_id: Any = None, past: bool = False
) -> Change:
    """Check and save a row without putting it on record.

    past: it was there before; an end in the past is fine, and so is one rule too many.
    """
    new = row._state.adding
    before = None if new else snapshot_of(row)
    if new and row_id:
        row.pk = row_id
    for name, value in values.items():
        setattr(row, name, value)
    if new and not past and AclRule.objects.for_org(org).count() >= MAX_RULES:
        raise InvalidInput(f"At most {MAX_RULES} rules")
    if "expires_at" in values and row.expires_at and row.expires_at <= timezone.now() and not past:
        raise InvalidInput("expires_at: must be in the future", field="expires_at")
    try:
        _normalise(org, row)
    except RuleFault as fault:
        raise as_api_error(fault) from None
    after = snapshot_of(row)
    if before != after:
        row.revision += not new
        row.save(force_insert=new)
    return Change(TABLE, row.pk, before, after)


def stage_removal(row: AclRule) -> Change:
    """Delete a row without putting it on record."""
    change = Change(TABLE, row.pk, snapshot_of(row), None)
    row.delete()
    return change


def _normalise(org: Organization, row: AclRule) -> None:
    """One stored form of everything; RuleFault and ValidationFailed for what is none."""
    row.source = resolve_hosts(org, row.source, "source")
    row.destination = resolve_hosts(org, row.destination, "destination")
    rule = rule_of(row)
    row.name, row.protocol, row.action = rule.name, rule.protocol, rule.action
    row.ports = format_ports(rule.ports)
    row.time_hour = format_hours(*parse_hours(row.time_hour)) if row.time_hour else None
    row.day_of_week = format_days(parse_days(row.day_of_week)) if row.day_of_week else None
    row.timezone = row.timezone or "UTC"
    row.source_country = sorted(rule.conditions.countries) or None
    row.source_os = sorted(rule.conditions.systems) or None
    row.unresolved = unresolved(org, (rule.source, rule.destination))
