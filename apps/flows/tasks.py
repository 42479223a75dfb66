"""Jobs: flows that are old enough."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.core.jobs import job
from apps.flows.models import FlowLog, FlowReport

FLOWS_KEPT = timedelta(days=30)
# Longer than any machine repeats a report.
REPORTS_KEPT = timedelta(days=2)
CHUNK = 5000


@job("log-housekeeping", every_seconds=86_400)
def prune_flows() -> dict[str, int]:
    """Flows of more than 30 days ago go, a chunk at a time: writers wait for none of them long."""
    now = timezone.now()
    return {
        "flows": _prune(FlowLog, now - FLOWS_KEPT),
        "reports": _prune(FlowReport, now - REPORTS_KEPT),
    }


def _prune(model: Any, before: Any) -> int:
    gone = 0
    while ids := list(model.all_orgs.filter(created_at__lt=before).values_list("pk", flat=True)[:CHUNK]):
        gone += model.all_orgs.filter(pk__in=ids).delete()[0]
    return gone
