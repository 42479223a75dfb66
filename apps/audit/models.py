"""Tables of the trail; nothing updates or deletes a row of audit_logs, a trigger sees to that."""

from django.db import models

from apps.core.tenancy import OrgOwned

ACTOR_KINDS = ("user", "api_key", "machine", "job", "operator")


class AuditActor(OrgOwned):
    """Who acted, sealed under a key of their own: destroying the key forgets the person."""

    kind = models.CharField(max_length=10, choices=[(kind, kind) for kind in ACTOR_KINDS])
    subject = models.CharField(max_length=64, help_text="id of the user, key or machine, or the job's name")
    key = models.BinaryField(null=True, help_text="sealed; empty once the person is forgotten")
    identity = models.BinaryField(help_text="name and e-mail under `key`")

    class Meta(OrgOwned.Meta):
        db_table = "audit_actors"
        constraints = [
            models.UniqueConstraint(fields=["org", "kind", "subject"], name="audit_actor_one_per_subject")
        ]


class AuditHead(OrgOwned):
    """The end of an organisation's chain; its row lock puts writers in line."""

    seq = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="0" * 64)

    class Meta(OrgOwned.Meta):
        db_table = "audit_heads"
        constraints = [models.UniqueConstraint(fields=["org"], name="audit_head_one_per_org")]


class AuditLog(OrgOwned):
    """One thing that happened; `hash` seals this row and, through `prev_hash`, all before it."""

    seq = models.BigIntegerField()
    action = models.CharField(max_length=100)
    resource_type = models.CharField(max_length=50)
    resource_id = models.CharField(max_length=64, null=True)
    user_id = models.UUIDField(null=True, help_text="no foreign key: the trail outlives the account")
    actor_kind = models.CharField(max_length=10, choices=[(kind, kind) for kind in ACTOR_KINDS])
    actor = models.ForeignKey(AuditActor, on_delete=models.DO_NOTHING, related_name="+")
    details = models.JSONField(default=dict)
    ip_address = models.CharField(max_length=45, null=True)
    user_agent = models.CharField(max_length=200, blank=True)
    request_id = models.CharField(max_length=32, blank=True)
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta(OrgOwned.Meta):
        db_table = "audit_logs"
        constraints = [models.UniqueConstraint(fields=["org", "seq"], name="audit_log_seq_per_org")]
        indexes = [
            models.Index(fields=["org", "-created_at"], name="audit_log_by_time"),
            models.Index(fields=["org", "action"], name="audit_log_by_action"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.action}"
