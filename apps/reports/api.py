"""`POST /api/export`: what leaves the product is on record."""

from typing import Any

from django.db import transaction

from apps.audit.services import record
from apps.core.api.views import ActionView, Call, Operation
from apps.reports.compliance import compliance_report


def _compliance(call: Call) -> dict[str, Any]:
    report = compliance_report(call.org)
    with transaction.atomic():
        record(org=call.org, actor=call.actor, action="export.created", details={"kind": "compliance_report"})
    return report


class Exports(ActionView):
    topic = "export"
    actions = (Operation("compliance_report", "U", _compliance, scope="audit:read"),)
