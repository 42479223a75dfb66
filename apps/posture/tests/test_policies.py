"""Policies, templates and previews."""

import pytest

from apps.machines.tests.agents import auth_key, code, enrol
from apps.posture.models import PosturePolicy
from apps.posture.templates import TEMPLATE_ORG, TEMPLATES
from apps.posture.tests.calls import add_policy, data, patch, report, rows, set_mode

pytestmark = pytest.mark.django_db


def call(person, org, action, **values):
    return person.client.call("/api/posture", {"action": action, "org_id": str(org.pk), **values})


def test_a_policy_comes_back_as_it_was_written(cast):
    made = add_policy(
        cast.alice,
        cast.org_a,
        "Full",
        scope={"tags": ["tag:prod", "prod"], "groups": [" Laptops "]},
        allowed_os=["linux", "darwin"],
        min_os_version={"linux": {"Ubuntu": "22.04"}, "darwin": "13.0"},
        screen_lock={"enabled": True, "max_idle_min": 10},
        agent_version_min="v1.2",
        grace_period_min=30,
        on_fail="restrict",
    )
    (row,) = rows(cast.bob, cast.org_a, "posture_policies", id=f"eq.{made['id']}")
    assert row["scope"] == {"tags": ["prod"], "groups": ["Laptops"]}
    assert row["allowed_os"] == ["linux", "macos"]
    assert row["min_os_version"] == {"linux": {"ubuntu": "22.04"}, "macos": "13.0"}
    assert row["screen_lock"] == {"enabled": True, "max_idle_min": 10}
    assert row["agent_version_min"] == "1.2"
    assert row["created_by"] == str(cast.alice.user.pk)
    assert row["created_at"].endswith("Z")


def test_the_guides_form_is_the_same_model(cast):
    asked = {"firewall": True, "os_version_min": {"linux": "22.04"}, "screen_lock": {"enabled": False}}
    made = add_policy(cast.alice, cast.org_a, "Guide", requirements=asked)
    assert made["require_firewall"] is True
    assert made["min_os_version"] == {"linux": "22.04"}
    assert made["screen_lock"] is None


def test_templates_are_listed_and_copied_and_never_changed_or_judged(cast):
    own = add_policy(cast.alice, cast.org_a)
    listed = rows(cast.bob, cast.org_a, "posture_policies", order="name.asc", limit="1000")
    assert [row["org_id"] for row in listed] == [str(cast.org_a.pk), *[str(TEMPLATE_ORG)] * 3]
    assert {row["name"] for row in listed[1:]} == {
        "Basic Security",
        "Enterprise Standard",
        "Healthcare/HIPAA",
    }
    assert set(listed[0]) == set(listed[1])
    template = next(iter(TEMPLATES))
    assert patch(cast.alice, cast.org_a, template, enabled=False).status_code == 404
    url = f"/api/db/posture_policies?org_id={cast.org_a.pk}&id=eq.{template}"
    assert cast.alice.client.call(url, method="DELETE").status_code == 404
    (same,) = rows(cast.bob, cast.org_a, "posture_policies", id=f"eq.{template}")
    assert same["enabled"] is True
    copied = data(call(cast.alice, cast.org_a, "from_template", template_id=str(template)), 201)
    assert (copied["org_id"], copied["require_firewall"]) == (str(cast.org_a.pk), True)
    again = call(cast.alice, cast.org_a, "from_template", template_id=str(template))
    assert code(again) == (409, "CONFLICT")
    assert call(cast.alice, cast.org_a, "from_template", template_id=own["id"]).status_code == 404


def test_templates_do_not_judge(cast):
    agent = enrol(auth_key(cast.alice, cast.org_a)["key"])
    set_mode(cast.alice, cast.org_a, "enforce")
    assert data(report(agent))["compliant"] is True


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 101),
        ("scope", {"tags": ["a b"]}),
        ("scope", {"users": []}),
        ("scope", []),
        ("scope", {"groups": ["x" * 65]}),
        ("scope", {"groups": ["g"] * 51}),
        ("allowed_os", "linux"),
        ("allowed_os", ["beos"]),
        ("allowed_os", [{}]),
        ("min_os_version", {"linux": "new"}),
        ("min_os_version", {"linux": {"ubuntu": 22.04}}),
        ("min_os_version", {"linux": {"\U0001f427": "1"}}),
        ("min_os_version", ["13"]),
        ("max_patch_age_days", -1),
        ("max_patch_age_days", True),
        ("screen_lock", {"max_idle_min": 0}),
        ("screen_lock", {"enabled": "yes"}),
        ("screen_lock", 5),
        ("agent_version_min", "latest"),
        ("on_fail", "explode"),
        ("grace_period_min", -1),
        ("grace_period_min", 10**6),
        ("requirements", {"firewal": True}),
    ],
)
def test_bad_columns_are_refused_and_keep_nothing(cast, field, value):
    body = {"org_id": str(cast.org_a.pk), "name": "P", field: value}
    assert cast.alice.client.call("/api/db/posture_policies", body).status_code == 400
    assert not PosturePolicy.objects.for_org(cast.org_a).exists()


def test_members_read_and_do_not_write(cast):
    made = add_policy(cast.alice, cast.org_a)
    body = {"org_id": str(cast.org_a.pk), "name": "Mine"}
    assert cast.bob.client.call("/api/db/posture_policies", body).status_code == 403
    assert patch(cast.bob, cast.org_a, made["id"], enabled=False).status_code == 403
    assert call(cast.bob, cast.org_a, "preview", policy=body).status_code == 403
    assert set_mode(cast.bob, cast.org_a, "enforce").status_code == 403


def test_a_mode_that_is_none_is_refused(cast):
    assert code(set_mode(cast.alice, cast.org_a, "strict")) == (400, "INVALID_VALUE")


def test_a_name_is_taken_once(cast):
    add_policy(cast.alice, cast.org_a)
    body = {"org_id": str(cast.org_a.pk), "name": " Firewall "}
    assert code(cast.alice.client.call("/api/db/posture_policies", body)) == (409, "CONFLICT")


def test_a_preview_tells_who_would_fail_and_changes_nothing(cast):
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    failing, silent = enrol(key, "failing"), enrol(key, "silent")
    report(failing)
    policy = {"name": "New", "require_firewall": True, "require_antivirus": True}
    answer = data(call(cast.alice, cast.org_a, "preview", policy=policy))
    assert answer == {
        "machines_in_scope": 2,
        "would_fail": [
            {"id": failing.id, "name": "failing", "violations": ["firewall_required", "antivirus_required"]}
        ],
        "never_reported": [{"id": silent.id, "name": "silent"}],
    }
    assert not PosturePolicy.objects.for_org(cast.org_a).exists()
    nobody = data(call(cast.alice, cast.org_a, "preview", policy={**policy, "scope": {"tags": ["none"]}}))
    assert nobody["machines_in_scope"] == 0


def test_another_organisation_sees_nothing(cast):
    made = add_policy(cast.alice, cast.org_a)
    agent = enrol(auth_key(cast.alice, cast.org_a)["key"])
    report(agent)
    assert code(call(cast.charlie, cast.org_b, "history", machine_id=agent.id)) == (404, "NOT_FOUND")
    assert patch(cast.charlie, cast.org_b, made["id"], enabled=False).status_code == 404
    assert rows(cast.charlie, cast.org_b, "posture_reports") == []
