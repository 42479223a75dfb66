"""Groups in plans: who would be in them, what that lets through, and the way back."""

import pytest
from django.utils import timezone

from apps.machines.models import Machine
from apps.machines.tests.agents import auth_key, enrol
from apps.orgs.models import OrgMember, OrgSettings
from apps.policy.models import (
    AclRule,
    ChangePlan,
    PolicyRevision,
    SegmentationGroup,
    SegmentationGroupMember,
)
from apps.policy.tasks import end_plans
from apps.policy.tests.calls import act, close, data, evaluate, rows, rule, trail
from apps.policy.tests.test_four_eyes import come, governed, refused, soon
from apps.policy.tests.test_groups import group, join
from apps.policy.tests.test_plans import apply, flows, plan


@pytest.fixture
def three(cast):
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    close(cast.org_a)
    return [enrol(key, name) for name in ("web", "db", "other")]


@pytest.fixture
def eng(cast, three):
    """A group that may reach db, with web in it."""
    made = group(cast, "eng")
    join(cast, made["id"], three[0].id)
    rule(cast.alice, cast.org_a, source="group:eng", destination=three[1].id, protocol="tcp", ports="22")
    return made


@pytest.fixture
def two(cast):
    OrgMember.objects.for_org(cast.org_a).filter(user=cast.bob.user).update(role="admin")
    return cast.alice, cast.bob


def members(cast, name="eng"):
    found = SegmentationGroupMember.objects.for_org(cast.org_a).filter(group__name=name)
    return sorted(found.values_list("machine__name", flat=True))


def edit(cast, group_id, person=None, **values):
    body = {"_filters": {"id": group_id}, **values}
    return data(rows(person or cast.alice, cast.org_a, "segmentation_groups", body, method="PATCH"))


def test_moving_a_machine_is_shown_and_changes_nothing_until_it_is_applied(cast, three, eng):
    web, db, other = three
    update = {"update": [{"id": eng["id"], "members": [other.id]}]}
    made = plan(cast, segmentation_groups=update)
    assert flows(made, "gained") == [("other", "db", "tcp", "22")]
    assert flows(made, "lost") == [("web", "db", "tcp", "22")]
    assert made["changed"] == [
        {
            "table": "segmentation_groups",
            "id": eng["id"],
            "name": "eng",
            "change": "updated",
            "columns": [],
            "machines_added": 1,
            "machines_removed": 1,
        }
    ]
    assert members(cast) == ["web"]
    apply(cast, made)
    assert members(cast) == ["other"]
    assert evaluate(cast.alice, cast.org_a, other, db, port=22)["allowed"]
    assert not evaluate(cast.alice, cast.org_a, web, db, port=22)["allowed"]
    details = trail(cast.org_a, "segmentation_group.updated")[-1][1]
    assert (details["before"], details["after"]) == ({"members": [web.id]}, {"members": [other.id]})


def test_a_group_and_the_rule_that_names_it_are_one_plan(cast, three):
    web, db, _ = three
    made = plan(
        cast,
        acl_rules={"create": [{"name": "r", "source": "group:ops", "destination": db.id}]},
        segmentation_groups={"create": [{"name": "ops", "members": [web.id]}]},
    )
    assert made["unresolved"] == []
    assert flows(made, "gained") == [("web", "db", "*", "*")]
    assert not SegmentationGroup.objects.for_org(cast.org_a).exists()
    apply(cast, made)
    (revision,) = PolicyRevision.objects.for_org(cast.org_a).filter(plan_id=made["plan_id"])
    assert [change["table"] for change in revision.changes] == ["segmentation_groups", "acl_rules"]
    assert evaluate(cast.alice, cast.org_a, web, db, port=1)["allowed"]
    assert act(cast.alice, cast.org_a, "policy", "rollback", plan_id=made["plan_id"])
    assert not SegmentationGroup.objects.for_org(cast.org_a).exists()
    assert not AclRule.objects.for_org(cast.org_a).exists()


