"""Counts for the dashboard."""

from typing import Any

from django.db.models import Count

from apps.core.api.views import Call
from apps.machines.enforcement import propagation
from apps.machines.models import STATUSES, AuthKey, Machine


def machine_figures(org: Any, call: Call) -> dict[str, Any]:
    """Machines by status, usable auth keys, and how fast changes come into force."""
    counted = dict(Machine.objects.for_org(org).values_list("status").annotate(number=Count("pk")).order_by())
    keys = AuthKey.objects.for_org(org).filter(revoked=False, expired=False).count()
    by_status = {f"{status}Count": counted.get(status, 0) for status in STATUSES}
    return {
        "machineCount": sum(counted.values()),
        **by_status,
        "authKeyCount": keys,
        "propagation": propagation(org),
    }
