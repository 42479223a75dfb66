"""Two pairs of eyes, plans for later and access reviews in Chromium, by two administrators."""

from datetime import date, timedelta

import pytest
from playwright.sync_api import expect

from tests.e2e.network import Network, sign_in

pytestmark = pytest.mark.browser

SECOND = "dora@example.test"
LIVE_MS = 5000


@pytest.fixture(scope="module")
def network(control_plane):
    found = Network(control_plane, "laptop", "db")
    found.invite(SECOND, "admin")
    found.rule_id = found.add("acl_rules", name="ssh", source="laptop", destination="db", ports="22")["id"]
    return found


@pytest.fixture
def console(page, network):
    return sign_in(page, network)


@pytest.fixture
def seconds_console(page, network):
    return sign_in(page, network, SECOND)


def switch(console):
    """On or off: the rule that these tests change."""
    return console.get_by_role("article", name="Rule ssh", exact=True).get_by_role("switch")


def test_two_pairs_of_eyes_are_asked_for_in_the_settings(console, network):
    console.goto(f"{network.plane.url}/settings")
    console.get_by_role("switch", name="Two pairs of eyes").click()
    expect(console.get_by_text("Two pairs of eyes saved")).to_be_visible()
    assert network.act("org-management", "get_settings")["four_eyes"] is True


def test_a_change_waits_for_a_second_administrator(console, network):
    console.goto(f"{network.plane.url}/acls")
    switch(console).click()
    dialog = console.get_by_role("dialog")
    expect(dialog.get_by_text("another administrator approves")).to_be_visible()
    dialog.get_by_role("button", name="Ask for approval").click()
    waiting = console.get_by_role("region", name="Open change")
    expect(waiting.get_by_text("waits for a second administrator")).to_be_visible()
    waiting.get_by_role("link", name="Look at it").click()
    expect(console.get_by_text("Another administrator must approve your plan.")).to_be_visible()
    expect(console.get_by_role("button", name="Approve")).to_have_count(0)


def test_the_second_one_approves_and_applies(seconds_console, network):
    seconds_console.goto(f"{network.plane.url}/acls")
    seconds_console.get_by_role("link", name="Look at it").click()
    seconds_console.get_by_role("button", name="Approve").click()
    expect(seconds_console.get_by_text("approved", exact=True)).to_be_visible()
    seconds_console.get_by_role("button", name="Apply").click()
    expect(seconds_console.get_by_text("applied", exact=True)).to_be_visible()
    seconds_console.goto(f"{network.plane.url}/acls")
    expect(switch(seconds_console)).not_to_be_checked()


def test_a_group_waits_as_well_and_its_plan_names_who_would_join(console, network):
    console.goto(f"{network.plane.url}/segmentation")
    console.get_by_role("button", name="Create Group").first.click()
    dialog = console.get_by_role("dialog")
    dialog.get_by_label("Name").fill("ops")
    dialog.get_by_role("button", name="Preview").click()
    preview = console.get_by_role("dialog", name="Create ops")
    preview.get_by_role("button", name="Ask for approval").click()
    waiting = console.get_by_role("region", name="Open change")
    expect(waiting.get_by_text("waits for a second administrator")).to_be_visible()
    changes = {
        "segmentation_groups": {"create": [{"name": "crew", "members": [network.id_of("db")]}]},
        "posture_policies": {"create": [{"name": "Firewall", "require_firewall": True}]},
        "settings": {"posture_enforcement": "monitor"},
    }
    made = network.act("policy", "plan", changes=changes)
    console.goto(f"{network.plane.url}/acls/plans/{made['plan_id']}")
    listed = console.get_by_role("list", name="Changes")
    for line in (
        "Group crew: 1 machine joins",
        "Posture policy Firewall",
        "Setting posture enforcement: monitor",
    ):
        expect(listed.get_by_text(line)).to_be_visible()
    for plan in network.act("policy", "list_plans", status="ready")["plans"]:
        network.act("policy", "abandon", plan_id=plan["plan_id"])


