"""Judging reports and carrying out what follows; all inside the transaction of the cause."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.utils import timezone

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.realtime import publish
from apps.core.tenancy import org_id_of
from apps.machines.changes import touch
from apps.machines.groups import groups_of
from apps.machines.models import Machine
from apps.machines.services.moves import QUARANTINE
from apps.machines.services.writing import settle, tell
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


def rejudge(org: Any, *, actor: Actor, machine_ids: Iterable[uuid.UUID] | None = None) -> int:
    """Judge reports anew, all or of some machines; returns how many verdicts or states changed."""
    org_id, rules = org_id_of(org), rulebook(org)
    wanted = PostureReport.objects.for_org(org)
    if machine_ids is not None:
        wanted = wanted.filter(machine_id__in=list(machine_ids))
    ids = list(wanted.order_by("machine_id").values_list("machine_id", flat=True))
    groups, changed = groups_of(org_id), []
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        # Machines before reports, in the order of their ids: as every writer locks them.
        locked = Machine.objects.for_org(org).select_for_update().filter(pk__in=batch)
        machines = list(locked.order_by("pk"))
        rows = PostureReport.objects.for_org(org).filter(machine_id__in=batch)
        reports = {row.machine_id: row for row in rows}
        for machine in machines:
            report = reports.get(machine.pk)
            if report is not None:
                found = rules.judge(machine, report, groups.get(machine.pk, ()), timezone.now())
                if carry_out(machine, report, found, actor=actor):
                    changed.append(machine)
    if changed:
        touch(org, changed=changed)
    return len(changed)


def carry_out(machine: Machine, report: PostureReport, found: Judgement, *, actor: Actor) -> bool:
    """Store a judgement and move the machine; True if the caller has to `touch` it."""
    was_verdict = report.compliant, report.effect == "restrict"
    news = report._state.adding or [report.compliant, report.violations] != [found.compliant, found.codes]
    before = {name: getattr(report, name) for name in JUDGED}
    report.compliant, report.violations = found.compliant, found.codes
    report.violation_details, report.effect = list(found.details), found.effect
    report.failing = dict(found.failing)
    report.failing_since = moment_of(min(found.failing.values(), default=None))
    report.grace_ends_at = moment_of(found.grace_ends)
    after = {name: getattr(report, name) for name in JUDGED}
    first = report._state.adding
    if first:
        report.save(force_insert=True)
    elif after != before:
        report.save(update_fields=JUDGED)
    if news:
        PostureHistory.objects.create_in(
            machine.org_id, machine=machine, compliant=found.compliant, violations=found.codes
        )
    if first or after != before:
        payload = {"id": report.pk, "machine_id": machine.pk, "compliant": found.compliant}
        event = "INSERT" if first else "UPDATE"
        publish(org=machine.org_id, channel="posture", event=event, table=TABLE, payload=payload)
    moved = _move(machine, found, actor)
    return moved or first or was_verdict != (report.compliant, report.effect == "restrict")


def _move(machine: Machine, found: Judgement, actor: Actor) -> bool:
    """Quarantine an online machine, or lift a quarantine that posture imposed and would not hold now."""
    holds = found.effect == "quarantine"
    if holds and machine.status == "online" and quarantine(machine, reason=REASON):
        action = "machine.auto_quarantine"
        policies = list(found.imposed)
    elif not holds and machine.quarantine_reason == REASON:
        lift_quarantine(machine)
        action, policies = "machine.auto_unquarantine", list(found.failed)
    else:
        return False
    settle(machine)
    machine.save(update_fields=[*QUARANTINE, "status", "updated_at"])
    tell(machine, "UPDATE", quarantine_reason=machine.quarantine_reason)
    details = {"name": machine.name, "policy": policies, "violations": found.codes}
    record(org=machine.org_id, actor=actor, action=action, resource=machine, details=details)
    return True


def moment_of(seconds: float | None) -> datetime | None:
    """Unix time as a moment; None stays None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
