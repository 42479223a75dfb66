"""Access for a while, and whether it is still needed."""

from django.db import models

from apps.core.tenancy import OrgOwned
from apps.policy.models.rules import choices
from apps.policy.rules import PROTOCOLS

GRANT_STATES = ("pending", "approved", "denied", "revoked", "expired")
CAMPAIGN_STATES = ("pending", "active", "completed", "cancelled")
DECISIONS = ("approve", "revoke", "modify")


class JitAccessGrant(OrgOwned):
    """A request for access and what became of it. States: pending, then approved or denied, then over."""

    requester = models.ForeignKey("ztna_auth.User", on_delete=models.SET_NULL, null=True, related_name="+")
    approver = models.ForeignKey("ztna_auth.User", on_delete=models.SET_NULL, null=True, related_name="+")
    source_selector = models.TextField()
    destination_selector = models.TextField()
    ports = models.CharField(max_length=800, default="*")
    protocol = models.CharField(max_length=4, choices=choices(PROTOCOLS), default="tcp")
    requested_duration_hours = models.FloatField()
    reason = models.CharField(max_length=500, null=True)
    status = models.CharField(max_length=8, choices=choices(GRANT_STATES), default="pending")
    granted_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    denial_reason = models.CharField(max_length=500, null=True)
    machine = models.ForeignKey("machines.Machine", on_delete=models.SET_NULL, null=True, related_name="+")
    machine_name = models.CharField(max_length=100, null=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(OrgOwned.Meta):
        db_table = "jit_access_grants"
        ordering = ("-created_at",)
        indexes = (
            models.Index(fields=("org", "status"), name="jit_grant_by_status"),
            models.Index(
                fields=("expires_at",), condition=models.Q(status="approved"), name="jit_grant_by_expiry"
            ),
        )


class AccessReviewCampaign(OrgOwned):
    """Somebody looks at every machine and rule, and says which of them stay."""

    name = models.CharField(max_length=100)
    description = models.CharField(max_length=500, null=True)
    status = models.CharField(max_length=9, choices=choices(CAMPAIGN_STATES), default="pending")
    reviewer = models.ForeignKey("ztna_auth.User", on_delete=models.SET_NULL, null=True, related_name="+")
    due_date = models.DateTimeField()
    starts_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey("ztna_auth.User", on_delete=models.SET_NULL, null=True, related_name="+")
    reminded_days = models.PositiveSmallIntegerField(
        null=True, help_text="of the last reminder, before due_date"
    )
    overdue_told = models.BooleanField(default=False)

    class Meta(OrgOwned.Meta):
        db_table = "access_review_campaigns"
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.name


class AccessReviewDecision(OrgOwned):
    """One machine or rule of a campaign; its name stays when it is gone."""

    campaign = models.ForeignKey(AccessReviewCampaign, on_delete=models.CASCADE, related_name="decisions")
    resource_type = models.CharField(max_length=8, choices=choices(("machine", "acl_rule")))
    resource_id = models.UUIDField()
    resource_name = models.CharField(max_length=100)
    machine = models.ForeignKey("machines.Machine", on_delete=models.SET_NULL, null=True, related_name="+")
    decision = models.CharField(max_length=7, choices=choices(DECISIONS), null=True)
    notes = models.CharField(max_length=500, null=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey("ztna_auth.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta(OrgOwned.Meta):
        db_table = "access_review_decisions"
        ordering = ("resource_type", "created_at", "pk")
