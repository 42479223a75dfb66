"""Posture in plans: what it would do to machines and flows, who must agree, and the way back."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.utils import timezone
from django.utils.module_loading import autodiscover_modules

from apps.audit.models import AuditLog
from apps.core.jobs import JOBS
from apps.core.models import MailMessage
from apps.core.realtime import CHANNELS, last_seq, missed_events
from apps.machines.models import Machine, NetmapChange
from apps.machines.tests.agents import admin
from apps.orgs.models import Organization, OrgMember, OrgSettings
from apps.posture.models import PostureHistory, PosturePolicy, PostureReport
from apps.posture.tests.calls import add_policy, data, patch, report, rows, set_mode, status
from tests.cast import ApiClient

pytestmark = pytest.mark.django_db

FIREWALL = {"name": "Firewall", "require_firewall": True}


@pytest.fixture
def two(cast):
    """Bob is an administrator too, and neither he nor Alice acts alone."""
    OrgMember.objects.for_org(cast.org_a).filter(user=cast.bob.user).update(role="admin")
    OrgSettings.objects.for_org(cast.org_a).update(four_eyes=True)
    return cast.alice, cast.bob


def policy(person, org, action, status=200, **values):
    response = person.client.call("/api/policy", {"action": action, "org_id": str(org.pk), **values})
    assert response.status_code == status, response.content
    return response.json()["data" if status < 400 else "error"]


def plan(cast, status=201, person=None, **changes):
    return policy(person or cast.alice, cast.org_a, "plan", status, changes=changes)


def act(cast, action, made, status=200, person=None, **values):
    plan_id = made if isinstance(made, str) else made["plan_id"]
    return policy(person or cast.alice, cast.org_a, action, status, plan_id=plan_id, **values)


def machines(made, kind):
    return [row["name"] for row in made["posture"][kind]["machines"]]


def ends(flows):
    return sorted((flow["source"]["name"], flow["destination"]["name"]) for flow in flows)


def traces(cast):
    """Everything that a change of posture leaves behind."""
    models = (Machine, PosturePolicy, PostureReport, PostureHistory, NetmapChange)
    rows = {model: list(model.objects.for_org(cast.org_a).order_by("pk").values()) for model in models}
    settings = OrgSettings.objects.for_org(cast.org_a).values().get()
    version = Organization.objects.for_org(cast.org_a).get().netmap_version
    return rows, settings, version, MailMessage.objects.count()


def test_a_trial_shows_whom_it_would_quarantine_and_leaves_no_trace(cast, pair):
    before, seq = traces(cast), last_seq(cast.org_a.pk)
    entries = AuditLog.objects.for_org(cast.org_a).count()
    made = plan(cast, posture_policies={"create": [FIREWALL]})
    assert machines(made, "quarantined") == ["sick"]
    assert machines(made, "failing") == ["sick"]
    assert machines(made, "released") == machines(made, "restricted") == []
    assert made["posture"]["quarantined"]["count"] == 1
    assert ends(made["flows"]["lost"]) == [("sick", "sound"), ("sound", "sick")]
    assert ends(made["live_connections_cut"]) == [("sick", "sound"), ("sound", "sick")]
    told = {check["name"]: check["message"] for check in made["checks"]}
    assert told["posture"] == "Machines: 1 quarantined, 1 failing"
    assert [(row["table"], row["name"], row["change"]) for row in made["changed"]] == [
        ("posture_policies", "Firewall", "created")
    ]
    assert traces(cast) == before
    assert status(cast, pair[1]) == ("online", None)
    # The plan itself is all that anybody hears of.
    events = missed_events(cast.org_a.pk, seq, set(CHANNELS))
    assert {event["table"] for event in events} == {"change_plans", "audit_logs"}
    assert AuditLog.objects.for_org(cast.org_a).count() == entries + 1
    assert data(pair[1].heartbeat()).get("quarantined", False) is False


def test_an_applied_plan_quarantines_and_its_rollback_releases(cast, pair):
    made = plan(cast, posture_policies={"create": [FIREWALL]})
    act(cast, "apply", made, confirm_within_seconds=60)
    assert status(cast, pair[1]) == ("quarantined", "posture")
    assert AuditLog.objects.for_org(cast.org_a).filter(action="machine.auto_quarantine").count() == 1
    entry = AuditLog.objects.for_org(cast.org_a).get(action="posture_policy.created")
    assert entry.details["after"]["require_firewall"] is True
    act(cast, "rollback", made)
    assert status(cast, pair[1]) == ("online", None)
    assert not PosturePolicy.objects.for_org(cast.org_a).exists()


def test_a_restriction_is_shown_as_one(cast, pair):
    admin(cast.alice, "update_tags", pair[0], tags=["prod"])
    made = plan(cast, posture_policies={"create": [{**FIREWALL, "on_fail": "restrict"}]})
    assert machines(made, "restricted") == ["sick"]
    assert machines(made, "quarantined") == []
    assert ("sick", "sound") in ends(made["flows"]["lost"])


def test_the_mode_is_planned_with_the_policies_and_judged_once(cast, pair):
    """The state between the two, strict policies in the old mode, is nobody's to feel."""
    made = plan(
        cast,
        posture_policies={"create": [FIREWALL]},
        settings={"posture_enforcement": "monitor"},
    )
    assert machines(made, "quarantined") == []
    assert machines(made, "failing") == ["sick"]
    act(cast, "apply", made)
    assert status(cast, pair[1]) == ("online", None)
    assert not AuditLog.objects.for_org(cast.org_a).filter(action="machine.auto_quarantine").exists()
    made = plan(cast, settings={"posture_enforcement": "enforce"})
    assert machines(made, "quarantined") == ["sick"]
    act(cast, "apply", made, confirm_within_seconds=60)
    assert status(cast, pair[1]) == ("quarantined", "posture")
    act(cast, "rollback", made)
    assert OrgSettings.objects.for_org(cast.org_a).get().posture_enforcement == "monitor"
    assert status(cast, pair[1]) == ("online", None)


