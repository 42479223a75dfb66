"""Reports, what follows from them, and what lifts it again."""

import re
from datetime import timedelta
from inspect import getsource

import pytest
from django.test import TestCase
from django.utils import timezone

from apps.audit.models import AuditLog
from apps.machines.tests.agents import admin, auth_key, code, enrol
from apps.machines.verdicts import verdicts_of
from apps.posture import requirements
from apps.posture.models import PostureHistory, PostureReport
from apps.posture.remedies import remedies_of
from apps.posture.tasks import end_grace, prune_history
from apps.posture.tests.calls import (
    HEALTHY,
    UNHEALTHY,
    add_policy,
    data,
    machine,
    patch,
    report,
    rows,
    set_mode,
)
from tests.cast import ApiClient

pytestmark = pytest.mark.django_db


FIX = "Run 'sudo ufw enable', or add an nftables input chain whose policy is drop."


def test_every_violation_has_a_remedy_on_every_system():
    codes = set(re.findall(r'"([a-z_]+_(?:required|exceeded|allowed|old|unknown))"', getsource(requirements)))
    assert len(codes) >= 10
    for os in ("linux", "macos", "windows"):
        assert remedies_of(codes, os).keys() == codes


@pytest.fixture
def agent(cast):
    agent = enrol(auth_key(cast.alice, cast.org_a)["key"])
    data(agent.heartbeat())
    return agent


def run_job(work):
    with TestCase.captureOnCommitCallbacks(execute=True):
        return work()


def test_a_failing_machine_is_quarantined_and_a_clean_report_lifts_it(cast, agent):
    policy = add_policy(cast.alice, cast.org_a)
    assert set_mode(cast.alice, cast.org_a, "enforce").status_code == 200
    answer = data(report(agent))
    assert answer == {
        "compliant": False,
        "violations": ["firewall_required"],
        "violation_details": [
            {"code": "firewall_required", "found": False, "allowed": True, "policy_id": policy["id"]}
        ],
        "remedies": {"firewall_required": FIX},
        "quarantined": True,
        "mode": "enforce",
        "grace_expires_at": None,
        "policies": ["Firewall"],
    }
    (shown,) = rows(cast.bob, cast.org_a, "posture_reports")
    assert shown["remedies"] == {"firewall_required": FIX}
    row = machine(agent, cast.org_a)
    assert (row.status, row.quarantine_reason) == ("quarantined", "posture")
    beat = data(agent.heartbeat())
    assert beat["quarantined"] is True
    assert beat["peers"] == []
    answer = data(report(agent, firewall_enabled=True))
    assert (answer["compliant"], answer["quarantined"]) == (True, False)
    row = machine(agent, cast.org_a)
    assert (row.status, row.quarantine_reason) == ("online", None)
    trail = AuditLog.objects.for_org(cast.org_a).filter(action__startswith="machine.auto").order_by("seq")
    assert [(entry.action, entry.details["violations"]) for entry in trail] == [
        ("machine.auto_quarantine", ["firewall_required"]),
        ("machine.auto_unquarantine", []),
    ]


def test_a_clean_report_lifts_no_quarantine_of_an_administrator(cast, agent):
    set_mode(cast.alice, cast.org_a, "enforce")
    data(admin(cast.alice, "quarantine", agent, reason="lost"))
    assert data(report(agent, **HEALTHY))["quarantined"] is False
    assert machine(agent, cast.org_a).quarantine_reason == "admin"


def test_an_administrators_word_lifts_no_quarantine_of_a_machine_that_still_fails(cast, agent):
    add_policy(cast.alice, cast.org_a)
    set_mode(cast.alice, cast.org_a, "enforce")
    report(agent)
    for action in ("unquarantine", "approve"):
        assert code(admin(cast.alice, action, agent)) == (400, "INVALID_STATE")
    assert machine(agent, cast.org_a).quarantine_reason == "posture"
    (row,) = rows(cast.bob, cast.org_a, "machines")
    assert row["posture_verdict"] == "non_compliant"
    silent = enrol(auth_key(cast.alice, cast.org_a)["key"], "silent")
    (row,) = rows(cast.bob, cast.org_a, "machines", id=f"eq.{silent.id}", select="name,posture_verdict")
    assert row == {"name": "silent", "posture_verdict": "unknown"}


def test_an_offline_machine_is_left_alone_until_it_is_online(cast, agent):
    add_policy(cast.alice, cast.org_a)
    set_mode(cast.alice, cast.org_a, "enforce")
    data(agent.heartbeat(status="offline"))
    assert data(report(agent))["quarantined"] is False
    assert run_job(end_grace) == {"machines": 0}
    data(agent.heartbeat())
    assert run_job(end_grace) == {"machines": 1}
    assert machine(agent, cast.org_a).quarantine_reason == "posture"
    assert run_job(end_grace) == {"machines": 0}


