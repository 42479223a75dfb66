"""Rows of this app full of a canary string, for the tenancy sweeps."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.machines.models import Machine
from apps.policy.models import (
    AbacPolicy,
    AccessReviewCampaign,
    AccessReviewDecision,
    AclRule,
    ChangePlan,
    JitAccessGrant,
    PolicyRevision,
    PolicyTest,
    PolicyVersion,
    SegmentationGroup,
    SegmentationGroupMember,
)


def plant(org: Any, canary: str) -> None:
    """One row of each table."""
    later = timezone.now() + timedelta(days=1)
    ends = {"source": f"tag:{canary}", "destination": f"group:{canary}"}
    rule = AclRule.objects.create_in(org, name=canary, description=canary, unresolved=[canary], **ends)
    AbacPolicy.objects.create_in(
        org, name=canary, effect="deny", selector=f"tag:{canary}", conditions={"tags": [canary]}
    )
    group = SegmentationGroup.objects.create_in(org, name=canary, description=canary)
    if machine := Machine.objects.for_org(org).first():
        SegmentationGroupMember.objects.create_in(org, group=group, machine=machine)
    PolicyTest.objects.create_in(org, name=canary, expected="deny", port=1, **ends)
    PolicyRevision.objects.create_in(org, revision=900, summary=canary, changes=[canary], label=canary)
    PolicyVersion.objects.create_in(
        org, policy_type="acl_rule", policy_id=rule.pk, version=1, snapshot={"name": canary}
    )
    ChangePlan.objects.create_in(
        org, base_version=1, changes={"note": canary}, report={"note": canary}, note=canary, expires_at=later
    )
    JitAccessGrant.objects.create_in(
        org,
        source_selector=f"tag:{canary}",
        destination_selector=f"tag:{canary}",
        requested_duration_hours=1,
        reason=canary,
        machine_name=canary,
    )
    campaign = AccessReviewCampaign.objects.create_in(org, name=canary, description=canary, due_date=later)
    AccessReviewDecision.objects.create_in(
        org,
        campaign=campaign,
        resource_type="acl_rule",
        resource_id=rule.pk,
        resource_name=canary,
        notes=canary,
    )