def test_what_is_rolled_back_comes_back_under_its_id_after_two_other_edits(cast, pair):
    row = add_policy(cast.alice, cast.org_a, scope={"tags": ["laptop"]}, require_firewall=True)
    made = plan(cast, posture_policies={"delete": [row["id"]]})
    act(cast, "apply", made)
    other = add_policy(cast.alice, cast.org_a, "Firewall", enabled=False)
    assert patch(cast.alice, cast.org_a, other["id"], enabled=True).status_code == 200
    act(cast, "rollback", made)
    kept = {str(each.pk): each for each in PosturePolicy.objects.for_org(cast.org_a)}
    assert set(kept) == {row["id"], other["id"]}
    # Its name is another's by now.
    assert (kept[row["id"]].name, kept[row["id"]].scope) == ("Firewall 2", {"tags": ["laptop"]})
    made = plan(cast, posture_policies={"update": [{"id": row["id"], "require_antivirus": True}]})
    act(cast, "apply", made)
    for values in ({"grace_period_min": 5}, {"require_antivirus": False}):
        assert patch(cast.alice, cast.org_a, row["id"], **values).status_code == 200
    act(cast, "rollback", made)
    (back,) = rows(cast.alice, cast.org_a, "posture_policies", id=f"eq.{row['id']}")
    assert (back["require_antivirus"], back["grace_period_min"]) == (False, 0)


def test_a_full_list_keeps_no_policy_from_coming_back(cast, pair, monkeypatch):
    row = add_policy(cast.alice, cast.org_a)
    made = plan(cast, posture_policies={"delete": [row["id"]]})
    act(cast, "apply", made)
    add_policy(cast.alice, cast.org_a, "Other", enabled=False)
    monkeypatch.setattr("apps.posture.services.policies.MAX_POLICIES", 1)
    error = plan(cast, 400, posture_policies={"create": [{**FIREWALL, "name": "More"}]})
    assert error["code"] == "INVALID_INPUT"
    act(cast, "rollback", made)
    assert PosturePolicy.objects.for_org(cast.org_a).count() == 2


