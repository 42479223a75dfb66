"""Plans: a change tried out in the database and taken back, kept with what it would mean, and applied.

ready -apply-> applied, or awaiting_confirmation -confirm-> applied; both -rollback-> rolled_back.
ready -approve-> approved; ready, approved -apply at a time-> scheduled -then-> applied, or failed;
ready, approved, scheduled -abandon-> abandoned; ready, approved -time-> expired.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.errors import ApiError, Conflict, Forbidden, InvalidState, NotFound
from apps.core.realtime import publish
from apps.orgs.models import Organization, OrgSettings
from apps.orgs.services import update_settings
from apps.policy.documents import restored, snapshot_of
from apps.policy.errors import LockoutRisk, PlanStale, TestsFailed
from apps.policy.models import AbacPolicy, AclRule, ChangePlan, PolicyRevision
from apps.policy.preview import difference, shuts_out
from apps.policy.rights import fresh_policy
from apps.policy.services.attributes import policy_in, stage_policy
from apps.policy.services.checks import require_tests, run_tests
from apps.policy.services.commit import Change, commit, locked, present_revision
from apps.policy.services.cutcount import ask_machines
from apps.policy.services.foureyes import asked_for, person_behind, refuse_alone, refuse_unapproved
from apps.policy.services.planreport import Trial, report_of
from apps.policy.services.rules import rule_in, stage_removal, stage_rule

PLAN_TERM = timedelta(hours=24)
OPEN = ("ready", "approved")


@dataclass(frozen=True, slots=True)
class TableChanges:
    """Rows to make, (id, columns) of rows to change, ids of rows to take away; columns are parsed."""

    create: Sequence[Mapping[str, Any]] = ()
    update: Sequence[tuple[Any, Mapping[str, Any]]] = ()
    delete: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that one plan changes."""

    rules: TableChanges = field(default_factory=TableChanges)
    attributes: TableChanges = field(default_factory=TableChanges)
    settings: Mapping[str, Any] = field(default_factory=dict)


class _TakeBack(Exception):
    """Ends a trial."""


def make_plan(
    *, org: Any, actor: Actor, wanted: Wanted, document: Mapping[str, Any], note: str | None = None
) -> ChangePlan:
    """Try a change out and keep what it would mean; raises whatever the change itself would raise.

    document: the change as it was asked for; parsed again when the plan is applied.
    """
    with transaction.atomic():
        org = locked(org)
        trial = _tried(org, actor, wanted)
        plan = ChangePlan.objects.create_in(
            org,
            base_version=present_revision(org),
            changes=document,
            report=report_of(trial),
            note=note,
            created_by_id=person_behind(org, actor),
            expires_at=timezone.now() + PLAN_TERM,
        )
        ask_machines(plan, trial)
        _note(plan, actor, "plan.created", "INSERT", note=note)
        return plan


def approve_plan(*, org: Any, actor: Actor, plan_id: Any) -> ChangePlan:
    """A second administrator agrees; raises NotFound, Forbidden for one's own, InvalidState."""
    with transaction.atomic():
        plan = plan_in(locked(org), plan_id, "ready")
        second = person_behind(org, actor)
        if second is None or second == plan.created_by_id:
            raise Forbidden("Nobody approves his own plan")
        plan.approved_by_id = second
        return _moved(plan, "approved", actor, "plan.approved")


def apply_plan(
    *,
    org: Any,
    actor: Actor,
    plan_id: Any,
    parse: Callable[[Mapping[str, Any]], Wanted],
    confirm_within: timedelta | None = None,
    force: bool = False,
    states: Sequence[str] = OPEN,
) -> tuple[ChangePlan, int]:
    """Put a plan in force; returns it and the policy's revision.

    force: an owner overrides failing tests, an administrator the warning of a lockout. Raises NotFound,
    InvalidState, PlanStale, TestsFailed, LockoutRisk, FourEyesRequired, and whatever the change itself
    raises.
    """
    with transaction.atomic():
        org = locked(org)
        plan = plan_in(org, plan_id, *states)
        if plan.status in OPEN and plan.expires_at <= timezone.now():
            raise InvalidState("This plan has expired")
        refuse_unapproved(org, plan)
        if plan.base_version != present_revision(org):
            raise PlanStale()
        before = fresh_policy(org.pk)
        kept = _settings(org, parse(plan.changes).settings)
        changes = _staged(org, actor, parse(plan.changes))
        after = fresh_policy(org.pk)
        _, failed = run_tests(org, after)
        if failed and not (force and actor.role == "owner"):
            raise TestsFailed(failed=[failure.told() for failure in failed])
        if shuts_out(before, after) and not force:
            raise LockoutRisk()
        summary = plan.note or f"Plan of {len(changes)} changes"
        revision = commit(org=org, actor=actor, changes=changes, summary=summary, plan_id=plan.pk)
        plan.applied_version, plan.report = revision, {**plan.report, "settings_before": kept}
        if confirm_within is not None:
            plan.confirm_by = timezone.now() + confirm_within
        status = "applied" if confirm_within is None else "awaiting_confirmation"
        return _moved(plan, status, actor, "plan.applied", revision=revision), revision