def test_a_change_is_put_off_until_its_time(console, network):
    network.act("org-management", "update_org_settings", four_eyes=False)
    console.goto(f"{network.plane.url}/acls")
    switch(console).click()
    dialog = console.get_by_role("dialog")
    dialog.get_by_label("When").select_option("later")
    dialog.get_by_role("button", name="Schedule").click()
    waiting = console.get_by_role("region", name="Open change")
    expect(waiting.get_by_text("A change will be applied at")).to_be_visible()
    waiting.get_by_role("link", name="Look at it").click()
    expect(console.get_by_text("scheduled", exact=True)).to_be_visible()
    console.get_by_role("button", name="Abandon").click()
    expect(console.get_by_text("abandoned", exact=True)).to_be_visible()


def test_a_review_revokes_and_keeps(console, network):
    console.goto(f"{network.plane.url}/access-reviews")
    console.get_by_role("button", name="New review").first.click()
    dialog = console.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Fourth quarter")
    dialog.get_by_role("button", name="Start").click()
    console.get_by_role("link", name="Fourth quarter").click()
    expect(console.get_by_text("pending", exact=True)).to_be_visible()
    console.get_by_role("button", name="Keep laptop").click()
    expect(console.get_by_text("active", exact=True)).to_be_visible()
    console.get_by_role("button", name="Extend").click()
    dialog = console.get_by_role("dialog")
    dialog.get_by_label("Due").fill((date.today() + timedelta(days=30)).isoformat())
    dialog.get_by_role("button", name="Extend").click()
    expect(console.get_by_text("Due date moved")).to_be_visible()
    console.get_by_role("button", name="Revoke db").click()
    question = console.get_by_role("dialog")
    expect(question.get_by_text("The machine is quarantined")).to_be_visible()
    question.get_by_label("Notes").fill("nobody knows it")
    question.get_by_role("button", name="Revoke").click()
    expect(console.get_by_text("nobody knows it")).to_be_visible()
    console.goto(f"{network.plane.url}/machines/{network.id_of('db')}")
    expect(console.get_by_text("Quarantined").first).to_be_visible(timeout=LIVE_MS)


def test_a_tag_is_given_to_a_member_and_taken_again(console, network):
    console.goto(f"{network.plane.url}/settings")
    card = console.get_by_role("region", name="Tag Owners")
    expect(card.get_by_text("None. Only administrators change tags.")).to_be_visible()
    card.get_by_role("button", name="Add owner").click()
    dialog = console.get_by_role("dialog")
    dialog.get_by_label("Tag").fill("a b")
    dialog.get_by_label("Owner").select_option(label=SECOND)
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_role("alert").first).to_be_visible()
    dialog.get_by_label("Tag").fill("tag:prod")
    dialog.get_by_role("button", name="Add").click()
    row = card.get_by_role("row").filter(has_text=SECOND)
    expect(row.get_by_text("prod", exact=True)).to_be_visible()
    row.get_by_role("button", name=f"Take prod from {SECOND}").click()
    question = console.get_by_role("dialog")
    expect(question.get_by_text("Machines that have the tag keep it.")).to_be_visible()
    question.get_by_role("button", name="Remove").click()
    expect(card.get_by_text("None. Only administrators change tags.")).to_be_visible()


def test_a_lockdown_takes_the_typed_name_and_is_said_on_every_page(console, network):
    console.goto(f"{network.plane.url}/settings")
    console.get_by_role("button", name="Lock down").click()
    question = console.get_by_role("dialog")
    expect(question.get_by_role("button", name="Lock down")).to_be_disabled()
    question.get_by_label("Type acme to confirm").fill("acme")
    question.get_by_role("button", name="Lock down").click()
    notice = console.get_by_text("Acme is locked down: no machine reaches another.")
    expect(notice).to_be_visible()
    console.goto(f"{network.plane.url}/machines")
    expect(notice).to_be_visible()
    network.act("org-management", "update_org_settings", lockdown_mode=False, confirm="acme")
    expect(notice).to_have_count(0, timeout=LIVE_MS)
