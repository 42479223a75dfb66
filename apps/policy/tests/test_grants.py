"""Access for a while: nobody lets himself in, and it ends at its moment whoever sleeps."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from apps.core.mail import send_due
from apps.machines.tests.agents import auth_key, enrol
from apps.orgs.members import remove_member
from apps.policy.models import AclRule, JitAccessGrant
from apps.policy.tasks import expire_grants
from apps.policy.tests.calls import act, close, data, evaluate, trail
from wire.netmap import Netmap

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair(cast):
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    close(cast.org_a)
    return enrol(key, name="alpha"), enrol(key, name="beta")


def request(cast, person=None, status=201, **values):
    body = {"source_selector": "alpha", "destination_selector": "beta", "ports": "5432", **values}
    return act(person or cast.bob, cast.org_a, "governance", "jit_request", status, **body)


def decide(cast, action, grant, person=None, status=200, **values):
    return act(person or cast.alice, cast.org_a, "governance", action, status, grant_id=str(grant), **values)


def test_from_request_to_the_open_port_and_shut_again(cast, pair):
    asked = request(cast, duration_hours=2, reason="the database is on fire")
    assert (asked["status"], asked["duration_hours"]) == ("pending", 2)
    assert asked["approvers_notified"] == ["alice@example.com"]
    assert act(cast.bob, cast.org_a, "governance", "get_pending_count") == {"pending_count": 1}
    assert not evaluate(cast.bob, cast.org_a, *pair, port=5432)["allowed"]
    opened = decide(cast, "jit_approve", asked["grant_id"])
    told = evaluate(cast.bob, cast.org_a, *pair, port=5432)
    assert (told["allowed"], told["matched_rule"]["priority"]) == (True, 0)
    assert told["matched_rule_id"] == opened["acl_rule_id"]
    # The machine is told the end, and needs nobody to keep to it.
    netmap = Netmap.from_json(data(pair[1].heartbeat()))
    (line,) = next(iter(netmap.packet_filter.chains.values()))
    grant = JitAccessGrant.objects.for_org(cast.org_a).get()
    assert line.not_after == int(grant.expires_at.timestamp())
    assert decide(cast, "jit_revoke", grant.pk, cast.bob)["status"] == "revoked"
    assert decide(cast, "jit_revoke", grant.pk)["status"] == "revoked"
    assert not evaluate(cast.bob, cast.org_a, *pair, port=5432)["allowed"]
    actions = [action for action, _ in trail(cast.org_a, "jit.")]
    assert actions == ["jit.requested", "jit.approved", "jit.revoked"]


def test_nobody_approves_himself(cast, pair):
    asked = request(cast, cast.alice)
    error = decide(cast, "jit_approve", asked["grant_id"], status=403)
    assert error["code"] == "FORBIDDEN"
    assert decide(cast, "jit_approve", asked["grant_id"], cast.bob, 403)["code"] == "FORBIDDEN"
    assert not AclRule.objects.for_org(cast.org_a).exists()
    admin = cast.join("dora@example.com", "admin")
    assert decide(cast, "jit_approve", asked["grant_id"], admin)["status"] == "approved"


def test_a_lapsed_grant_is_shut_before_the_job_has_seen_it(cast, pair):
    grant = decide(cast, "jit_approve", request(cast)["grant_id"])
    later = (timezone.now() + timedelta(hours=1, seconds=1)).isoformat()
    assert evaluate(cast.bob, cast.org_a, *pair, port=5432)["allowed"]
    assert not evaluate(cast.bob, cast.org_a, *pair, port=5432, at=later)["allowed"]
    past = timezone.now() - timedelta(seconds=1)
    JitAccessGrant.objects.for_org(cast.org_a).update(expires_at=past)
    AclRule.objects.for_org(cast.org_a).update(expires_at=past)
    assert expire_grants() == {"expired": 1}
    assert expire_grants() == {"expired": 0}
    assert JitAccessGrant.objects.for_org(cast.org_a).get().status == "expired"
    assert not AclRule.objects.for_org(cast.org_a).get(pk=grant["acl_rule_id"]).enabled
    assert trail(cast.org_a, "jit.expired")
    refused = decide(cast, "jit_approve", grant["grant_id"], status=400)
    assert refused["message"] == "Grant is already expired"


def test_a_denial_is_final_and_told(cast, pair):
    asked = request(cast)
    denied = decide(cast, "jit_deny", asked["grant_id"], denial_reason="not today")
    assert denied == {"grant_id": asked["grant_id"], "status": "denied", "denial_reason": "not today"}
    assert decide(cast, "jit_approve", asked["grant_id"], status=400)["code"] == "INVALID_STATE"
    assert decide(cast, "jit_revoke", asked["grant_id"], status=400)["code"] == "INVALID_STATE"
    send_due()
    assert ["not today" in message.body for message in mail.outbox if message.to == ["bob@example.com"]] == [
        True
    ]
    (entry,) = act(cast.bob, cast.org_a, "governance", "get_request_history")["requests"]
    assert (entry["approver_email"], entry["denial_reason"]) == ("alice@example.com", "not today")
    assert not AclRule.objects.for_org(cast.org_a).exists()


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"ports": "0"}, "INVALID_INPUT"),
        ({"protocol": "sctp"}, "INVALID_INPUT"),
        ({"protocol": "icmp"}, "INVALID_INPUT"),
        ({"source_selector": "tag:"}, "VALIDATION_ERROR"),
        ({"destination_selector": ""}, "MISSING_FIELDS"),
    ],
)
def test_requests_that_make_no_sense(cast, pair, values, code):
    assert request(cast, status=400, **values)["code"] == code


def test_the_length_is_clamped_and_may_be_shortened(cast, pair):
    assert request(cast, duration_hours=0.1)["duration_hours"] == 1
    asked = request(cast, duration_hours=99)
    assert asked["duration_hours"] == 24
    decide(cast, "jit_approve", asked["grant_id"], duration_hours=0.5)
    grant = JitAccessGrant.objects.for_org(cast.org_a).get(pk=asked["grant_id"])
    assert grant.expires_at - grant.granted_at == timedelta(minutes=30)


def test_members_see_their_own_requests_only(cast, pair):
    request(cast)
    other = cast.join("eve@example.com", "member")
    assert act(other, cast.org_a, "governance", "jit_list")["grants"] == []
    assert len(act(cast.bob, cast.org_a, "governance", "jit_list", status=200)["grants"]) == 1
    assert len(act(cast.alice, cast.org_a, "governance", "jit_list")["grants"]) == 1
    grant = decide(cast, "jit_approve", JitAccessGrant.objects.for_org(cast.org_a).get().pk)["grant_id"]
    assert decide(cast, "jit_revoke", grant, other, 403)["code"] == "FORBIDDEN"


def test_who_leaves_takes_his_grants_along(cast, pair):
    decide(cast, "jit_approve", request(cast)["grant_id"])
    waiting = request(cast)
    remove_member(org=cast.org_a, actor=cast.alice.actor, user_id=cast.bob.user.pk)
    states = dict(JitAccessGrant.objects.for_org(cast.org_a).values_list("pk", "status"))
    assert sorted(states.values()) == ["denied", "revoked"]
    assert not AclRule.objects.for_org(cast.org_a).filter(enabled=True).exists()
    assert decide(cast, "jit_approve", waiting["grant_id"], status=400)["code"] == "INVALID_STATE"
