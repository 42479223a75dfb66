"""The trail: the table audit_logs, its search, the check of its chain, and events of programs."""

import json
from typing import Any

from django.db import transaction
from rest_framework import serializers

from apps.audit import search
from apps.audit.models import AuditLog
from apps.audit.services import record
from apps.audit.verify import verify_chain
from apps.core.api.columns import Column
from apps.core.api.tables import TableView
from apps.core.api.views import ActionView, Answer, Call, CallView, Operation
from apps.core.ratelimit import Limit

CLIENT_PREFIX = "client."
MAX_DETAILS = 8 * 1024


class AuditLogsTable(TableView):
    table = "audit_logs"
    model = AuditLog
    columns = (
        *(Column(name) for name in ("id", "action", "resource_type", "resource_id", "details")),
        *(Column(name) for name in ("user_id", "ip_address", "created_at")),
    )
    default_order = ("created_at.desc",)
    scope = "audit"
    instead = dict.fromkeys(("insert", "update", "delete"), "The audit trail can't be written by hand")


class SearchInput(serializers.Serializer):
    page = serializers.IntegerField(min_value=0, max_value=1_000_000, required=False, default=0)
    page_size = serializers.IntegerField(min_value=1, max_value=200, required=False, default=50)
    search = serializers.CharField(max_length=200, required=False, allow_blank=True, allow_null=True)
    audit_action = serializers.CharField(max_length=100, required=False, allow_blank=True, allow_null=True)
    action_category = serializers.CharField(max_length=50, required=False, allow_blank=True, allow_null=True)
    resource_type = serializers.CharField(max_length=50, required=False, allow_blank=True, allow_null=True)
    resource_id = serializers.CharField(max_length=64, required=False, allow_blank=True, allow_null=True)
    user_id = serializers.UUIDField(required=False, allow_null=True)
    date_from = serializers.DateTimeField(required=False, allow_null=True)
    date_to = serializers.DateTimeField(required=False, allow_null=True)
    after_id = serializers.UUIDField(required=False, allow_null=True)
    with_chain = serializers.BooleanField(required=False, default=False)


def _search(call: Call) -> dict[str, Any]:
    # `action` names the call itself, so the event to look for comes as `audit_action`.
    wanted = {**call.data, "action": call.data.get("audit_action")}
    page, size = wanted["page"], wanted["page_size"]
    rows = search.search(call.org, wanted)
    total = rows.count()
    return {
        "logs": search.rendered(rows[page * size : (page + 1) * size], with_chain=wanted["with_chain"]),
        "total": total,
        "page": page,
        "page_size": size,
        "total_pages": -(-total // size),
        "filters": search.filters_present(call.org),
    }


def _verify(call: Call) -> dict[str, Any]:
    verdict = verify_chain(call.org)
    with transaction.atomic():
        details = {"valid": verdict.valid, "rows": verdict.rows}
        record(org=call.org, actor=call.actor, action="audit.verified", details=details)
    return {**verdict._asdict(), "checkpoint": {"seq": verdict.rows, "hash": verdict.head_hash}}


class Governance(ActionView):
    topic = "governance"
    actions = (Operation("search_audit_logs", "M", _search, SearchInput, scope="audit:read"),)


class EventInput(serializers.Serializer):
    """What a program saw; who and from where is the server's to say."""

    action = serializers.RegexField(r"^[a-z0-9_]+(\.[a-z0-9_]+)*\Z", max_length=90)
    resource_type = serializers.RegexField(r"^[a-z0-9_]+\Z", max_length=50)
    resource_id = serializers.CharField(max_length=64, required=False, allow_null=True)
    details = serializers.DictField(required=False, default=dict)

    def validate_details(self, value: dict[str, Any]) -> dict[str, Any]:
        if len(json.dumps(value)) > MAX_DETAILS:
            raise serializers.ValidationError(f"must be at most {MAX_DETAILS} bytes")
        return value


def _report(call: Call) -> Answer:
    wanted = dict(call.data)
    # A name space of its own: nobody forges what the server writes.
    action = CLIENT_PREFIX + wanted.pop("action")
    with transaction.atomic():
        row = record(org=call.org, actor=call.actor, action=action, **wanted)
    return Answer({"id": row.pk}, status=201)


class Events(CallView):
    path = "audit"
    calls = {
        "POST": Operation("audit", "M", _report, EventInput, scope="audit:write", limit=Limit(60, 60)),
    }


class AuditLogCheck(ActionView):
    topic = "audit-log"
    actions = (Operation("verify", "U", _verify, scope="audit:read"),)
