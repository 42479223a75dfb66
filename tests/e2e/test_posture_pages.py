"""Posture in Chromium against the real control plane: what is asked, who fails, what becomes of it."""

import contextlib
import sqlite3

import pytest
from playwright.sync_api import expect

from tests.e2e.network import Network, sign_in

pytestmark = pytest.mark.browser

LIVE_MS = 5000
HEALTHY = {"os_version": "Debian 12", "disk_encrypted": True, "firewall_enabled": True, "patch_age_days": 3}


@pytest.fixture(scope="module")
def network(control_plane):
    return Network(control_plane, "laptop")


@pytest.fixture(scope="module")
def laptop(network):
    """The machine as its own agent would speak: report(**signals)."""

    def report(**signals):
        return network.call("/api/posture-report", HEALTHY | signals, network.machines["laptop"]["node_key"])

    return report


@pytest.fixture
def console(page, network):
    return sign_in(page, network)


def test_a_policy_is_written_with_a_look_at_who_would_fail(console, control_plane, laptop):
    laptop(firewall_enabled=False)
    console.goto(f"{control_plane.url}/posture-policies")
    expect(console.get_by_text("read-only")).to_have_count(3)
    console.get_by_role("button", name="Create Policy").first.click()
    drawer = console.get_by_role("dialog")
    drawer.get_by_label("Name", exact=True).fill("Laptops")
    drawer.get_by_label("Disk encryption").click()
    drawer.get_by_label("Firewall").click()
    drawer.get_by_label("System not older than").fill("debian twelve")
    drawer.get_by_role("button", name="Preview").click()
    expect(drawer.get_by_text("debian twelve is no name and version")).to_be_visible()
    drawer.get_by_label("System not older than").fill("debian 12")
    drawer.get_by_role("button", name="Who would fail?").click()
    expect(drawer.get_by_text("1 of 1 machine would fail")).to_be_visible()
    drawer.get_by_role("button", name="Preview").click()
    console.get_by_role("dialog", name="Add Laptops").get_by_role("button", name="Apply").click()
    policy = console.get_by_role("article", name="Policy Laptops")
    for asked in ("disk encryption", "firewall", "debian 12 or newer"):
        expect(policy.get_by_text(asked, exact=True)).to_be_visible()
    expect(policy.get_by_role("switch")).to_be_checked()


def test_enforcing_asks_first_and_shows_the_failing_machine_live(console, control_plane, laptop):
    console.goto(f"{control_plane.url}/posture-policies")
    console.get_by_text("Enforce", exact=True).click()
    console.get_by_role("dialog").get_by_role("button", name="Enforce").click()
    expect(console.get_by_role("radio", name="Enforce")).to_be_checked()

    console.goto(f"{control_plane.url}/posture")
    expect(console.get_by_role("button", name="1 Failing")).to_be_visible(timeout=LIVE_MS)
    console.get_by_role("button", name="laptop", exact=True).click()
    drawer = console.get_by_role("dialog")
    expect(drawer.get_by_text("No firewall is active", exact=True)).to_be_visible()
    expect(drawer.get_by_text("ufw")).to_be_visible()
    drawer.get_by_role("button", name="Close").click()
    assert laptop()["compliant"]
    expect(console.get_by_role("button", name="1 Compliant")).to_be_visible(timeout=LIVE_MS)
    expect(console.get_by_role("button", name="0 Failing")).to_be_visible()
    console.goto(f"{control_plane.url}/dashboard")
    expect(console.get_by_role("link", name="1 of 1 checked device compliant (100 %)")).to_be_visible()


def test_a_template_is_copied_and_the_copy_can_be_deleted(console, control_plane):
    console.goto(f"{control_plane.url}/posture-policies")
    console.get_by_role("listitem").filter(has_text="Healthcare/HIPAA").get_by_role(
        "button", name="Copy"
    ).click()
    console.get_by_role("dialog").get_by_role("button", name="Copy").click()
    copy = console.get_by_role("article", name="Policy Healthcare/HIPAA")
    expect(copy.get_by_text("patches of the last 14 days")).to_be_visible()
    copy.get_by_role("button", name="Delete").click()
    console.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(copy).to_have_count(0)
    expect(console.get_by_text("read-only")).to_have_count(3)


def test_a_scope_that_names_what_is_not_there_warns_until_it_is(console, control_plane, network):
    scope = {"groups": ["crew"], "tags": ["field"]}
    network.add("posture_policies", name="Crew", require_firewall=True, scope=scope, on_fail="warn")
    console.goto(f"{control_plane.url}/posture-policies")
    policy = console.get_by_role("article", name="Policy Crew")
    expect(policy.get_by_title("Nothing is called group:crew, tag:field")).to_be_visible()
    group = network.add("segmentation_groups", name="crew")
    expect(policy.get_by_title("Nothing is called tag:field")).to_be_visible(timeout=LIVE_MS)
    machine = network.id_of("laptop")
    network.act("machine-admin", "update_tags", machine_id=machine, tags=["field"])
    expect(policy.get_by_text("Unknown name")).to_have_count(0, timeout=LIVE_MS)

    network.add("segmentation_group_members", group_id=group["id"], machine_id=machine)
    attributes = {"effect": "deny", "selector": "group:crew", "conditions": {"os": ["windows"]}}
    network.add("abac_policies", name="No Windows", **attributes)
    console.goto(f"{control_plane.url}/segmentation")
    console.get_by_role("button", name="Delete crew").click()
    dialog = console.get_by_role("dialog")
    expect(dialog.get_by_text("Posture policy Crew: disabled")).to_be_visible()
    expect(dialog.get_by_text("Attribute policy No Windows: disabled")).to_be_visible()
    expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()
    dialog.get_by_label("Type crew to confirm").fill("crew")
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog).to_have_count(0)
    console.goto(f"{control_plane.url}/posture-policies")
    expect(policy.get_by_text("Disabled")).to_be_visible()
    expect(policy.get_by_title("Nothing is called group:crew")).to_be_visible()
    console.goto(f"{control_plane.url}/abac")
    expect(
        console.get_by_role("article", name="Policy No Windows").get_by_text("Unknown name")
    ).to_be_visible()


def test_a_report_that_is_not_renewed_is_shown_as_stale_until_it_is(console, control_plane, network, laptop):
    laptop()
    network.call("/api/machine-heartbeat", {"status": "online"}, network.machines["laptop"]["node_key"])
    with contextlib.closing(sqlite3.connect(control_plane.directory / "quickztna.sqlite3")) as database:
        database.execute("update posture_reports set reported_at = datetime('now', '-50 hours')")
        database.commit()
    console.goto(f"{control_plane.url}/posture")
    console.get_by_role("button", name="1 Stale").click()
    expect(console.get_by_role("table").get_by_text("stale, 2 days ago")).to_be_visible()
    console.get_by_role("button", name="laptop", exact=True).click()
    drawer = console.get_by_role("dialog")
    expect(drawer.get_by_text("stale, 2 days ago")).to_be_visible()
    drawer.get_by_role("button", name="Close").click()
    laptop()
    expect(console.get_by_role("button", name="0 Stale")).to_be_visible(timeout=LIVE_MS)
