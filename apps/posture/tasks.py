"""Jobs: grace that has run out, and history that is old enough."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.jobs import job
from apps.posture.models import PostureHistory, PostureReport
from apps.posture.services.verdict import rejudge

HISTORY_KEPT = timedelta(days=365)


@job("posture-grace", every_seconds=60)
def end_grace() -> dict[str, int]:
    """Effects whose grace is over, and those that waited for their machine to come online."""
    waiting = Q(effect="quarantine", machine__status="online", machine__quarantine_reason=None)
    due = PostureReport.all_orgs.filter(Q(grace_ends_at__lte=timezone.now()) | waiting)
    by_org: dict[object, list[object]] = {}
    for org_id, machine_id in due.values_list("org_id", "machine_id"):
        by_org.setdefault(org_id, []).append(machine_id)
    changed = 0
    for org_id in sorted(by_org, key=str):
        with transaction.atomic():
            changed += rejudge(org_id, actor=Actor.job("posture-grace"), machine_ids=by_org[org_id])
    return {"machines": changed}


@job("posture-history", every_seconds=86_400)
def prune_history() -> dict[str, int]:
    """Points of more than a year ago go."""
    gone, _ = PostureHistory.all_orgs.filter(created_at__lt=timezone.now() - HISTORY_KEPT).delete()
    return {"points": gone}
