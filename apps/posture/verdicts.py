"""Verdicts for policy, and counts for the dashboard."""

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import Count, Q

from apps.core.api.views import Call
from apps.machines.verdicts import Verdict
from apps.posture.models import PostureReport


def verdicts(org_id: uuid.UUID, ids: Collection[uuid.UUID] | None) -> Mapping[uuid.UUID, Verdict]:
    """What is known of the machines that have reported."""
    rows = PostureReport.objects.for_org(org_id)
    if ids is not None:
        rows = rows.filter(machine_id__in=ids)
    found = rows.values_list("machine_id", "compliant", "effect")
    return {machine_id: Verdict(compliant, effect == "restrict") for machine_id, compliant, effect in found}


def posture_figures(org: Any, call: Call) -> dict[str, Any]:
    """Reports, and how many of them are compliant; silent machines are not counted."""
    return PostureReport.objects.for_org(org).aggregate(
        postureTotal=Count("pk"), postureCompliant=Count("pk", filter=Q(compliant=True))
    )
