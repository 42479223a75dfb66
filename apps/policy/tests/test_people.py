"""Groups of people in rules: whoever owns a machine brings his groups along, and takes them away."""

from functools import partial

import pytest
from django.test import TestCase

from apps.core.actors import Actor
from apps.core.errors import Conflict
from apps.core.realtime import last_seq, missed_events
from apps.machines.models import Machine, NetmapChange
from apps.machines.signals import machines_touched
from apps.machines.tests.agents import admin, auth_key, enrol
from apps.orgs import idpgroups
from apps.orgs.idpgroups import Told
from apps.orgs.members import remove_member
from apps.orgs.models import IdpGroup, OrgSettings
from apps.policy.models import AbacPolicy, AclRule, PolicyRevision, SegmentationGroup
from apps.policy.tests.calls import act, close, data, evaluate, rows, rule, trail
from apps.policy.tests.test_groups import group, join
from apps.policy.tests.test_plans import apply, flows, plan
from wire.netmap import Netmap

pytestmark = pytest.mark.django_db
PROVIDER = Actor(kind="job", name="system:scim")


def push(cast, *groups, source="scim"):
    with TestCase.captureOnCommitCallbacks(execute=True):
        idpgroups.sync_groups(org=cast.org_a, actor=PROVIDER, source=source, groups=groups)


def sign_in(cast, *names, person=None):
    person = person or cast.bob
    with TestCase.captureOnCommitCallbacks(execute=True):
        idpgroups.sync_memberships(
            org=cast.org_a, actor=person.actor, user=person.user, source="oidc", names=names
        )


def give(cast, machine, person):
    answer = admin(cast.alice, "set_owner", machine, owner_id=str(person.user.pk) if person else None)
    assert answer.status_code == 200, answer.content


@pytest.fixture
def three(cast):
    """Alice's, Bob's and nobody's; nothing is allowed."""
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    close(cast.org_a)
    hers, his, db = (enrol(key, name=name) for name in ("hers", "his", "db"))
    give(cast, hers, cast.alice)
    give(cast, his, cast.bob)
    return hers, his, db


@pytest.fixture
def opened(cast, three):
    """The machines, and a rule that lets group:Eng to db."""
    rule(cast.alice, cast.org_a, source="group:Eng", destination=three[2].id, protocol="tcp", ports="22")
    return three


def may(cast, machines):
    """Which of the first two reach the third."""
    *sources, db = machines
    ask = partial(evaluate, cast.alice, cast.org_a)
    return [machine.name for machine in sources if ask(machine, db, port=22)["allowed"]]


def warnings(cast):
    return AclRule.objects.for_org(cast.org_a).get().unresolved


def touched(cast, change):
    """Which machines' maps a change draws anew."""
    last = max(NetmapChange.objects.for_org(cast.org_a).values_list("version", flat=True), default=0)
    change()
    ids = (
        NetmapChange.objects.for_org(cast.org_a).filter(version__gt=last).values_list("machine_id", flat=True)
    )
    names = dict(Machine.objects.for_org(cast.org_a).values_list("pk", "name"))
    return sorted(names.get(pk, "rights") for pk in ids)


def test_whoever_is_in_the_group_may_and_who_leaves_may_no_more(cast, opened):
    assert may(cast, opened) == []
    push(cast, Told("eng", "1", [cast.bob.user.pk]))
    assert may(cast, opened) == ["his"]
    push(cast, Told("eng", "1", [cast.alice.user.pk]))
    assert may(cast, opened) == ["hers"]
    push(cast, Told("eng", "1"))
    sign_in(cast, "Staff")
    assert may(cast, opened) == []


def test_groups_of_the_machine_and_of_its_owner_both_count(cast, opened):
    made = group(cast, "servers")
    join(cast, made["id"], opened[0].id)
    rule(cast.alice, cast.org_a, source="group:servers", destination=opened[2].id)
    sign_in(cast, "Eng")
    assert may(cast, opened) == ["hers", "his"]


def test_a_machine_that_changes_hands_changes_its_rights(cast, opened):
    sign_in(cast, "Eng")
    give(cast, opened[1], None)
    assert may(cast, opened) == []
    give(cast, opened[0], cast.bob)
    assert may(cast, opened) == ["hers"]


def test_who_leaves_the_organisation_takes_his_groups_with_him(cast, opened):
    sign_in(cast, "Eng")
    assert warnings(cast) == []
    with TestCase.captureOnCommitCallbacks(execute=True):
        remove_member(org=cast.org_a, actor=cast.alice.actor, user_id=cast.bob.user.pk)
    assert may(cast, opened) == []
    assert warnings(cast) == ["group:eng"]


