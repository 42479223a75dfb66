"""Organisations, their settings, members and invitations, and the groups that members are in elsewhere."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from apps.core.models_base import Row
from apps.core.tenancy import OrgOwned, org_id_of
from apps.orgs.groupnames import LONGEST_GROUP_NAME

ROLES = ("owner", "admin", "member", "auditor")
IDP_SOURCES = ("oidc", "scim")


class OrganizationManager(models.Manager):
    def for_org(self, org: Any) -> models.QuerySet:
        """The organisation itself, in the form that organisation-owned rows are asked for."""
        return self.filter(pk=org_id_of(org))


class Organization(Row):
    """The tenant. The slug never changes: names and certificates hang on it."""

    name = models.CharField(max_length=100)
    slug = models.CharField(max_length=63, unique=True)
    domain = models.CharField(max_length=253, null=True)
    lockdown_mode = models.BooleanField(default=False)
    ipv6_prefix = models.CharField(max_length=43, unique=True, help_text="ULA /48")
    netmap_version = models.BigIntegerField(default=0)
    suspended_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = OrganizationManager()

    class Meta:
        db_table = "organizations"

    def __str__(self) -> str:
        return self.name


def _choice(*values: str, default: str) -> models.CharField:
    return models.CharField(max_length=20, choices=[(value, value) for value in values], default=default)


def _bounded(low: int, high: int, default: int) -> models.PositiveIntegerField:
    return models.PositiveIntegerField(
        default=default, validators=[MinValueValidator(low), MaxValueValidator(high)]
    )


LONGEST_TO_CONFIRM = 3600


def seconds_to_confirm(value: int) -> None:
    """A person needs half a minute at least; 0 asks nobody."""
    if value != 0 and not 30 <= value <= LONGEST_TO_CONFIRM:
        raise ValidationError("must be 0, or 30 to 3600 seconds")


class OrgSettings(OrgOwned):
    """What an organisation may choose; made with it."""

    allow_exit_nodes = models.BooleanField(default=False)
    allow_subnet_routing = models.BooleanField(default=True)
    key_expiry_days = _bounded(1, 730, 180)
    approval_required = models.BooleanField(default=False)
    default_deny = models.BooleanField(default=True)
    four_eyes = models.BooleanField(default=False)
    four_eyes_jit = models.BooleanField(default=True)
    plan_confirm_seconds = models.PositiveIntegerField(default=0, validators=[seconds_to_confirm])
    flow_logs_enabled = models.BooleanField(default=False)
    posture_enforcement = _choice("disabled", "monitor", "enforce", default="disabled")
    pqc_policy = _choice("prefer", "require", default="prefer")
    magic_dns_enabled = models.BooleanField(default=True)
    search_domains = models.JSONField(default=list, blank=True)
    override_local_dns = models.BooleanField(default=False)
    api_key_max_days = _bounded(1, 365, 90)
    audit_retention_days = _bounded(30, 3650, 90)
    session_idle_minutes = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(15), MaxValueValidator(43200)]
    )
    agent_channel = _choice("stable", "beta", default="stable")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(OrgOwned.Meta):
        db_table = "org_settings"
        verbose_name_plural = "org settings"
        constraints = [models.UniqueConstraint(fields=["org"], name="org_settings_one_per_org")]

    def __str__(self) -> str:
        return f"settings of {self.org_id}"


class OrgMember(OrgOwned):
    """A person's place in an organisation."""

    user = models.ForeignKey("ztna_auth.User", on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=[(role, role) for role in ROLES])
    status = models.CharField(
        max_length=10, choices=[(x, x) for x in ("active", "pending")], default="active"
    )
    source = models.CharField(max_length=12, choices=[(x, x) for x in ("creator", "invitation")])
    joined_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(OrgOwned.Meta):
        db_table = "org_members"
        constraints = [models.UniqueConstraint(fields=["org", "user"], name="org_member_once")]

    def __str__(self) -> str:
        return f"{self.role} {self.user_id}"


class OrgInvitation(OrgOwned):
    """An open place, for whoever proves to own the mailbox and holds the token."""

    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=10, choices=[(role, role) for role in ROLES])
    token_hash = models.CharField(max_length=64, unique=True)
    status = models.CharField(
        max_length=10,
        choices=[(x, x) for x in ("pending", "accepted", "revoked", "expired")],
        default="pending",
    )
    expires_at = models.DateTimeField()
    sent_at = models.DateTimeField(default=timezone.now)
    invited_by = models.ForeignKey("ztna_auth.User", on_delete=models.SET_NULL, null=True, related_name="+")
    accepted_by = models.ForeignKey("ztna_auth.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta(OrgOwned.Meta):
        db_table = "org_invitations"
        constraints = [
            models.UniqueConstraint(
                fields=["org", "email"], condition=Q(status="pending"), name="org_invitation_one_pending"
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} as {self.role}"


class IdpGroup(OrgOwned):
    """A group of people as an identity provider names it; rules may name it too."""

    name = models.CharField(max_length=LONGEST_GROUP_NAME)
    source = models.CharField(max_length=4, choices=[(source, source) for source in IDP_SOURCES])
    external_id = models.CharField(
        max_length=255, null=True, help_text="the provider's own, which outlives a name"
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(OrgOwned.Meta):
        db_table = "idp_groups"
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint("org", Lower("name"), name="idp_group_name"),
            models.UniqueConstraint(fields=("org", "source", "external_id"), name="idp_group_external_id"),
        )

    def __str__(self) -> str:
        return self.name


class IdpGroupMember(OrgOwned):
    """A member of the organisation in a group of people."""

    group = models.ForeignKey(IdpGroup, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey("ztna_auth.User", on_delete=models.CASCADE, related_name="+")

    class Meta(OrgOwned.Meta):
        db_table = "idp_group_members"
        constraints = (models.UniqueConstraint(fields=("group", "user"), name="idp_group_member_once"),)
        indexes = (models.Index(fields=("org", "user"), name="idp_groups_by_person"),)

    def __str__(self) -> str:
        return f"{self.user_id} in {self.group_id}"
