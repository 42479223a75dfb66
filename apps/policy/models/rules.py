"""Rules, attribute policies and groups."""

from django.db import models
from django.db.models.functions import Lower

from apps.core.tenancy import OrgOwned
from apps.policy.abac import EFFECTS
from apps.policy.rules import ACTIONS, DEFAULT_PRIORITY, MAX_NAME, PROTOCOLS


def choices(values: tuple[str, ...]) -> list[tuple[str, str]]:
    """A field's choices whose labels are their values."""
    return [(value, value) for value in values]


class AclRule(OrgOwned):
    """One rule. unresolved: members of its ends that nothing has; revision counts its changes."""

    name = models.CharField(max_length=MAX_NAME)
    description = models.CharField(max_length=500, null=True, blank=True)
    source = models.TextField()
    destination = models.TextField()
    protocol = models.CharField(max_length=4, choices=choices(PROTOCOLS), default="*")
    ports = models.CharField(max_length=800, default="*")
    action = models.CharField(max_length=5, choices=choices(ACTIONS), default="allow")
    priority = models.PositiveIntegerField(default=DEFAULT_PRIORITY)
    enabled = models.BooleanField(default=True)
    starts_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    time_hour = models.CharField(max_length=11, null=True, blank=True)
    day_of_week = models.CharField(max_length=27, null=True, blank=True)
    timezone = models.CharField(max_length=60, default="UTC")
    source_country = models.JSONField(null=True, blank=True)
    source_os = models.JSONField(null=True, blank=True)
    require_posture = models.BooleanField(default=False)
    require_pqc = models.BooleanField(default=False)
    jit_grant_id = models.UUIDField(null=True, blank=True, help_text="the grant that it carries out")
    unresolved = models.JSONField(default=list, blank=True)
    revision = models.PositiveIntegerField(default=1)
    created_by = models.ForeignKey("ztna_auth.User", on_delete=models.SET_NULL, null=True, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(OrgOwned.Meta):
        db_table = "acl_rules"
        ordering = ("priority", "created_at", "pk")
        indexes = (
            models.Index(fields=("org", "priority", "created_at"), name="acl_rule_order"),
            models.Index(fields=("expires_at",), condition=models.Q(enabled=True), name="acl_rule_by_expiry"),
        )

    def __str__(self) -> str:
        return self.name


class AbacPolicy(OrgOwned):
    """Attributes that an allowed flow must have (require) or must not have (deny).

    unresolved: members of its selector and tags that nothing has.
    """

    name = models.CharField(max_length=100)
    effect = models.CharField(max_length=7, choices=choices(EFFECTS))
    selector = models.TextField()
    conditions = models.JSONField(default=dict)
    enabled = models.BooleanField(default=True)
    priority = models.PositiveIntegerField(default=100)
    unresolved = models.JSONField(default=list, blank=True)
    created_by = models.ForeignKey("ztna_auth.User", on_delete=models.SET_NULL, null=True, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(OrgOwned.Meta):
        db_table = "abac_policies"
        ordering = ("priority", "pk")
        constraints = (models.UniqueConstraint(fields=("org", "name"), name="abac_policy_name"),)

    def __str__(self) -> str:
        return self.name


class SegmentationGroup(OrgOwned):
    """A group of machines that rules may name. Groups hold machines, never groups: no circle can be."""

    name = models.CharField(max_length=64)
    description = models.CharField(max_length=500, null=True, blank=True)
    color = models.CharField(max_length=7, default="#6366f1")
    created_by = models.ForeignKey("ztna_auth.User", on_delete=models.SET_NULL, null=True, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(OrgOwned.Meta):
        db_table = "segmentation_groups"
        ordering = ("name",)
        constraints = (models.UniqueConstraint("org", Lower("name"), name="segmentation_group_name"),)

    def __str__(self) -> str:
        return self.name


class SegmentationGroupMember(OrgOwned):
    """A machine in a group."""

    group = models.ForeignKey(SegmentationGroup, on_delete=models.CASCADE, related_name="members")
    machine = models.ForeignKey("machines.Machine", on_delete=models.CASCADE, related_name="+")

    class Meta(OrgOwned.Meta):
        db_table = "segmentation_group_members"
        constraints = (models.UniqueConstraint(fields=("group", "machine"), name="segmentation_member_once"),)
        indexes = (models.Index(fields=("org", "machine"), name="segmentation_by_machine"),)
