"""Groups: members decide, renames follow into rules, and nothing dead stays behind."""

import pytest

from apps.machines.tests.agents import auth_key, enrol
from apps.policy.models import AclRule, SegmentationGroupMember
from apps.policy.tests.calls import close, data, evaluate, rows, rule, trail

pytestmark = pytest.mark.django_db


def group(cast, name="Engineering", person=None, org=None, status=201):
    person, org = person or cast.alice, org or cast.org_a
    return data(rows(person, org, "segmentation_groups", {"name": name}, method="POST"), status)


def join(cast, group_id, machine_id, status=201):
    body = {"group_id": group_id, "machine_id": machine_id}
    return data(rows(cast.alice, cast.org_a, "segmentation_group_members", body, method="POST"), status)


@pytest.fixture
def pair(cast):
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    close(cast.org_a)
    return enrol(key, name="alpha"), enrol(key, name="beta")


def test_a_member_gains_what_its_group_may_and_loses_it_again(cast, pair):
    alpha, beta = pair
    made = group(cast)
    rule(cast.alice, cast.org_a, source="group:engineering", destination=beta.id)
    assert not evaluate(cast.bob, cast.org_a, alpha, beta, port=22)["allowed"]
    member = join(cast, made["id"], alpha.id)
    assert set(member) - {"data"} == {"id", "group_id", "machine_id", "added_at"}
    assert evaluate(cast.bob, cast.org_a, alpha, beta, port=22)["allowed"]
    assert not evaluate(cast.bob, cast.org_a, beta, alpha, port=22)["allowed"]
    assert join(cast, made["id"], alpha.id, 409)["code"] == "CONFLICT"
    data(
        rows(
            cast.alice, cast.org_a, "segmentation_group_members", {}, method="DELETE", id=f"eq.{member['id']}"
        )
    )
    assert not evaluate(cast.bob, cast.org_a, alpha, beta, port=22)["allowed"]
    assert [action for action, _ in trail(cast.org_a, "segmentation_member")] == [
        "segmentation_member.added",
        "segmentation_member.removed",
    ]


def test_a_rename_follows_into_the_rules(cast, pair):
    alpha, beta = pair
    made = group(cast)
    join(cast, made["id"], alpha.id)
    ruled = rule(cast.alice, cast.org_a, source="tag:x,group:ENGINEERING", destination="*")
    change = {"_filters": {"id": made["id"]}, "name": "Builders"}
    data(rows(cast.alice, cast.org_a, "segmentation_groups", change, method="PATCH"))
    assert AclRule.objects.for_org(cast.org_a).get(pk=ruled["id"]).source == "tag:x,group:Builders"
    assert evaluate(cast.bob, cast.org_a, alpha, beta, port=22)["allowed"]


def test_a_group_in_use_goes_only_by_force_and_its_rules_with_it(cast, pair):
    made = group(cast)
    ruled = rule(cast.alice, cast.org_a, source="group:Engineering")
    where = {"method": "DELETE", "id": f"eq.{made['id']}"}
    error = data(rows(cast.alice, cast.org_a, "segmentation_groups", {}, **where), 409)
    assert (error["code"], error["rules"]) == ("GROUP_IN_USE", [{"id": ruled["id"], "name": "rule"}])
    data(rows(cast.alice, cast.org_a, "segmentation_groups", {"force": True}, **where))
    assert not AclRule.objects.for_org(cast.org_a).get(pk=ruled["id"]).enabled
    assert trail(cast.org_a, "acl_rule.updated")[-1][1]["reason"] == "group:Engineering was deleted"


def test_names_are_unique_in_any_case_and_of_plain_letters(cast):
    group(cast)
    assert group(cast, "ENGINEERING", status=409)["field"] == "name"
    for name in ("a,b", "", "x" * 65, "🦊", "tag:x"):
        assert group(cast, name, status=400)


def test_a_group_that_comes_later_ends_the_warning(cast):
    ruled = rule(cast.alice, cast.org_a, source="group:later")
    assert ruled["unresolved"] == ["group:later"]
    group(cast, "Later")
    assert AclRule.objects.for_org(cast.org_a).get(pk=ruled["id"]).unresolved == []


def test_foreign_machines_and_groups_stay_out(cast, pair):
    foreign = group(cast, person=cast.charlie, org=cast.org_b)
    own = group(cast)
    outside = enrol(auth_key(cast.charlie, cast.org_b)["key"])
    assert join(cast, foreign["id"], pair[0].id, 404)["code"] == "NOT_FOUND"
    assert join(cast, own["id"], outside.id, 404)["code"] == "NOT_FOUND"
    assert not SegmentationGroupMember.objects.for_org(cast.org_a).exists()