def test_a_group_that_is_renamed_stays_in_scope(cast, pair):
    def add(table, **body):
        body = {"org_id": str(cast.org_a.pk), **body}
        return data(cast.alice.client.call(f"/api/db/{table}", body), 201)

    group = add("segmentation_groups", name="laptops")
    add("segmentation_group_members", group_id=group["id"], machine_id=pair[1].id)
    row = add_policy(cast.alice, cast.org_a, require_firewall=True, scope={"groups": ["Laptops", "x"]})
    assert status(cast, pair[1]) == ("quarantined", "posture")
    made = plan(cast, segmentation_groups={"update": [{"id": group["id"], "name": "notebooks"}]})
    assert made["posture"]["released"]["count"] == 0
    act(cast, "apply", made)
    scope = {"groups": ["notebooks", "x"]}
    assert PosturePolicy.objects.for_org(cast.org_a).get(pk=row["id"]).scope == scope
    report(pair[1])
    assert status(cast, pair[1]) == ("quarantined", "posture")
    act(cast, "rollback", made)
    assert PosturePolicy.objects.for_org(cast.org_a).get(pk=row["id"]).scope["groups"] == ["Laptops", "x"]
    renamed = {"_filters": {"id": group["id"]}, "name": "portables"}
    url = f"/api/db/segmentation_groups?org_id={cast.org_a.pk}"
    assert cast.alice.client.call(url, renamed, method="PATCH").status_code == 200
    assert PosturePolicy.objects.for_org(cast.org_a).get(pk=row["id"]).scope["groups"] == ["portables", "x"]


def test_the_whole_set_goes_back_with_its_posture(cast, pair):
    then = policy(cast.alice, cast.org_a, "enforcement")["policy_version"]
    row = add_policy(cast.alice, cast.org_a)
    assert status(cast, pair[1]) == ("quarantined", "posture")
    assert patch(cast.alice, cast.org_a, row["id"], on_fail="warn").status_code == 200
    body = {"action": "policy_version_rollback", "org_id": str(cast.org_a.pk), "target_version": then}
    assert cast.alice.client.call("/api/governance", body).status_code == 200
    assert not PosturePolicy.objects.for_org(cast.org_a).exists()
    assert status(cast, pair[1]) == ("online", None)


def test_a_policy_that_was_changed_meanwhile_makes_the_plan_stale(cast, pair):
    row = add_policy(cast.alice, cast.org_a)
    made = plan(cast, posture_policies={"delete": [row["id"]]})
    assert patch(cast.alice, cast.org_a, row["id"], on_fail="warn").status_code == 200
    assert act(cast, "apply", made, 409)["code"] == "PLAN_STALE"


def test_a_plan_of_posture_is_applied_at_its_time_and_taken_back_by_itself(cast, pair, run_jobs):
    made = plan(cast, posture_policies={"create": [FIREWALL]})
    at = (timezone.now() + timedelta(hours=2)).isoformat()
    act(cast, "apply", made, activate_at=at, confirm_within_seconds=60)
    assert status(cast, pair[1]) == ("online", None)
    run_jobs(apply_at=timezone.now())
    assert status(cast, pair[1]) == ("quarantined", "posture")
    run_jobs(confirm_by=timezone.now())
    assert status(cast, pair[1]) == ("online", None)
    assert act(cast, "get_plan", made)["status"] == "rolled_back"


@pytest.fixture
def run_jobs(cast):
    """Set times of the organisation's plans, and let the job that follows them run."""
    autodiscover_modules("tasks")
    plans = apps.get_model("policy", "ChangePlan")

    def run(**times):
        plans.objects.for_org(cast.org_a).update(**times)
        JOBS["plan-deadlines"].run()

    return run


