"""Webhooks as administrators handle them."""

import uuid

import pytest
from django.utils import timezone

from apps.core.models import IdempotencyKey
from apps.policy.tests.calls import act, rows, trail
from apps.webhooks.models import Webhook, WebhookDelivery
from apps.webhooks.services import hooks
from apps.webhooks.tasks import deliver
from apps.webhooks.tests.calls import deliveries, hook, request_access
from apps.webhooks.tests.target import Reply, documented_verify

URL = "https://hooks.example.com/in?token=sesame"


def listed(cast):
    return rows(cast.alice, cast.org_a, "webhooks").json()["data"]


def change(cast, made, status=200, **values):
    return act(cast.alice, cast.org_a, "webhooks", "update", status, webhook_id=made["id"], **values)


def test_the_secret_is_shown_once_and_kept_sealed(cast):
    made = hook(cast.alice, cast.org_a, URL, "jit.*", "acl_rule.deleted")
    assert made["secret"].startswith("whsec_")
    (row,) = listed(cast)
    assert (row["url"], row["events"], row["enabled"]) == (URL, ["acl_rule.deleted", "jit.*"], True)
    kept = Webhook.objects.for_org(cast.org_a).get()
    assert made["secret"].encode() not in bytes(kept.secret)
    assert hooks.secret_of(kept) == made["secret"]
    everything = [listed(cast), deliveries(cast.alice, cast.org_a, made["id"]), trail(cast.org_a, "")]
    assert made["secret"] not in repr(everything)


def test_members_read_the_trail_and_not_the_address(cast):
    made = hook(cast.alice, cast.org_a, URL, "jit.*")
    change(cast, made, url=f"{URL}2", enabled=False)
    act(cast.alice, cast.org_a, "webhooks", "delete", webhook_id=made["id"])
    told = trail(cast.org_a, "webhook.")
    assert [action for action, _ in told] == ["webhook.created", "webhook.updated", "webhook.deleted"]
    assert "sesame" not in repr(told)
    assert told[0][1]["host"] == "hooks.example.com"
    assert told[1][1] == {"before": {"enabled": True}, "after": {"enabled": False}, "secret_renewed": False}
    assert rows(cast.bob, cast.org_a, "webhooks").status_code == 403


def test_a_secret_may_be_given_and_renewed(cast, target):
    given = "0123456789abcdef-own"
    made = hook(cast.alice, cast.org_a, target.url, "jit.*", secret=given)
    assert made["secret"] == given
    renewed = change(cast, made, renew_secret=True)["secret"]
    assert renewed.startswith("whsec_")
    assert "secret" not in change(cast, made, enabled=True)
    request_access(cast.bob, cast.org_a)
    deliver()
    (request,) = target.received
    verify, signature = documented_verify(), request.headers["X-QuickZTNA-Signature"]
    assert verify(renewed, signature, request.body)
    assert not verify(given, signature, request.body)
    assert change(cast, made, secret=given)["secret"] == given


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://hooks.example.com/",
            "ftp://hooks.example.com/",
            "hooks.example.com",
            "https://",
            "https:///x",
        ),
        *("https://user:pass@hooks.example.com/", "https://@hooks.example.com/", "https://a.example/#x"),
        *(
            "https://a.example/ x",
            "https://a.example/\r\nHost: b",
            "https://ä.example/",
            "https://a.example:0/",
        ),
        *("https://a.example:99999/", "https://[::1/", "https://10.0.0.1/", "https://127.0.0.1/"),
        *(
            "https://[::1]/",
            "https://169.254.169.254/latest",
            "https://[::ffff:10.0.0.1]/",
            "https://100.64.0.1/",
        ),
        "https://a.example/" + "x" * 2000,
    ],
)
def test_addresses_that_may_not_be(cast, url):
    error = act(cast.alice, cast.org_a, "webhooks", "create", 400, url=url, events=["*"])
    assert (error["code"], error["field"]) == ("INVALID_INPUT", "url")
    assert not Webhook.objects.for_org(cast.org_a).exists()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"events": ["jit.unheard"]}, "events"),
        ({"events": ["nothing.*"]}, "events"),
        ({"events": ["jit"]}, "events"),
        ({"events": ["*.created"]}, "events"),
        ({"events": ["webhook.test"]}, "events"),
        ({"events": ["*"] * 201}, "events"),
        ({"events": "jit.*"}, "events"),
        ({"secret": "short"}, "secret"),
        ({"secret": "with a space in it"}, "secret"),
        ({"secret": "x" * 129}, "secret"),
    ],
)
def test_values_that_may_not_be(cast, values, field):
    error = act(
        cast.alice, cast.org_a, "webhooks", "create", 400, **{"url": URL, "events": ["jit.*"], **values}
    )
    assert error["code"] == "INVALID_INPUT"
    assert error["field"].startswith(field)