def test_a_rename_takes_the_rules_along_both_ways(cast, three, eng):
    web, db, _ = three
    made = plan(cast, segmentation_groups={"update": [{"id": eng["id"], "name": "builders"}]})
    assert flows(made, "gained") == flows(made, "lost") == []
    assert [(row["table"], row["change"]) for row in made["changed"]] == [
        ("segmentation_groups", "updated"),
        ("acl_rules", "updated"),
    ]
    apply(cast, made)
    assert AclRule.objects.for_org(cast.org_a).get().source == "group:builders"
    assert evaluate(cast.alice, cast.org_a, web, db, port=22)["allowed"]
    # A rule that came to name it since then is carried back too.
    later = rule(cast.alice, cast.org_a, name="later", source="group:builders")
    act(cast.alice, cast.org_a, "policy", "rollback", plan_id=made["plan_id"])
    for row in AclRule.objects.for_org(cast.org_a):
        assert (row.source, row.unresolved) == ("group:eng", []), row.name
    assert AclRule.objects.for_org(cast.org_a).filter(pk=later["id"]).exists()
    assert evaluate(cast.alice, cast.org_a, web, db, port=22)["allowed"]


def test_a_group_in_use_goes_only_where_its_row_says_so(cast, three, eng):
    error = plan(cast, 409, segmentation_groups={"delete": [eng["id"]]})
    assert (error["code"], [row["name"] for row in error["rules"]]) == ("GROUP_IN_USE", ["rule"])
    assert not ChangePlan.objects.for_org(cast.org_a).exists()
    made = plan(cast, segmentation_groups={"delete": [{"id": eng["id"], "force": True}]})
    assert flows(made, "lost") == [("web", "db", "tcp", "22")]
    apply(cast, made)
    assert not AclRule.objects.for_org(cast.org_a).get().enabled
    act(cast.alice, cast.org_a, "policy", "rollback", plan_id=made["plan_id"])
    assert str(SegmentationGroup.objects.for_org(cast.org_a).get().pk) == eng["id"]
    assert members(cast) == ["web"]
    kept = AclRule.objects.for_org(cast.org_a).get()
    assert (kept.enabled, kept.unresolved) == (True, [])


def test_a_plan_that_also_frees_the_group_needs_no_force(cast, three, eng):
    row = AclRule.objects.for_org(cast.org_a).get()
    made = plan(
        cast,
        acl_rules={"update": [{"id": str(row.pk), "revision": row.revision, "source": "tag:web"}]},
        segmentation_groups={"delete": [eng["id"]]},
    )
    apply(cast, made)
    assert AclRule.objects.for_org(cast.org_a).get().enabled


def test_a_rename_does_not_make_a_rule_of_the_same_plan_look_changed(cast, three, eng):
    row = AclRule.objects.for_org(cast.org_a).get()
    made = plan(
        cast,
        acl_rules={"update": [{"id": str(row.pk), "revision": row.revision, "ports": "80"}]},
        segmentation_groups={"update": [{"id": eng["id"], "name": "builders"}]},
    )
    apply(cast, made)
    row.refresh_from_db()
    assert (row.source, row.ports) == ("group:builders", "80")
    act(cast.alice, cast.org_a, "policy", "rollback", plan_id=made["plan_id"])
    row.refresh_from_db()
    assert (row.source, row.ports) == ("group:eng", "22")


def test_a_group_that_was_renamed_or_joined_meanwhile_makes_the_plan_stale(cast, three, eng):
    update = {"update": [{"id": eng["id"], "members": []}]}
    made = plan(cast, segmentation_groups=update)
    edit(cast, eng["id"], name="renamed")
    assert apply(cast, made, 409)["code"] == "PLAN_STALE"
    made = plan(cast, segmentation_groups=update)
    join(cast, eng["id"], three[2].id)
    assert apply(cast, made, 409)["code"] == "PLAN_STALE"
    assert members(cast, "renamed") == ["other", "web"]


