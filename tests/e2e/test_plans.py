"""Groups, posture and settings in Chromium: shown first, then made, or kept for a second administrator."""

import pytest
from playwright.sync_api import expect

from tests.e2e.network import Network, sign_in

pytestmark = pytest.mark.browser

SECOND = "dora@example.test"
LIVE_MS = 5000
HEALTHY = {"os_version": "Debian 12", "disk_encrypted": True, "firewall_enabled": True}


@pytest.fixture(scope="module")
def network(control_plane):
    found = Network(control_plane, "laptop", "web", "db")
    found.invite(SECOND, "admin")
    found.group_id = found.add("segmentation_groups", name="backend")["id"]
    found.add("acl_rules", name="no ssh", source="*", destination="group:backend", action="deny", priority=1)
    found.policy_id = found.add("posture_policies", name="Firewall", require_firewall=True)["id"]
    report = HEALTHY | {"firewall_enabled": False}
    found.call("/api/posture-report", report, found.machines["laptop"]["node_key"])
    return found


@pytest.fixture
def console(page, network):
    return sign_in(page, network)


@pytest.fixture
def two_pairs(network):
    """What decides access waits for a second administrator, as long as the test runs."""
    network.act("org-management", "update_org_settings", four_eyes=True)
    yield
    for status in ("ready", "approved"):
        for plan in network.act("policy", "list_plans", status=status)["plans"]:
            network.act("policy", "abandon", plan_id=plan["plan_id"])
    network.act("org-management", "update_org_settings", four_eyes=False)


def group(console, name="backend"):
    return console.get_by_role("region", name=f"Group {name}")


def join(console, network, machine):
    """Up to the plan of a machine that joins the group."""
    group(console).get_by_role("combobox").select_option(network.id_of(machine))
    group(console).get_by_role("button", name="Add", exact=True).click()
    return console.get_by_role("dialog", name="Add to backend")


def mode(console, name):
    return console.get_by_role("radio", name=name)


def enforce(console):
    """Up to the plan of the mode; the page shows the stored one until that is applied."""
    expect(mode(console, "Enforce")).to_be_enabled()
    console.get_by_text("Enforce", exact=True).click()


def test_a_machine_joins_a_group_after_a_look_at_what_is_lost(console, network):
    console.goto(f"{network.plane.url}/segmentation")
    preview = join(console, network, "db")
    expect(preview.get_by_text("Group backend: 1 machine joins")).to_be_visible()
    expect(preview.get_by_text("2 flows lost")).to_be_visible()
    preview.get_by_role("button", name="Back").click()
    expect(group(console).get_by_role("button", name="Add", exact=True)).to_be_focused()
    expect(group(console).get_by_text("No machine in it yet.")).to_be_visible()
    join(console, network, "db").get_by_role("button", name="Apply").click()
    expect(console.get_by_text("1 machine added to group")).to_be_visible()
    row = group(console).get_by_role("row").filter(has_text="db")
    row.get_by_role("button", name="Remove db from backend").click()
    preview = console.get_by_role("dialog", name="Remove db from backend")
    expect(preview.get_by_text("2 flows gained")).to_be_visible()
    preview.get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)


def test_many_join_at_once_on_trial_and_go_back(console, network):
    console.goto(f"{network.plane.url}/segmentation")
    group(console).get_by_role("button", name="Bulk Add").click()
    form = console.get_by_role("dialog", name="Add machines to backend")
    form.get_by_label("web").check()
    form.get_by_label("laptop").check()
    form.get_by_role("button", name="Add 2 Machines").click()
    preview = console.get_by_role("dialog", name="Add to backend")
    preview.get_by_label("Undo by itself").select_option("60")
    preview.get_by_role("button", name="Apply").click()
    expect(group(console).get_by_role("row").filter(has_text="web")).to_be_visible()
    trial = console.get_by_role("dialog", name="In force, on trial")
    trial.get_by_role("button", name="Roll back").click()
    expect(group(console).get_by_text("No machine in it yet.")).to_be_visible()


def test_a_plan_that_the_policy_overtook_is_looked_at_again(console, network):
    console.goto(f"{network.plane.url}/segmentation")
    preview = join(console, network, "db")
    preview.get_by_role("button", name="Apply").wait_for()
    joined = {"group_id": network.group_id, "machine_id": network.id_of("web")}
    network.add("segmentation_group_members", **joined)
    preview.get_by_role("button", name="Apply").click()
    expect(preview.get_by_text("The policy has changed since.")).to_be_visible()
    preview.get_by_role("button", name="Preview again").click()
    preview.get_by_role("button", name="Apply").click()
    for name in ("web", "db"):
        expect(group(console).get_by_role("row").filter(has_text=name)).to_be_visible()


