"""The queue: events out of the trail, tries when they are due, and what came of them.

pending -claimed-> sending -2xx-> delivered; sending -else-> pending until the last try, then failed.
Events come from the trail by number: no writer waits for a webhook, nothing is missed while the job is
away, and a row a webhook and event makes twice the same once. A run that dies while it sends leaves its
claim; another takes it after LEASE, so that a target may hear the same id twice, and never misses one.
"""

import logging
import random
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, OuterRef, Q, Subquery, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from apps.audit.models import AuditHead, AuditLog
from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.mail import enqueue
from apps.orgs.models import Organization, OrgMember
from apps.webhooks.bodies import body_of
from apps.webhooks.events import wants
from apps.webhooks.models import WAITING, Webhook, WebhookDelivery
from apps.webhooks.sending import Outcome
from apps.webhooks.services.hooks import note_try, switch_off
from apps.webhooks.services.telling import tell
from apps.webhooks.targets import host_of

logger = logging.getLogger("quickztna.webhooks")
JOB = Actor.job("webhook-delivery")
ROWS_AT_ONCE = 500  # of the trail, a webhook and run
MOST_WAITING = 1000  # of a webhook; the rest waits in the trail
PER_HOOK, PER_RUN = 20, 500
LEASE = timedelta(seconds=120)
PAUSE = timedelta(minutes=1)  # between tries of a webhook that has failed for longer than that
MOST_TRIES, TRIED_FOR = 10, timedelta(hours=24)
FIRST_WAIT_SECONDS, WAIT_FACTOR, JITTER = 7, 3, 0.2  # the ninth wait ends after 19 h, at most 23
OFF_AFTER = timedelta(days=3)

Tried = tuple[WebhookDelivery, Outcome]


def take_events() -> int:
    """Queue what the trail has had since each webhook last looked; returns how many deliveries."""
    newest = AuditHead.all_orgs.filter(org_id=OuterRef("org_id")).values("seq")[:1]
    behind = Webhook.all_orgs.filter(enabled=True).annotate(newest=Subquery(newest))
    behind = behind.filter(newest__gt=F("seen_seq")).order_by("created_at")
    queued = 0
    for org_id, webhook_id in list(behind.values_list("org_id", "pk")):
        try:
            queued += _take(org_id, webhook_id)
        except Exception:
            # What is wrong with one must not silence the others.
            logger.exception("events not queued", extra={"webhook": str(webhook_id)})
    return queued


def _take(org_id: Any, webhook_id: Any) -> int:
    with transaction.atomic():
        hook = Webhook.objects.for_org(org_id).select_for_update().filter(pk=webhook_id, enabled=True).first()
        if hook is None:
            return 0
        deliveries = WebhookDelivery.objects.for_org(org_id)
        room = MOST_WAITING - deliveries.filter(webhook=hook, status__in=WAITING).count()
        rows = AuditLog.objects.for_org(org_id).filter(seq__gt=hook.seen_seq).order_by("seq")
        wanted: list[AuditLog] = []
        for row in rows.select_related("actor")[:ROWS_AT_ONCE]:
            if wants(hook.events, row.action):
                if len(wanted) >= room:
                    break
                wanted.append(row)
            hook.seen_seq = row.seq
        now = timezone.now()
        deliveries.bulk_create(
            [
                WebhookDelivery(
                    org_id=org_id,
                    webhook=hook,
                    event=row.action,
                    event_id=row.pk,
                    body=body_of(row),
                    queued_at=now,
                    next_try_at=now,
                )
                for row in wanted
            ],
            ignore_conflicts=True,
        )
        hook.save(update_fields=["seen_seq"])
        return len(wanted)


