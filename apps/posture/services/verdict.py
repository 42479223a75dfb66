"""Judging reports and carrying out what follows; all inside the transaction of the cause."""

import uuid
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db.models import Q
from django.utils import timezone

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.realtime import REFRESH_ABOVE, as_refresh, publish
from apps.core.tenancy import org_id_of
from apps.machines.changes import touch
from apps.machines.groups import groups_of
from apps.machines.models import Machine
from apps.machines.services.moves import QUARANTINE
from apps.machines.services.writing import hold_machines, settle, tell
from apps.machines.state import lift_quarantine, quarantine
from apps.orgs.models import OrgSettings
from apps.posture.judgement import Judgement, Policy, judge
from apps.posture.models import PostureHistory, PosturePolicy, PostureReport

REASON = "posture"
TABLE = "posture_reports"
JUDGED = (
    *("compliant", "violations", "violation_details"),
    *("effect", "failing", "failing_since", "grace_ends_at"),
)
BATCH = 500


class Scoped(NamedTuple):
    """A policy with the scope of its row."""

    scope: Mapping[str, list[str]]
    policy: Policy

    def covers(self, machine: Machine, groups: Iterable[str]) -> bool:
        """Whether one of the machine's tags or groups is named, or nothing is."""
        named = {name.casefold() for name in self.scope.get("groups", ())}
        tags = set(self.scope.get("tags", ()))
        return not (named or tags) or bool(tags & set(machine.tags)) or bool(named & set(groups))


class Rulebook(NamedTuple):
    """What an organisation asks: its mode and its enabled policies."""

    mode: str
    policies: tuple[Scoped, ...]

    def judge(
        self, machine: Machine, report: PostureReport, groups: Iterable[str], now: datetime
    ) -> Judgement:
        """What a machine's report is worth now."""
        return judge(
            [each.policy for each in self.policies if each.covers(machine, groups)],
            report.signals(os=machine.os),
            mode=self.mode,
            failing=report.failing,
            now=now.timestamp(),
        )


def scoped(row: PosturePolicy) -> Scoped:
    """The policy of a row."""
    policy = Policy(
        id=str(row.pk),
        name=row.name,
        requirements=row.requirements(),
        on_fail=row.on_fail,
        grace_seconds=row.grace_period_min * 60,
    )
    return Scoped(row.scope, policy)


def rulebook(org: Any) -> Rulebook:
    """The organisation's mode and policies as they stand."""
    mode = OrgSettings.objects.for_org(org).values_list("posture_enforcement", flat=True).get()
    return Rulebook(mode, tuple(map(scoped, PosturePolicy.objects.for_org(org).filter(enabled=True))))


class Change(NamedTuple):
    """What a judgement makes of a machine and its report, not yet written.

    first: the report is new; judged: its verdict's columns changed; news: verdict or codes did;
    felt: the machine's map or its peers' may change; action: what is told of its quarantine.
    """

    machine: Machine
    report: PostureReport
    found: Judgement
    first: bool
    judged: bool
    news: bool
    felt: bool
    action: str | None


def rejudge(org: Any, *, actor: Actor, machine_ids: Iterable[uuid.UUID] | None = None) -> int:
    """Judge reports anew, all or of some machines; returns how many verdicts or states changed."""
    org_id = org_id_of(org)
    wanted = PostureReport.objects.for_org(org)
    if machine_ids is not None:
        wanted = wanted.filter(machine_id__in=list(machine_ids))
    # Machines before reports and before the organisation, which the first batch may touch.
    ids = hold_machines(org, Q(pk__in=wanted.values("machine_id")))
    rules, felt = rulebook(org), 0
    groups = groups_of(org_id, None if machine_ids is None else ids)
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        machines = Machine.objects.for_org(org).filter(pk__in=batch).order_by("pk")
        rows = PostureReport.objects.for_org(org).filter(machine_id__in=batch)
        reports = {row.machine_id: row for row in rows}
        now = timezone.now()
        changes = [
            weigh(machine, report, rules.judge(machine, report, groups.get(machine.pk, ()), now))
            for machine in machines
            if (report := reports.get(machine.pk)) is not None
        ]
        felt += carry_out(org_id, changes, actor=actor)
    return felt


