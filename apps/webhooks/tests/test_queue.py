"""The queue: what is taken from the trail, when it is tried, when it ends."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core import mail as outbox
from django.db import connection, transaction
from django.utils import timezone

from apps.audit.models import AuditLog
from apps.audit.services import record
from apps.core import mail
from apps.core.models import MailMessage
from apps.core.sealing import seal_for_org
from apps.policy.tests.calls import act, trail
from apps.webhooks import tasks
from apps.webhooks.models import Webhook, WebhookDelivery
from apps.webhooks.services import queue
from apps.webhooks.tasks import deliver, forget_deliveries
from apps.webhooks.tests.calls import deliveries, hook, make_due, pass_time
from apps.webhooks.tests.target import Reply, Target


def note(cast, *numbers, org=None):
    """Rows of the trail."""
    for number in numbers:
        with transaction.atomic():
            details = {"number": number}
            record(org=org or cast.org_a, actor=cast.alice.actor, action="machine.renamed", details=details)


def told(target):
    return [body["data"]["number"] for body in target.bodies()]


def states(cast):
    rows = WebhookDelivery.objects.for_org(cast.org_a).order_by("created_at")
    return list(rows.values_list("status", "attempts"))


def test_only_what_is_asked_for_and_happens_later_is_sent_in_turn(cast, target):
    note(cast, 0)
    hook(cast.alice, cast.org_a, target.url, "machine.renamed")
    note(cast, 1, 2)
    with transaction.atomic():
        record(org=cast.org_a, actor=cast.alice.actor, action="machine.deleted")
    note(cast, 3)
    assert deliver()["queued"] == 3
    assert told(target) == [1, 2, 3]
    assert deliver() == {"queued": 0, "delivered": 0, "failed": 0}


def test_the_job_twice_sends_once(cast, target):
    hook(cast.alice, cast.org_a, target.url, "machine.*")
    note(cast, 1)
    deliver()
    # As if the note of how far it had read were lost: a row of the trail is queued once a webhook.
    Webhook.objects.for_org(cast.org_a).update(seen_seq=0)
    deliver()
    assert told(target) == [1]
    assert WebhookDelivery.objects.for_org(cast.org_a).count() == 1


def test_a_run_that_died_is_made_good_under_the_same_id(cast, target):
    hook(cast.alice, cast.org_a, target.url, "machine.*")
    note(cast, 1)
    queue.take_events()
    ((row,),) = queue.claim_due().values()  # and the process is gone
    assert deliver()["delivered"] == 0
    pass_time(seconds=queue.LEASE.total_seconds() + 1)
    assert deliver()["delivered"] == 1
    assert [request.headers["X-QuickZTNA-Delivery"] for request in target.received] == [str(row.pk)]


def test_two_runs_claim_a_row_once(cast, target):
    hook(cast.alice, cast.org_a, target.url, "machine.*")
    note(cast, 1, 2)
    queue.take_events()
    assert sum(len(rows) for rows in queue.claim_due().values()) == 2
    assert queue.claim_due() == {}


def test_ten_tries_within_a_day_then_it_is_given_up(cast, target):
    target.reply = lambda request: Reply(503)
    made = hook(cast.alice, cast.org_a, target.url, "machine.*")
    note(cast, 1)
    waits = []
    for _ in range(10):
        assert deliver()["failed"] == 1
        (row,) = deliveries(cast.alice, cast.org_a, made["id"])
        waits.append(row["next_try_at"])
        make_due()
    assert (row["status"], row["attempts"], row["error"]) == ("failed", 10, "answered 503")
    assert waits[-1] is None
    assert None not in waits[:-1]
    make_due()
    assert deliver()["failed"] == 0
    assert len(target.received) == 10


def test_waits_grow_and_all_of_them_fit_into_a_day():
    for _ in range(50):
        waits = [queue.wait_after(tries).total_seconds() for tries in range(1, queue.MOST_TRIES)]
        assert waits == sorted(waits)
        assert waits[0] < 10
        assert 12 * 3600 < sum(waits) < 24 * 3600


def test_a_day_is_the_end_however_few_tries_it_had(cast, target):
    target.reply = lambda request: Reply(503)
    hook(cast.alice, cast.org_a, target.url, "machine.*")
    note(cast, 1)
    queue.take_events()
    pass_time(hours=24)
    deliver()
    assert states(cast) == [("failed", 1)]


def test_one_that_fails_is_tried_once_a_run_however_much_waits(cast, target):
    target.reply = lambda request: Reply(500)
    hook(cast.alice, cast.org_a, target.url, "machine.*")
    note(cast, 1, 2, 3)
    assert deliver()["failed"] == 1
    assert deliver()["failed"] == 1
    assert told(target) == [1, 2]
    assert states(cast) == [("pending", 1), ("pending", 1), ("pending", 0)]
    target.reply = lambda request: Reply()
    make_due()
    assert deliver()["delivered"] == 3


def test_a_slow_target_holds_up_nobody(cast, target, authority, monkeypatch):
    """The slow one answers only after the others have been told."""
    slow, others_told = Target(authority), threading.Event()

    def wait(request):
        assert others_told.wait(4)
        return Reply()

    def quick(request):
        others_told.set()
        return Reply()

    slow.reply, target.reply = wait, quick
    hook(cast.alice, cast.org_a, slow.url, "machine.*")
    hook(cast.alice, cast.org_a, target.url, "machine.*")
    note(cast, 1)
    assert deliver()["delivered"] == 2
    slow.close()


def test_no_try_begins_after_the_runs_time(cast, target, monkeypatch):
    monkeypatch.setattr(tasks, "BEGIN_SECONDS", -1.0)
    hook(cast.alice, cast.org_a, target.url, "machine.*")
    note(cast, 1)
    assert deliver() == {"queued": 1, "delivered": 0, "failed": 0}
    assert states(cast) == [("pending", 0)]
    monkeypatch.setattr(tasks, "BEGIN_SECONDS", 10.0)
    assert deliver()["delivered"] == 1


def test_a_run_and_a_queue_are_bounded(cast, target, monkeypatch):
    monkeypatch.setattr(queue, "PER_HOOK", 2)
    monkeypatch.setattr(queue, "MOST_WAITING", 3)
    monkeypatch.setattr(queue, "ROWS_AT_ONCE", 4)
    hook(cast.alice, cast.org_a, target.url, "machine.*")
    note(cast, *range(7))
    assert deliver() == {"queued": 3, "delivered": 2, "failed": 0}
    assert deliver() == {"queued": 2, "delivered": 2, "failed": 0}
    while deliver()["delivered"]:
        pass
    assert told(target) == list(range(7))


def test_failing_webhooks_come_after_those_that_answer(cast, target, monkeypatch):
    monkeypatch.setattr(queue, "PER_RUN", 1)
    bad = hook(cast.alice, cast.org_a, target.url, "machine.*")
    good = hook(cast.alice, cast.org_a, target.url, "machine.*")
    Webhook.objects.for_org(cast.org_a).filter(pk=bad["id"]).update(failing_since=timezone.now())
    note(cast, 1)
    deliver()
    sent = WebhookDelivery.objects.for_org(cast.org_a).get(status="delivered")
    assert str(sent.webhook_id) == good["id"]


def failing_for(cast, **span):
    Webhook.objects.for_org(cast.org_a).update(failing_since=timezone.now() - timedelta(**span))


def test_one_that_fails_for_long_is_tried_once_a_minute(cast, target):
    target.reply = lambda request: Reply(500)
    hook(cast.alice, cast.org_a, target.url, "machine.*")
    note(cast, 1, 2, 3)
    assert deliver()["failed"] == 1
    failing_for(cast, minutes=2)
    assert deliver()["failed"] == 0
    Webhook.objects.for_org(cast.org_a).update(last_attempt_at=timezone.now() - timedelta(minutes=1))
    assert deliver()["failed"] == 1
    # Once it answers, what has waited goes out at once.
    target.reply = lambda request: Reply()
    Webhook.objects.for_org(cast.org_a).update(last_attempt_at=timezone.now() - timedelta(minutes=1))
    make_due()
    assert deliver()["delivered"] == 3


def test_three_days_of_failures_switch_it_off_and_tell_the_administrators(cast, target):
    cast.join("admin@example.com", "admin")
    cast.join("auditor@example.com", "auditor")
    target.reply = lambda request: Reply(500)
    made = hook(cast.alice, cast.org_a, f"{target.url}?token=sesame", "machine.*")
    note(cast, 1, 2)
    failing_for(cast, days=2, hours=23)
    Webhook.objects.for_org(cast.org_a).update(last_attempt_at=timezone.now() - timedelta(hours=1))
    deliver()
    assert Webhook.objects.for_org(cast.org_a).get().enabled
    failing_for(cast, days=3, hours=1)
    Webhook.objects.for_org(cast.org_a).update(last_attempt_at=timezone.now() - timedelta(hours=1))
    make_due()
    deliver()
    row = Webhook.objects.for_org(cast.org_a).get()
    assert (row.enabled, row.disabled_at is not None) == (False, True)
    assert {status for status, _ in states(cast)} == {"failed"}
    ((action, details),) = trail(cast.org_a, "webhook.disabled")
    assert (details["host"], details["reason"], details["error"]) == ("127.0.0.1", "failing", "answered 500")
    assert AuditLog.objects.for_org(cast.org_a).get(action=action).actor_kind == "job"
    told_to = set(MailMessage.objects.filter(template="webhook_disabled").values_list("recipient", flat=True))
    assert told_to == {"alice@example.com", "admin@example.com"}
    mail.send_due()
    assert "answered 500" in outbox.outbox[0].body
    assert "sesame" not in outbox.outbox[0].body
    note(cast, 3)
    assert deliver() == {"queued": 0, "delivered": 0, "failed": 0}
    # Switched on again it starts afresh, with what happens from then on.
    target.reply = lambda request: Reply()
    target.received.clear()
    act(cast.alice, cast.org_a, "webhooks", "update", webhook_id=made["id"], enabled=True)
    note(cast, 4)
    deliver()
    assert told(target) == [4]


def test_a_success_ends_the_count_of_days(cast, target):
    hook(cast.alice, cast.org_a, target.url, "machine.*")
    last = timezone.now() - timedelta(days=9)
    Webhook.objects.for_org(cast.org_a).update(failing_since=last - timedelta(days=1), last_attempt_at=last)
    note(cast, 1)
    deliver()
    row = Webhook.objects.for_org(cast.org_a).get()
    assert (row.enabled, row.failing_since, row.last_ok) == (True, None, True)


def test_what_is_switched_off_while_it_is_sent_is_not_revived(cast, target):
    target.reply = lambda request: Reply(500)
    made = hook(cast.alice, cast.org_a, target.url, "machine.*")
    note(cast, 1)
    queue.take_events()
    ((row, rows),) = queue.claim_due().items()
    act(cast.alice, cast.org_a, "webhooks", "update", webhook_id=made["id"], enabled=False)
    queue.settle(row, rows, {rows[0].pk: tasks.Outcome(1, status=500)})
    assert states(cast) == [("failed", 0)]
    act(cast.alice, cast.org_a, "webhooks", "delete", webhook_id=made["id"])
    queue.settle(row, rows, {rows[0].pk: tasks.Outcome(1, status=204)})
    assert states(cast) == []


def test_a_secret_that_does_not_open_stops_nobody_else(cast, target):
    broken = hook(cast.alice, cast.org_a, target.url, "machine.*")
    hook(cast.charlie, cast.org_b, target.url, "machine.*")
    row = Webhook.objects.for_org(cast.org_a).get()
    row.secret = seal_for_org(
        cast.org_b.pk, table="webhooks", column="secret", row=row.pk, secret=b"moved from elsewhere"
    )
    row.save()
    note(cast, 1)
    note(cast, 2, org=cast.org_b)
    assert deliver() == {"queued": 2, "delivered": 1, "failed": 1}
    assert told(target) == [2]
    assert "renew" in deliveries(cast.alice, cast.org_a, broken["id"])[0]["error"]


def test_a_body_that_would_be_too_long_says_so(cast, target):
    hook(cast.alice, cast.org_a, target.url, "machine.*")
    note(cast, "x" * 70_000)
    deliver()
    assert target.bodies()[0]["data"] == {"truncated": True}


def test_deliveries_are_kept_for_thirty_days(cast, target):
    hook(cast.alice, cast.org_a, target.url, "machine.*")
    note(cast, 1, 2)
    deliver()
    old = WebhookDelivery.objects.for_org(cast.org_a).first()
    WebhookDelivery.objects.for_org(cast.org_a).filter(pk=old.pk).update(
        created_at=timezone.now() - timedelta(days=30, minutes=1)
    )
    assert forget_deliveries() == {"deliveries": 1}
    assert WebhookDelivery.objects.for_org(cast.org_a).get() != old


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_each_event_is_sent_by_one(cast, target, monkeypatch):
    """Without the lock of the job, as if the cache had lost it."""
    hook(cast.alice, cast.org_a, target.url, "machine.*")
    note(cast, *range(8))
    start = threading.Barrier(3)

    def run(_):
        try:
            start.wait(10)
            queue.take_events()
            found = queue.claim_due()
            return [row.pk for rows in found.values() for row in rows]
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        claimed = [pk for part in pool.map(run, range(3)) for pk in part]
    assert len(claimed) == len(set(claimed))
    assert WebhookDelivery.objects.for_org(cast.org_a).count() == 8
