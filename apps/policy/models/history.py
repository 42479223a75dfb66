"""What policy was, what it must hold, and what it may become."""

from django.db import models

from apps.core.tenancy import OrgOwned
from apps.policy.models.rules import choices
from apps.policy.rules import ACTIONS, PROTOCOLS

VERSIONED = ("acl_rule", "posture_policy", "abac_policy")
PLAN_STATES = (
    *("ready", "approved", "scheduled", "awaiting_confirmation", "applied"),
    *("rolled_back", "abandoned", "expired", "failed"),
)


class PolicyRevision(OrgOwned):
    """One write of the whole set. changes: a list of {table, id, before, after}."""

    revision = models.PositiveIntegerField()
    user = models.ForeignKey("ztna_auth.User", on_delete=models.SET_NULL, null=True, related_name="+")
    summary = models.CharField(max_length=300)
    changes = models.JSONField(default=list)
    label = models.CharField(max_length=300, null=True)
    plan_id = models.UUIDField(null=True)

    class Meta(OrgOwned.Meta):
        db_table = "policy_revisions"
        ordering = ("-revision",)
        constraints = (models.UniqueConstraint(fields=("org", "revision"), name="policy_revision_once"),)

    def __str__(self) -> str:
        return f"{self.revision}: {self.summary}"


class PolicyVersion(OrgOwned):
    """A snapshot of one policy, numbered for itself."""

    policy_type = models.CharField(max_length=14, choices=choices(VERSIONED))
    policy_id = models.UUIDField(help_text="no foreign key: what was deleted can come back")
    version = models.PositiveIntegerField()
    snapshot = models.JSONField()
    change_summary = models.CharField(max_length=300, null=True)
    changed_by = models.ForeignKey("ztna_auth.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta(OrgOwned.Meta):
        db_table = "policy_versions"
        ordering = ("-version",)
        constraints = (
            models.UniqueConstraint(
                fields=("org", "policy_type", "policy_id", "version"), name="policy_version_once"
            ),
        )


class PolicyTest(OrgOwned):
    """What must hold whatever changes: all that source names reaches, or not, all that destination names."""

    name = models.CharField(max_length=100)
    source = models.TextField()
    destination = models.TextField()
    port = models.PositiveIntegerField(default=0)
    protocol = models.CharField(max_length=4, choices=choices(PROTOCOLS[:3]), default="tcp")
    expected = models.CharField(max_length=5, choices=choices(ACTIONS))
    last_result = models.CharField(max_length=6, choices=choices(("passed", "failed")), null=True, blank=True)
    last_run_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(OrgOwned.Meta):
        db_table = "policy_tests"
        ordering = ("name", "pk")

    def __str__(self) -> str:
        return self.name


class ChangePlan(OrgOwned):
    """A change that was thought through and waits. changes: {table: {create, update, delete}, settings}."""

    status = models.CharField(max_length=21, choices=choices(PLAN_STATES), default="ready")
    base_version = models.PositiveIntegerField(help_text="the policy revision that it was made against")
    changes = models.JSONField()
    report = models.JSONField(default=dict)
    note = models.CharField(max_length=500, null=True)
    created_by = models.ForeignKey("ztna_auth.User", on_delete=models.SET_NULL, null=True, related_name="+")
    approved_by = models.ForeignKey("ztna_auth.User", on_delete=models.SET_NULL, null=True, related_name="+")
    applied_version = models.PositiveIntegerField(null=True)
    apply_at = models.DateTimeField(null=True, help_text="applied by itself then")
    confirm_by = models.DateTimeField(null=True, help_text="rolled back then, unless confirmed")
    expires_at = models.DateTimeField()

    class Meta(OrgOwned.Meta):
        db_table = "change_plans"
        ordering = ("-created_at",)
        indexes = (
            models.Index(
                fields=("confirm_by",),
                condition=models.Q(status="awaiting_confirmation"),
                name="change_plan_unconfirmed",
            ),
            models.Index(fields=("apply_at",), name="change_plan_scheduled"),
        )
