"""Jobs: grace that has run out, reports that are not renewed, and history that is old enough."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.jobs import job
from apps.posture.models import PostureHistory, PostureReport
from apps.posture.services.staleness import tell_stale, untold
from apps.posture.services.verdict import BATCH, rejudge

HISTORY_KEPT = timedelta(days=365)


@job("posture-grace", every_seconds=60)
def end_grace() -> dict[str, int]:
    """Effects whose grace is over, and those that waited for their machine to come online."""
    waiting = Q(effect="quarantine", machine__status="online", machine__quarantine_reason=None)
    changed = 0
    for org_id, machine_ids in _by_org(Q(grace_ends_at__lte=timezone.now()) | waiting):
        with transaction.atomic():
            changed += rejudge(org_id, actor=Actor.job("posture-grace"), machine_ids=machine_ids)
    return {"machines": changed}


@job("posture-stale", every_seconds=600)
def tell_of_stale_reports() -> dict[str, int]:
    """Reports of online machines over a day old are told of, once a day; verdicts stay."""
    told = 0
    for org_id, machine_ids in _by_org(untold(timezone.now())):
        for start in range(0, len(machine_ids), BATCH):
            with transaction.atomic():
                told += tell_stale(org_id, machine_ids[start : start + BATCH])
    return {"reports": told}


@job("posture-history", every_seconds=86_400)
def prune_history() -> dict[str, int]:
    """Points of more than a year ago go."""
    gone, _ = PostureHistory.all_orgs.filter(created_at__lt=timezone.now() - HISTORY_KEPT).delete()
    return {"points": gone}


def _by_org(which: Q) -> Iterator[tuple[Any, list[Any]]]:
    """(organisation, its machines) with such reports."""
    reports = PostureReport.all_orgs.filter(which).order_by("org_id", "machine_id")
    pairs = list(reports.values_list("org_id", "machine_id"))
    for org_id, group in groupby(pairs, key=lambda pair: pair[0]):
        yield org_id, [machine_id for _, machine_id in group]
