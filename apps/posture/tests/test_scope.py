"""A machine whose groups or tags change is judged at once by the policies whose scope names them."""

import pytest
from django.apps import apps
from django.test import TestCase

from apps.audit.models import AuditLog
from apps.core.actors import Actor
from apps.core.realtime import last_seq, missed_events
from apps.machines.models import Machine
from apps.machines.tests.agents import admin
from apps.orgs.idpgroups import Told, sync_groups
from apps.orgs.models import OrgSettings
from apps.posture.models import PosturePolicy
from apps.posture.tests.calls import add_policy, data, machine, rows, status
from tests.cast import ApiClient

pytestmark = pytest.mark.django_db


@pytest.fixture
def sick(pair):
    return pair[1]


def group(cast, name, person=None, org=None, **values):
    person, org = person or cast.alice, org or cast.org_a
    body = {"name": name, "org_id": str(org.pk), **values}
    return data(person.client.call("/api/db/segmentation_groups", body), 201)


def join(cast, made, *agents, status=201):
    members = [{"group_id": made["id"], "machine_id": agent.id} for agent in agents]
    body = {"org_id": str(cast.org_a.pk), "rows": members}
    return data(cast.alice.client.call("/api/db/segmentation_group_members", body), status)["rows"]


def leave(cast, *members):
    ids = ",".join(member["id"] for member in members)
    url = f"/api/db/segmentation_group_members?org_id={cast.org_a.pk}&id=in.({ids})"
    return data(cast.alice.client.call(url, {}, method="DELETE"))


def rename(cast, made, name):
    url = f"/api/db/segmentation_groups?org_id={cast.org_a.pk}&id=eq.{made['id']}"
    return data(cast.alice.client.call(url, {"name": name}, method="PATCH"))


def delete(person, org, made, **body):
    url = f"/api/db/segmentation_groups?org_id={org.pk}&id=eq.{made['id']}"
    return person.client.call(url, body, method="DELETE")


def tag(cast, agent, *tags):
    body = {"action": "update_tags", "machine_id": agent.id, "tags": list(tags)}
    return data(cast.alice.client.call("/api/machine-admin", body))


def policy(cast, action, status=200, **values):
    body = {"action": action, "org_id": str(cast.org_a.pk), **values}
    response = cast.alice.client.call("/api/policy", body)
    assert response.status_code == status, response.content
    return response.json()["data" if status < 400 else "error"]


def ask(cast, group_name, name="Firewall"):
    return add_policy(cast.alice, cast.org_a, name, require_firewall=True, scope={"groups": [group_name]})


def entries(cast, action):
    return AuditLog.objects.for_org(cast.org_a).filter(action=action).order_by("seq")


def test_who_comes_into_a_group_is_cut_off_and_who_leaves_is_released(cast, pair, sick):
    made = group(cast, "laptops")
    ask(cast, "Laptops")
    assert status(cast, sick) == ("online", None)
    seq = last_seq(cast.org_a.pk)
    members = join(cast, made, *pair)
    assert status(cast, sick) == ("quarantined", "posture")
    assert status(cast, pair[0]) == ("online", None)
    assert {"posture_reports", "machines"} <= {
        event["table"] for event in missed_events(cast.org_a.pk, seq, {"posture", "machines"})
    }
    quarantined = entries(cast, "machine.auto_quarantine").get()
    assert (quarantined.resource_id, quarantined.user_id) == (
        str(machine(sick, cast.org_a).pk),
        cast.alice.user.pk,
    )
    leave(cast, *members)
    assert status(cast, sick) == ("online", None)
    assert entries(cast, "machine.auto_unquarantine").count() == 1


def test_people_bring_their_machines_under_the_policies_of_their_groups(cast, pair, sick):
    for agent in pair:
        data(admin(cast.alice, "set_owner", agent, owner_id=str(cast.bob.user.pk)))
    ask(cast, "Crew")

    def push(*groups):
        with TestCase.captureOnCommitCallbacks(execute=True):
            provider = Actor(kind="job", name="system:scim")
            sync_groups(org=cast.org_a, actor=provider, source="scim", groups=groups)

    push(Told("crew", user_ids=[cast.bob.user.pk]))
    assert status(cast, sick) == ("quarantined", "posture")
    assert status(cast, pair[0]) == ("online", None)
    push()
    assert status(cast, sick) == ("online", None)


def test_who_is_tagged_is_cut_off_and_who_loses_the_tag_is_released(cast, pair, sick):
    add_policy(cast.alice, cast.org_a, require_firewall=True, scope={"tags": ["prod"]})
    for agent in pair:
        tag(cast, agent, "prod", "other")
    assert status(cast, sick) == ("quarantined", "posture")
    assert status(cast, pair[0]) == ("online", None)
    tag(cast, sick, "other")
    assert status(cast, sick) == ("online", None)