def test_two_at_one_group_lose_nothing(console, network):
    console.goto(f"{network.plane.url}/segmentation")
    group(console).get_by_role("button", name="Edit backend").click()
    form = console.get_by_role("dialog", name="Edit backend")
    form.get_by_label("Description").fill("databases")
    network.change("segmentation_groups", network.group_id, name="back-end")
    expect(form.get_by_text("Somebody else has changed this group")).to_be_visible(timeout=LIVE_MS)
    expect(form.get_by_text("Name: “back-end”")).to_be_visible()
    form.get_by_role("button", name="Keep mine").click()
    expect(form.get_by_label("Name")).to_have_value("back-end")
    expect(form.get_by_label("Description")).to_have_value("databases")
    form.get_by_role("button", name="Preview").click()
    preview = console.get_by_role("dialog", name="Change backend")
    expect(preview.get_by_text("Group back-end: description")).to_be_visible()
    console.keyboard.press("Escape")
    expect(form.get_by_role("button", name="Preview")).to_be_focused()
    console.keyboard.press("Enter")
    preview.get_by_role("button", name="Apply").click()
    expect(group(console, "back-end").get_by_text("databases")).to_be_visible()
    network.change("segmentation_groups", network.group_id, name="backend")


def test_what_was_typed_stays_when_the_row_goes(console, network):
    made = network.add("segmentation_groups", name="short-lived")
    console.goto(f"{network.plane.url}/segmentation")
    group(console, "short-lived").get_by_role("button", name="Edit short-lived").click()
    form = console.get_by_role("dialog", name="Edit short-lived")
    form.get_by_label("Description").fill("a long text")
    changes = {"segmentation_groups": {"delete": [made["id"]]}}
    plan = network.act("policy", "plan", by=SECOND, changes=changes)
    network.act("policy", "apply", by=SECOND, plan_id=plan["plan_id"])
    expect(form.get_by_text("Somebody has deleted this group meanwhile.")).to_be_visible(timeout=LIVE_MS)
    expect(form.get_by_label("Description")).to_have_value("a long text")
    expect(form.get_by_role("button", name="Preview")).to_be_disabled()


def test_enforcing_names_who_is_quarantined_and_a_policy_whom_it_releases(console, network):
    console.goto(f"{network.plane.url}/posture-policies")
    enforce(console)
    preview = console.get_by_role("dialog", name="Enforce the posture policies?")
    expect(preview.get_by_text("1 machine quarantined: laptop")).to_be_visible()
    expect(preview.get_by_text("flows lost")).to_be_visible()
    preview.get_by_role("button", name="Enforce").click()
    expect(mode(console, "Enforce")).to_be_checked()
    laptop = f"{network.plane.url}/machines/{network.id_of('laptop')}"
    console.goto(laptop)
    expect(console.get_by_text("Quarantined").first).to_be_visible()

    console.goto(f"{network.plane.url}/posture-policies")
    console.get_by_role("button", name="Delete Firewall").click()
    preview = console.get_by_role("dialog", name="Delete Firewall")
    expect(preview.get_by_text("1 machine released from quarantine: laptop")).to_be_visible()
    preview.get_by_role("button", name="Back").click()
    console.get_by_role("switch", name="Firewall enabled").click()
    preview = console.get_by_role("dialog", name="Disable Firewall")
    expect(preview.get_by_text("1 machine released from quarantine: laptop")).to_be_visible()
    preview.get_by_role("button", name="Disable").click()
    expect(console.get_by_role("switch", name="Firewall enabled")).not_to_be_checked()
    console.goto(laptop)
    expect(console.get_by_text("Machine Details")).to_be_visible()
    expect(console.get_by_text("Quarantined")).to_have_count(0)