def test_no_write_of_posture_goes_around_the_second_pair_of_eyes(cast, pair, two):
    OrgSettings.objects.for_org(cast.org_a).update(four_eyes=False)
    row = add_policy(cast.alice, cast.org_a, on_fail="warn", require_firewall=True)
    OrgSettings.objects.for_org(cast.org_a).update(four_eyes=True)
    settings_row = rows(cast.alice, cast.org_a, "org_settings")[0]["id"]
    template = next(
        each["id"]
        for each in rows(cast.alice, cast.org_a, "posture_policies", limit="100")
        if each["id"] != row["id"]
    )
    base = {"org_id": str(cast.org_a.pk)}
    one = f"/api/db/posture_policies?org_id={cast.org_a.pk}&id=eq.{row['id']}"
    call = cast.alice.client.call
    tried = {
        "insert": call("/api/db/posture_policies", {**base, **FIREWALL, "name": "More"}),
        "update": patch(cast.alice, cast.org_a, row["id"], on_fail="quarantine"),
        "delete": call(one, {}, method="DELETE"),
        "copy": call("/api/posture", {**base, "action": "from_template", "template_id": template}),
        "mode": set_mode(cast.alice, cast.org_a, "disabled"),
        "mode at the table": call(
            f"/api/db/org_settings?org_id={cast.org_a.pk}&id=eq.{settings_row}",
            {"posture_enforcement": "monitor"},
            method="PATCH",
        ),
    }
    for what, answer in tried.items():
        error = data_of_refusal(answer, what)
        shown = policy(cast.bob, cast.org_a, "get_plan", plan_id=error["plan_id"])
        assert (shown["status"], shown["requires_approval"]) == ("ready", True), what
    (kept,) = PosturePolicy.objects.for_org(cast.org_a)
    assert (str(kept.pk), kept.on_fail) == (row["id"], "warn")
    assert OrgSettings.objects.for_org(cast.org_a).get().posture_enforcement == "enforce"
    change = tried["update"].json()["error"]["plan_id"]
    assert act(cast, "apply", change, 403)["code"] == "FOUR_EYES_REQUIRED"
    act(cast, "approve", change, person=cast.bob)
    act(cast, "apply", change)
    assert status(cast, pair[1]) == ("quarantined", "posture")


def data_of_refusal(answer, what):
    assert answer.status_code == 403, (what, answer.content)
    error = answer.json()["error"]
    assert error["code"] == "FOUR_EYES_REQUIRED", what
    return error


def test_a_key_plans_and_applies_no_more_than_its_scopes_let_it_write(cast, pair):
    body = {"action": "create_api_key", "org_id": str(cast.org_a.pk), "name": "ci", "scopes": ["acl:write"]}
    key = data(cast.alice.client.call("/api/key-management", body), 201)["key"]

    def by_key(topic, action, status, **values):
        body = {"action": action, "org_id": str(cast.org_a.pk), **values}
        response = ApiClient().call(f"/api/{topic}", body, **{"X-Api-Key": key})
        assert response.status_code == status, response.content
        return response.json()["data" if status < 400 else "error"]

    create = {"posture_policies": {"create": [FIREWALL]}}
    mode = {"settings": {"posture_enforcement": "disabled"}}
    for changes, scope in ((create, "posture:write"), (mode, "settings:write")):
        error = by_key("policy", "plan", 403, changes=changes)
        assert (error["code"], error["required_scope"]) == ("INSUFFICIENT_SCOPE", scope)
    assert by_key("policy", "plan", 201, changes={"segmentation_groups": {"create": [{"name": "g"}]}})
    then = policy(cast.alice, cast.org_a, "enforcement")["policy_version"]
    made = plan(cast, **create)
    for action in ("approve", "apply"):
        assert by_key("policy", action, 403, plan_id=made["plan_id"])["code"] == "INSUFFICIENT_SCOPE"
    act(cast, "apply", made)
    assert by_key("policy", "rollback", 403, plan_id=made["plan_id"])["code"] == "INSUFFICIENT_SCOPE"
    back = by_key("governance", "policy_version_rollback", 403, target_version=then)
    assert back["code"] == "INSUFFICIENT_SCOPE"
    assert PosturePolicy.objects.for_org(cast.org_a).count() == 1


def test_who_may(cast, pair):
    row = add_policy(cast.alice, cast.org_a)
    changes = {"posture_policies": {"delete": [row["id"]]}}
    assert plan(cast, 403, person=cast.bob, **changes)["code"] == "FORBIDDEN"
    foreign = policy(cast.charlie, cast.org_b, "plan", 404, changes=changes)
    assert foreign["code"] == "NOT_FOUND"
    made = plan(cast, **changes)
    for action in ("apply", "rollback", "get_plan"):
        found = policy(cast.charlie, cast.org_b, action, 404, plan_id=made["plan_id"])
        assert found["code"] == "NOT_FOUND"
    template = rows(cast.alice, cast.org_a, "posture_policies", limit="100")[-1]["id"]
    assert plan(cast, 403, posture_policies={"delete": [template]})["code"] == "FORBIDDEN"
    assert PosturePolicy.objects.for_org(cast.org_a).count() == 1
