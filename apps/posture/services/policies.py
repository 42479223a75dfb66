"""Writing policies: each change judges the organisation's machines anew, in its own transaction."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from apps.core.actors import Actor
from apps.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from apps.machines.groups import groups_of
from apps.machines.models import Machine
from apps.orgs.models import Organization, OrgSettings
from apps.orgs.planning import Change, put_on_record, refuse_alone
from apps.posture import parsing
from apps.posture.models import PosturePolicy, PostureReport
from apps.posture.requirements import lacks
from apps.posture.services.verdict import rejudge, scoped
from apps.posture.templates import TEMPLATES

MAX_POLICIES = 100
TABLE = "posture_policies"
COLUMNS = (
    *("name", "description", "scope", "allowed_os", "min_os_version", "require_disk_encryption"),
    *("require_firewall", "require_antivirus", "max_patch_age_days", "screen_lock", "require_auto_update"),
    *("agent_version_min", "on_fail", "grace_period_min", "enabled"),
)
PARSERS = {
    "scope": parsing.parse_scope,
    "allowed_os": parsing.parse_systems,
    "min_os_version": parsing.parse_minimums,
    "screen_lock": parsing.parse_lock,
    "agent_version_min": lambda value: parsing.parse_version(value, "agent_version_min") if value else None,
}


def create_policy(*, org: Organization, actor: Actor, values: Mapping[str, Any]) -> PosturePolicy:
    """Add a policy; raises InvalidInput, Conflict, FourEyesRequired."""
    with transaction.atomic():
        _in_line(org)
        refuse_alone(org)
        row = PosturePolicy(org_id=org.pk, created_by_id=actor.user_id)
        _put_in_force(org, actor, stage(row, values))
        return row


def update_policy(*, org: Organization, actor: Actor, policy_id: Any, values: Mapping[str, Any]) -> None:
    """Change a policy; equal values change nothing.

    Raises NotFound, Forbidden for a template, InvalidInput, Conflict, FourEyesRequired.
    """
    with transaction.atomic():
        _in_line(org)
        refuse_alone(org)
        _put_in_force(org, actor, stage(policy_in(org, policy_id), values))


def delete_policy(*, org: Organization, actor: Actor, policy_id: Any) -> None:
    """Remove a policy and release whom it held.

    Raises NotFound, Forbidden for a template, FourEyesRequired.
    """
    with transaction.atomic():
        _in_line(org)
        refuse_alone(org)
        _put_in_force(org, actor, stage_removal(policy_in(org, policy_id)))


def template_values(template_id: Any, name: str | None = None) -> dict[str, Any]:
    """The columns of an own policy that begins as a template; raises NotFound."""
    template = TEMPLATES.get(template_id)
    if template is None:
        raise NotFound()
    return template | ({"name": name} if name else {})


def copy_template(
    *, org: Organization, actor: Actor, template_id: Any, name: str | None = None
) -> PosturePolicy:
    """An own policy that begins as a template; raises NotFound, Conflict, FourEyesRequired."""
    return create_policy(org=org, actor=actor, values=template_values(template_id, name))


def preview(*, org: Organization, values: Mapping[str, Any]) -> dict[str, Any]:
    """Who is in scope of a policy that is not saved, and who would fail it by his last report."""
    row = PosturePolicy(org_id=org.pk)
    _fill(row, values)
    asked, groups = scoped(row), groups_of(org.pk)
    machines = Machine.objects.for_org(org).exclude(approved_at=None).order_by("name")
    covered = [machine for machine in machines if asked.covers(machine, groups.get(machine.pk, ()))]
    reports = {report.machine_id: report for report in PostureReport.objects.for_org(org)}
    failing: list[dict[str, Any]] = []
    for machine in covered:
        signals = reports[machine.pk].signals(os=machine.os) if machine.pk in reports else None
        codes = [lack.code for lack in lacks(asked.policy.requirements, signals)] if signals else []
        if codes:
            failing.append({"id": machine.pk, "name": machine.name, "violations": list(dict.fromkeys(codes))})
    silent = [machine for machine in covered if machine.pk not in reports]
    return {
        "machines_in_scope": len(covered),
        "would_fail": failing,
        "never_reported": [{"id": machine.pk, "name": machine.name} for machine in silent],
    }


def _in_line(org: Organization) -> None:
    """One writer of policies or of the mode at a time; machines and the organisation are locked after it."""
    OrgSettings.objects.for_org(org).select_for_update().get()


def policy_in(org: Organization, policy_id: Any) -> PosturePolicy:
    """The policy; raises NotFound, and Forbidden for a template."""
    if policy_id in TEMPLATES:
        raise Forbidden("A template is read-only; copy it")
    row = PosturePolicy.objects.for_org(org).filter(pk=policy_id).first()
    if row is None:
        raise NotFound()
    return row


def snapshot_of(row: PosturePolicy) -> dict[str, Any]:
    """What a policy says, as JSON."""
    return {name: getattr(row, name) for name in COLUMNS}


def stage(row: PosturePolicy, values: Mapping[str, Any], *, back: bool = False) -> Change:
    """Check and save a row; nobody is judged by it yet. Raises InvalidInput, Conflict.

    back: it was there before, and comes back however many there are.
    """
    new = row._state.adding
    policies = PosturePolicy.objects.for_org(row.org_id)
    if new and not back and policies.count() >= MAX_POLICIES:
        raise InvalidInput(f"At most {MAX_POLICIES} policies", field="name")
    before = None if new else snapshot_of(row)
    _fill(row, values)
    row.name = row.name.strip()
    if not row.name:
        raise InvalidInput("name must not be empty", field="name")
    if policies.filter(name=row.name).exclude(pk=row.pk).exists():
        raise Conflict("A policy has this name", field="name")
    after = snapshot_of(row)
    if before != after:
        row.save(force_insert=new)
    return Change(TABLE, row.pk, before, after)


def stage_removal(row: PosturePolicy) -> Change:
    """Delete a row; whom it held is not judged anew yet."""
    change = Change(TABLE, row.pk, snapshot_of(row), None)
    row.delete()
    return change


def _put_in_force(org: Organization, actor: Actor, change: Change) -> None:
    """Machines are judged before the organisation is locked: as every writer locks them."""
    if change.before != change.after:
        rejudge(org, actor=actor)
        org = Organization.objects.for_org(org).select_for_update().get()
        put_on_record(org=org, actor=actor, changes=[change])


def _fill(row: PosturePolicy, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        parse = PARSERS.get(name)
        setattr(row, name, parse(value) if parse else value)
