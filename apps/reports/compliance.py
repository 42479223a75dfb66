"""Where an organisation stands at this moment, in figures an auditor asks for."""

from datetime import timedelta
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone

from apps.audit.models import AuditLog
from apps.machines.models import Machine
from apps.orgs.models import OrgSettings
from apps.policy.models import AbacPolicy, AclRule
from apps.posture.models import PosturePolicy, PostureReport

MAX_LISTED = 100
EVENTS_KEPT = timedelta(days=30)


def compliance_report(org: Any) -> dict[str, Any]:
    """summary, the machines that fail and the latest quarantines.

    Certificates and threats are counted as none: no part of the product issues or finds them yet.
    """
    now = timezone.now()
    settings = OrgSettings.objects.for_org(org).get()
    quarantines = AuditLog.objects.for_org(org).filter(action="machine.quarantined")
    recent = quarantines.filter(created_at__gte=now - EVENTS_KEPT)
    failing = PostureReport.objects.for_org(org).filter(compliant=False).select_related("machine")
    return {
        "generated_at": now,
        "org_id": getattr(org, "pk", org),
        "report_type": "compliance",
        "summary": {
            "machines": _machines(org),
            "posture": _posture(org),
            "acl_rules": AclRule.objects.for_org(org).filter(enabled=True).count(),
            "default_deny": settings.default_deny,
            "abac_policies": AbacPolicy.objects.for_org(org).filter(enabled=True).count(),
            "certificates": {"total": 0, "active": 0, "expiring_30d": 0},
            "threats": {"total": 0, "blocked": 0},
            "ip_allowlist_entries": 0,
            "quarantine_events_30d": recent.count(),
        },
        "posture_policy": _posture_policy(org, settings),
        "non_compliant_machines": [
            {"id": row.machine_id, "name": row.machine.name, "violations": row.violations}
            for row in failing.order_by("machine__name")[:MAX_LISTED]
        ],
        "recent_quarantine_events": list(
            recent.order_by("-seq").values("id", "resource_id", "details", "created_at")[:MAX_LISTED]
        ),
    }


def _machines(org: Any) -> dict[str, int]:
    return Machine.objects.for_org(org).aggregate(
        total=Count("pk"),
        online=Count("pk", filter=Q(status="online")),
        quarantined=Count("pk", filter=Q(status="quarantined")),
    )


def _posture(org: Any) -> dict[str, Any]:
    """compliance_rate in per cent, of the machines that reported; null where none did."""
    counts = PostureReport.objects.for_org(org).aggregate(
        total=Count("pk"), compliant=Count("pk", filter=Q(compliant=True))
    )
    rate = round(100 * counts["compliant"] / counts["total"], 1) if counts["total"] else None
    return {**counts, "compliance_rate": rate}


def _posture_policy(org: Any, settings: OrgSettings) -> dict[str, Any] | None:
    names = list(PosturePolicy.objects.for_org(org).filter(enabled=True).values_list("name", flat=True))
    return {"mode": settings.posture_enforcement, "policies": names} if names else None