def weigh(machine: Machine, report: PostureReport, found: Judgement) -> Change:
    """Bring the rows in line with a judgement, without writing them."""
    first = report._state.adding
    before = {name: getattr(report, name) for name in JUDGED}
    report.compliant, report.violations = found.compliant, found.codes
    report.violation_details, report.effect = list(found.details), found.effect
    report.failing = dict(found.failing)
    report.failing_since = moment_of(min(found.failing.values(), default=None))
    report.grace_ends_at = moment_of(found.grace_ends)
    changed = {name for name in JUDGED if before[name] != getattr(report, name)}
    restricted = "restrict" in {before["effect"], report.effect} and "effect" in changed
    action = _move(machine, found)
    return Change(
        machine=machine,
        report=report,
        found=found,
        first=first,
        judged=bool(changed),
        news=first or not changed.isdisjoint({"compliant", "violations"}),
        felt=first or action is not None or "compliant" in changed or restricted,
        action=action,
    )


def carry_out(org_id: uuid.UUID, changes: list[Change], *, actor: Actor) -> int:
    """Write what was weighed as one version of the map; returns how many machines feel it."""
    moved = [change for change in changes if change.action]
    with as_refresh() if len(changes) > REFRESH_ABOVE else nullcontext():
        # An upsert: bulk_update's CASE for each column and row is dearer than the rows themselves.
        PostureReport.objects.for_org(org_id).bulk_create(
            (change.report for change in changes if change.first or change.judged),
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=JUDGED,
        )
        PostureHistory.objects.for_org(org_id).bulk_create(
            PostureHistory(
                org_id=org_id,
                machine=change.machine,
                compliant=change.found.compliant,
                violations=change.found.codes,
            )
            for change in changes
            if change.news
        )
        for change in moved:
            change.machine.save(update_fields=[*QUARANTINE, "status", "updated_at"])
        if felt := [change for change in changes if change.felt]:
            # A good report takes nothing away from anybody.
            worse = any(not change.found.compliant for change in felt)
            touch(org_id, changed=[change.machine for change in felt], rights=worse)
        for change in changes:
            _tell(org_id, change, actor)
    return len(felt)


def _move(machine: Machine, found: Judgement) -> str | None:
    """Quarantine an online machine, or lift a quarantine that posture imposed and would not hold now."""
    holds = found.effect == "quarantine"
    if holds and machine.status == "online" and quarantine(machine, reason=REASON):
        action = "machine.auto_quarantine"
    elif not holds and machine.quarantine_reason == REASON:
        lift_quarantine(machine)
        action = "machine.auto_unquarantine"
    else:
        return None
    settle(machine)
    return action


def _tell(org_id: uuid.UUID, change: Change, actor: Actor) -> None:
    """Browsers of the report, and browsers and the trail of a move."""
    machine, report, found = change.machine, change.report, change.found
    if change.first or change.judged:
        payload = {"id": report.pk, "machine_id": machine.pk, "compliant": found.compliant}
        event = "INSERT" if change.first else "UPDATE"
        publish(org=org_id, channel="posture", event=event, table=TABLE, payload=payload)
    if change.action:
        tell(machine, "UPDATE", quarantine_reason=machine.quarantine_reason)
        policies = list(found.imposed if machine.quarantine_reason == REASON else found.failed)
        details = {"name": machine.name, "policy": policies, "violations": found.codes}
        record(org=org_id, actor=actor, action=change.action, resource=machine, details=details)


def moment_of(seconds: float | None) -> datetime | None:
    """Unix time as a moment; None stays None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
