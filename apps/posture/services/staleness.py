"""Reports that online machines have not renewed for a day. Readers see it by themselves; nobody is judged."""

import uuid
from collections.abc import Collection
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from apps.core.realtime import REFRESH_ABOVE, as_refresh, publish
from apps.machines.services.writing import hold_machines
from apps.posture.models import PostureReport
from apps.posture.services.verdict import TABLE

STALE_AFTER = timedelta(hours=24)


def stale(now: datetime) -> Q:
    """Reports of online machines that are over a day old."""
    return Q(reported_at__lt=now - STALE_AFTER, machine__status="online")


def untold(now: datetime) -> Q:
    """Of those, such as browsers have not been told of for a day."""
    return stale(now) & (Q(stale_told_at=None) | Q(stale_told_at__lte=now - STALE_AFTER))


def tell_stale(org: Any, machine_ids: Collection[uuid.UUID]) -> int:
    """Tell browsers which reports of these machines are stale, once a day each; runs inside a transaction."""
    hold_machines(org, Q(pk__in=machine_ids))
    now = timezone.now()
    due = PostureReport.objects.for_org(org).filter(untold(now), machine_id__in=machine_ids)
    rows = list(due.only("org_id", "machine_id", "reported_at"))
    PostureReport.objects.for_org(org).filter(pk__in=[row.pk for row in rows]).update(stale_told_at=now)
    with as_refresh() if len(rows) > REFRESH_ABOVE else nullcontext():
        for row in rows:
            tell_staleness(row, True)
    return len(rows)


def tell_staleness(report: PostureReport, found: bool) -> None:
    """Browsers of a report that became stale, or is fresh again."""
    told = {"machine_id": report.machine_id, "reported_at": report.reported_at, "stale": found}
    payload = {"id": report.pk, **told}
    publish(org=report.org_id, channel="posture", event="UPDATE", table=TABLE, payload=payload)
