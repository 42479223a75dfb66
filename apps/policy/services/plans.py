"""Plans: a change tried out in the database and taken back, kept with what it would mean, and applied.

ready -apply-> applied, or awaiting_confirmation -confirm-> applied; both -rollback-> rolled_back.
ready -approve-> approved; ready, approved -apply at a time-> scheduled -then-> applied, or failed;
ready, approved, scheduled -abandon-> abandoned; ready, approved -time-> expired.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.errors import ApiError, Forbidden, InvalidState, NotFound
from apps.core.realtime import publish
from apps.orgs.models import Organization
from apps.orgs.planning import Change, asked_for, planned_tables, refuse_alone
from apps.policy.errors import LockoutRisk, PlanStale, TestsFailed
from apps.policy.models import ChangePlan, PolicyRevision
from apps.policy.preview import difference, shuts_out
from apps.policy.rights import fresh_policy
from apps.policy.services.checks import require_tests, run_tests
from apps.policy.services.commit import commit, locked, present_revision
from apps.policy.services.cutcount import ask_machines
from apps.policy.services.foureyes import person_behind, refuse_unapproved
from apps.policy.services.planreport import Trial, report_of
from apps.policy.services.staging import Wanted, hold_for, hold_to_undo, staged, undone

PLAN_TERM = timedelta(hours=24)
OPEN = ("ready", "approved")
STANDING = ("applied", "awaiting_confirmation")


class _TakeBack(Exception):
    """Ends a trial."""


def make_plan(
    *, org: Any, actor: Actor, wanted: Wanted, document: Mapping[str, Any], note: str | None = None
) -> ChangePlan:
    """Try a change out and keep what it would mean; raises whatever the change itself would raise.

    document: the change as it was asked for; parsed again when the plan is applied.
    """
    with transaction.atomic():
        org = hold_for(org, wanted)
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
        # Its changes never change: they say what has to be locked before the plan itself.
        wanted = parse(_unlocked(org, plan_id, *states).changes)
        org = hold_for(org, wanted)
        plan = plan_in(org, plan_id, *states)
        if plan.status in OPEN and plan.expires_at <= timezone.now():
            raise InvalidState("This plan has expired")
        refuse_unapproved(org, plan)
        if plan.base_version != present_revision(org):
            raise PlanStale()
        before = fresh_policy(org.pk)
        changes = staged(org, actor, wanted)
        after = fresh_policy(org.pk)
        _, failed = run_tests(org, after)
        if failed and not (force and actor.role == "owner"):
            raise TestsFailed(failed=[failure.told() for failure in failed])
        if shuts_out(before, after) and not force:
            raise LockoutRisk()
        summary = plan.note or f"Plan of {len(changes)} changes"
        revision = commit(org=org, actor=actor, changes=changes, summary=summary, plan_id=plan.pk)
        plan.applied_version = revision
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
        plan = _unlocked(org, plan_id, *STANDING)
        revisions = PolicyRevision.objects.for_org(org).filter(revision=plan.applied_version)
        org = hold_to_undo(org, _backwards(revisions))
        plan = plan_in(org, plan_id, *STANDING)
        if plan.status == "applied":
            refuse_alone(org)
        changes = undone(org, actor, _backwards(revisions))
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
        rows = PolicyRevision.objects.for_org(org)
        if not rows.filter(revision=revision).exists():
            raise NotFound("No such revision")
        later = rows.filter(revision__gt=revision).order_by("-revision")
        org = hold_to_undo(org, _backwards(later))
        refuse_alone(org)
        changes = undone(org, actor, _backwards(later))
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
    return _in_state(locked_plans(org).filter(pk=plan_id).first(), states)


def _tried(org: Organization, actor: Actor, wanted: Wanted) -> Trial:
    before = fresh_policy(org.pk)
    trials: list[Trial] = []
    try:
        with transaction.atomic():
            changes = staged(org, actor, wanted)
            after = fresh_policy(org.pk)
            flows = difference(before, after, timezone.now().timestamp())
            tests, lockout = run_tests(org, after), shuts_out(before, after)
            unresolved = _unresolved(org, changes)
            trials.append(Trial(changes, before, after, *tests, flows, lockout, unresolved, asked_for(org)))
            raise _TakeBack
    except _TakeBack:
        return trials[0]


def _unlocked(org: Any, plan_id: Any, *states: str) -> ChangePlan:
    """The plan as it is before anything is locked; what it changes stays the same."""
    return _in_state(ChangePlan.objects.for_org(org).filter(pk=plan_id).first(), states)


def _in_state(plan: ChangePlan | None, states: Sequence[str]) -> ChangePlan:
    if plan is None:
        raise NotFound("No such plan")
    if plan.status not in states:
        raise InvalidState(f"This plan is {plan.status.replace('_', ' ')}")
    return plan


def _backwards(revisions: Any) -> Iterator[Mapping[str, Any]]:
    """What some revisions, newest first, say that they changed."""
    return (entry for revision in revisions.all() for entry in reversed(revision.changes))


def _unresolved(org: Organization, changes: list[Change]) -> list[str]:
    found: set[str] = set()
    for name, table in planned_tables().items():
        ids = [change.id for change in changes if change.table == name]
        if ids and table.unresolved is not None:
            found |= set(table.unresolved(org, ids))
    return sorted(found)


def _moved(plan: ChangePlan, status: str, actor: Actor, action: str, **details: Any) -> ChangePlan:
    plan.status = status
    plan.save()
    _note(plan, actor, action, "UPDATE", **details)
    return plan


def _note(plan: ChangePlan, actor: Actor, action: str, event: str, **details: Any) -> None:
    payload = {"id": plan.pk, "status": plan.status}
    publish(org=plan.org_id, channel="acl", event=event, table="change_plans", payload=payload)
    record(org=plan.org_id, actor=actor, action=action, resource_id=plan.pk, details=details)