def test_what_is_rolled_back_leaves_what_two_others_did_since(cast, three, eng):
    """The plan's own columns and machines go back; a machine that came later stays."""
    web, db, other = three
    made = plan(
        cast,
        segmentation_groups={"update": [{"id": eng["id"], "name": "builders", "members": [db.id]}]},
    )
    apply(cast, made)
    join(cast, eng["id"], other.id)
    edit(cast, eng["id"], name="masons", color="#000000")
    act(cast.alice, cast.org_a, "policy", "rollback", plan_id=made["plan_id"])
    row = SegmentationGroup.objects.for_org(cast.org_a).get()
    assert (str(row.pk), row.name, row.color) == (eng["id"], "eng", "#6366f1")
    assert members(cast) == ["other", "web"]
    assert AclRule.objects.for_org(cast.org_a).get().source == "group:eng"
    assert evaluate(cast.alice, cast.org_a, web, db, port=22)["allowed"]


def test_a_machine_that_is_gone_and_a_name_that_is_taken_keep_no_rollback_from_happening(cast, three, eng):
    made = plan(cast, segmentation_groups={"delete": [{"id": eng["id"], "force": True}]})
    apply(cast, made, confirm_within_seconds=60)
    Machine.objects.for_org(cast.org_a).filter(pk=three[0].id).delete()
    group(cast, "ENG")
    ChangePlan.objects.for_org(cast.org_a).update(confirm_by=timezone.now())
    assert end_plans() == {"applied": 0, "ended": 1}
    back = SegmentationGroup.objects.for_org(cast.org_a).get(pk=eng["id"])
    assert (back.name, members(cast, "eng 2")) == ("eng 2", [])
    assert governed(cast, "get_plan", made["plan_id"])["status"] == "rolled_back"


def test_the_whole_set_goes_back_with_its_groups(cast, three, eng):
    then = PolicyRevision.objects.for_org(cast.org_a).first().revision
    edit(cast, eng["id"], name="builders")
    join(cast, eng["id"], three[2].id)
    more = group(cast, "more")
    body = {"_filters": {"id": more["id"]}}
    data(rows(cast.alice, cast.org_a, "segmentation_groups", body, method="DELETE"))
    act(cast.alice, cast.org_a, "governance", "policy_version_rollback", target_version=then)
    assert [row.name for row in SegmentationGroup.objects.for_org(cast.org_a)] == ["eng"]
    assert members(cast) == ["web"]
    assert AclRule.objects.for_org(cast.org_a).get().source == "group:eng"


def test_a_plan_of_groups_is_applied_at_its_time_and_taken_back_by_itself(cast, three, eng):
    made = plan(cast, segmentation_groups={"update": [{"id": eng["id"], "members": [three[2].id]}]})
    apply(cast, made, activate_at=soon(hours=2), confirm_within_seconds=60)
    assert come(cast) == {"applied": 1, "ended": 0}
    assert members(cast) == ["other"]
    ChangePlan.objects.for_org(cast.org_a).update(confirm_by=timezone.now())
    assert end_plans() == {"applied": 0, "ended": 1}
    assert members(cast) == ["web"]


