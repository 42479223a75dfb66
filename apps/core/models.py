"""Tables that serve every domain."""

from django.db import models

from apps.core.models_base import Row
from apps.core.tenancy import OrgOwned


class OrgDataKey(OrgOwned):
    """The organisation's data key, wrapped by the KEK; see `apps.core.sealing`."""

    wrapped = models.BinaryField()

    class Meta(OrgOwned.Meta):
        db_table = "org_data_keys"
        constraints = [models.UniqueConstraint(fields=["org"], name="org_data_key_one_per_org")]


class IdempotencyKey(Row):
    """The sealed first answer to a POST that carried an Idempotency-Key."""

    key = models.CharField(max_length=128)
    caller = models.CharField(max_length=64)
    body_hash = models.CharField(max_length=64)
    answer = models.BinaryField(null=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "idempotency_keys"
        constraints = [models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_per_caller")]


class JobRun(Row):
    """One run of a background job."""

    name = models.CharField(max_length=100)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(
        max_length=10, choices=[(x, x) for x in ("running", "ok", "failed", "skipped")]
    )
    counts = models.JSONField(default=dict)
    error = models.TextField(blank=True)

    class Meta:
        db_table = "job_runs"
        indexes = [models.Index(fields=["name", "-started_at"], name="job_runs_by_name")]

    def __str__(self) -> str:
        return f"{self.name} {self.outcome}"


class MailMessage(Row):
    """A mail waiting to be sent, written in the transaction that caused it."""

    recipient = models.EmailField(max_length=254)
    template = models.CharField(max_length=50)
    context = models.BinaryField(help_text="sealed: links hold tokens")
    state = models.CharField(
        max_length=10, choices=[(x, x) for x in ("queued", "sent", "failed")], default="queued"
    )
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()

    class Meta:
        db_table = "mail_outbox"
        indexes = [models.Index(fields=["state", "next_try_at"], name="mail_outbox_due")]

    def __str__(self) -> str:
        return f"{self.template} to {self.recipient}"


class UserPreferences(Row):
    """What the console remembers for a person, for all organisations or for one."""

    user = models.ForeignKey("ztna_auth.User", on_delete=models.CASCADE, related_name="+")
    for_org = models.ForeignKey(
        "orgs.Organization", on_delete=models.CASCADE, null=True, related_name="+", db_column="org_id"
    )
    values = models.JSONField(default=dict)

    class Meta:
        db_table = "user_preferences"
        constraints = [
            models.UniqueConstraint(fields=["user", "for_org"], name="user_preferences_one_per_org"),
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(for_org=None), name="user_preferences_one_for_all"
            ),
        ]
