"""`POST /api/posture-report`, and the tables of reports and their history."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework.request import Request

from apps.core.api.columns import Column
from apps.core.api.principals import Principal
from apps.core.api.tables import TableView
from apps.core.api.views import Call, Operation
from apps.core.errors import Unauthorized
from apps.machines.api.node import NodeCallView
from apps.machines.errors import InvalidNodeKey
from apps.posture.errors import MissingNodeKey
from apps.posture.intake import ReportInput
from apps.posture.models import PostureHistory, PostureReport
from apps.posture.remedies import remedies_of
from apps.posture.services.reports import SIGNALS, take_report
from apps.posture.services.staleness import stale
from apps.posture.services.verdict import moment_of

REPORT_BODY = 256 * 1024


def _take(call: Call) -> dict[str, Any]:
    outcome = take_report(node=call.principal.subject, actor=call.actor, values=call.data)
    found = outcome.judgement
    return {
        "compliant": found.compliant,
        "violations": found.codes,
        "violation_details": list(found.details),
        "remedies": outcome.remedies,
        "quarantined": outcome.quarantined,
        "mode": outcome.mode,
        "grace_expires_at": moment_of(found.grace_ends),
        "policies": list(found.failed),
    }


class PostureReportCall(NodeCallView):
    path = "posture-report"
    calls = {
        "POST": Operation("posture-report", "N", _take, ReportInput, max_body=REPORT_BODY),
    }

    def principal_of(self, request: Request) -> Principal | None:
        """As for a heartbeat, with the codes that this call has always had."""
        try:
            principal = super().principal_of(request)
        except InvalidNodeKey:
            raise Unauthorized() from None
        if principal is None:
            raise MissingNodeKey()
        return principal


class PostureReportsTable(TableView):
    table, model, scope = "posture_reports", PostureReport, "posture"
    columns = (
        *(Column(name) for name in ("id", "org_id", "machine_id", *SIGNALS)),
        *(Column(name) for name in ("compliant", "violations", "violation_details", "effect")),
        Column("remedies", source="machine__os", kind="json", filterable=False),
        *(Column(name) for name in ("failing_since", "grace_ends_at", "reported_at", "created_at")),
        Column("stale", kind="boolean"),
    )
    default_order = ("reported_at",)
    instead = dict.fromkeys(("insert", "update", "delete"), "Machines report by /api/posture-report")

    def narrow(self, rows: QuerySet, call: Call) -> QuerySet:
        """With stale, as it is at this moment: no job has to have run."""
        return rows.annotate(stale=stale(timezone.now()))

    def decorate(self, rows: list[dict[str, Any]], call: Call) -> None:
        """What to do on the machine's system about the violations that are asked for beside it."""
        for row in rows:
            if "remedies" in row:
                row["remedies"] = remedies_of(row.get("violations", ()), row["remedies"])


class PostureHistoryTable(TableView):
    table, model, scope = "posture_history", PostureHistory, "posture"
    columns = (
        *(Column(name) for name in ("id", "org_id", "machine_id", "compliant", "violations", "created_at")),
        Column("at", source="created_at"),
    )
    default_order = ("created_at",)
