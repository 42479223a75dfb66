"""`POST /api/governance`: access for a while."""

from typing import Any

from rest_framework import serializers

from apps.core.api.cursor import newest_first
from apps.core.api.views import ActionView, Answer, Call, Operation
from apps.core.errors import MissingFields, NotFound
from apps.machines.models import Machine
from apps.policy.models import JitAccessGrant
from apps.policy.models.governance import GRANT_STATES
from apps.policy.rules import PROTOCOLS
from apps.policy.services import grants as services
from apps.policy.services.grants import LONGEST_HOURS

SHOWN = (
    *("id", "org_id", "requester_id", "approver_id", "source_selector", "destination_selector", "ports"),
    *("protocol", "requested_duration_hours", "reason", "status", "created_at", "granted_at", "expires_at"),
    *("revoked_at", "denial_reason", "machine_id", "machine_name"),
)
RENAMED = {
    "requester_id": "requester_user_id",
    "approver_id": "approver_user_id",
    "created_at": "requested_at",
}


class RequestInput(serializers.Serializer):
    """Selectors of both ends; or a machine, whose source is the caller's machines."""

    source_selector = serializers.CharField(max_length=4000, required=False)
    destination_selector = serializers.CharField(max_length=4000, required=False)
    ports = serializers.CharField(max_length=800, required=False, default="*")
    protocol = serializers.ChoiceField(PROTOCOLS, required=False, default="tcp")
    duration_hours = serializers.FloatField(required=False)
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True)
    resource_type = serializers.ChoiceField(("machine",), required=False)
    resource_id = serializers.UUIDField(required=False)
    requested_duration = serializers.IntegerField(required=False, min_value=60)
    justification = serializers.CharField(max_length=500, required=False, allow_blank=True)


class GrantInput(serializers.Serializer):
    grant_id = serializers.UUIDField()


class ApproveInput(GrantInput):
    duration_hours = serializers.FloatField(required=False, min_value=1 / 60, max_value=LONGEST_HOURS)


class DenyInput(GrantInput):
    denial_reason = serializers.CharField(max_length=500, required=False, allow_blank=True)


class ListInput(serializers.Serializer):
    status = serializers.ChoiceField(GRANT_STATES, required=False)
    limit = serializers.IntegerField(required=False, default=100, min_value=1, max_value=500)
    cursor = serializers.CharField(max_length=100, required=False, allow_null=True)


def _request(call: Call) -> Answer:
    wanted = call.data
    if wanted.get("resource_type"):
        machine = Machine.objects.for_org(call.org).filter(pk=wanted.get("resource_id")).first()
        if machine is None:
            raise NotFound("No such machine")
        source, destination = None, str(machine.pk)
        hours = wanted.get("requested_duration", 3600) / 3600
        reason = wanted.get("justification")
    else:
        missing = [name for name in ("source_selector", "destination_selector") if not wanted.get(name)]
        if missing:
            raise MissingFields(f"{', '.join(missing)} required", field=missing[0])
        source, destination = wanted["source_selector"], wanted["destination_selector"]
        hours, reason = max(wanted.get("duration_hours", 1), 1), wanted.get("reason")
    row, told = services.request_access(
        org=call.org,
        actor=call.actor,
        source=source,
        destination=destination,
        ports=wanted["ports"],
        protocol=wanted["protocol"],
        hours=hours,
        reason=reason,
    )
    data = {
        "grant_id": row.pk,
        "status": row.status,
        "duration_hours": row.requested_duration_hours,
        "requested_at": row.created_at,
        "expires_at": None,
        "approvers_notified": told,
    }
    return Answer(data, status=201)


def _approve(call: Call) -> dict[str, Any]:
    grant_id, hours = call.data["grant_id"], call.data.get("duration_hours")
    row, rule, earlier = services.approve(org=call.org, actor=call.actor, grant_id=grant_id, hours=hours)
    warnings = [f"{other.name} denies before it" for other in earlier]
    return _told(row) | {"expires_at": row.expires_at, "acl_rule_id": rule.pk, "warnings": warnings}


def _deny(call: Call) -> dict[str, Any]:
    row = services.deny(org=call.org, actor=call.actor, **call.data)
    return _told(row) | {"denial_reason": row.denial_reason}


def _revoke(call: Call) -> dict[str, Any]:
    return _told(services.revoke(org=call.org, actor=call.actor, grant_id=call.data["grant_id"]))


def _told(row: JitAccessGrant) -> dict[str, Any]:
    return {"grant_id": row.pk, "status": row.status}


def _visible(call: Call) -> Any:
    """All for those who watch over access; a member sees what he asked for himself."""
    rows = JitAccessGrant.objects.for_org(call.org)
    return rows.filter(requester_id=call.actor.user_id) if call.role == "member" else rows


def _list(call: Call) -> dict[str, Any]:
    rows = _visible(call)
    if status := call.data.get("status"):
        rows = rows.filter(status=status)
    found, following = newest_first(rows, **_page(call))
    return {"grants": [_shown(row) for row in found], "next_cursor": following}


def _history(call: Call) -> dict[str, Any]:
    rows = _visible(call).select_related("requester", "approver")
    found, following = newest_first(rows, **_page(call))
    requests = [
        _shown(row)
        | {
            "requester_email": row.requester.email if row.requester else None,
            "approver_email": row.approver.email if row.approver else None,
        }
        for row in found
    ]
    return {"requests": requests, "next_cursor": following}


def _shown(row: JitAccessGrant) -> dict[str, Any]:
    return {RENAMED.get(name, name): getattr(row, name) for name in SHOWN}


def _page(call: Call) -> dict[str, Any]:
    return {"limit": call.data["limit"], "cursor": call.data.get("cursor")}


def _pending(call: Call) -> dict[str, int]:
    return {"pending_count": JitAccessGrant.objects.for_org(call.org).filter(status="pending").count()}


class Grants(ActionView):
    topic = "governance"
    actions = (
        Operation("jit_request", "M", _request, RequestInput, scope="acl:write"),
        Operation("jit_approve", "A", _approve, ApproveInput, scope="acl:write"),
        Operation("jit_deny", "A", _deny, DenyInput, scope="acl:write"),
        Operation("jit_revoke", "M", _revoke, GrantInput, scope="acl:write"),
        Operation("jit_list", "M", _list, ListInput, scope="acl:read"),
        Operation("get_request_history", "M", _history, ListInput, scope="acl:read"),
        Operation("get_pending_count", "M", _pending, scope="acl:read"),
    )