def test_a_table_write_of_tags_judges_and_answers_what_the_machine_then_is(cast, sick):
    add_policy(cast.alice, cast.org_a, require_firewall=True, scope={"tags": ["prod"]})
    url = f"/api/db/machines?org_id={cast.org_a.pk}&id=eq.{sick.id}"
    data(cast.alice.client.call(url, {"tags": ["prod"], "shields_up": True}, method="PATCH"))
    (row,) = rows(cast.alice, cast.org_a, "machines", id=f"eq.{sick.id}")
    assert (row["status"], row["tags"], row["shields_up"]) == ("quarantined", ["prod"], True)


def test_a_group_that_comes_to_be_or_takes_a_name_is_what_a_scope_already_named(cast, pair, sick):
    ask(cast, "laptops")
    made = group(cast, "computers")
    join(cast, made, *pair)
    assert status(cast, sick) == ("online", None)
    # A scope that names nobody yet has to be told from one that names none.
    rename(cast, made, "laptops")
    assert status(cast, sick) == ("quarantined", "posture")
    rename(cast, made, "computers")
    assert PosturePolicy.objects.for_org(cast.org_a).get().scope == {"groups": ["computers"]}
    assert status(cast, sick) == ("quarantined", "posture")


def test_a_new_owner_is_judged_by_whoever_keeps_groups_of_owners(cast, sick, monkeypatch):
    def groups_of_bob(org_id, ids):
        rows = Machine.objects.for_org(org_id).filter(owner=cast.bob.user)
        return {row.pk: {"staff"} for row in rows}

    monkeypatch.setattr("apps.machines.groups._source", [groups_of_bob])
    ask(cast, "staff")
    data(admin(cast.alice, "set_owner", sick, owner_id=str(cast.bob.user.pk)))
    assert status(cast, sick) == ("quarantined", "posture")
    data(admin(cast.alice, "set_owner", sick, owner_id=None))
    assert status(cast, sick) == ("online", None)


def test_a_plan_over_groups_judges_and_its_rollback_releases(cast, pair, sick):
    made = group(cast, "laptops")
    ask(cast, "laptops")
    changes = {"segmentation_groups": {"update": [{"id": made["id"], "members": [a.id for a in pair]}]}}
    plan = policy(cast, "plan", 201, changes=changes)
    assert [row["name"] for row in plan["posture"]["quarantined"]["machines"]] == ["sick"]
    assert status(cast, sick) == ("online", None)
    policy(cast, "apply", plan_id=plan["plan_id"])
    assert status(cast, sick) == ("quarantined", "posture")
    emptied = {"segmentation_groups": {"update": [{"id": made["id"], "members": []}]}}
    second = policy(cast, "plan", 201, changes=emptied)
    assert second["posture"]["released"]["count"] == 1
    policy(cast, "apply", plan_id=second["plan_id"])
    assert status(cast, sick) == ("online", None)
    policy(cast, "rollback", plan_id=second["plan_id"])
    assert status(cast, sick) == ("quarantined", "posture")
    policy(cast, "rollback", plan_id=plan["plan_id"])
    assert status(cast, sick) == ("online", None)


def test_a_group_in_use_names_policies_too_and_goes_only_by_force(cast, pair, sick):
    made = group(cast, "laptops")
    join(cast, made, *pair)
    asked = ask(cast, "LAPTOPS")
    other = add_policy(cast.alice, cast.org_a, "Other", require_firewall=True, scope={"tags": ["prod"]})
    body = {"name": "Hours", "effect": "require", "selector": "group:laptops", "org_id": str(cast.org_a.pk)}
    hours = data(
        cast.alice.client.call("/api/db/abac_policies", {**body, "conditions": {"os": ["linux"]}}), 201
    )
    refusal = delete(cast.alice, cast.org_a, made)
    assert refusal.status_code == 409
    error = refusal.json()["error"]
    assert (error["code"], error["rules"]) == ("GROUP_IN_USE", [])
    assert sorted(error["policies"], key=lambda entry: entry["kind"]) == [
        {"id": hours["id"], "name": "Hours", "kind": "abac_policy"},
        {"id": asked["id"], "name": "Firewall", "kind": "posture_policy"},
    ]
    assert status(cast, sick) == ("quarantined", "posture")
    data(delete(cast.alice, cast.org_a, made, force=True))
    policies = {row.name: row for row in PosturePolicy.objects.for_org(cast.org_a)}
    assert not policies["Firewall"].enabled
    # Emptied, it would ask a firewall of every machine.
    assert policies["Firewall"].scope == {"groups": ["LAPTOPS"]}
    assert policies["Other"].enabled
    assert other["enabled"]
    assert not apps.get_model("policy.AbacPolicy").objects.for_org(cast.org_a).get().enabled
    assert status(cast, sick) == ("online", None)
    for action in ("posture_policy.updated", "abac_policy.updated"):
        told = entries(cast, action).get().details
        assert (told["after"], told["reason"]) == ({"enabled": False}, "group:laptops was deleted")


