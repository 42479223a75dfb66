"""Taking a machine's report."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.core.actors import Actor
from apps.machines.groups import groups_of
from apps.machines.models import Machine
from apps.machines.nodes import Node
from apps.machines.services.writing import machine_in
from apps.posture.judgement import Judgement
from apps.posture.models import PostureReport
from apps.posture.remedies import remedies_of
from apps.posture.services.staleness import STALE_AFTER, tell_staleness
from apps.posture.services.verdict import REASON, carry_out, rulebook, weigh


@dataclass(frozen=True)
class Outcome:
    """What a report led to."""

    judgement: Judgement
    mode: str
    quarantined: bool
    remedies: Mapping[str, str]


# What a report may say; what it leaves out is unknown, and no longer what an earlier one said.
SIGNALS = (
    *("os_version", "os_version_detail", "disk_encrypted", "firewall_enabled", "antivirus_enabled"),
    *("antivirus_name", "last_patch_date", "patch_age_days", "usb_storage_disabled", "screen_lock_timeout"),
    *("auto_update", "firewall_audit", "pending_security_updates", "reboot_pending", "agent_version"),
    "custom_attributes",
)


def take_report(*, node: Node | Machine, actor: Actor, values: Mapping[str, Any]) -> Outcome:
    """Keep a machine's signals as its one row, judge them, and carry out what follows; raises NotFound."""
    now = timezone.now()
    with transaction.atomic():
        machine = machine_in(node.org_id, node.pk)
        report = PostureReport.objects.for_org(node.org_id).filter(machine=machine).first()
        report = report or PostureReport(org_id=node.org_id, machine=machine)
        for name in SIGNALS:
            setattr(report, name, values.get(name))
        if report.patch_age_days is None and report.last_patch_date is not None:
            report.patch_age_days = max(0, (now - report.last_patch_date).days)
        before, report.reported_at, report.stale_told_at = report.reported_at, now, None
        if before is not None and before < now - STALE_AFTER:
            tell_staleness(report, False)
        if not report._state.adding:
            report.save(update_fields=[*SIGNALS, "reported_at", "stale_told_at"])
        rules = rulebook(node.org_id)
        groups = groups_of(node.org_id, [machine.pk]).get(machine.pk, ())
        found = rules.judge(machine, report, groups, now)
        carry_out(node.org_id, [weigh(machine, report, found)], actor=actor)
        quarantined = machine.quarantine_reason == REASON
        return Outcome(found, rules.mode, quarantined, remedies_of(found.codes, machine.os))