def claim_due() -> dict[Webhook, list[WebhookDelivery]]:
    """Deliveries that this run and no other sends, by webhook: those that answer before those that fail."""
    now, claim = timezone.now(), uuid.uuid4()
    waiting = WebhookDelivery.all_orgs.filter(status__in=WAITING, next_try_at__lte=now)
    place = Window(RowNumber(), partition_by=F("webhook_id"), order_by=(F("created_at").asc(), F("pk").asc()))
    rested = Q(webhook__failing_since=None) | Q(webhook__failing_since__gt=now - PAUSE)
    rested |= Q(webhook__last_attempt_at__lte=now - PAUSE)
    due = waiting.filter(rested, webhook__enabled=True).annotate(place=place).filter(place__lte=PER_HOOK)
    due = due.order_by(F("webhook__failing_since").asc(nulls_first=True), "place")
    ids = list(due.values_list("pk", flat=True)[:PER_RUN])
    # Of two runs that saw the same row, the second no longer finds it due.
    waiting.filter(pk__in=ids).update(status="sending", claim=claim, next_try_at=now + LEASE)
    found: dict[Webhook, list[WebhookDelivery]] = defaultdict(list)
    mine = WebhookDelivery.all_orgs.filter(claim=claim, status="sending").select_related("webhook")
    for row in mine.order_by("created_at", "pk"):
        found[row.webhook].append(row)
    return found


def settle(hook: Webhook, rows: Sequence[WebhookDelivery], outcomes: dict[uuid.UUID, Outcome]) -> None:
    """Put down what came of a webhook's claimed rows; those that were not tried are due again."""
    tried = [(row, outcomes[row.pk]) for row in rows if row.pk in outcomes]
    with transaction.atomic():
        locked = Webhook.objects.for_org(hook.org_id).select_for_update().filter(pk=hook.pk).first()
        if locked is None:
            return
        for row, outcome in tried:
            note_try(row, outcome)
            _decide(row, outcome)
        _save_claimed(hook.org_id, tried)
        claimed = WebhookDelivery.objects.for_org(hook.org_id).filter(claim=rows[0].claim, status="sending")
        claimed.filter(webhook=hook).update(status="pending", claim=None, next_try_at=timezone.now())
        if tried:
            _judge(locked, tried)
            tell(hook.org_id)


def _decide(row: WebhookDelivery, outcome: Outcome) -> None:
    """Delivered, to be tried again, or given up."""
    row.status, row.next_try_at = "delivered", None
    if not outcome.ok:
        again = timezone.now() + wait_after(row.attempts)
        over = row.attempts >= MOST_TRIES or again > row.queued_at + TRIED_FOR
        row.status, row.next_try_at = ("failed", None) if over else ("pending", again)


def wait_after(tries: int) -> timedelta:
    """How long the next try waits."""
    spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 (spreads load, protects nothing)
    return timedelta(seconds=FIRST_WAIT_SECONDS * WAIT_FACTOR ** (tries - 1) * spread)


def _save_claimed(org_id: Any, tried: Iterable[Tried]) -> None:
    """Save what is still ours: a switch that was thrown meanwhile has taken the others away."""
    for row, _ in tried:
        mine = WebhookDelivery.objects.for_org(org_id).filter(pk=row.pk, claim=row.claim, status="sending")
        mine.update(
            claim=None,
            **{
                name: getattr(row, name)
                for name in (
                    *("status", "attempts", "next_try_at", "attempted_at", "duration_ms"),
                    *("response_status", "response", "error"),
                )
            },
        )


def _judge(hook: Webhook, tried: Sequence[Tried]) -> None:
    """Remember whether the webhook answers, and switch it off when it has not for days."""
    now: datetime = timezone.now()
    hook.last_attempt_at, hook.last_ok = now, tried[-1][1].ok
    if any(outcome.ok for _, outcome in tried):
        hook.failing_since = None
    if not hook.last_ok:
        hook.failing_since = hook.failing_since or now
        if hook.enabled and hook.failing_since <= now - OFF_AFTER:
            _give_up(hook, tried[-1][0].error)
    hook.save(update_fields=["last_attempt_at", "last_ok", "failing_since", "enabled", "disabled_at"])


def _give_up(hook: Webhook, error: str) -> None:
    hook.disabled_at = timezone.now()
    switch_off(hook)
    host = host_of(hook.url)
    details = {"host": host, "reason": "failing", "failing_since": hook.failing_since, "error": error}
    record(org=hook.org_id, actor=JOB, action="webhook.disabled", resource=hook, details=details)
    org = Organization.objects.for_org(hook.org_id).get()
    admins = OrgMember.objects.for_org(org).filter(role__in=("owner", "admin"), status="active")
    context = {"org_name": org.name, "host": host, "error": error}
    for email in admins.values_list("user__email", flat=True):
        enqueue(recipient=email, template="webhook_disabled", context=context)