def schedule_plan(
    *, org: Any, actor: Actor, plan_id: Any, at: datetime, confirm_within: timedelta | None = None
) -> ChangePlan:
    """Have a plan applied by itself at a time, when everything is checked anew.

    Raises NotFound, InvalidState, PlanStale, FourEyesRequired.
    """
    with transaction.atomic():
        org = locked(org)
        plan = plan_in(org, plan_id, *OPEN)
        refuse_unapproved(org, plan)
        if plan.base_version != present_revision(org):
            raise PlanStale()
        seconds = int(confirm_within.total_seconds()) if confirm_within else 0
        plan.apply_at, plan.report = at, {**plan.report, "confirm_within_seconds": seconds}
        return _moved(plan, "scheduled", actor, "plan.scheduled", apply_at=at)


def apply_scheduled(
    *, org: Any, actor: Actor, plan_id: Any, parse: Callable[[Mapping[str, Any]], Wanted]
) -> ChangePlan:
    """What a plan's time has come for; one that can't be applied any more is failed, and says why."""
    plan = ChangePlan.objects.for_org(org).get(pk=plan_id)
    seconds = plan.report.get("confirm_within_seconds") or 0
    within = timedelta(seconds=seconds) if seconds else None
    try:
        return apply_plan(
            org=org, actor=actor, plan_id=plan_id, parse=parse, confirm_within=within, states=["scheduled"]
        )[0]
    except ApiError as error:
        with transaction.atomic():
            plan = plan_in(locked(org), plan_id, "scheduled")
            plan.report = {**plan.report, "failure": {"code": error.code, "message": error.message}}
            return _moved(plan, "failed", actor, "plan.failed", code=error.code, message=error.message)


def confirm_plan(*, org: Any, actor: Actor, plan_id: Any) -> ChangePlan:
    """It stays; raises NotFound, InvalidState."""
    with transaction.atomic():
        plan = plan_in(locked(org), plan_id, "awaiting_confirmation")
        plan.confirm_by = None
        return _moved(plan, "applied", actor, "plan.confirmed")


def roll_back_plan(*, org: Any, actor: Actor, plan_id: Any) -> ChangePlan:
    """Undo what it changed, whatever tests say; raises NotFound, InvalidState, FourEyesRequired.

    Until it is confirmed one pair of eyes is enough: what was is put back.
    """
    with transaction.atomic():
        org = locked(org)
        plan = plan_in(org, plan_id, "applied", "awaiting_confirmation")
        if plan.status == "applied":
            refuse_alone(org)
        revision = PolicyRevision.objects.for_org(org).get(revision=plan.applied_version)
        changes = _undone(org, actor, [revision])
        if settings := plan.report.get("settings_before"):
            update_settings(org=org, actor=actor, values=settings)
        commit(org=org, actor=actor, changes=changes, summary="Plan rolled back", plan_id=plan.pk)
        plan.confirm_by = None
        return _moved(plan, "rolled_back", actor, "policy.rollback", revision=plan.applied_version)


def abandon_plan(*, org: Any, actor: Actor, plan_id: Any) -> ChangePlan:
    """It will not be; raises NotFound, InvalidState."""
    with transaction.atomic():
        plan = plan_in(locked(org), plan_id, *OPEN, "scheduled")
        return _moved(plan, "abandoned", actor, "plan.abandoned")


def return_to(*, org: Any, actor: Actor, revision: int) -> int:
    """The whole set as it was at a revision; the new one. Raises NotFound, TestsFailed, FourEyesRequired."""
    with transaction.atomic():
        org = locked(org)
        refuse_alone(org)
        rows = PolicyRevision.objects.for_org(org)
        if not rows.filter(revision=revision).exists():
            raise NotFound("No such revision")
        changes = _undone(org, actor, rows.filter(revision__gt=revision).order_by("-revision"))
        require_tests(org)
        summary = f"Back to revision {revision}"
        return commit(org=org, actor=actor, changes=changes, summary=summary, reason="policy.rollback")


def expire_plans(*, org: Any, actor: Actor) -> int:
    """Roll back what nobody confirmed in time, and close what nobody applied; how many."""
    now = timezone.now()
    due = ChangePlan.objects.for_org(org).filter(status="awaiting_confirmation", confirm_by__lte=now)
    unconfirmed = list(due.values_list("pk", flat=True))
    for plan_id in unconfirmed:
        roll_back_plan(org=org, actor=actor, plan_id=plan_id)
    with transaction.atomic():
        lapsed = list(locked_plans(locked(org)).filter(status__in=OPEN, expires_at__lte=now))
        for plan in lapsed:
            _moved(plan, "expired", actor, "plan.expired")
    return len(unconfirmed) + len(lapsed)