def test_what_is_absent_is_named(cast):
    assert act(cast.alice, cast.org_a, "webhooks", "create", 400, url=URL)["code"] == "MISSING_FIELDS"
    error = act(cast.alice, cast.org_a, "webhooks", "create", 400, url=URL, events=[])
    assert (error["code"], error["field"]) in {("INVALID_INPUT", "events"), ("MISSING_FIELDS", "events")}
    made = hook(cast.alice, cast.org_a, URL)
    assert change(cast, made, 400)["code"] == "MISSING_FIELDS"
    assert change(cast, made, 400, events=["x.y"])["field"] == "events"
    assert change(cast, {"id": str(uuid.uuid4())}, 404, enabled=True)["code"] == "NOT_FOUND"


def test_an_organisation_has_at_most_twenty(cast):
    for _ in range(hooks.MOST_HOOKS):
        hook(cast.alice, cast.org_a, URL)
    error = act(cast.alice, cast.org_a, "webhooks", "create", 400, url=URL, events=["*"])
    assert error["code"] == "INVALID_INPUT"
    hook(cast.charlie, cast.org_b, URL)


@pytest.mark.parametrize("role", ["member", "auditor"])
def test_only_administrators_touch_them(cast, role):
    made = hook(cast.alice, cast.org_a, URL)
    person = cast.join("lower@example.com", role)
    for action in ("create", "update", "delete", "test", "deliveries", "replay", "events"):
        body = {"webhook_id": made["id"], "delivery_id": made["id"], "url": URL, "events": ["*"]}
        assert act(person, cast.org_a, "webhooks", action, 403, **body)["code"] == "FORBIDDEN"
    assert rows(person, cast.org_a, "webhooks").status_code == 403


def api_key(cast, *scopes):
    made = act(
        cast.alice, cast.org_a, "key-management", "create_api_key", 201, name="ci", scopes=list(scopes)
    )
    return {"X-Api-Key": made["key"]}


def test_of_api_keys_only_full_access_will_do(cast, client):
    """A webhook hears the whole trail: a key that may not read that must not make one."""
    body = {"action": "create", "org_id": str(cast.org_a.pk), "url": URL, "events": ["*"]}
    for scopes, status in ((["write"], 403), (["connectors:write"], 403), (["admin"], 201)):
        answer = client.post(
            "/api/webhooks", body, content_type="application/json", headers=api_key(cast, *scopes)
        )
        assert answer.status_code == status, answer.content


def test_a_test_shows_the_answer_and_is_not_repeated(cast, target):
    target.reply = lambda request: Reply(418, b"short and stout")
    made = hook(cast.alice, cast.org_a, target.url, "jit.*")
    change(cast, made, enabled=False)
    found = act(cast.alice, cast.org_a, "webhooks", "test", webhook_id=made["id"])
    assert (found["status"], found["response_status"], found["response"]) == (
        "failed",
        418,
        "short and stout",
    )
    (request,) = target.received
    assert request.headers["X-QuickZTNA-Event"] == "webhook.test"
    assert documented_verify()(made["secret"], request.headers["X-QuickZTNA-Signature"], request.body)
    assert deliver() == {"queued": 0, "delivered": 0, "failed": 0}
    error = act(cast.alice, cast.org_a, "webhooks", "replay", 400, delivery_id=found["id"])
    assert error["code"] == "INVALID_STATE"
    target.reply = lambda request: Reply()
    assert act(cast.alice, cast.org_a, "webhooks", "test", webhook_id=made["id"])["status"] == "delivered"
    assert [action for action, _ in trail(cast.org_a, "webhook.tested")] == ["webhook.tested"] * 2


