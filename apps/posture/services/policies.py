"""Writing policies: each change judges the organisation's machines anew, in its own transaction."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from apps.core.realtime import publish
from apps.machines.groups import groups_of
from apps.machines.models import Machine
from apps.orgs.models import Organization, OrgSettings
from apps.posture import parsing
from apps.posture.models import PosturePolicy, PostureReport
from apps.posture.requirements import lacks
from apps.posture.services.verdict import rejudge, scoped
from apps.posture.templates import TEMPLATES

MAX_POLICIES = 100
EVENTS = {"created": "INSERT", "updated": "UPDATE", "deleted": "DELETE"}
PARSERS = {
    "scope": parsing.parse_scope,
    "allowed_os": parsing.parse_systems,
    "min_os_version": parsing.parse_minimums,
    "screen_lock": parsing.parse_lock,
    "agent_version_min": lambda value: parsing.parse_version(value, "agent_version_min") if value else None,
}


def create_policy(*, org: Organization, actor: Actor, values: Mapping[str, Any]) -> PosturePolicy:
    """Add a policy; raises InvalidInput, Conflict."""
    with transaction.atomic():
        _in_line(org)
        row = PosturePolicy(org_id=org.pk, created_by_id=actor.user_id)
        if PosturePolicy.objects.for_org(org).count() >= MAX_POLICIES:
            raise InvalidInput(f"At most {MAX_POLICIES} policies", field="name")
        return _save(row, values, actor, "created")


def update_policy(*, org: Organization, actor: Actor, policy_id: Any, values: Mapping[str, Any]) -> None:
    """Change a policy; raises NotFound, Forbidden for a template, InvalidInput, Conflict."""
    with transaction.atomic():
        _save(_locked(org, policy_id), values, actor, "updated")


def delete_policy(*, org: Organization, actor: Actor, policy_id: Any) -> None:
    """Remove a policy and release whom it held; raises NotFound, Forbidden for a template."""
    with transaction.atomic():
        row = _locked(org, policy_id)
        row.delete()
        _announce(row, policy_id, actor, "deleted", {"name": row.name})


def copy_template(
    *, org: Organization, actor: Actor, template_id: Any, name: str | None = None
) -> PosturePolicy:
    """An own policy that begins as a template; raises NotFound, Conflict."""
    template = TEMPLATES.get(template_id)
    if template is None:
        raise NotFound()
    return create_policy(org=org, actor=actor, values=template | ({"name": name} if name else {}))


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


def _locked(org: Organization, policy_id: Any) -> PosturePolicy:
    if policy_id in TEMPLATES:
        raise Forbidden("A template is read-only; copy it")
    _in_line(org)
    row = PosturePolicy.objects.for_org(org).filter(pk=policy_id).first()
    if row is None:
        raise NotFound()
    return row


def _fill(row: PosturePolicy, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        parse = PARSERS.get(name)
        setattr(row, name, parse(value) if parse else value)


def _save(row: PosturePolicy, values: Mapping[str, Any], actor: Actor, verb: str) -> PosturePolicy:
    _fill(row, values)
    row.name = row.name.strip()
    if not row.name:
        raise InvalidInput("name must not be empty", field="name")
    if PosturePolicy.objects.for_org(row.org_id).filter(name=row.name).exclude(pk=row.pk).exists():
        raise Conflict("A policy has this name", field="name")
    row.save(force_insert=verb == "created")
    _announce(row, row.pk, actor, verb, {name: getattr(row, name) for name in ("name", *values)})
    return row


def _announce(row: PosturePolicy, row_id: Any, actor: Actor, verb: str, details: dict[str, Any]) -> None:
    payload = {"id": row_id, "name": row.name}
    publish(org=row.org_id, channel="posture", event=EVENTS[verb], table="posture_policies", payload=payload)
    action = f"posture_policy.{verb}"
    record(org=row.org_id, actor=actor, action=action, resource_id=row_id, details=details)
    rejudge(row.org_id, actor=actor)
