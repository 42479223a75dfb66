"""`POST /api/governance`: campaigns of access reviews, and the figures of governance."""

from datetime import timedelta
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone
from rest_framework import serializers

from apps.core.api.cursor import newest_first
from apps.core.api.views import ActionView, Answer, Call, Operation
from apps.core.errors import FourEyesRequired
from apps.orgs.planning import refuse_and_plan
from apps.policy.models import (
    AccessReviewCampaign,
    AccessReviewDecision,
    AclRule,
    JitAccessGrant,
    PolicyVersion,
)
from apps.policy.models.governance import CAMPAIGN_STATES
from apps.policy.services import reviews as services

# Newest first and at most twenty open ones: a campaign holds 10,000 rules and as many machines at most.
MOST_DECISIONS = 20_000
SHOWN = ("name", "description", "status", "due_date", "starts_at", "started_at", "completed_at", "created_at")
VERSIONS_FOR = timedelta(days=30)


class CampaignInput(serializers.Serializer):
    name = serializers.CharField(max_length=100)
    reviewer_user_id = serializers.UUIDField()
    due_date = serializers.DateTimeField()
    description = serializers.CharField(max_length=500, required=False, allow_blank=True, allow_null=True)
    starts_at = serializers.DateTimeField(required=False, allow_null=True)


class ListInput(serializers.Serializer):
    status = serializers.ChoiceField(CAMPAIGN_STATES, required=False)
    limit = serializers.IntegerField(required=False, default=50, min_value=1, max_value=50)
    cursor = serializers.CharField(max_length=100, required=False, allow_null=True)


class CampaignRef(serializers.Serializer):
    campaign_id = serializers.UUIDField()


class ExtendInput(CampaignRef):
    due_date = serializers.DateTimeField()


class DecisionInput(serializers.Serializer):
    """decision is judged by the service, which has a code of its own for it."""

    decision_id = serializers.UUIDField()
    decision = serializers.CharField(max_length=20)
    notes = serializers.CharField(max_length=500, required=False, allow_blank=True, allow_null=True)


def _create(call: Call) -> Answer:
    campaign, machines, rules = services.create_campaign(org=call.org, actor=call.actor, **call.data)
    data = {"campaign_id": campaign.pk, "machines_to_review": machines, "rules_to_review": rules}
    return Answer(data, status=201)


def _list(call: Call) -> dict[str, Any]:
    rows = AccessReviewCampaign.objects.for_org(call.org)
    if status := call.data.get("status"):
        rows = rows.filter(status=status)
    found, following = newest_first(rows, limit=call.data["limit"], cursor=call.data.get("cursor"))
    counts = _counts(call.org, [campaign.pk for campaign in found])
    return {"campaigns": [_shown(row) | counts[row.pk] for row in found], "next_cursor": following}


def _counts(org: Any, campaign_ids: list[Any]) -> dict[Any, dict[str, int]]:
    rows = AccessReviewDecision.objects.for_org(org).filter(campaign__in=campaign_ids).order_by()
    decided = Count("pk", filter=~Q(decision=None))
    found = rows.values("campaign_id").annotate(total=Count("pk"), decided=decided)
    told = {row.pop("campaign_id"): row for row in found}
    return {pk: told.get(pk, {"total": 0, "decided": 0}) for pk in campaign_ids}


def _shown(row: AccessReviewCampaign) -> dict[str, Any]:
    return {
        "id": row.pk,
        "org_id": row.org_id,
        "reviewer_user_id": row.reviewer_id,
        "created_by": row.created_by_id,
        "overdue": row.status in services.OPEN and row.due_date <= timezone.now(),
        **{name: getattr(row, name) for name in SHOWN},
    }


def _decisions(call: Call) -> dict[str, Any]:
    rows = AccessReviewDecision.objects.for_org(call.org).filter(campaign_id=call.data["campaign_id"])
    return {"decisions": [_decision(row) for row in rows[:MOST_DECISIONS]]}


def _decision(row: AccessReviewDecision) -> dict[str, Any]:
    name = "machine_name" if row.resource_type == "machine" else "rule_name"
    fields = ("id", "campaign_id", "resource_type", "resource_id", "decision", "notes", "decided_at")
    return {
        **{field: getattr(row, field) for field in fields},
        name: row.resource_name,
        "decided_by": row.decided_by_id,
    }


def _decide(call: Call) -> dict[str, Any]:
    try:
        row, effect = services.decide(org=call.org, actor=call.actor, **call.data)
    except FourEyesRequired:
        rows = AccessReviewDecision.objects.for_org(call.org)
        off = {"id": str(rows.get(pk=call.data["decision_id"]).resource_id), "enabled": False}
        refuse_and_plan(call, {"acl_rules": {"update": [off]}})
    return {"decision_id": row.pk, "decision": row.decision, "effect": effect}


def _cancel(call: Call) -> dict[str, Any]:
    return _told(services.cancel(org=call.org, actor=call.actor, **call.data))


def _extend(call: Call) -> dict[str, Any]:
    campaign = services.extend(org=call.org, actor=call.actor, **call.data)
    return _told(campaign) | {"due_date": campaign.due_date}


def _told(campaign: AccessReviewCampaign) -> dict[str, Any]:
    return {"campaign_id": campaign.pk, "status": campaign.status}


def _metrics(call: Call) -> dict[str, Any]:
    now = timezone.now()
    reviews = AccessReviewCampaign.objects.for_org(call.org).filter(status__in=services.OPEN)
    grants = JitAccessGrant.objects.for_org(call.org)
    versions = PolicyVersion.objects.for_org(call.org).filter(created_at__gte=now - VERSIONS_FOR)
    unresolved = AclRule.objects.for_org(call.org).filter(enabled=True).exclude(unresolved=[])
    return {
        "access_reviews": {
            "pending_campaigns": reviews.count(),
            "overdue": reviews.filter(due_date__lte=now).count(),
        },
        "jit_access": {
            "active_grants": grants.filter(status="approved", expires_at__gt=now).count(),
            "pending": grants.filter(status="pending").count(),
        },
        "policy": {"versions_30d": versions.count(), "unresolved_rules": unresolved.count()},
    }


class Reviews(ActionView):
    topic = "governance"
    actions = (
        Operation("create_review_campaign", "A", _create, CampaignInput, scope="acl:write"),
        Operation("list_review_campaigns", "M", _list, ListInput, scope="acl:read"),
        Operation("get_review_decisions", "M", _decisions, CampaignRef, scope="acl:read"),
        Operation("submit_review_decision", "M", _decide, DecisionInput, scope="acl:write"),
        Operation("cancel_review_campaign", "A", _cancel, CampaignRef, scope="acl:write"),
        Operation("extend_review_campaign", "A", _extend, ExtendInput, scope="acl:write"),
        Operation("get_metrics", "M", _metrics, scope="acl:read"),
    )
