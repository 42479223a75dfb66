"""Every write is on record, and every policy has a way back."""

import uuid

import pytest

from apps.policy.models import AclRule
from apps.policy.tests.calls import act, data, rows, rule, trail

pytestmark = pytest.mark.django_db


def edit(cast, rule_id, **values):
    body = {"_filters": {"id": rule_id}, **values}
    return data(rows(cast.alice, cast.org_a, "acl_rules", body, method="PATCH"))


def ask(cast, action, status=200, person=None, **values):
    return act(person or cast.alice, cast.org_a, "governance", action, status, **values)


def test_snapshots_are_numbered_for_each_policy_and_listed_without_their_text(cast):
    one, other = rule(cast.alice, cast.org_a), rule(cast.alice, cast.org_a)
    target = {"policy_type": "acl_rule", "policy_id": one["id"]}
    assert [ask(cast, "snapshot_policy", 201, **target)["version"] for _ in range(2)] == [1, 2]
    assert ask(cast, "snapshot_policy", 201, policy_type="acl_rule", policy_id=other["id"])["version"] == 1
    listed = ask(cast, "list_policy_versions", person=cast.bob, **target)["versions"]
    assert [entry["version"] for entry in listed] == [2, 1]
    assert set(listed[0]) == {"id", "version", "change_summary", "changed_by", "created_at"}
    assert (
        ask(cast, "snapshot_policy", 400, **target | {"policy_type": "acl_rules"})["code"] == "INVALID_TYPE"
    )
    assert (
        ask(cast, "snapshot_policy", 404, **target | {"policy_id": str(uuid.uuid4())})["code"] == "NOT_FOUND"
    )
    assert ask(cast, "snapshot_policy", 403, cast.bob, **target)["code"] == "FORBIDDEN"
    assert ask(cast, "list_policy_versions", 400, policy_type="acl_rule")["code"] == "MISSING_FIELDS"


def test_a_rollback_restores_and_can_itself_be_rolled_back(cast):
    made = rule(cast.alice, cast.org_a, name="first", ports="22", expires_at="2199-01-01T00:00:00Z")
    target = {"policy_type": "acl_rule", "policy_id": made["id"]}
    first = ask(cast, "snapshot_policy", 201, **target)
    edit(cast, made["id"], name="second", ports="443", expires_at=None)
    diff = ask(cast, "diff_policy_versions", from_id=first["version_id"])["changes"]
    assert {"field": "ports", "before": "22", "after": "443"} in diff
    told = ask(cast, "rollback_policy", **target, version_id=first["version_id"])
    assert (told["version"], told["recreated"]) == (1, False)
    row = AclRule.objects.for_org(cast.org_a).get(pk=made["id"])
    assert (row.name, row.ports, row.expires_at.year) == ("first", "22", 2199)
    newest = ask(cast, "list_policy_versions", **target)["versions"][0]
    assert newest["change_summary"] == "Auto-snapshot before rollback"
    ask(cast, "rollback_policy", **target, version_id=newest["id"])
    row.refresh_from_db()
    assert (row.name, row.ports, row.expires_at) == ("second", "443", None)
    assert trail(cast.org_a, "policy.rollback")[0][1]["rolled_back_to_version"] == 1


def test_a_deleted_rule_comes_back_under_its_id(cast):
    made = rule(cast.alice, cast.org_a, name="gone")
    target = {"policy_type": "acl_rule", "policy_id": made["id"]}
    version = ask(cast, "snapshot_policy", 201, **target)["version_id"]
    data(rows(cast.alice, cast.org_a, "acl_rules", {}, method="DELETE", id=f"eq.{made['id']}"))
    assert ask(cast, "rollback_policy", **target, version_id=version)["recreated"]
    assert AclRule.objects.for_org(cast.org_a).get(pk=made["id"]).name == "gone"


def test_every_write_of_the_set_is_a_revision(cast):
    made = rule(cast.alice, cast.org_a, name="watched")
    edit(cast, made["id"], ports="22")
    listed = ask(cast, "list_revisions", person=cast.bob)["revisions"]
    assert [entry["summary"] for entry in listed[:2]] == ["Updated watched", "Created watched"]
    (change,) = ask(cast, "get_revision", revision=listed[0]["revision"])["changes"]
    assert (change["before"]["ports"], change["after"]["ports"]) == ("*", "22")
    labelled = ask(cast, "policy_version_create", 201, change_summary="before the audit")
    assert labelled["version"] == listed[0]["revision"]
    assert ask(cast, "list_revisions")["revisions"][0]["label"] == "before the audit"
