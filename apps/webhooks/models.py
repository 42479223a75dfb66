"""Webhooks of an organisation, and what was or will be sent to them."""

from django.db import models

from apps.core.tenancy import OrgOwned

STATES = ("pending", "sending", "delivered", "failed")
WAITING = ("pending", "sending")


class Webhook(OrgOwned):
    """An address that is told of events.

    url may hold a token, so it is for administrators only, as is the trail's part in it: the host.
    seen_seq: the trail up to this row has been looked through. failing_since: of the first failure
    that no success has followed.
    """

    url = models.CharField(max_length=2000)
    events = models.JSONField(default=list)
    secret = models.BinaryField(help_text="sealed; signs what is sent")
    enabled = models.BooleanField(default=True)
    created_by = models.ForeignKey("ztna_auth.User", on_delete=models.SET_NULL, null=True, related_name="+")
    seen_seq = models.BigIntegerField()
    last_attempt_at = models.DateTimeField(null=True)
    last_ok = models.BooleanField(null=True)
    failing_since = models.DateTimeField(null=True)
    disabled_at = models.DateTimeField(null=True, help_text="when failures switched it off")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(OrgOwned.Meta):
        db_table = "webhooks"
        indexes = (models.Index(fields=("org", "created_at"), name="webhook_by_org"),)

    def __str__(self) -> str:
        return str(self.pk)


class WebhookDelivery(OrgOwned):
    """One event for one webhook.

    event_id: of the row of the trail. claim, next_try_at: while it is being sent, by which run, and when
    another one may take it for lost. queued_at: the tries of a day count from here.
    """

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="+", db_index=False)
    event = models.CharField(max_length=100)
    event_id = models.UUIDField()
    body = models.TextField()
    status = models.CharField(max_length=9, choices=[(name, name) for name in STATES], default="pending")
    attempts = models.PositiveSmallIntegerField(default=0)
    queued_at = models.DateTimeField()
    next_try_at = models.DateTimeField(null=True)
    claim = models.UUIDField(null=True)
    attempted_at = models.DateTimeField(null=True)
    duration_ms = models.PositiveIntegerField(null=True)
    response_status = models.PositiveSmallIntegerField(null=True)
    response = models.TextField(blank=True)
    error = models.CharField(max_length=200, blank=True)

    class Meta(OrgOwned.Meta):
        db_table = "webhook_deliveries"
        ordering = ("-created_at", "-pk")
        constraints = (models.UniqueConstraint(fields=("webhook", "event_id"), name="webhook_delivery_once"),)
        indexes = (
            models.Index(fields=("webhook", "-created_at", "-id"), name="webhook_delivery_newest"),
            models.Index(
                fields=("next_try_at",),
                condition=models.Q(status__in=WAITING),
                name="webhook_delivery_due",
            ),
            models.Index(fields=("claim",), condition=models.Q(status="sending"), name="webhook_claimed"),
            models.Index(fields=("created_at",), name="webhook_delivery_age"),
        )

    def __str__(self) -> str:
        return f"{self.event} to {self.webhook_id}"
