"""Plans: what a change would mean, and the ways in which it is made, refused and undone."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.utils import timezone

from apps.machines.models import Machine
from apps.machines.tests.agents import admin, auth_key, enrol
from apps.orgs.models import OrgSettings
from apps.policy.models import AclRule, ChangePlan, PolicyRevision, PolicyTest
from apps.policy.preview import difference
from apps.policy.rights import fresh_policy
from apps.policy.tasks import end_plans
from apps.policy.tests.calls import act, close, evaluate, rows, rule, trail


@pytest.fixture
def three(cast):
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    machines = [enrol(key, name) for name in ("web", "db", "other")]
    for machine, tag in zip(machines, ("web", "db", "other"), strict=True):
        admin(cast.alice, "update_tags", machine, tags=[tag])
    close(cast.org_a)
    return machines


SSH = {"name": "ssh", "source": "tag:web", "destination": "tag:db", "protocol": "tcp", "ports": "22"}


def plan(cast, status=201, person=None, **changes):
    return act(person or cast.alice, cast.org_a, "policy", "plan", status, changes=changes)


def apply(cast, made, status=200, person=None, **values):
    return act(person or cast.alice, cast.org_a, "policy", "apply", status, plan_id=made["plan_id"], **values)


def flows(made, kind):
    return [
        (flow["source"]["name"], flow["destination"]["name"], flow["protocol"], flow["ports"])
        for flow in made["flows"][kind]
    ]


def test_a_plan_shows_what_is_gained_and_changes_nothing(cast, three):
    revisions, told = PolicyRevision.objects.for_org(cast.org_a).count(), trail(cast.org_a, "acl_rule.")
    made = plan(cast, acl_rules={"create": [SSH]})
    assert flows(made, "gained") == [("web", "db", "tcp", "22")]
    assert flows(made, "lost") == []
    assert (made["machines_affected"], made["requires_approval"], made["status"]) == (1, False, "ready")
    assert all(check["ok"] for check in made["checks"])
    assert not AclRule.objects.for_org(cast.org_a).exists()
    assert PolicyRevision.objects.for_org(cast.org_a).count() == revisions
    assert not evaluate(cast.alice, cast.org_a, three[0], three[1], port=22)["allowed"]
    assert trail(cast.org_a, "acl_rule.") == told


def test_an_applied_plan_is_one_revision(cast, three):
    row = rule(cast.alice, cast.org_a, **{**SSH, "ports": "22,80"})
    icmp = {"name": "ping", "source": "*", "destination": "tag:db", "protocol": "icmp"}
    made = plan(
        cast,
        acl_rules={
            "create": [icmp],
            "update": [{"id": row["id"], "revision": row["revision"], "ports": "22"}],
        },
    )
    assert flows(made, "lost") == [("web", "db", "tcp", "80")]
    assert sorted(flows(made, "gained")) == [("other", "db", "icmp", "*"), ("web", "db", "icmp", "*")]
    done = apply(cast, made)
    assert done["status"] == "applied"
    assert not evaluate(cast.alice, cast.org_a, three[0], three[1], port=80)["allowed"]
    (revision,) = PolicyRevision.objects.for_org(cast.org_a).filter(plan_id=made["plan_id"])
    assert (revision.revision, len(revision.changes)) == (done["policy_version"], 2)
    assert apply(cast, made, status=400)["code"] == "INVALID_STATE"
    told = act(cast.bob, cast.org_a, "policy", "enforcement")
    assert (told["policy_version"], told["acknowledged"]) == (done["policy_version"], 0)


def test_what_differs_is_what_the_engine_decides(cast, three):
    """Flows of a preview are exactly the pairs and ports whose verdict changes."""
    rule(cast.alice, cast.org_a, name="a", source="*", destination="*", ports="1-1000", protocol="*")
    before = fresh_policy(cast.org_a.pk)
    rule(
        cast.alice,
        cast.org_a,
        name="b",
        source="tag:web",
        destination="*",
        ports="500-2000",
        action="deny",
        priority=1,
    )
    after = fresh_policy(cast.org_a.pk)
    now = timezone.now().timestamp()
    found = difference(before, after, now)
    machines = after.world.machines
    lost = {(flow.source, flow.destination, flow.protocol): flow.ports for flow in found.lost}
    for source in machines.values():
        for other in machines.values():
            for protocol in ("tcp", "udp"):
                changed = [
                    port
                    for port in (1, 499, 500, 1000, 1001, 2000)
                    if before.decide(source, other, protocol, port, now).allowed
                    != after.decide(source, other, protocol, port, now).allowed
                ]
                assert bool(changed) == ((source.id, other.id, protocol) in lost)
    assert set(lost.values()) == {"500-1000"}
    assert found.gained == ()


def test_a_failing_test_stops_a_plan_and_only_an_owner_overrides(cast, three):
    row = rule(cast.alice, cast.org_a, **SSH)
    body = {
        "name": "web reaches db",
        "source": "tag:web",
        "destination": "tag:db",
        "port": 22,
        "expected": "allow",
    }
    assert rows(cast.alice, cast.org_a, "policy_tests", body, method="POST").status_code == 201
    assert rows(cast.bob, cast.org_a, "policy_tests", body, method="POST").status_code == 403
    assert act(cast.bob, cast.org_a, "policy", "run_tests") == {"passed": 1, "failed": []}
    assert PolicyTest.objects.for_org(cast.org_a).get().last_result == "passed"
    made = plan(cast, acl_rules={"delete": [row["id"]]})
    (failed,) = made["tests"]["failed"]
    assert (failed["expected"], failed["actual"]) == ("allow", "deny")
    assert [check["name"] for check in made["checks"] if not check["ok"]] == ["tests"]
    error = apply(cast, made, status=409)
    assert (error["code"], len(error["failed"])) == ("TESTS_FAILED", 1)
    other = cast.join("admin@example.com", "admin")
    assert apply(cast, made, status=409, person=other, force=True)["code"] == "TESTS_FAILED"
    assert AclRule.objects.for_org(cast.org_a).exists()
    apply(cast, made, force=True)
    assert not AclRule.objects.for_org(cast.org_a).exists()


def test_locking_every_administrator_out_has_to_be_meant(cast, three):
    everything = rule(cast.alice, cast.org_a, name="all")
    Machine.objects.for_org(cast.org_a).filter(name="web").update(owner=cast.alice.user)
    made = plan(cast, acl_rules={"delete": [everything["id"]]})
    assert [check["name"] for check in made["checks"] if not check["ok"]] == ["lockout"]
    assert apply(cast, made, status=409)["code"] == "LOCKOUT_RISK"
    assert apply(cast, made, force=True)["status"] == "applied"


def test_a_plan_made_against_an_older_policy_is_stale(cast, three):
    made = plan(cast, acl_rules={"create": [SSH]})
    rule(cast.alice, cast.org_a, **{**SSH, "name": "meanwhile"})
    assert apply(cast, made, status=409)["code"] == "PLAN_STALE"
    assert act(cast.alice, cast.org_a, "policy", "abandon", plan_id=made["plan_id"])["status"] == "abandoned"


def test_what_nobody_confirms_is_undone_in_time(cast, three):
    row = rule(cast.alice, cast.org_a, **SSH)
    changes = {"create": [{**SSH, "name": "new"}], "update": [{"id": row["id"], "ports": "80"}]}
    made = plan(cast, acl_rules=changes, settings={"default_deny": False})
    done = apply(cast, made, confirm_within_seconds=60)
    assert done["status"] == "awaiting_confirmation"
    assert done["confirm_by"] is not None
    assert not OrgSettings.objects.for_org(cast.org_a).get().default_deny
    assert end_plans() == {"applied": 0, "ended": 0}
    ChangePlan.objects.for_org(cast.org_a).update(confirm_by=timezone.now() - timedelta(seconds=1))
    assert end_plans() == {"applied": 0, "ended": 1}
    assert end_plans() == {"applied": 0, "ended": 0}
    (kept,) = AclRule.objects.for_org(cast.org_a)
    assert (str(kept.pk), kept.ports) == (row["id"], "22")
    assert OrgSettings.objects.for_org(cast.org_a).get().default_deny
    assert (
        act(cast.alice, cast.org_a, "policy", "get_plan", plan_id=made["plan_id"])["status"] == "rolled_back"
    )


def test_what_was_confirmed_stays_and_can_still_be_rolled_back(cast, three):
    row = rule(cast.alice, cast.org_a, **SSH)
    made = plan(cast, acl_rules={"delete": [row["id"]]})
    apply(cast, made, confirm_within_seconds=60)
    for action, status in (("confirm", "applied"), ("rollback", "rolled_back")):
        assert act(cast.alice, cast.org_a, "policy", action, plan_id=made["plan_id"])["status"] == status
    assert str(AclRule.objects.for_org(cast.org_a).get().pk) == row["id"]
    assert (
        act(cast.alice, cast.org_a, "policy", "rollback", 400, plan_id=made["plan_id"])["code"]
        == "INVALID_STATE"
    )


def test_the_whole_set_goes_back_to_a_revision(cast, three):
    row = rule(cast.alice, cast.org_a, **SSH)
    then = PolicyRevision.objects.for_org(cast.org_a).first().revision
    rows(cast.alice, cast.org_a, "acl_rules", {"ports": "80"}, method="PATCH", id=f"eq.{row['id']}")
    rule(cast.alice, cast.org_a, **{**SSH, "name": "later"})
    answer = act(cast.alice, cast.org_a, "governance", "policy_version_rollback", target_version=then)
    assert answer["rolled_back_to"] == then
    (kept,) = AclRule.objects.for_org(cast.org_a)
    assert (str(kept.pk), kept.ports) == (row["id"], "22")


def test_a_revision_says_which_settings_a_plan_changed(cast, three):
    made = plan(cast, settings={"default_deny": False, "posture_enforcement": "disabled"})
    assert made["changed"] == []
    applied = apply(cast, made)["policy_version"]
    asked = {"revision": applied}
    (change,) = act(cast.bob, cast.org_a, "governance", "get_revision", **asked)["changes"]
    assert (change["table"], change["before"], change["after"]) == (
        "settings",
        {"default_deny": True},
        {"default_deny": False},
    )
    entries = trail(cast.org_a, "org.settings_updated")
    assert len(entries) == 1
    act(cast.alice, cast.org_a, "policy", "rollback", plan_id=made["plan_id"])
    assert OrgSettings.objects.for_org(cast.org_a).get().default_deny
    (back,) = act(cast.bob, cast.org_a, "governance", "get_revision", revision=applied + 1)["changes"]
    assert (back["before"], back["after"]) == ({"default_deny": False}, {"default_deny": True})


def test_the_whole_set_goes_back_with_its_settings(cast, three):
    other = cast.join("admin@example.com", "admin")
    rule(cast.alice, cast.org_a, **SSH)
    then = PolicyRevision.objects.for_org(cast.org_a).first().revision
    made = plan(cast, settings={"default_deny": False}, acl_rules={"create": [{**SSH, "name": "new"}]})
    apply(cast, made)
    back = {"target_version": then}
    refused = act(other, cast.org_a, "governance", "policy_version_rollback", 403, **back)
    assert (refused["code"], refused["fields"]) == ("FIELD_NOT_WRITABLE", ["default_deny"])
    assert not OrgSettings.objects.for_org(cast.org_a).get().default_deny
    act(cast.alice, cast.org_a, "governance", "policy_version_rollback", **back)
    assert OrgSettings.objects.for_org(cast.org_a).get().default_deny
    assert AclRule.objects.for_org(cast.org_a).get().name == SSH["name"]
    assert OrgSettings.objects.for_org(cast.org_b).get().default_deny


def test_settings_of_plans_that_are_older_than_this_move_to_their_revisions(cast, three):
    made = plan(cast, settings={"default_deny": False})
    version = apply(cast, made)["policy_version"]
    row = ChangePlan.objects.for_org(cast.org_a).get()
    ChangePlan.objects.for_org(cast.org_a).update(
        report={**row.report, "settings_before": {"default_deny": True}}
    )
    revisions = PolicyRevision.objects.for_org(cast.org_a).filter(revision=version)
    told = revisions.get().changes
    revisions.update(changes=[])
    import_module("apps.policy.migrations.0006_settings_in_revisions").move_settings(apps, None)
    assert revisions.get().changes == told
    act(cast.alice, cast.org_a, "policy", "rollback", plan_id=made["plan_id"])
    assert OrgSettings.objects.for_org(cast.org_a).get().default_deny


def test_a_rule_that_never_decides_is_named(cast, three):
    rule(cast.alice, cast.org_a, name="wide", source="*", destination="*", priority=1)
    made = plan(cast, acl_rules={"create": [SSH, {**SSH, "name": "never", "action": "deny"}]})
    assert [(entry["name"], entry["by"]) for entry in made["duplicates"]] == [("ssh", "wide")]
    assert [(entry["name"], entry["by"]) for entry in made["shadowed"]] == [("never", "wide")]
    assert plan(cast, acl_rules={"create": [{**SSH, "source": "tag:nobody"}]})["unresolved"] == ["tag:nobody"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"acl_rules": {"create": [{**SSH, "ports": "0"}]}}, "VALIDATION_ERROR"),
        ({"acl_rules": {"create": [{**SSH, "ports": "65536"}]}}, "VALIDATION_ERROR"),
        ({"acl_rules": {"create": [{**SSH, "ports": "90-80"}]}}, "VALIDATION_ERROR"),
        ({"acl_rules": {"create": [{**SSH, "colour": "red"}]}}, "UNKNOWN_FIELD"),
        ({"acl_rules": {"update": [{"ports": "22"}]}}, "MISSING_FIELDS"),
        ({"acl_rules": {"delete": ["00000000-0000-0000-0000-000000000000"]}}, "NOT_FOUND"),
        ({"acl_rules": ["x"]}, "VALIDATION_ERROR"),
        ({"machines": {}}, "VALIDATION_ERROR"),
        ({"settings": {"name": True}}, "UNKNOWN_FIELD"),
    ],
)
def test_bad_changes_are_refused_and_leave_nothing(cast, three, changes, code):
    response = cast.alice.client.call(
        "/api/policy", {"action": "plan", "org_id": str(cast.org_a.pk), "changes": changes}
    )
    assert response.json()["error"]["code"] == code
    assert not ChangePlan.objects.for_org(cast.org_a).exists()
    assert not AclRule.objects.for_org(cast.org_a).exists()


def test_who_may(cast, three):
    assert plan(cast, status=403, person=cast.bob, acl_rules={"create": [SSH]})["code"] == "FORBIDDEN"
    made = plan(cast, acl_rules={"create": [SSH]})
    assert apply(cast, made, status=403, person=cast.bob)["code"] == "FORBIDDEN"
    stranger = act(cast.charlie, cast.org_b, "policy", "get_plan", 404, plan_id=made["plan_id"])
    assert stranger["code"] == "NOT_FOUND"
    assert (
        act(cast.charlie, cast.org_b, "policy", "apply", 404, plan_id=made["plan_id"])["code"] == "NOT_FOUND"
    )
    assert (
        act(cast.alice, cast.org_a, "policy", "approve", 403, plan_id=made["plan_id"])["code"] == "FORBIDDEN"
    )
    other = cast.join("admin@example.com", "admin")
    assert act(other, cast.org_a, "policy", "approve", plan_id=made["plan_id"])["status"] == "approved"
    assert apply(cast, made)["status"] == "applied"


def test_rules_are_moved_past_each_other(cast, three):
    ids = [rule(cast.alice, cast.org_a, **{**SSH, "name": name})["id"] for name in "abc"]
    moved = act(cast.alice, cast.org_a, "policy", "reorder", rule_id=ids[2], direction="up")["rules"]
    assert [row["id"] for row in moved] == [ids[0], ids[2], ids[1]]
    error = act(cast.alice, cast.org_a, "policy", "reorder", 409, rule_ids=ids[:2])
    assert error["code"] == "CONFLICT"


def test_a_plan_is_no_way_around_who_may_open_the_network(cast, three):
    other = cast.join("admin@example.com", "admin")
    wide = {"settings": {"default_deny": False}}
    refused = plan(cast, status=403, person=other, **wide)
    assert refused["code"] == "FIELD_NOT_WRITABLE"
    made = plan(cast, **wide)
    assert apply(cast, made, status=403, person=other)["code"] == "FIELD_NOT_WRITABLE"
    assert OrgSettings.objects.for_org(cast.org_a).get().default_deny
    assert apply(cast, made)["status"] == "applied"
    back = {"status": 403, "plan_id": made["plan_id"]}
    assert act(other, cast.org_a, "policy", "rollback", **back)["code"] == "FIELD_NOT_WRITABLE"