def test_pages_follow_what_another_administrator_does(console, network):
    console.goto(f"{network.plane.url}/posture-policies")
    expect(mode(console, "Enforce")).to_be_checked()
    network.act("org-management", "update_org_settings", by=SECOND, posture_enforcement="monitor")
    expect(mode(console, "Monitor")).to_be_checked(timeout=LIVE_MS)
    network.change("posture_policies", network.policy_id, name="Firewalls")
    expect(console.get_by_role("article", name="Policy Firewalls")).to_be_visible(timeout=LIVE_MS)
    console.goto(f"{network.plane.url}/segmentation")
    expect(group(console)).to_be_visible()
    changes = {"segmentation_groups": {"update": [{"id": network.group_id, "members": []}]}}
    plan = network.act("policy", "plan", by=SECOND, changes=changes)
    network.act("policy", "apply", by=SECOND, plan_id=plan["plan_id"], confirm_within_seconds=60)
    expect(group(console).get_by_text("No machine in it yet.")).to_be_visible(timeout=LIVE_MS)
    trial = console.get_by_role("region", name="Open change")
    expect(trial.get_by_role("timer")).to_be_visible(timeout=LIVE_MS)
    network.act("policy", "rollback", by=SECOND, plan_id=plan["plan_id"])
    expect(trial).to_have_count(0, timeout=LIVE_MS)
    expect(group(console).get_by_role("row").filter(has_text="db")).to_be_visible(timeout=LIVE_MS)
    console.goto(f"{network.plane.url}/abac")
    expect(console.get_by_text("No attribute policy yet")).to_be_visible()
    network.add("abac_policies", name="Linux", effect="require", selector="*", conditions={"os": ["linux"]})
    expect(console.get_by_role("article", name="Policy Linux")).to_be_visible(timeout=LIVE_MS)


def test_default_deny_goes_only_with_the_typed_name(console, network):
    console.goto(f"{network.plane.url}/settings")
    switch = console.get_by_role("switch", name="Default deny")
    switch.click()
    preview = console.get_by_role("dialog", name="Allow what no rule denies?")
    expect(preview.get_by_role("button", name="Allow")).to_be_disabled()
    preview.get_by_label("Type acme to confirm").fill("acme")
    preview.get_by_role("button", name="Allow").click()
    expect(switch).not_to_be_checked()
    console.goto(f"{network.plane.url}/acls")
    expect(console.get_by_text("This network is open by default")).to_be_visible()
    console.goto(f"{network.plane.url}/settings")
    switch.click()
    console.get_by_role("dialog").get_by_role("button", name="Deny").click()
    expect(switch).to_be_checked()


def ask_for_a_member(console, network):
    console.goto(f"{network.plane.url}/segmentation")
    join(console, network, "laptop")


def ask_for_a_mode(console, network):
    console.goto(f"{network.plane.url}/posture-policies")
    enforce(console)


def ask_for_a_template(console, network):
    console.goto(f"{network.plane.url}/posture-policies")
    console.get_by_role("button", name="Copy Basic Security").click()


def ask_for_an_attribute(console, network):
    console.goto(f"{network.plane.url}/abac")
    console.get_by_role("switch", name="Linux enabled").click()


def ask_for_default_deny(console, network):
    console.goto(f"{network.plane.url}/settings")
    console.get_by_role("switch", name="Default deny").click()
    console.get_by_label("Type acme to confirm").fill("acme")


ASKING = (ask_for_a_member, ask_for_a_mode, ask_for_a_template, ask_for_an_attribute, ask_for_default_deny)


@pytest.mark.usefixtures("two_pairs")
def test_every_page_asks_for_approval_and_leads_to_the_plan(console, network):
    for ask in ASKING:
        ask(console, network)
        console.get_by_role("dialog").get_by_role("button", name="Ask for approval").click()
        expect(console.get_by_role("region", name="Open change").first).to_be_visible()
        console.get_by_role("link", name="Open the plan").last.click()
        expect(console.get_by_text("Another administrator must approve your plan.")).to_be_visible()
        # The second one agrees while the first looks at it.
        network.act("policy", "approve", by=SECOND, plan_id=console.url.rsplit("/", 1)[1])
        expect(console.get_by_text("approved", exact=True)).to_be_visible(timeout=LIVE_MS)
        expect(console.get_by_role("button", name="Apply")).to_be_visible()


@pytest.mark.usefixtures("two_pairs")
def test_what_is_kept_as_a_plan_is_not_told_as_an_error(console, network):
    console.goto(f"{network.plane.url}/acls")
    console.get_by_role("button", name="Move no ssh down").click()
    toast = console.get_by_role("status").filter(has_text="Kept as a plan")
    expect(toast).to_be_visible()
    toast.get_by_role("link", name="Open the plan").click()
    expect(console.get_by_text("awaiting approval", exact=True)).to_be_visible()
    console.goto(f"{network.plane.url}/access-reviews")
    console.get_by_role("button", name="New review").first.click()
    question = console.get_by_role("dialog")
    question.get_by_label("Name").fill("Yearly")
    question.get_by_role("button", name="Start").click()
    console.get_by_role("link", name="Yearly").click()
    console.get_by_role("button", name="Revoke no ssh").click()
    question.get_by_role("button", name="Revoke").click()
    expect(question.get_by_text("Kept as a plan")).to_be_visible()
    expect(question.get_by_role("link", name="Open the plan")).to_be_visible()
    expect(question.get_by_role("alert")).to_have_count(0)
