"""Two pairs of eyes, trials by default, and plans that are applied at their time."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.audit.models import AuditLog
from apps.orgs.models import OrgMember, OrgSettings
from apps.policy.models import AbacPolicy, AclRule, ChangePlan
from apps.policy.tasks import end_plans
from apps.policy.tests.calls import act, close, data, rows, rule
from apps.policy.tests.test_plans import SSH, apply, plan
from tests.cast import ApiClient


@pytest.fixture
def two(cast):
    """Alice owns the organisation, Bob is an administrator of it, and neither acts alone."""
    OrgMember.objects.for_org(cast.org_a).filter(user=cast.bob.user).update(role="admin")
    close(cast.org_a)
    OrgSettings.objects.for_org(cast.org_a).update(four_eyes=True)
    return cast.alice, cast.bob


def refused(response):
    error = data(response, 403)
    assert error["code"] == "FOUR_EYES_REQUIRED"
    return error


def governed(cast, action, plan_id, status=200, person=None, **values):
    return act(person or cast.alice, cast.org_a, "policy", action, status, plan_id=plan_id, **values)


def names(cast):
    return sorted(AclRule.objects.for_org(cast.org_a).values_list("name", flat=True))


def api_key(cast):
    body = {"action": "create_api_key", "org_id": str(cast.org_a.pk), "name": "ci", "scopes": ["acl:write"]}
    return data(cast.alice.client.call("/api/key-management", body), 201)["key"]


def test_a_write_becomes_a_plan_that_a_second_administrator_puts_in_force(cast, two):
    plan_id = refused(rows(cast.alice, cast.org_a, "acl_rules", SSH, method="POST"))["plan_id"]
    assert names(cast) == []
    assert ChangePlan.objects.for_org(cast.org_a).get().report["requires_approval"] is True
    assert governed(cast, "apply", plan_id, 403)["code"] == "FOUR_EYES_REQUIRED"
    assert governed(cast, "approve", plan_id, 403)["code"] == "FORBIDDEN"
    assert governed(cast, "approve", plan_id, person=cast.bob)["status"] == "approved"
    assert governed(cast, "apply", plan_id)["status"] == "applied"
    assert names(cast) == ["ssh"]


def test_every_kind_of_write_waits(cast, two):
    OrgSettings.objects.for_org(cast.org_a).update(four_eyes=False)
    first, second = (rule(cast.alice, cast.org_a, name=name) for name in ("first", "second"))
    OrgSettings.objects.for_org(cast.org_a).update(four_eyes=True)

    def write(method, body=None, table="acl_rules", **filters):
        return refused(rows(cast.alice, cast.org_a, table, body, method=method, **filters))["plan_id"]

    several = write("POST", {"rows": [SSH, {**SSH, "name": "more"}]})
    changed = write("PATCH", {"ports": "22", "protocol": "tcp"}, id=f"eq.{first['id']}")
    gone = write("DELETE", id=f"eq.{second['id']}")
    policy = {"name": "p", "effect": "deny", "selector": "*", "conditions": {"os": ["windows"]}}
    attributes = write("POST", policy, table="abac_policies")
    order = {"rule_ids": [second["id"], first["id"]]}
    moved = act(cast.alice, cast.org_a, "policy", "reorder", 403, **order)["plan_id"]
    assert names(cast) == ["first", "second"]
    assert not AbacPolicy.objects.for_org(cast.org_a).exists()
    kept = {str(row.pk): row.changes for row in ChangePlan.objects.for_org(cast.org_a)}
    assert [row["name"] for row in kept[several]["acl_rules"]["create"]] == ["ssh", "more"]
    assert kept[gone] == {"acl_rules": {"delete": [second["id"]]}}
    for plan_id, verdict in ((changed, "22"), (attributes, None), (moved, None)):
        governed(cast, "approve", plan_id, person=cast.bob)
        stale = governed(cast, "apply", plan_id, 200 if plan_id == changed else 409)
        assert stale.get("code", "PLAN_STALE") == "PLAN_STALE"
        if verdict:
            assert AclRule.objects.for_org(cast.org_a).get(name="first").ports == verdict


def test_a_write_that_is_malformed_is_refused_for_that(cast, two):
    error = data(rows(cast.alice, cast.org_a, "acl_rules", {**SSH, "ports": "0"}, method="POST"), 400)
    assert error["code"] == "VALIDATION_ERROR"
    assert not ChangePlan.objects.for_org(cast.org_a).exists()


def test_members_do_not_even_plan(cast, two):
    OrgMember.objects.for_org(cast.org_a).filter(user=cast.bob.user).update(role="member")
    error = data(rows(cast.bob, cast.org_a, "acl_rules", SSH, method="POST"), 403)
    assert error["code"] == "FORBIDDEN"
    assert not ChangePlan.objects.for_org(cast.org_a).exists()


def test_a_key_is_no_second_pair_of_eyes_of_who_made_it(cast, two):
    headers, nobody = {"X-Api-Key": api_key(cast)}, ApiClient()
    mine = refused(rows(cast.alice, cast.org_a, "acl_rules", SSH, method="POST"))["plan_id"]
    body = {"org_id": str(cast.org_a.pk), "action": "approve", "plan_id": mine}
    assert data(nobody.call("/api/policy", body, **headers), 403)["code"] == "FORBIDDEN"
    # And the other way round.
    body = {"org_id": str(cast.org_a.pk), "action": "plan", "changes": {"acl_rules": {"create": [SSH]}}}
    made = data(nobody.call("/api/policy", body, **headers), 201)
    assert governed(cast, "approve", made["plan_id"], 403)["code"] == "FORBIDDEN"
    governed(cast, "approve", made["plan_id"], person=cast.bob)


def test_what_is_on_trial_is_taken_back_by_one_and_what_stands_is_not(cast, two):
    made = plan(cast, acl_rules={"create": [SSH]})
    governed(cast, "approve", made["plan_id"], person=cast.bob)
    assert apply(cast, made, confirm_within_seconds=60)["status"] == "awaiting_confirmation"
    assert governed(cast, "rollback", made["plan_id"])["status"] == "rolled_back"
    assert names(cast) == []
    made = plan(cast, acl_rules={"create": [SSH]})
    governed(cast, "approve", made["plan_id"], person=cast.bob)
    apply(cast, made)
    assert governed(cast, "rollback", made["plan_id"], 403)["code"] == "FOUR_EYES_REQUIRED"
    act(cast.alice, cast.org_a, "governance", "policy_version_rollback", 403, target_version=1)
    assert names(cast) == ["ssh"]


def test_nobody_opens_the_network_or_ends_the_rule_alone(cast, two):
    body = {"action": "update_org_settings", "org_id": str(cast.org_a.pk)}
    opened = {**body, "default_deny": False, "confirm": cast.org_a.slug}
    made = refused(cast.alice.client.call("/api/org-management", opened))["plan_id"]
    kept = ChangePlan.objects.for_org(cast.org_a).get(pk=made)
    assert kept.changes == {"settings": {"default_deny": False}}
    assert OrgSettings.objects.for_org(cast.org_a).get().default_deny
    error = data(cast.bob.client.call("/api/org-management", {**body, "four_eyes": False}), 403)
    assert error["code"] == "FIELD_NOT_WRITABLE"
    # The owner may, and it is on record.
    assert cast.alice.client.call("/api/org-management", {**body, "four_eyes": False}).status_code == 200
    entry = AuditLog.objects.for_org(cast.org_a).filter(action="org.settings_updated").latest("seq")
    assert entry.details["after"] == {"four_eyes": False}


def test_one_pair_of_eyes_may_do_for_access_for_a_while_and_the_trail_says_so(cast, two):
    ends = {"source_selector": "*", "destination_selector": "*"}

    def asked():
        return act(cast.alice, cast.org_a, "governance", "jit_request", 201, **ends)["grant_id"]

    def approve(grant_id, status=200):
        return act(cast.alice, cast.org_a, "governance", "jit_approve", status, grant_id=grant_id)

    assert approve(asked(), 403)["code"] == "FORBIDDEN"
    OrgSettings.objects.for_org(cast.org_a).update(four_eyes_jit=False)
    assert approve(asked())["status"] == "approved"
    entry = AuditLog.objects.for_org(cast.org_a).get(action="jit.approved")
    assert entry.details["own_request"] is True


def test_a_trial_is_the_default_where_the_organisation_says_so(cast):
    close(cast.org_a)
    body = {"action": "update_org_settings", "org_id": str(cast.org_a.pk)}
    for wrong in (1, 29, 3601, -1):
        answer = cast.alice.client.call("/api/org-management", {**body, "plan_confirm_seconds": wrong})
        assert answer.status_code == 400
    assert (
        cast.alice.client.call("/api/org-management", {**body, "plan_confirm_seconds": 60}).status_code == 200
    )
    made = plan(cast, acl_rules={"create": [SSH]})
    apply(cast, made, 400, confirm_within_seconds=5)
    assert apply(cast, made)["status"] == "awaiting_confirmation"
    governed(cast, "confirm", made["plan_id"])
    # Asked for none, there is none; and a write at the table is no plan.
    made = plan(cast, acl_rules={"create": [{**SSH, "name": "at once"}]})
    assert apply(cast, made, confirm_within_seconds=0)["status"] == "applied"
    rule(cast.alice, cast.org_a, name="direct")
    assert names(cast) == ["at once", "direct", "ssh"]


def soon(**ahead):
    return (timezone.now() + timedelta(**ahead)).isoformat()


def come(cast):
    ChangePlan.objects.for_org(cast.org_a).update(apply_at=timezone.now())
    return end_plans()


def test_a_plan_is_applied_at_its_time_and_once(cast):
    close(cast.org_a)
    made = plan(cast, acl_rules={"create": [SSH]})
    for wrong in (soon(seconds=5), soon(days=31), soon(days=-1)):
        apply(cast, made, 400, activate_at=wrong)
    at = soon(hours=2)
    done = apply(cast, made, activate_at=at, confirm_within_seconds=60)
    assert done["status"] == "scheduled"
    assert end_plans() == {"applied": 0, "ended": 0}
    assert names(cast) == []
    # It waits for its time, however long a plan may otherwise lie about.
    ChangePlan.objects.for_org(cast.org_a).update(expires_at=timezone.now())
    assert come(cast) == {"applied": 1, "ended": 0}
    assert come(cast) == {"applied": 0, "ended": 0}
    assert names(cast) == ["ssh"]
    assert governed(cast, "get_plan", made["plan_id"])["status"] == "awaiting_confirmation"


def test_a_plan_whose_time_comes_too_late_fails_aloud_and_changes_nothing(cast):
    close(cast.org_a)
    made = plan(cast, acl_rules={"create": [SSH]})
    apply(cast, made, activate_at=soon(hours=2))
    rule(cast.alice, cast.org_a, name="meanwhile")
    assert come(cast) == {"applied": 0, "ended": 0}
    found = governed(cast, "get_plan", made["plan_id"])
    assert (found["status"], found["failure"]["code"]) == ("failed", "PLAN_STALE")
    assert names(cast) == ["meanwhile"]
    assert AuditLog.objects.for_org(cast.org_a).get(action="plan.failed").details["code"] == "PLAN_STALE"


def test_a_scheduled_plan_can_be_called_off_and_needs_its_second_pair_of_eyes_first(cast, two):
    made = plan(cast, acl_rules={"create": [SSH]})
    assert apply(cast, made, 403, activate_at=soon(hours=2))["code"] == "FOUR_EYES_REQUIRED"
    governed(cast, "approve", made["plan_id"], person=cast.bob)
    apply(cast, made, activate_at=soon(hours=2))
    assert governed(cast, "abandon", made["plan_id"])["status"] == "abandoned"
    assert come(cast) == {"applied": 0, "ended": 0}
    assert names(cast) == []