def test_groups_of_others_stay_out_of_a_plan_and_members_plan_nothing(cast, three, eng):
    foreign = group(cast, "theirs", person=cast.charlie, org=cast.org_b)
    outside = enrol(auth_key(cast.charlie, cast.org_b)["key"])
    for changes in (
        {"update": [{"id": foreign["id"], "name": "mine"}]},
        {"delete": [foreign["id"]]},
        {"delete": [{"id": foreign["id"], "force": True}]},
        {"update": [{"id": eng["id"], "members": [outside.id]}]},
        {"create": [{"name": "new", "members": [outside.id]}]},
    ):
        assert plan(cast, 404, segmentation_groups=changes)["code"] == "NOT_FOUND"
    changes = {"update": [{"id": eng["id"], "members": []}]}
    assert plan(cast, 403, person=cast.bob, segmentation_groups=changes)["code"] == "FORBIDDEN"
    made = plan(cast, segmentation_groups=changes)
    stranger = act(cast.charlie, cast.org_b, "policy", "apply", 404, plan_id=made["plan_id"])
    assert stranger["code"] == "NOT_FOUND"
    assert members(cast) == ["web"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"segmentation_groups": {"create": [{"name": "a,b"}]}}, "INVALID_INPUT"),
        ({"segmentation_groups": {"create": [{"name": "a", "colour": "red"}]}}, "UNKNOWN_FIELD"),
        ({"segmentation_groups": {"create": [{"name": "a", "members": "all"}]}}, "INVALID_INPUT"),
        ({"segmentation_groups": {"create": [{"name": "ENG"}]}}, "CONFLICT"),
        ({"segmentation_groups": {"delete": [{"force": True}]}}, "VALIDATION_ERROR"),
        ({"segmentation_groups": {"delete": [{"id": "x", "force": "yes"}]}}, "VALIDATION_ERROR"),
        ({"segmentation_group_members": {"create": []}}, "VALIDATION_ERROR"),
        ({"firewall_rules": {"create": []}}, "VALIDATION_ERROR"),
        ({"settings": {"posture_enforcement": "strict"}}, "VALIDATION_ERROR"),
        ({"settings": {"default_deny": 1}}, "VALIDATION_ERROR"),
    ],
)
def test_bad_changes_are_refused(cast, three, eng, changes, code):
    body = {"action": "plan", "org_id": str(cast.org_a.pk), "changes": changes}
    assert cast.alice.client.call("/api/policy", body).json()["error"]["code"] == code
    assert not ChangePlan.objects.for_org(cast.org_a).exists()


def test_no_write_of_groups_goes_around_the_second_pair_of_eyes(cast, three, eng, two):
    web, _, other = three
    own = data(rows(cast.alice, cast.org_a, "segmentation_group_members"))[0]["id"]
    OrgSettings.objects.for_org(cast.org_a).update(four_eyes=True)

    def write(method, body=None, table="segmentation_groups", **filters):
        return refused(rows(cast.alice, cast.org_a, table, body, method=method, **filters))["plan_id"]

    named = {"id": f"eq.{eng['id']}"}
    table = "segmentation_group_members"
    joined = write("POST", {"group_id": eng["id"], "machine_id": other.id}, table=table)
    kept = {
        write("POST", {"name": "new"}): {"create": [{"name": "new"}]},
        write("PATCH", {"name": "builders"}, **named): {"update": [{"id": eng["id"], "name": "builders"}]},
        write("DELETE", {"force": True}, **named): {"delete": [{"id": eng["id"], "force": True}]},
        joined: {"update": [{"id": eng["id"], "members": sorted([web.id, other.id])}]},
        write("DELETE", {}, table=table, id=f"eq.{own}"): {"update": [{"id": eng["id"], "members": []}]},
    }
    for plan_id, changes in kept.items():
        stored = ChangePlan.objects.for_org(cast.org_a).get(pk=plan_id)
        assert stored.changes == {"segmentation_groups": changes}
    error = data(rows(cast.alice, cast.org_a, "segmentation_groups", {}, method="DELETE", **named), 409)
    assert error["code"] == "GROUP_IN_USE"
    again = {"group_id": eng["id"], "machine_id": web.id}
    assert data(rows(cast.alice, cast.org_a, table, again, method="POST"), 409)["code"] == "CONFLICT"
    nobody = {**again, "group_id": "00000000-0000-0000-0000-000000000000"}
    assert data(rows(cast.alice, cast.org_a, table, nobody, method="POST"), 404)["code"] == "NOT_FOUND"
    assert [row.name for row in SegmentationGroup.objects.for_org(cast.org_a)] == ["eng"]
    assert members(cast) == ["web"]
    governed(cast, "approve", joined, person=cast.bob)
    assert governed(cast, "apply", joined)["status"] == "applied"
    assert members(cast) == ["other", "web"]