def test_a_policy_that_is_enabled_again_without_its_group_asks_nothing_of_anybody(cast, pair, sick):
    made = group(cast, "laptops")
    asked = ask(cast, "laptops")
    data(delete(cast.alice, cast.org_a, made, force=True))
    url = f"/api/db/posture_policies?org_id={cast.org_a.pk}&id=eq.{asked['id']}"
    data(cast.alice.client.call(url, {"enabled": True}, method="PATCH"))
    assert {status(cast, agent) for agent in pair} == {("online", None)}


def test_a_plan_deletes_a_group_by_force_and_its_rollback_puts_all_back(cast, pair, sick):
    made = group(cast, "laptops")
    join(cast, made, *pair)
    ask(cast, "laptops")
    document = {"segmentation_groups": {"delete": [made["id"]]}}
    assert policy(cast, "plan", 409, changes=document)["policies"][0]["kind"] == "posture_policy"
    document = {"segmentation_groups": {"delete": [{"id": made["id"], "force": True}]}}
    plan = policy(cast, "plan", 201, changes=document)
    assert [row["name"] for row in plan["posture"]["released"]["machines"]] == ["sick"]
    policy(cast, "apply", plan_id=plan["plan_id"])
    assert status(cast, sick) == ("online", None)
    assert not PosturePolicy.objects.for_org(cast.org_a).get().enabled
    policy(cast, "rollback", plan_id=plan["plan_id"])
    assert PosturePolicy.objects.for_org(cast.org_a).get().enabled
    assert status(cast, sick) == ("quarantined", "posture")


def test_another_organisation_s_group_of_the_same_name_is_another_one(cast, sick):
    ask(cast, "laptops")
    body = {"name": "Theirs", "require_firewall": True, "scope": {"groups": ["laptops"]}}
    theirs = data(
        cast.charlie.client.call("/api/db/posture_policies", {**body, "org_id": str(cast.org_b.pk)}), 201
    )
    foreign = group(cast, "laptops", cast.charlie, cast.org_b)
    own = group(cast, "laptops")
    join(cast, own, sick)
    error = delete(cast.charlie, cast.org_b, foreign).json()["error"]
    assert [entry["id"] for entry in error["policies"]] == [theirs["id"]]
    data(delete(cast.charlie, cast.org_b, foreign, force=True))
    assert PosturePolicy.objects.for_org(cast.org_a).get().enabled
    assert not PosturePolicy.objects.for_org(cast.org_b).get().enabled
    assert status(cast, sick) == ("quarantined", "posture")


def test_a_key_for_rules_alone_disables_no_posture_policy(cast, sick):
    made = group(cast, "laptops")
    ask(cast, "laptops")

    def by_key(scopes, path, method="POST", **body):
        asked = {"action": "create_api_key", "name": "automation", "scopes": scopes}
        kept = cast.alice.client.call("/api/key-management", {**asked, "org_id": str(cast.org_a.pk)})
        key = {"X-Api-Key": data(kept, 201)["key"]}
        return ApiClient().call(f"/api/{path}", {"org_id": str(cast.org_a.pk), **body}, method=method, **key)

    row = f"db/segmentation_groups?id=eq.{made['id']}"
    narrow, wide = ["acl:write"], ["acl:write", "posture:write"]
    refused = by_key(narrow, row, "DELETE", force=True)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "INSUFFICIENT_SCOPE")
    changes = {"segmentation_groups": {"delete": [{"id": made["id"], "force": True}]}}
    assert by_key(narrow, "policy", action="plan", changes=changes).status_code == 403
    assert PosturePolicy.objects.for_org(cast.org_a).get().enabled
    assert by_key(wide, "policy", action="plan", changes=changes).status_code == 201
    plan = data(by_key(wide, "policy", action="plan", changes=changes), 201)
    data(by_key(wide, "policy", action="apply", plan_id=plan["plan_id"]))
    # What the plan disabled besides comes back with it.
    back = {"action": "rollback", "plan_id": plan["plan_id"]}
    assert by_key(narrow, "policy", **back).json()["error"]["code"] == "INSUFFICIENT_SCOPE"
    data(by_key(wide, "policy", **back))
    assert PosturePolicy.objects.for_org(cast.org_a).get().enabled
    data(by_key(wide, row, "DELETE", force=True))
    assert not PosturePolicy.objects.for_org(cast.org_a).get().enabled