def test_a_test_of_a_private_address_says_so(cast, target, settings):
    made = hook(cast.alice, cast.org_a, target.url.replace("127.0.0.1", "localhost"), "jit.*")
    settings.WEBHOOK_NETWORKS = ()
    found = act(cast.alice, cast.org_a, "webhooks", "test", webhook_id=made["id"])
    assert (found["status"], found["error"]) == ("failed", "the address is not public")
    assert target.received == []


def test_tests_are_limited(cast, target):
    made = hook(cast.alice, cast.org_a, target.url, "jit.*")
    for _ in range(10):
        act(cast.alice, cast.org_a, "webhooks", "test", webhook_id=made["id"])
    assert (
        act(cast.alice, cast.org_a, "webhooks", "test", 429, webhook_id=made["id"])["code"] == "RATE_LIMITED"
    )


def test_a_delivery_is_replayed_under_its_ids(cast, target):
    made = hook(cast.alice, cast.org_a, target.url, "jit.requested")
    request_access(cast.bob, cast.org_a)
    deliver()
    (sent,) = deliveries(cast.alice, cast.org_a, made["id"])
    answer = act(cast.alice, cast.org_a, "webhooks", "replay", delivery_id=sent["id"])
    assert (answer["status"], answer["attempts"]) == ("pending", 0)
    assert (
        act(cast.alice, cast.org_a, "webhooks", "replay", 400, delivery_id=sent["id"])["code"]
        == "INVALID_STATE"
    )
    assert deliver()["delivered"] == 1
    first, second = target.received
    assert first.body == second.body
    assert first.headers["X-QuickZTNA-Delivery"] == second.headers["X-QuickZTNA-Delivery"]
    ((_, details),) = trail(cast.org_a, "webhook.replayed")
    assert details["event"] == "jit.requested"
    change(cast, made, enabled=False)
    assert (
        act(cast.alice, cast.org_a, "webhooks", "replay", 400, delivery_id=sent["id"])["code"]
        == "INVALID_STATE"
    )
    for foreign in (sent["id"], str(uuid.uuid4())):
        act(cast.charlie, cast.org_b, "webhooks", "replay", 404, delivery_id=foreign)


def test_deliveries_come_in_pages_without_their_bodies(cast, django_assert_max_num_queries):
    made = hook(cast.alice, cast.org_a, URL)
    row = Webhook.objects.for_org(cast.org_a).get()
    for number in range(5):
        WebhookDelivery.objects.create_in(
            cast.org_a,
            webhook=row,
            event="machine.renamed",
            event_id=uuid.uuid4(),
            body=f'{{"number":{number}}}',
            status="failed" if number % 2 else "delivered",
            queued_at=timezone.now(),
        )
    ask = {"webhook_id": made["id"], "limit": 2}
    with django_assert_max_num_queries(7):
        page = act(cast.alice, cast.org_a, "webhooks", "deliveries", **ask)
    seen = page["deliveries"]
    assert "body" not in seen[0]
    while page["next_cursor"]:
        page = act(cast.alice, cast.org_a, "webhooks", "deliveries", **ask, cursor=page["next_cursor"])
        seen += page["deliveries"]
    assert len({one["id"] for one in seen}) == len(seen) == 5
    assert len(deliveries(cast.alice, cast.org_a, made["id"], status="failed")) == 2
    (whole,) = deliveries(cast.alice, cast.org_a, made["id"], delivery_id=seen[0]["id"])
    assert whole["body"] == '{"number":4}'
    other = hook(cast.alice, cast.org_a, URL)
    body = {"webhook_id": other["id"], "delivery_id": seen[0]["id"]}
    act(cast.alice, cast.org_a, "webhooks", "deliveries", 404, **body)


def test_the_answer_with_the_secret_is_repeated_to_who_lost_it(cast):
    body = {"action": "create", "org_id": str(cast.org_a.pk), "url": URL, "events": ["jit.*"]}
    answers = [
        cast.alice.client.call("/api/webhooks", body, **{"Idempotency-Key": "once"}).json()["data"]
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert Webhook.objects.for_org(cast.org_a).count() == 1
    assert answers[0]["secret"].encode() not in bytes(IdempotencyKey.objects.get().answer)