def locked_plans(org: Any) -> Any:
    """Plans, locked."""
    return ChangePlan.objects.for_org(org).select_for_update()


def plan_in(org: Any, plan_id: Any, *states: str) -> ChangePlan:
    """The plan, locked, if it is in one of these states; raises NotFound, InvalidState."""
    plan = locked_plans(org).filter(pk=plan_id).first()
    if plan is None:
        raise NotFound("No such plan")
    if plan.status not in states:
        raise InvalidState(f"This plan is {plan.status.replace('_', ' ')}")
    return plan


def _tried(org: Organization, actor: Actor, wanted: Wanted) -> Trial:
    before = fresh_policy(org.pk)
    trials: list[Trial] = []
    try:
        with transaction.atomic():
            changes = _staged(org, actor, wanted)
            after = fresh_policy(org.pk)
            flows = difference(before, after, timezone.now().timestamp())
            tests, lockout = run_tests(org, after), shuts_out(before, after)
            unresolved = _unresolved(org, changes)
            trials.append(Trial(changes, after, *tests, flows, lockout, unresolved, asked_for(org)))
            raise _TakeBack
    except _TakeBack:
        return trials[0]


def _staged(org: Organization, actor: Actor, wanted: Wanted) -> list[Change]:
    """The change in the database, and not on record yet."""
    changes = []
    for row_id in wanted.rules.delete:
        changes.append(stage_removal(rule_in(org, row_id)))
    for row_id, values in wanted.rules.update:
        row, values = rule_in(org, row_id), dict(values)
        if values.pop("revision", row.revision) != row.revision:
            raise Conflict("Somebody else has changed this rule; look at it again", field="revision")
        changes.append(stage_rule(org, row, values))
    for values in wanted.rules.create:
        changes.append(stage_rule(org, AclRule(org_id=org.pk, created_by_id=actor.user_id), values))
    for row_id in wanted.attributes.delete:
        policy = policy_in(org, row_id)
        changes.append(Change("abac_policies", policy.pk, snapshot_of(policy), None))
        policy.delete()
    for row_id, values in wanted.attributes.update:
        changes.append(stage_policy(org, policy_in(org, row_id), values))
    for values in wanted.attributes.create:
        changes.append(stage_policy(org, AbacPolicy(org_id=org.pk, created_by_id=actor.user_id), values))
    if wanted.settings:
        update_settings(org=org, actor=actor, values=wanted.settings)
    return [change for change in changes if change.before != change.after]


def _undone(org: Organization, actor: Actor, revisions: Any) -> list[Change]:
    """The rows of some revisions, newest first, as they were before them."""
    changes = []
    for entry in (entry for revision in revisions for entry in reversed(revision.changes)):
        rules = entry["table"] == "acl_rules"
        model: Any = AclRule if rules else AbacPolicy
        if entry["table"] not in ("acl_rules", "abac_policies"):
            continue  # groups have no snapshots: their machines are not policy
        row = model.objects.for_org(org).select_for_update().filter(pk=entry["id"]).first()
        if entry["before"] is None:
            if row is not None:
                changes.append(Change(entry["table"], row.pk, snapshot_of(row), None))
                row.delete()
            continue
        row = row or model(org_id=org.pk, created_by_id=actor.user_id)
        values, row_id = restored(entry["before"]), entry["id"]
        if rules:
            changes.append(stage_rule(org, row, values, row_id=row_id, past=True))
        else:
            changes.append(stage_policy(org, row, values, row_id=row_id))
    return [change for change in changes if change.before != change.after]


def _unresolved(org: Organization, changes: list[Change]) -> list[str]:
    rows = AclRule.objects.for_org(org).filter(pk__in=[change.id for change in changes])
    return sorted({member for row in rows for member in row.unresolved})


def _settings(org: Organization, wanted: Mapping[str, Any]) -> dict[str, Any]:
    settings = OrgSettings.objects.for_org(org).get()
    return {name: getattr(settings, name) for name in wanted}


def _moved(plan: ChangePlan, status: str, actor: Actor, action: str, **details: Any) -> ChangePlan:
    plan.status = status
    plan.save()
    _note(plan, actor, action, "UPDATE", **details)
    return plan


def _note(plan: ChangePlan, actor: Actor, action: str, event: str, **details: Any) -> None:
    payload = {"id": plan.pk, "status": plan.status}
    publish(org=plan.org_id, channel="acl", event=event, table="change_plans", payload=payload)
    record(org=plan.org_id, actor=actor, action=action, resource_id=plan.pk, details=details)