def test_disabled_stores_and_judges_nothing(cast, agent):
    add_policy(cast.alice, cast.org_a)
    answer = data(report(agent))
    assert (answer["compliant"], answer["violations"], answer["mode"]) == (True, [], "disabled")
    (row,) = rows(cast.bob, cast.org_a, "posture_reports", machine_id=f"eq.{agent.id}")
    assert row["firewall_enabled"] is False
    assert row["compliant"] is True
    assert row["antivirus_name"] is None
    assert machine(agent, cast.org_a).status == "online"


def test_a_softer_mode_releases_at_once_and_judges_on(cast, agent):
    add_policy(cast.alice, cast.org_a)
    set_mode(cast.alice, cast.org_a, "enforce")
    report(agent)
    other = enrol(auth_key(cast.alice, cast.org_a)["key"], "beta")
    data(other.heartbeat())
    data(admin(cast.alice, "quarantine", other, reason="lost"))
    set_mode(cast.alice, cast.org_a, "monitor")
    assert machine(agent, cast.org_a).status == "online"
    assert machine(other, cast.org_a).quarantine_reason == "admin"
    answer = data(report(agent))
    assert (answer["compliant"], answer["quarantined"], answer["mode"]) == (False, False, "monitor")
    set_mode(cast.alice, cast.org_a, "enforce")
    assert machine(agent, cast.org_a).status == "quarantined"


def test_a_policy_that_is_disabled_or_deleted_releases_whom_it_held(cast, agent):
    policy = add_policy(cast.alice, cast.org_a)
    set_mode(cast.alice, cast.org_a, "enforce")
    report(agent)
    assert patch(cast.alice, cast.org_a, policy["id"], enabled=False).status_code == 200
    assert machine(agent, cast.org_a).status == "online"
    patch(cast.alice, cast.org_a, policy["id"], enabled=True)
    assert machine(agent, cast.org_a).status == "quarantined"
    url = f"/api/db/posture_policies?org_id={cast.org_a.pk}&id=eq.{policy['id']}"
    assert cast.alice.client.call(url, method="DELETE").status_code == 200
    assert machine(agent, cast.org_a).status == "online"


def test_grace_runs_out_by_the_job(cast, agent):
    add_policy(cast.alice, cast.org_a, require_firewall=True, grace_period_min=30)
    set_mode(cast.alice, cast.org_a, "enforce")
    assert data(report(agent))["grace_expires_at"] is not None
    assert machine(agent, cast.org_a).status == "online"
    assert run_job(end_grace) == {"machines": 0}
    row = PostureReport.objects.for_org(cast.org_a).get()
    row.failing = {key: at - 1800 for key, at in row.failing.items()}
    row.grace_ends_at = timezone.now()
    row.save()
    assert run_job(end_grace) == {"machines": 1}
    assert machine(agent, cast.org_a).quarantine_reason == "posture"


def test_restrict_keeps_the_machine_on_the_network_and_tells_policy(cast, agent):
    add_policy(cast.alice, cast.org_a, require_firewall=True, on_fail="restrict")
    set_mode(cast.alice, cast.org_a, "enforce")
    before = data(agent.heartbeat())["netmap_version"]
    report(agent)
    (verdict,) = verdicts_of(cast.org_a.pk).values()
    assert (verdict.compliant, verdict.restricted) == (False, True)
    assert machine(agent, cast.org_a).status == "online"
    after = data(agent.heartbeat())["netmap_version"]
    assert after > before
    report(agent)
    assert data(agent.heartbeat())["netmap_version"] == after


def test_scope_by_tag_and_group(cast, agent):
    add_policy(cast.alice, cast.org_a, "Tagged", require_firewall=True, scope={"tags": ["tag:prod"]})
    add_policy(cast.alice, cast.org_a, "Grouped", require_antivirus=True, scope={"groups": ["Laptops"]})
    set_mode(cast.alice, cast.org_a, "monitor")
    assert data(report(agent))["compliant"] is True
    made = cast.alice.client.call(
        "/api/db/segmentation_groups", {"org_id": str(cast.org_a.pk), "name": "laptops"}
    )
    group = made.json()["data"]["id"]
    member = {"org_id": str(cast.org_a.pk), "group_id": group, "machine_id": agent.id}
    assert cast.alice.client.call("/api/db/segmentation_group_members", member).status_code == 201
    assert data(report(agent))["policies"] == ["Grouped"]
    row = machine(agent, cast.org_a)
    row.tags = ["prod"]
    row.save()
    assert data(report(agent))["policies"] == ["Grouped", "Tagged"]


