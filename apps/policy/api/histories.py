"""Tables that the actions of governance fill, for reading: grants, reviews, versions, plans."""

from typing import Any

from django.db.models import QuerySet

from apps.core.api.columns import Column
from apps.core.api.tables import TableView
from apps.core.api.views import Call
from apps.policy.models import (
    AccessReviewCampaign,
    AccessReviewDecision,
    ChangePlan,
    JitAccessGrant,
    PolicyVersion,
)

WRITES = ("insert", "update", "delete")


def _use(topic: str) -> dict[str, str]:
    return dict.fromkeys(WRITES, f"Use POST /api/{topic}")


class JitAccessGrantsTable(TableView):
    table, model, scope, read = "jit_access_grants", JitAccessGrant, "acl", "M"
    columns = (
        *(Column(name) for name in ("id", "org_id")),
        Column("requester_user_id", source="requester_id"),
        Column("approver_user_id", source="approver_id"),
        *(Column(name) for name in ("source_selector", "destination_selector", "ports", "protocol")),
        *(Column(name) for name in ("requested_duration_hours", "reason", "status", "granted_at")),
        *(Column(name) for name in ("expires_at", "revoked_at", "denial_reason", "machine_id")),
        *(Column(name) for name in ("machine_name", "created_at", "updated_at")),
    )
    default_order = ("created_at.desc",)
    instead = _use("governance")

    def narrow(self, rows: QuerySet, call: Call) -> QuerySet[Any]:
        """A member sees what he asked for himself."""
        return rows.filter(requester_id=call.actor.user_id) if call.role == "member" else rows


class AccessReviewCampaignsTable(TableView):
    table, model, scope, read = "access_review_campaigns", AccessReviewCampaign, "acl", "M"
    columns = (
        *(Column(name) for name in ("id", "org_id", "name", "description", "status")),
        Column("reviewer_user_id", source="reviewer_id"),
        *(Column(name) for name in ("due_date", "starts_at", "started_at", "completed_at")),
        Column("created_by", source="created_by_id"),
        Column("created_at"),
    )
    default_order = ("created_at.desc",)
    instead = _use("governance")


class AccessReviewDecisionsTable(TableView):
    table, model, scope, read = "access_review_decisions", AccessReviewDecision, "acl", "M"
    columns = (
        *(Column(name) for name in ("id", "org_id", "campaign_id", "resource_type", "resource_id")),
        *(Column(name) for name in ("resource_name", "machine_id", "decision", "notes", "decided_at")),
        Column("decided_by", source="decided_by_id"),
        Column("created_at"),
    )
    default_order = ("resource_type", "created_at")
    instead = _use("governance")


class PolicyVersionsTable(TableView):
    """Without what the versions hold: `get_policy_version` answers that."""

    table, model, scope, read = "policy_versions", PolicyVersion, "acl", "M"
    columns = (
        *(Column(name) for name in ("id", "org_id", "policy_type", "policy_id", "version", "change_summary")),
        Column("changed_by", source="changed_by_id"),
        Column("created_at"),
    )
    default_order = ("version.desc",)
    instead = _use("governance")


class ChangePlansTable(TableView):
    table, model, scope, read = "change_plans", ChangePlan, "acl", "U"
    columns = (
        *(Column(name) for name in ("id", "org_id", "status", "base_version", "changes", "report", "note")),
        Column("created_by", source="created_by_id"),
        Column("approved_by", source="approved_by_id"),
        *(Column(name) for name in ("applied_version", "confirm_by", "expires_at", "created_at")),
    )
    default_order = ("created_at.desc",)
    instead = _use("policy")
