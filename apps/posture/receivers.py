"""What this app does when an organisation changes."""

from typing import Any

from django.dispatch import receiver

from apps.core.realtime import publish
from apps.machines.signals import machine_registered, machines_regrouped
from apps.orgs import signals
from apps.posture.intake import ReportInput
from apps.posture.models import PosturePolicy
from apps.posture.scopes import missing_in, names_of
from apps.posture.services.policies import TABLE
from apps.posture.services.reports import take_report
from apps.posture.services.verdict import rejudge


@receiver(signals.settings_changed)
def follow_mode(sender: Any, *, org: Any, actor: Any, changed: frozenset[str], **kwargs: Any) -> None:
    """A new mode is in force at once, and releases whom it would not hold."""
    if "posture_enforcement" in changed:
        rejudge(org, actor=actor)


@receiver(signals.names_changed)
def warn_of_names(sender: Any, *, org_id: Any, came: Any, went: Any, **kwargs: Any) -> None:
    """What a scope names and nothing has is worked out as it is read: who has read it hears of a change."""
    rows = PosturePolicy.objects.for_org(org_id).exclude(scope={}) if came or went else ()
    concerned = [row for row in rows if {*came, *went} & names_of(row.scope)]
    missing = missing_in(org_id, [row.scope for row in concerned])
    for row in concerned:
        payload = {"id": row.pk, "unresolved": sorted(missing & names_of(row.scope))}
        publish(org=org_id, channel="posture", event="UPDATE", table=TABLE, payload=payload)


@receiver(machines_regrouped)
def follow_groups(sender: Any, *, org_id: Any, actor: Any, machine_ids: Any, **kwargs: Any) -> None:
    """Policies whose scope names the old or the new tags and groups apply otherwise at once."""
    rejudge(org_id, actor=actor, machine_ids=machine_ids)


@receiver(machine_registered)
def take_first_report(sender: Any, *, machine: Any, posture: Any, actor: Any, **kwargs: Any) -> None:
    """What a machine says of itself as it enrols; nonsense is passed over, for a report follows anyway."""
    told = ReportInput(data=posture) if isinstance(posture, dict) else None
    if told is not None and told.is_valid():
        take_report(node=machine, actor=actor, values=told.validated_data)
