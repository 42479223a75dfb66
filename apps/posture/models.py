"""Posture policies, the last report of each machine, and how its verdict went."""

from django.db import models
from django.db.models import Q

from apps.core.tenancy import OrgOwned
from apps.posture.judgement import EFFECTS, ON_FAIL
from apps.posture.requirements import Requirements, Signals


def _choices(values: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(value, value) for value in values]


class PosturePolicy(OrgOwned):
    """What is asked of machines in scope. scope: {tags, groups}, any of which suffices; {} is all."""

    name = models.CharField(max_length=100)
    description = models.CharField(max_length=500, null=True, blank=True)
    scope = models.JSONField(default=dict, blank=True)
    allowed_os = models.JSONField(default=list, blank=True)
    min_os_version = models.JSONField(default=dict, blank=True)
    require_disk_encryption = models.BooleanField(default=False)
    require_firewall = models.BooleanField(default=False)
    require_antivirus = models.BooleanField(default=False)
    max_patch_age_days = models.PositiveIntegerField(null=True, blank=True)
    screen_lock = models.JSONField(null=True, blank=True)
    require_auto_update = models.BooleanField(default=False)
    agent_version_min = models.CharField(max_length=40, null=True, blank=True)
    on_fail = models.CharField(max_length=10, choices=_choices(ON_FAIL), default="quarantine")
    grace_period_min = models.PositiveIntegerField(default=0)
    enabled = models.BooleanField(default=True)
    created_by = models.ForeignKey("ztna_auth.User", on_delete=models.SET_NULL, null=True, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(OrgOwned.Meta):
        db_table = "posture_policies"
        verbose_name_plural = "posture policies"
        ordering = ("name", "pk")
        constraints = (models.UniqueConstraint(fields=("org", "name"), name="posture_policy_name"),)

    def __str__(self) -> str:
        return self.name

    def requirements(self) -> Requirements:
        """What the columns ask."""
        lock = self.screen_lock if self.screen_lock and self.screen_lock.get("enabled", True) else None
        return Requirements(
            allowed_os=frozenset(self.allowed_os),
            min_os_version=self.min_os_version,
            disk_encryption=self.require_disk_encryption,
            firewall=self.require_firewall,
            antivirus=self.require_antivirus,
            max_patch_age_days=self.max_patch_age_days,
            screen_lock=lock is not None,
            max_idle_minutes=lock.get("max_idle_min") if lock else None,
            auto_update=self.require_auto_update,
            agent_version_min=self.agent_version_min,
        )


class PostureReport(OrgOwned):
    """What a machine last said of itself, None where it could not tell, and what was made of it.

    failing: {policy id: Unix time since when it fails}; grace_ends_at: when the next effect begins.
    stale_told_at: when browsers were last told that it is stale.
    """

    machine = models.OneToOneField("machines.Machine", on_delete=models.CASCADE, related_name="+")
    os_version = models.CharField(max_length=100, null=True)
    os_version_detail = models.CharField(max_length=100, null=True)
    disk_encrypted = models.BooleanField(null=True)
    firewall_enabled = models.BooleanField(null=True)
    antivirus_enabled = models.BooleanField(null=True)
    antivirus_name = models.CharField(max_length=100, null=True)
    last_patch_date = models.DateTimeField(null=True)
    patch_age_days = models.PositiveIntegerField(null=True)
    usb_storage_disabled = models.BooleanField(null=True)
    screen_lock_timeout = models.PositiveIntegerField(null=True, help_text="seconds; 0 never locks")
    auto_update = models.BooleanField(null=True)
    firewall_audit = models.JSONField(null=True)
    pending_security_updates = models.PositiveIntegerField(null=True)
    reboot_pending = models.BooleanField(null=True)
    agent_version = models.CharField(max_length=40, null=True)
    custom_attributes = models.JSONField(null=True)
    compliant = models.BooleanField(default=True)
    violations = models.JSONField(default=list)
    violation_details = models.JSONField(default=list)
    effect = models.CharField(max_length=10, choices=_choices(EFFECTS), default="none")
    failing = models.JSONField(default=dict)
    failing_since = models.DateTimeField(null=True)
    grace_ends_at = models.DateTimeField(null=True)
    reported_at = models.DateTimeField()
    stale_told_at = models.DateTimeField(null=True)

    class Meta(OrgOwned.Meta):
        db_table = "posture_reports"
        indexes = (
            models.Index(fields=("org", "compliant"), name="posture_report_by_verdict"),
            models.Index(
                fields=("grace_ends_at",), condition=Q(grace_ends_at__isnull=False), name="posture_by_grace"
            ),
            models.Index(fields=("org",), condition=Q(effect="quarantine"), name="posture_to_quarantine"),
            models.Index(fields=("reported_at",), name="posture_report_by_age"),
        )

    def __str__(self) -> str:
        return f"posture of {self.machine_id}"

    def signals(self, *, os: str) -> Signals:
        """What it says; os: as the machine enrolled."""
        return Signals(
            os=os,
            release=self.os_version_detail or self.os_version,
            disk_encrypted=self.disk_encrypted,
            firewall_enabled=self.firewall_enabled,
            antivirus_enabled=self.antivirus_enabled,
            patch_age_days=self.patch_age_days,
            screen_lock_seconds=self.screen_lock_timeout,
            auto_update=self.auto_update,
            agent_version=self.agent_version,
        )


class PostureHistory(OrgOwned):
    """A point wherever a machine's verdict changed; created_at is when."""

    machine = models.ForeignKey("machines.Machine", on_delete=models.CASCADE, related_name="+")
    compliant = models.BooleanField()
    violations = models.JSONField(default=list)

    class Meta(OrgOwned.Meta):
        db_table = "posture_history"
        verbose_name_plural = "posture history"
        indexes = (
            models.Index(fields=("org", "machine", "created_at"), name="posture_history_of_machine"),
            models.Index(fields=("created_at",), name="posture_history_by_age"),
        )