def test_maps_of_exactly_those_concerned_are_drawn_anew(cast, opened):
    alice, bob = cast.alice.user.pk, cast.bob.user.pk
    assert touched(cast, lambda: push(cast, Told("eng", "1", [bob]), Told("ops", "2", [alice]))) == [
        "hers",
        "his",
    ]
    assert touched(cast, lambda: push(cast, Told("eng", "1", [bob, alice]), Told("ops", "2", [alice]))) == [
        "hers"
    ]
    assert touched(cast, lambda: push(cast, Told("eng", "1", [bob, alice]), Told("ops", "2", [alice]))) == []
    assert touched(cast, lambda: push(cast, Told("eng", "1", [bob, alice]), Told("dev", "2", [alice]))) == [
        "hers"
    ]
    assert touched(cast, lambda: push(cast, Told("dev", "2", [alice]))) == ["hers", "his"]
    assert touched(cast, lambda: sign_in(cast, "Staff")) == ["his"]
    assert touched(cast, lambda: sign_in(cast, "Staff")) == []


def test_the_map_of_the_destination_has_whoever_may_reach_it(cast, opened):
    def peers():
        return [peer.name for peer in Netmap.from_json(data(opened[2].heartbeat())).peers.values()]

    assert peers() == []
    sign_in(cast, "Eng")
    assert peers() == ["his"]
    sign_in(cast)
    assert peers() == []


def test_machines_are_drawn_anew_without_being_touched(cast, opened):
    """Who hears of touched machines locks rows of his own before the organisation's, which is held here."""
    made, heard = group(cast, "servers"), []

    def hear(sender, *, changed, **kwargs):
        heard.extend(changed)

    machines_touched.connect(hear)
    sign_in(cast, "Eng")
    member = join(cast, made["id"], opened[1].id)
    where = {"method": "DELETE", "id": f"eq.{member['id']}"}
    data(rows(cast.alice, cast.org_a, "segmentation_group_members", {}, **where))
    assert not heard
    give(cast, opened[1], cast.alice)
    assert heard


def test_a_group_that_comes_and_goes_ends_the_warning_and_brings_it_back(cast, opened):
    assert warnings(cast) == ["group:eng"]
    push(cast, Told("ENG", "1"))
    assert warnings(cast) == []
    before = last_seq(cast.org_a.pk)
    push(cast)
    assert warnings(cast) == ["group:eng"]
    (event,) = [
        each for each in missed_events(cast.org_a.pk, before, {"acl"}) if each["table"] == "acl_rules"
    ]
    assert event["payload"]["unresolved"] == ["group:eng"]
    sign_in(cast, "Eng")
    assert warnings(cast) == []
    ruled = rule(cast.alice, cast.org_a, name="second", source="group:ENG,group:nobody")
    assert ruled["unresolved"] == ["group:nobody"]


def test_a_new_name_is_followed_by_all_that_said_the_old_one(cast, opened):
    AbacPolicy.objects.create_in(
        cast.org_a, name="hours", effect="deny", selector="tag:x,group:eng", conditions={"os": ["darwin"]}
    )
    posture_policy(cast, "ENG")
    bob = cast.bob.user.pk
    push(cast, Told("Eng", "1", [bob]), Told("Ops", "2"))
    revision = PolicyRevision.objects.for_org(cast.org_a).count()
    push(cast, Told("Builders", "1", [bob]), Told("Ops", "2"))
    assert (may(cast, opened), warnings(cast)) == (["his"], [])
    assert AclRule.objects.for_org(cast.org_a).get().source == "group:Builders"
    assert AbacPolicy.objects.for_org(cast.org_a).get().selector == "tag:x,group:Builders"
    policies = data(rows(cast.alice, cast.org_a, "posture_policies", name="eq.firewall"))
    assert [policy["scope"] for policy in policies] == [{"groups": ["Builders"]}]
    # One revision tells of all three, and of no group: what a provider says can't be rolled back.
    assert PolicyRevision.objects.for_org(cast.org_a).count() == revision + 1
    changes = PolicyRevision.objects.for_org(cast.org_a).latest("revision").changes
    assert [change["table"] for change in changes] == ["acl_rules", "abac_policies", "posture_policies"]
    assert trail(cast.org_a, "acl_rule.updated")[-1][1]["reason"] == "the identity provider renamed a group"


def test_groups_that_exchange_their_names_keep_their_rules(cast, opened):
    ops = rule(cast.alice, cast.org_a, name="ops", source="group:Ops", destination="group:eng,group:ops")
    bob = cast.bob.user.pk
    push(cast, Told("Eng", "1", [bob]), Told("Ops", "2"))
    push(cast, Told("Ops", "1", [bob]), Told("Eng", "2"))
    changed = AclRule.objects.for_org(cast.org_a).get(pk=ops["id"])
    assert (changed.source, changed.destination) == ("group:Eng", "group:Ops,group:Eng")
    assert may(cast, opened) == ["his"]


def test_a_rollback_of_the_rules_brings_the_old_name_back_with_its_warning(cast, opened):
    push(cast, Told("Eng", "1", [cast.bob.user.pk]))
    then = PolicyRevision.objects.for_org(cast.org_a).latest("revision").revision
    push(cast, Told("Builders", "1", [cast.bob.user.pk]))
    act(cast.alice, cast.org_a, "governance", "policy_version_rollback", target_version=then)
    assert AclRule.objects.for_org(cast.org_a).get().source == "group:Eng"
    assert (may(cast, opened), warnings(cast)) == ([], ["group:eng"])
    assert IdpGroup.objects.for_org(cast.org_a).get().name == "Builders"


