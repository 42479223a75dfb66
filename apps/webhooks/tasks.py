"""Jobs: webhooks are sent what is due, and what they were sent is forgotten."""

import asyncio
import time
import uuid
from collections import defaultdict
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from apps.core.jobs import job
from apps.core.sealing import SealBrokenError
from apps.webhooks.models import WAITING, Webhook, WebhookDelivery
from apps.webhooks.sending import Letter, Outcome, send, tls_context
from apps.webhooks.services.hooks import letter_of, secret_of
from apps.webhooks.services.queue import claim_due, settle, take_events

# No try begins later in a run: with the time of a try, a run takes 15 seconds at most.
BEGIN_SECONDS = 10.0
AT_ONCE, AT_ONCE_PER_ORG = 100, 4
KEPT = timedelta(days=30)
CHUNK = 5000


@job("webhook-delivery", every_seconds=5)
def deliver() -> dict[str, int]:
    """Queue new events and send what is due; each webhook's in turn, those of others beside them."""
    queued, due = take_events(), claim_due()
    letters: dict[Webhook, list[Letter]] = {}
    outcomes: dict[uuid.UUID, Outcome] = {}
    for hook, rows in due.items():
        try:
            secret = secret_of(hook)
        except SealBrokenError:
            outcomes[rows[0].pk] = Outcome(0, error="the secret does not open; renew it")
        else:
            letters[hook] = [letter_of(row, secret) for row in rows]
    if letters:
        outcomes |= asyncio.run(_send_all(letters))
    for hook, rows in due.items():
        settle(hook, rows, outcomes)
    delivered = sum(outcome.ok for outcome in outcomes.values())
    return {"queued": queued, "delivered": delivered, "failed": len(outcomes) - delivered}


@job("webhook-retention", every_seconds=86_400)
def forget_deliveries() -> dict[str, int]:
    """What was sent goes after 30 days, a chunk at a time."""
    gone, old = 0, WebhookDelivery.all_orgs.filter(created_at__lt=timezone.now() - KEPT)
    while ids := list(old.exclude(status__in=WAITING).values_list("pk", flat=True)[:CHUNK]):
        gone += WebhookDelivery.all_orgs.filter(pk__in=ids).delete()[0]
    return {"deliveries": gone}


async def _send_all(letters: dict[Webhook, list[Letter]]) -> dict[uuid.UUID, Outcome]:
    tls, until = tls_context(settings.WEBHOOK_CA_FILE), time.monotonic() + BEGIN_SECONDS
    everyone = asyncio.Semaphore(AT_ONCE)
    of_org: dict[uuid.UUID, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE_PER_ORG))
    outcomes: dict[uuid.UUID, Outcome] = {}

    async def send_in_turn(hook: Webhook) -> None:
        async with of_org[hook.org_id], everyone:
            for letter in letters[hook]:
                if time.monotonic() > until:
                    return
                outcomes[letter.id] = found = await send(letter, tls, settings.WEBHOOK_NETWORKS)
                # One that fails may be down: its others need not find that out one by one.
                if not found.ok:
                    return

    await asyncio.gather(*(send_in_turn(hook) for hook in letters))
    return outcomes