def test_one_row_a_machine_and_a_point_of_history_a_change(cast, agent):
    add_policy(cast.alice, cast.org_a)
    set_mode(cast.alice, cast.org_a, "monitor")
    for firewall in (False, False, True, True, False):
        report(agent, firewall_enabled=firewall)
    (row,) = rows(cast.bob, cast.org_a, "posture_reports")
    assert row["violations"] == ["firewall_required"]
    body = {"action": "history", "machine_id": agent.id}
    points = data(cast.bob.client.call("/api/posture", body))["points"]
    assert [point["compliant"] for point in points] == [False, True, False]
    PostureHistory.objects.for_org(cast.org_a).update(created_at=timezone.now() - timedelta(days=400))
    assert run_job(prune_history) == {"points": 3}


def test_what_a_report_leaves_out_is_unknown(cast, agent):
    add_policy(cast.alice, cast.org_a)
    set_mode(cast.alice, cast.org_a, "monitor")
    assert data(report(agent, firewall_enabled=True))["compliant"] is True
    answer = data(report(agent, firewall_enabled=None))
    assert answer["violations"] == ["signal_unknown"]
    assert answer["violation_details"][0]["allowed"] == "firewall_enabled"


def test_a_machine_may_report_as_it_enrols(cast):
    add_policy(cast.alice, cast.org_a, "Both", require_disk_encryption=True, require_firewall=True)
    set_mode(cast.alice, cast.org_a, "enforce")
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    agent = enrol(key, "alpha", posture=UNHEALTHY)
    assert agent.answer["posture_compliant"] is False
    (row,) = rows(cast.bob, cast.org_a, "posture_reports", machine_id=f"eq.{agent.id}")
    assert row["violations"] == ["disk_encryption_required", "firewall_required"]
    assert enrol(key, "beta").answer["posture_compliant"] is None
    assert enrol(key, "gamma", posture={"firewall_enabled": "yes"}).answer["posture_compliant"] is None


def test_the_guides_names_are_the_same_signals(cast, agent):
    body = {
        "disk_encryption": True,
        "firewall": "ufw",
        "antivirus": "clamav",
        "screen_lock": {"enabled": True, "max_idle_min": 5},
    }
    data(agent.client.call("/api/posture-report", body))
    row = PostureReport.objects.for_org(cast.org_a).get()
    assert (row.disk_encrypted, row.firewall_enabled, row.antivirus_enabled) == (True, True, True)
    assert (row.antivirus_name, row.screen_lock_timeout) == ("clamav", 300)


@pytest.mark.parametrize(
    "values",
    [
        {"firewall_enabled": "yes"},
        {"disk_encrypted": 1},
        {"patch_age_days": -1},
        {"patch_age_days": 10**9},
        {"os_version": "x" * 101},
        {"screen_lock_timeout": True},
        {"last_patch_date": "yesterday"},
        {"custom_attributes": {"x": "y" * 20_000}},
        {"custom_attributes": ["x"]},
        {"screen_lock": {"enabled": True, "max_idle_min": "5"}, "screen_lock_timeout": "5"},
    ],
)
def test_a_bad_report_is_refused_and_keeps_nothing(cast, agent, values):
    assert report(agent, **values).status_code == 400
    assert not PostureReport.objects.for_org(cast.org_a).exists()


def test_only_a_machines_own_key_reports(cast, agent):
    body = {"machine_id": agent.id, **HEALTHY}
    assert code(ApiClient().call("/api/posture-report", body)) == (401, "MISSING_NODE_KEY")
    forged = ApiClient("nk_live_" + "0" * 48)
    assert code(forged.call("/api/posture-report", body)) == (401, "UNAUTHORIZED")
    assert code(cast.alice.client.call("/api/posture-report", body)) == (403, "FORBIDDEN")
    # A machine can't speak for another: the id in the body means nothing.
    other = enrol(auth_key(cast.alice, cast.org_a)["key"], "beta")
    data(other.client.call("/api/posture-report", body))
    assert str(PostureReport.objects.for_org(cast.org_a).get().machine_id) == other.id
    in_body = ApiClient().call("/api/posture-report", {"node_key": agent.node_key, **HEALTHY})
    assert data(in_body)["compliant"] is True


def test_a_deleted_machine_takes_its_report_along(cast, agent):
    report(agent)
    data(admin(cast.alice, "delete", agent))
    assert not PostureReport.objects.for_org(cast.org_a).exists()
    assert not PostureHistory.objects.for_org(cast.org_a).exists()


def test_the_dashboard_counts_those_that_reported(cast, agent):
    add_policy(cast.alice, cast.org_a)
    set_mode(cast.alice, cast.org_a, "monitor")
    enrol(auth_key(cast.alice, cast.org_a)["key"], "silent")
    report(agent)
    body = {"fn": "get_dashboard_stats", "_org_id": str(cast.org_a.pk)}
    stats = data(cast.alice.client.call("/api/db/_rpc", body))
    assert (stats["postureTotal"], stats["postureCompliant"]) == (1, 0)
