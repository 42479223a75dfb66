"""Just-in-time access tells its approvers by webhook, from the request to its end."""

import uuid

import pytest

from apps.machines.models import Machine
from apps.machines.tests.agents import auth_key, enrol
from apps.policy.tests.calls import act
from apps.webhooks.models import WebhookDelivery
from apps.webhooks.tasks import deliver
from apps.webhooks.tests.calls import deliveries, hook, make_due, request_access
from apps.webhooks.tests.target import Reply, Target, documented_verify

JIT = ("jit.*",)


def test_a_request_reaches_its_approvers_signed_and_readable(cast, target, settings):
    settings.PUBLIC_URL = "https://ztna.example.com"
    made = hook(cast.alice, cast.org_a, target.url, *JIT)
    agent = enrol(auth_key(cast.alice, cast.org_a)["key"], "db")
    grant = request_access(cast.bob, cast.org_a, destination_selector="db")
    assert deliver() == {"queued": 1, "delivered": 1, "failed": 0}
    (request,), (body,) = target.received, target.bodies()
    assert request.path == "/hook"
    assert request.headers["X-QuickZTNA-Event"] == body["event"] == "jit.requested"
    assert body["actor"] == {"id": str(cast.bob.user.pk), "type": "user", "email": "bob@example.com"}
    assert body["resource"] == {"type": "jit", "id": grant["grant_id"]}
    assert body["org_id"] == str(cast.org_a.pk)
    data = body["data"]
    assert (data["requester"], data["source"], data["destination"]) == (
        "bob@example.com",
        "bob@example.com",
        "db",
    )
    assert data["destination_selector"] == agent.id
    assert (data["ports"], data["protocol"], data["duration_hours"]) == ("5432", "tcp", 2.0)
    assert (data["reason"], data["grant_id"]) == ("restore", grant["grant_id"])
    assert data["approve_url"] == "https://ztna.example.com/jit?tab=inbox"
    verify = documented_verify()
    signature = request.headers["X-QuickZTNA-Signature"]
    assert verify(made["secret"], signature, request.body)
    assert not verify("whsec_" + "0" * 64, signature, request.body)
    assert not verify(made["secret"], signature, request.body.replace(b"5432", b"22"))
    assert not verify(made["secret"], signature, request.body, tolerance_seconds=-1)
    (sent,) = deliveries(cast.alice, cast.org_a, made["id"])
    assert request.headers["X-QuickZTNA-Delivery"] == sent["id"]
    assert (sent["status"], sent["response_status"], sent["attempts"]) == ("delivered", 204, 1)
    assert sent["event_id"] == body["id"]


def test_the_decision_and_the_end_are_told_too(cast, target):
    hook(cast.alice, cast.org_a, target.url, "jit.approved", "jit.revoked", "jit.denied")
    first, second = request_access(cast.bob, cast.org_a), request_access(cast.bob, cast.org_a)
    act(cast.alice, cast.org_a, "governance", "jit_approve", grant_id=first["grant_id"])
    act(cast.alice, cast.org_a, "governance", "jit_revoke", grant_id=first["grant_id"])
    act(cast.alice, cast.org_a, "governance", "jit_deny", grant_id=second["grant_id"], denial_reason="no")
    deliver()
    told = [(body["event"], body["data"]["grant_id"]) for body in target.bodies()]
    assert told == [
        ("jit.approved", first["grant_id"]),
        ("jit.revoked", first["grant_id"]),
        ("jit.denied", second["grant_id"]),
    ]
    assert "approve_url" not in target.bodies()[0]["data"]


def test_a_target_that_is_down_is_told_once_it_is_back(cast, target, authority):
    gone = Target(authority)
    url = gone.url
    gone.close()
    made = hook(cast.alice, cast.org_a, url, *JIT)
    request_access(cast.bob, cast.org_a)
    assert deliver() == {"queued": 1, "delivered": 0, "failed": 1}
    (waiting,) = deliveries(cast.alice, cast.org_a, made["id"])
    assert (waiting["status"], waiting["attempts"]) == ("pending", 1)
    assert waiting["error"].startswith("no connection")
    assert deliver() == {"queued": 0, "delivered": 0, "failed": 0}  # its wait is not over
    act(cast.alice, cast.org_a, "webhooks", "update", webhook_id=made["id"], url=target.url)
    make_due()
    assert deliver()["delivered"] == 1
    make_due()
    assert deliver() == {"queued": 0, "delivered": 0, "failed": 0}
    assert [request.headers["X-QuickZTNA-Delivery"] for request in target.received] == [waiting["id"]]


def test_a_redirect_to_loopback_is_refused(cast, target, authority):
    inner = Target(authority)
    target.reply = lambda request: Reply(302, headers={"Location": inner.url})
    made = hook(cast.alice, cast.org_a, target.url, *JIT)
    request_access(cast.bob, cast.org_a)
    assert deliver()["failed"] == 1
    inner.close()
    assert inner.received == []
    (found,) = deliveries(cast.alice, cast.org_a, made["id"])
    assert (found["status"], found["response_status"]) == ("pending", 302)
    assert found["error"] == "redirects are not followed"


def test_a_webhook_of_another_organisation_never_hears_of_it(cast, target):
    """The attacker listens to everything of his own organisation, and tries to reach over."""
    hook(cast.charlie, cast.org_b, target.url, "*")
    made = hook(cast.alice, cast.org_a, target.url, "jit.approved")
    grant = request_access(cast.bob, cast.org_a)
    deliver()
    assert [body["org_id"] for body in target.bodies() if body["org_id"] != str(cast.org_b.pk)] == []
    assert grant["grant_id"].encode() not in b"".join(request.body for request in target.received)
    for action in ("update", "delete", "test", "deliveries"):
        error = act(cast.charlie, cast.org_b, "webhooks", action, 404, webhook_id=made["id"], enabled=False)
        missing = act(
            cast.charlie, cast.org_b, "webhooks", action, 404, webhook_id=str(uuid.uuid4()), enabled=True
        )
        assert error["code"] == missing["code"] == "NOT_FOUND"
        assert error["message"] == missing["message"]
    assert act(cast.charlie, cast.org_a, "webhooks", "create", 403, url=target.url, events=["*"])


def test_names_come_from_the_organisation_alone(cast, target):
    """A selector may hold any id; that of another organisation's machine stays an id."""
    foreign = enrol(auth_key(cast.charlie, cast.org_b)["key"], "vault-of-b")
    hook(cast.alice, cast.org_a, target.url, *JIT)
    request_access(cast.bob, cast.org_a, destination_selector=foreign.id)
    deliver()
    (body,) = target.bodies()
    assert body["data"]["destination"] == foreign.id
    assert Machine.all_orgs.get(pk=foreign.id).name.encode() not in target.received[0].body


@pytest.mark.parametrize("reply", [Reply(500), Reply(410), Reply(101), Reply(404, b"no such hook")])
def test_what_is_no_success_is_tried_again(cast, target, reply):
    target.reply = lambda request: reply
    made = hook(cast.alice, cast.org_a, target.url, *JIT)
    request_access(cast.bob, cast.org_a)
    assert deliver()["failed"] == 1
    assert WebhookDelivery.objects.for_org(cast.org_a).get().status == "pending"
    (found,) = deliveries(cast.alice, cast.org_a, made["id"])
    whole = deliveries(cast.alice, cast.org_a, made["id"], delivery_id=found["id"])[0]
    assert whole["response"] == reply.body.decode()
    assert '"event":"jit.requested"' in whole["body"]
