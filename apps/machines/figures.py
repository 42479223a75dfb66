"""Counts for the dashboard."""

from datetime import timedelta
from typing import Any

from django.db.models import Count, F
from django.utils import timezone

from apps.core.api.views import Call
from apps.machines.enforcement import propagation
from apps.machines.models import STATUSES, AuthKey, Machine
from wire.numbers import OFFLINE_AFTER_SECONDS

SHOWN = ("id", "name", "tailnet_ip", "status", "last_seen")
MOST_SHOWN = 100
SOON, SILENT = timedelta(days=7), timedelta(seconds=OFFLINE_AFTER_SECONDS)


def machine_figures(org: Any, call: Call) -> dict[str, Any]:
    """Machines by status and those heard last, usable auth keys, and how fast changes come into force."""
    counted = dict(Machine.objects.for_org(org).values_list("status").annotate(number=Count("pk")).order_by())
    now = timezone.now()
    keys = AuthKey.objects.for_org(org).filter(revoked=False, expired=False)
    expiring = keys.filter(expires_at__gt=now, expires_at__lte=now + SOON)
    # The sweep has not come by yet, or does not run.
    silent = Machine.objects.for_org(org).filter(status="online", last_seen__lt=now - SILENT)
    by_status = {f"{status}Count": counted.get(status, 0) for status in STATUSES}
    total = sum(counted.values())
    newest = Machine.objects.for_org(org).order_by(F("last_seen").desc(nulls_last=True), "pk")
    return {
        "machines": list(newest.values(*SHOWN)[:MOST_SHOWN]),
        "machines_truncated": total > MOST_SHOWN,
        "machineCount": total,
        **by_status,
        # Who waits or is cut off is not online either.
        "offlineCount": total - counted.get("online", 0),
        "authKeyCount": keys.count(),
        "keysExpiringSoon": expiring.count(),
        "unresponsiveCount": silent.count(),
        "propagation": propagation(org),
    }