def test_a_key_for_rules_alone_takes_back_no_group_that_posture_names(cast):
    then = policy(cast, "enforcement")["policy_version"]
    group(cast, "laptops")
    ask(cast, "laptops")
    kept = {"action": "create_api_key", "name": "automation", "scopes": ["acl:write"]}
    made = cast.alice.client.call("/api/key-management", {**kept, "org_id": str(cast.org_a.pk)})
    body = {"action": "policy_version_rollback", "org_id": str(cast.org_a.pk), "target_version": then}
    back = ApiClient().call("/api/governance", body, **{"X-Api-Key": data(made, 201)["key"]})
    assert back.json()["error"]["code"] == "INSUFFICIENT_SCOPE"
    assert PosturePolicy.objects.for_org(cast.org_a).get().enabled


def test_several_groups_go_at_once(cast, pair, sick):
    made = [group(cast, name) for name in ("laptops", "phones")]
    for each in made:
        join(cast, each, sick)
        ask(cast, each["name"], each["name"])
    assert status(cast, sick) == ("quarantined", "posture")
    ids = ",".join(each["id"] for each in made)
    url = f"/api/db/segmentation_groups?org_id={cast.org_a.pk}&id=in.({ids})"
    data(cast.alice.client.call(url, {"description": "old"}, method="PATCH"))
    data(cast.alice.client.call(url, {"force": True}, method="DELETE"))
    assert not PosturePolicy.objects.for_org(cast.org_a).filter(enabled=True).exists()
    assert status(cast, sick) == ("online", None)


def test_a_lower_role_deletes_no_group(cast):
    made = group(cast, "laptops")
    ask(cast, "laptops")
    assert delete(cast.bob, cast.org_a, made, force=True).status_code == 403
    assert delete(cast.charlie, cast.org_a, made, force=True).status_code == 403
    assert delete(cast.charlie, cast.org_b, made, force=True).status_code == 404
    assert PosturePolicy.objects.for_org(cast.org_a).get().enabled


def test_four_eyes_keep_a_forced_removal_as_a_plan(cast, pair, sick):
    made = group(cast, "laptops")
    join(cast, made, *pair)
    ask(cast, "laptops")
    OrgSettings.objects.for_org(cast.org_a).update(four_eyes=True)
    error = delete(cast.alice, cast.org_a, made, force=True).json()["error"]
    assert error["code"] == "FOUR_EYES_REQUIRED"
    assert PosturePolicy.objects.for_org(cast.org_a).get().enabled
    assert status(cast, sick) == ("quarantined", "posture")


def test_a_scope_that_names_what_is_not_there_warns_until_it_is(cast, sick):
    tag(cast, sick, "here")
    scope = {"tags": ["here", "nowhere"], "groups": ["Laptops"]}
    made = add_policy(cast.alice, cast.org_a, require_firewall=True, scope=scope)
    everyone = add_policy(cast.alice, cast.org_a, "Everyone", require_firewall=True, on_fail="warn")
    assert (made["unresolved"], everyone["warnings"]) == (["group:laptops", "tag:nowhere"], [])
    assert made["warnings"] == ["group:laptops names nothing", "tag:nowhere names nothing"]

    def look(person=cast.bob, **query):
        shown = {row["name"]: row for row in rows(person, cast.org_a, "posture_policies", **query)}
        assert shown["Basic Security"]["unresolved"] == []
        return shown["Firewall"]["unresolved"]

    assert look(select="name,unresolved") == made["unresolved"]
    seq = last_seq(cast.org_a.pk)
    group(cast, "laptops", cast.charlie, cast.org_b)
    assert look() == made["unresolved"]
    group(cast, "laptops")
    assert look() == ["tag:nowhere"]
    tag(cast, sick, "nowhere")
    assert look() == ["tag:here"]
    events = missed_events(cast.org_a.pk, seq, {"posture"})
    told = [event["payload"] for event in events if event["table"] == "posture_policies"]
    assert told == [
        {"id": made["id"], "unresolved": ["tag:nowhere"]},
        {"id": made["id"], "unresolved": ["tag:here"]},
    ]
    assert everyone["warnings"] == []
    again = {name: made[name] for name in ("scope", "require_firewall", "unresolved", "warnings")}
    assert add_policy(cast.alice, cast.org_a, "Again", **again)["unresolved"] == ["tag:here"]
    copy = {"action": "from_template", "org_id": str(cast.org_a.pk)}
    changes = {"posture_policies": {"create": [{**again, "name": "Planned"}]}}
    assert policy(cast, "plan", 201, changes=changes)["unresolved"] == ["tag:here"]
    template = rows(cast.alice, cast.org_a, "posture_policies", limit="100")[-1]["id"]
    copied = data(cast.alice.client.call("/api/posture", {**copy, "template_id": template}), 201)
    assert (copied["unresolved"], copied["scope"]) == ([], {})
