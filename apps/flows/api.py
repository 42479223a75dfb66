"""Reports of machines, the search of what they said, its export, and the table."""

import csv
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from rest_framework import serializers

from apps.audit.services import record
from apps.core.api.columns import Column
from apps.core.api.cursor import newest_first
from apps.core.api.tables import TableView
from apps.core.api.views import ActionView, Call, Operation
from apps.core.clock import rfc3339
from apps.core.csvtext import guarded
from apps.core.ratelimit import Limit
from apps.flows import services
from apps.flows.intake import Address, Protocol, ReportInput
from apps.flows.models import MAX_PORT, VERDICTS, FlowLog
from apps.machines.api.fields import WholeNumber
from apps.machines.api.node import NodeCallView

REPORTS = Limit(12, 60)
REPORT_BODY = 256 * 1024
MAX_EXPORTED = 50_000
EXPORTED = (
    *("at", "machine", "source", "source_address", "destination", "destination_address"),
    *("protocol", "port", "verdict", "rule_id", "rule", "packets", "bytes", "count"),
)


def _take(call: Call) -> dict[str, Any]:
    return {"accepted": services.take_report(node=call.principal.subject, values=call.data)}


class FlowReportCall(NodeCallView):
    path = "flow-report"
    calls = {
        "POST": Operation("flow-report", "N", _take, ReportInput, limit=REPORTS, max_body=REPORT_BODY),
    }


class EndField(serializers.CharField):
    """A machine's id, or an address."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            return str(serializers.UUIDField().run_validation(text))
        except serializers.ValidationError:
            return Address(max_length=45).run_validation(text)


class SearchInput(serializers.Serializer):
    to = serializers.DateTimeField(required=False, allow_null=True)
    machine_id = serializers.UUIDField(required=False, allow_null=True)
    source = EndField(max_length=45, required=False, allow_null=True)
    destination = EndField(max_length=45, required=False, allow_null=True)
    verdict = serializers.ChoiceField(VERDICTS, required=False, allow_null=True)
    rule_id = serializers.UUIDField(required=False, allow_null=True)
    protocol = Protocol(max_length=4, required=False, allow_null=True)
    port = WholeNumber(min_value=0, max_value=MAX_PORT, required=False, allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.DateTimeField(required=False, allow_null=True), **super().get_fields()}


class PageInput(SearchInput):
    limit = WholeNumber(min_value=1, max_value=200, required=False, default=50)
    cursor = serializers.CharField(max_length=100, required=False, allow_null=True)


def _search(call: Call) -> dict[str, Any]:
    found = services.search(call.org, call.data)
    rows, following = newest_first(found, limit=call.data["limit"], cursor=call.data.get("cursor"), by="at")
    return {
        "enabled": services.enabled(call.org),
        "flows": services.rendered(call.org, rows),
        "next_cursor": following,
    }


def _export(call: Call) -> HttpResponse:
    filters = {name: str(value) for name, value in call.data.items() if value is not None}
    response = HttpResponse("".join(_lines(call)), content_type="text/csv; charset=utf-8")
    with transaction.atomic():
        record(org=call.org, actor=call.actor, action="flow_logs.exported", details={"filters": filters})
    response["Content-Disposition"] = 'attachment; filename="flow-logs.csv"'
    return response


class _Echo:
    """A file for `csv` that hands back what is written."""

    def write(self, text: str) -> str:
        return text


def _lines(call: Call) -> Iterator[str]:
    """The table as CSV, a page at a time."""
    writer = csv.writer(_Echo())
    yield writer.writerow(EXPORTED)
    rows = services.search(call.org, call.data)[:MAX_EXPORTED].iterator(chunk_size=1000)
    while page := list(islice(rows, 1000)):
        for flow in services.rendered(call.org, page):
            rule = flow["rule"] or {"id": None, "name": None}
            cells = (
                *(rfc3339(flow["at"]), flow["machine"]["name"]),
                *(flow["source"]["name"], flow["source"]["address"]),
                *(flow["destination"]["name"], flow["destination"]["address"]),
                *(flow[name] for name in ("protocol", "port", "verdict")),
                *(rule["id"], rule["name"]),
                *(flow[name] for name in ("packets", "bytes", "count")),
            )
            yield writer.writerow([guarded(cell) for cell in cells])


class FlowSearch(ActionView):
    topic = "policy"
    actions = (
        Operation("flows", "U", _search, PageInput, scope="acl:read"),
        Operation("flows_export", "U", _export, SearchInput, scope="acl:read"),
    )


class FlowLogsTable(TableView):
    table, model, scope, read = "flow_logs", FlowLog, "acl", "U"
    columns = (
        *(Column(name) for name in ("id", "org_id", "at", "machine_id", "source_machine_id", "source")),
        *(Column(name) for name in ("destination", "protocol", "port", "verdict", "rule_id")),
        *(Column(name) for name in ("packets", "bytes", "count", "created_at")),
    )
    default_order = ("at.desc",)
    instead = dict.fromkeys(("insert", "update", "delete"), "Machines report by /api/flow-report")
