"""What rules and attribute policies name: told at once when it goes or comes."""

import pytest

from apps.core.realtime import last_seq, missed_events
from apps.machines.models import TagOwner
from apps.machines.tests.agents import admin, auth_key, enrol
from apps.orgs.models import Organization
from apps.policy.models import AbacPolicy, AclRule
from apps.policy.tests.calls import act, close, data, evaluate, rows, rule

pytestmark = pytest.mark.django_db


@pytest.fixture
def key(cast):
    return auth_key(cast.alice, cast.org_a, reusable=True, tags=["prod"])["key"]


def tag(cast, agent, *tags, person=None):
    return data(admin(person or cast.alice, "update_tags", agent, tags=list(tags)))


def attributes(cast, name="Hours", **values):
    body = {"name": name, "effect": "deny", "selector": "*", "conditions": {"os": ["linux"]}, **values}
    return data(rows(cast.alice, cast.org_a, "abac_policies", body, method="POST"), 201)


def unresolved(row):
    model = AbacPolicy if "selector" in row else AclRule
    return model.all_orgs.get(pk=row["id"]).unresolved


def told(cast, seq):
    events = missed_events(cast.org_a.pk, seq, {"acl"})
    return {event["payload"]["id"]: event["payload"].get("unresolved") for event in events}


def test_the_last_machine_with_a_tag_and_the_first(cast, key):
    named = rule(cast.alice, cast.org_a, source="tag:prod")
    assert named["unresolved"] == ["tag:prod"]
    agents = [enrol(key, name) for name in ("alpha", "beta")]
    assert unresolved(named) == []
    seq = last_seq(cast.org_a.pk)
    tag(cast, agents[0])
    assert unresolved(named) == []
    assert not told(cast, seq)
    tag(cast, agents[1], "other")
    assert unresolved(named) == ["tag:prod"]
    assert told(cast, seq) == {named["id"]: ["tag:prod"]}
    tag(cast, agents[0], "prod")
    assert unresolved(named) == []
    assert told(cast, seq) == {named["id"]: []}
    data(admin(cast.alice, "delete", agents[0]))
    assert unresolved(named) == ["tag:prod"]
    (row,) = data(rows(cast.bob, cast.org_a, "acl_rules", id=f"eq.{named['id']}"))
    assert (row["unresolved"], row["warnings"]) == (["tag:prod"], ["tag:prod names nothing"])


def test_hundreds_of_warnings_are_one_event(cast, key):
    agent = enrol(key)
    AclRule.all_orgs.bulk_create(
        AclRule(org=cast.org_a, name=f"r{number}", source="tag:prod", destination="*")
        for number in range(250)
    )
    seq = last_seq(cast.org_a.pk)
    tag(cast, agent)
    assert all(row.unresolved == ["tag:prod"] for row in AclRule.all_orgs.filter(source="tag:prod"))
    events = missed_events(cast.org_a.pk, seq, {"acl"})
    assert [(event["event"], event["table"]) for event in events] == [("REFRESH", "acl_rules")]


def test_attribute_policies_warn_of_their_selector_and_of_tags_that_they_ask_for(cast, key):
    made = attributes(cast, selector="tag:prod", conditions={"tags": ["safe"]})
    assert (made["unresolved"], made["warnings"]) == (
        ["tag:prod", "tag:safe"],
        ["tag:prod names nothing", "tag:safe names nothing"],
    )
    agent = enrol(key)
    assert unresolved(made) == ["tag:safe"]
    seq = last_seq(cast.org_a.pk)
    tag(cast, agent, "safe")
    assert unresolved(made) == ["tag:prod"]
    assert told(cast, seq) == {made["id"]: ["tag:prod"]}


def test_an_exported_policy_goes_back_in(cast):
    made = attributes(cast, selector="tag:prod")
    again = {name: made[name] for name in ("effect", "selector", "conditions", "unresolved", "warnings")}
    assert attributes(cast, "Again", **again)["unresolved"] == ["tag:prod"]
    changes = {"abac_policies": {"create": [{"name": "Planned", **again}]}}
    plan = act(cast.alice, cast.org_a, "policy", "plan", 201, changes=changes)
    assert plan["unresolved"] == ["tag:prod"]


def test_a_machine_that_is_deleted_is_missed(cast, key):
    agents = [enrol(key, name) for name in ("alpha", "beta")]
    named = rule(cast.alice, cast.org_a, source=f"{agents[0].id},{agents[1].id}")
    data(admin(cast.alice, "delete", agents[0]))
    assert unresolved(named) == [agents[0].id]


def test_a_tag_of_another_organisation_or_in_other_letters_is_another_one(cast, key):
    named = rule(cast.alice, cast.org_a, source="tag:prod")
    theirs = enrol(auth_key(cast.charlie, cast.org_b, tags=["prod"])["key"])
    own = rule(cast.charlie, cast.org_b, source="tag:prod")
    assert (named["unresolved"], own["unresolved"]) == (["tag:prod"], [])
    agent = enrol(key)
    tag(cast, agent, "Prod")
    assert unresolved(named) == ["tag:prod"]
    tag(cast, agent, "prod")
    data(admin(cast.charlie, "delete", theirs))
    assert (unresolved(named), unresolved(own)) == ([], ["tag:prod"])