def test_names_of_groups_of_machines_are_taken(cast, opened):
    group(cast, "Eng")
    with pytest.raises(Conflict) as refused:
        push(cast, Told("Staff", "1"), Told("ENG", "2", [cast.bob.user.pk]))
    assert (refused.value.extra["field"], refused.value.extra["names"]) == ("name", ["ENG"])
    assert not IdpGroup.objects.for_org(cast.org_a).exists()
    sign_in(cast, "ENG", "Staff")
    assert [row.name for row in IdpGroup.objects.for_org(cast.org_a)] == ["Staff"]
    assert may(cast, opened) == []
    assert trail(cast.org_a, "member.groups_told")[-1][1]["skipped"] == [{"name": "ENG", "reason": "taken"}]
    # Another organisation's groups take no name.
    foreign = group(cast, "Ops", person=cast.charlie, org=cast.org_b)
    sign_in(cast, foreign["name"])
    assert [row.name for row in IdpGroup.objects.for_org(cast.org_a)] == ["Ops"]


def test_a_group_of_machines_cannot_take_a_name_of_people(cast, opened):
    sign_in(cast, "Eng")
    other = group(cast, "servers")
    error = group(cast, "ENG", status=409)
    assert (error["code"], error["field"]) == ("CONFLICT", "name")
    change = {"_filters": {"id": other["id"]}, "name": "eng"}
    assert (
        data(rows(cast.alice, cast.org_a, "segmentation_groups", change, method="PATCH"), 409)["field"]
        == "name"
    )
    for changes in ({"create": [{"name": "eng"}]}, {"update": [{"id": other["id"], "name": "eng"}]}):
        assert plan(cast, 409, segmentation_groups=changes)["code"] == "CONFLICT"
    made = plan(cast, segmentation_groups={"create": [{"name": "later"}]})
    sign_in(cast, "Eng", "later")
    assert apply(cast, made, 409)["code"] == "CONFLICT"
    assert [row.name for row in SegmentationGroup.objects.for_org(cast.org_a)] == ["servers"]


def test_a_group_that_comes_back_to_a_taken_name_gets_one_like_it(cast, opened):
    made = group(cast, "Ops")
    deletion = plan(cast, segmentation_groups={"delete": [made["id"]]})
    apply(cast, deletion)
    sign_in(cast, "Ops")
    act(cast.alice, cast.org_a, "policy", "rollback", plan_id=deletion["plan_id"])
    assert SegmentationGroup.objects.for_org(cast.org_a).get().name == "Ops 2"


def test_a_plan_reckons_with_groups_of_people(cast, three):
    sign_in(cast, "Eng")
    wanted = {
        "name": "r",
        "source": "group:eng",
        "destination": three[2].id,
        "protocol": "tcp",
        "ports": "22",
    }
    made = plan(cast, acl_rules={"create": [wanted]})
    assert made["unresolved"] == []
    assert flows(made, "gained") == [("his", "db", "tcp", "22")]


def test_a_failing_policy_test_and_four_eyes_hold_nothing_up(cast, opened):
    expected = {
        "name": "t",
        "source": opened[1].id,
        "destination": opened[2].id,
        "port": 22,
        "expected": "deny",
    }
    data(rows(cast.alice, cast.org_a, "policy_tests", expected, method="POST"), 201)
    OrgSettings.objects.for_org(cast.org_a).update(four_eyes=True)
    push(cast, Told("Staff", "1", [cast.bob.user.pk]))
    push(cast, Told("Eng", "1", [cast.bob.user.pk]))
    push(cast, Told("Builders", "1", [cast.bob.user.pk]))
    assert AclRule.objects.for_org(cast.org_a).get().source == "group:Builders"
    assert may(cast, opened) == ["his"]


def posture_policy(cast, group_name):
    body = {"name": "firewall", "require_firewall": True, "scope": {"groups": [group_name]}}
    data(rows(cast.alice, cast.org_a, "posture_policies", body, method="POST"), 201)


def test_posture_asks_the_groups_of_the_owner(cast, opened):
    def complies(machine):
        return data(machine.client.call("/api/posture-report", {"firewall_enabled": False}))["compliant"]

    OrgSettings.objects.for_org(cast.org_a).update(posture_enforcement="monitor")
    posture_policy(cast, "Eng")
    assert complies(opened[1])
    sign_in(cast, "eng")
    assert not complies(opened[1])
    assert complies(opened[0])


def test_attribute_policies_ask_the_groups_of_the_owner(cast, opened):
    sign_in(cast, "Eng")
    sign_in(cast, "Eng", "Contractors", person=cast.alice)
    assert may(cast, opened) == ["hers", "his"]
    body = {"name": "no", "effect": "deny", "selector": "group:contractors", "conditions": {"os": ["linux"]}}
    data(rows(cast.alice, cast.org_a, "abac_policies", body, method="POST"), 201)
    assert may(cast, opened) == ["his"]
    sign_in(cast, "Eng", person=cast.alice)
    assert may(cast, opened) == ["hers", "his"]