@pytest.mark.parametrize("way", ["removed", "left"])
def test_who_goes_is_missed_by_id_and_by_address(cast, way):
    bob = cast.bob.user
    TagOwner.objects.create_in(cast.org_a, tag="prod", user=bob)
    named = rule(cast.alice, cast.org_a, source=f"user:{bob.email.upper()}", destination=f"user:{bob.pk}")
    hours = attributes(cast, selector=f"user:{bob.email}")
    assert (named["unresolved"], hours["unresolved"]) == ([], [])
    foreign = AclRule.objects.create_in(cast.org_b, name="n", source=f"user:{bob.pk}", destination="*")
    seq = last_seq(cast.org_a.pk)
    if way == "removed":
        act(cast.alice, cast.org_a, "org-management", "remove_member", target_user_id=str(bob.pk))
    else:
        act(cast.bob, cast.org_a, "org-management", "leave")
    by_address, by_id = f"user:{bob.email}", f"user:{bob.pk}"
    assert unresolved(named) == sorted([by_address, by_id])
    assert unresolved(hours) == [by_address]
    assert told(cast, seq) == {named["id"]: sorted([by_address, by_id]), hours["id"]: [by_address]}
    assert not TagOwner.objects.for_org(cast.org_a).exists()
    foreign.refresh_from_db()
    assert foreign.unresolved == []


def test_who_joins_is_no_longer_missed(cast):
    charlie = cast.charlie.user
    charlie.email_verified = True
    charlie.save()
    named = rule(cast.alice, cast.org_a, source=f"user:{charlie.email}", destination=f"user:{charlie.pk}")
    assert len(named["unresolved"]) == 2
    asked = {"email": charlie.email, "copy_link": True}
    token = act(cast.alice, cast.org_a, "org-management", "invite_member", 201, **asked)["token"]
    data(cast.charlie.client.call("/api/accept-invitation", {"token": token}))
    assert unresolved(named) == []


def test_a_group_that_goes_is_missed_by_what_is_disabled(cast):
    made = data(rows(cast.alice, cast.org_a, "segmentation_groups", {"name": "Eng"}, method="POST"), 201)
    named = rule(cast.alice, cast.org_a, source="group:eng")
    hours = attributes(cast, selector="group:ENG")
    seq = last_seq(cast.org_a.pk)
    where = {"method": "DELETE", "id": f"eq.{made['id']}"}
    data(rows(cast.alice, cast.org_a, "segmentation_groups", {"force": True}, **where))
    assert (unresolved(named), unresolved(hours)) == (["group:eng"], ["group:eng"])
    events = missed_events(cast.org_a.pk, seq, {"acl"})
    warned = {event["payload"]["id"] for event in events if event["payload"].get("unresolved")}
    assert warned == {named["id"], hours["id"]}
    data(rows(cast.alice, cast.org_a, "segmentation_groups", {"name": "ENG"}, method="POST"), 201)
    assert (unresolved(named), unresolved(hours)) == ([], [])


def test_a_new_owner_is_whom_rules_mean_at_once(cast, key):
    close(cast.org_a)
    alpha, beta = (enrol(key, name) for name in ("alpha", "beta"))
    rule(cast.alice, cast.org_a, source=f"user:{cast.bob.user.email}", destination=beta.id)
    assert not evaluate(cast.alice, cast.org_a, alpha, beta, port=22)["allowed"]
    data(admin(cast.alice, "set_owner", alpha, owner_id=str(cast.bob.user.pk)))
    assert evaluate(cast.alice, cast.org_a, alpha, beta, port=22)["allowed"]
    data(admin(cast.alice, "set_owner", alpha, owner_id=None))
    assert not evaluate(cast.alice, cast.org_a, alpha, beta, port=22)["allowed"]


def test_a_new_role_is_what_attributes_ask_for_at_once(cast, key):
    alpha, beta = (enrol(key, name) for name in ("alpha", "beta"))
    data(admin(cast.alice, "set_owner", alpha, owner_id=str(cast.bob.user.pk)))
    attributes(cast, effect="require", selector=f"user:{cast.bob.user.pk}", conditions={"roles": ["admin"]})
    assert not evaluate(cast.alice, cast.org_a, alpha, beta, port=22)["allowed"]
    version = Organization.objects.for_org(cast.org_a).get().netmap_version
    target = {"target_user_id": str(cast.bob.user.pk)}
    act(cast.alice, cast.org_a, "org-management", "change_role", **target, new_role="admin")
    assert evaluate(cast.alice, cast.org_a, alpha, beta, port=22)["allowed"]
    assert Organization.objects.for_org(cast.org_a).get().netmap_version == version + 1
    act(cast.alice, cast.org_a, "org-management", "change_role", **target, new_role="member")
    assert not evaluate(cast.alice, cast.org_a, alpha, beta, port=22)["allowed"]
