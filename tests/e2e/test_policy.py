"""Access policy in Chromium against the real control plane, as an administrator and as a member."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.network import Network, sign_in

pytestmark = pytest.mark.browser

MEMBER = "bob@example.test"
LIVE_MS = 3000


@pytest.fixture(scope="module")
def network(control_plane):
    found = Network(control_plane, "laptop", "web", "db")
    found.invite(MEMBER, "member")
    return found


@pytest.fixture
def console(page, network):
    return sign_in(page, network)


@pytest.fixture
def members_console(page, network):
    return sign_in(page, network, MEMBER)


def card(page, kind, name):
    return page.get_by_role("article", name=f"{kind} {name}", exact=True)


def test_a_verdict_follows_the_rules_while_one_looks(console, network):
    rule = network.add(
        "acl_rules",
        name="no-ssh",
        source="*",
        destination="db",
        protocol="tcp",
        ports="22",
        action="deny",
        priority=5,
    )
    console.goto(f"{network.plane.url}/acls")
    expect(card(console, "Rule", "no-ssh").get_by_text("db", exact=True)).to_be_visible()
    console.get_by_label("From", exact=True).select_option(network.id_of("laptop"))
    console.get_by_label("To", exact=True).select_option(network.id_of("db"))
    console.get_by_label("Port", exact=True).fill("22")
    expect(console.get_by_text("Denied: laptop → db")).to_be_visible()
    network.change("acl_rules", rule["id"], enabled=False)
    expect(card(console, "Rule", "no-ssh").get_by_text("Disabled")).to_be_visible(timeout=LIVE_MS)
    expect(console.get_by_text("Allowed: laptop → db")).to_be_visible(timeout=LIVE_MS)


def test_the_json_tells_every_rule(console, network):
    console.goto(f"{network.plane.url}/acls?tab=json")
    text = console.locator("pre").inner_text()
    assert '"name": "no-ssh"' in text
    assert text.count('"destination"') == text.count('"name"') == 2


def test_a_member_reads_the_rules_and_changes_nothing(members_console, network):
    members_console.goto(f"{network.plane.url}/acls")
    rule = card(members_console, "Rule", "no-ssh")
    expect(rule).to_be_visible()
    assert rule.get_by_role("button").count() == 0
    assert rule.get_by_role("switch").count() == 0
    expect(members_console.get_by_role("button", name="Add Rule")).to_have_count(0)


def test_a_group_in_use_goes_only_with_its_name_typed(console, network):
    console.goto(f"{network.plane.url}/segmentation")
    console.get_by_role("button", name="Create Group").first.click()
    dialog = console.get_by_role("dialog")
    dialog.get_by_label("Name").fill("backend")
    dialog.get_by_role("button", name="Preview").click()
    console.get_by_role("dialog", name="Create backend").get_by_role("button", name="Apply").click()
    group = console.get_by_role("region", name="Group backend")
    group.get_by_role("combobox").select_option(network.id_of("db"))
    group.get_by_role("button", name="Add", exact=True).click()
    expect(dialog.get_by_text("Group backend: 1 machine joins")).to_be_visible()
    dialog.get_by_role("button", name="Apply").click()
    expect(group.get_by_role("table").get_by_text("db", exact=True)).to_be_visible()

    console.get_by_role("button", name="Create Group").first.click()
    dialog.get_by_label("Name").fill("BACKEND")
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog.get_by_role("alert")).to_have_text("A group has this name")
    console.keyboard.press("Escape")

    network.add("acl_rules", name="to-backend", source="*", destination="group:backend", priority=7)
    expect(group.get_by_text("1 ACL rule")).to_be_visible(timeout=LIVE_MS)
    group.get_by_role("button", name="Delete backend").click()
    expect(dialog.get_by_text("Rule to-backend: disabled")).to_be_visible()
    expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()
    dialog.get_by_label("Type backend to confirm").fill("backend")
    dialog.get_by_role("button", name="Delete").click()
    expect(group).to_have_count(0)
    console.goto(f"{network.plane.url}/acls")
    expect(card(console, "Rule", "to-backend").get_by_text("Disabled")).to_be_visible()


def test_a_member_asks_for_access(members_console, network):
    members_console.goto(f"{network.plane.url}/jit")
    members_console.get_by_role("button", name="Request access").first.click()
    dialog = members_console.get_by_role("dialog")
    dialog.get_by_role("combobox", name="To", exact=True).fill("db")
    dialog.get_by_label("Ports").fill("90-80")
    dialog.get_by_role("button", name="Request", exact=True).click()
    expect(dialog.get_by_text("The range 90-80 is reversed.")).to_be_visible()
    dialog.get_by_label("Ports").fill("5432")
    dialog.get_by_label("Hours").fill("4")
    dialog.get_by_label("Reason").fill("slow queries")
    dialog.get_by_role("button", name="Request", exact=True).click()
    expect(dialog).to_have_count(0)
    mine = card(members_console, "Request of", MEMBER)
    expect(mine.get_by_text("pending", exact=True)).to_be_visible()
    expect(mine.get_by_role("button", name="Approve")).to_have_count(0)


def test_an_administrator_gives_less_and_takes_it_back(console, network):
    console.goto(f"{network.plane.url}/jit")
    request = card(console, "Request of", MEMBER)
    expect(request.get_by_text("slow queries")).to_be_visible()
    request.get_by_role("button", name="Approve").click()
    dialog = console.get_by_role("dialog")
    dialog.get_by_label("Hours").fill("1")
    dialog.get_by_role("button", name="Approve").click()
    console.get_by_role("tab", name="Active").click()
    expect(request.get_by_text("approved", exact=True)).to_be_visible()
    expect(request.get_by_role("timer")).to_have_text(re.compile(r"^(1 h 00 min|59:\d\d)$"))
    console.goto(f"{network.plane.url}/acls?state=jit")
    expect(console.get_by_text("Just in time", exact=True).last).to_be_visible()

    console.goto(f"{network.plane.url}/jit?tab=active")
    request.get_by_role("button", name="Revoke").click()
    dialog.get_by_role("button", name="Revoke").click()
    console.get_by_role("tab", name="History").click()
    expect(request.get_by_text("revoked", exact=True)).to_be_visible()


def test_history_shows_what_a_change_changed(console, network):
    console.goto(f"{network.plane.url}/policy-versions")
    console.get_by_role("button", name="Created no-ssh").click()
    change = console.get_by_role("region", name="Rule no-ssh")
    expect(change.get_by_role("insertion").filter(has_text="deny")).to_be_visible()
    expect(change.get_by_role("insertion").filter(has_text="db")).to_be_visible()


def test_a_change_is_drawn_before_it_is_made_and_rolled_back_on_trial(console, network):
    network.add("acl_rules", name="pages", source="laptop", destination="web", protocol="tcp", ports="80,443")
    console.goto(f"{network.plane.url}/acls")
    console.get_by_role("button", name="Edit pages").click()
    drawer = console.get_by_role("dialog")
    drawer.get_by_role("combobox", name="Destination", exact=True).fill("db")
    drawer.get_by_text("deny", exact=True).click()
    drawer.get_by_label("Priority").fill("1")
    drawer.get_by_role("button", name="Preview", exact=True).click()
    preview = console.get_by_role("dialog", name="Change pages")
    expect(preview.get_by_text("This is what will change. Nothing has happened yet.")).to_be_visible()
    expect(preview.get_by_text("1 flow lost")).to_be_visible()
    # Machines without an agent can't say what is open.
    expect(preview.get_by_text("Open connections are not known.")).to_be_visible()
    expect(preview.get_by_text("1 flow lost")).to_be_visible()
    expect(preview.get_by_text("machines get new rules")).to_be_visible()
    preview.get_by_label("Undo by itself").select_option("60")
    preview.get_by_role("button", name="Apply").click()
    trial = console.get_by_role("dialog", name="In force, on trial")
    trial.get_by_role("button", name="Roll back").click()
    expect(card(console, "Rule", "pages").get_by_text("tcp 80,443")).to_be_visible(timeout=LIVE_MS)
    expect(card(console, "Rule", "pages").get_by_text("web", exact=True)).to_be_visible()


def no_preview(route):
    """Stands for a control plane that can't work a plan out."""
    failure = '{"success":false,"data":null,"error":{"code":"SERVICE_UNAVAILABLE","message":"Too busy."}}'
    route.fulfill(status=503, content_type="application/json", body=failure)


def test_a_rule_can_be_written_though_no_preview_can_be_had(console, network):
    console.route("**/api/policy", no_preview)
    console.goto(f"{network.plane.url}/acls")
    console.get_by_role("button", name="Add Rule").click()
    drawer = console.get_by_role("dialog")
    drawer.get_by_label("Name", exact=True).fill("web to all")
    drawer.get_by_role("combobox", name="Source", exact=True).fill("no-such-machine")
    drawer.get_by_role("combobox", name="Destination", exact=True).fill("*")
    drawer.get_by_label("Protocol").select_option("tcp")
    drawer.get_by_label("Ports").fill("0")
    drawer.get_by_role("button", name="Preview", exact=True).click()
    expect(drawer.get_by_text("Ports are 1 to 65535.")).to_be_visible()
    drawer.get_by_label("Ports").fill("443")
    drawer.get_by_role("button", name="Preview", exact=True).click()
    drawer.get_by_role("button", name="Save without a preview").click()
    expect(drawer.get_by_text("no machine is called no-such-machine")).to_be_visible()
    drawer.get_by_role("combobox", name="Source", exact=True).fill("web")
    drawer.get_by_role("button", name="Preview", exact=True).click()
    drawer.get_by_role("button", name="Save without a preview").click()
    expect(console.get_by_text("Rule added")).to_be_visible()
    rule = card(console, "Rule", "web to all")
    expect(rule.get_by_text("web", exact=True)).to_be_visible()
    expect(rule.get_by_text("priority 100")).to_be_visible()
    expect(rule.get_by_role("switch")).to_be_checked()


def test_two_administrators_at_one_rule_do_not_overwrite_each_other(console, network):
    rule = network.add(
        "acl_rules", name="contested", source="*", destination="db", protocol="tcp", ports="80"
    )
    console.route("**/api/policy", no_preview)
    console.goto(f"{network.plane.url}/acls")
    console.get_by_role("button", name="Edit contested").click()
    drawer = console.get_by_role("dialog")
    expect(drawer.get_by_role("combobox", name="Destination", exact=True)).to_have_value("db")
    drawer.get_by_label("Ports").fill("81")
    network.change("acl_rules", rule["id"], ports="8080")
    expect(drawer.get_by_text("Somebody else has changed this rule")).to_be_visible(timeout=LIVE_MS)
    drawer.get_by_role("button", name="Load theirs").click()
    expect(drawer.get_by_label("Ports")).to_have_value("8080")
    drawer.get_by_label("Ports").fill("8081")
    drawer.get_by_role("button", name="Preview", exact=True).click()
    drawer.get_by_role("button", name="Save without a preview").click()
    expect(card(console, "Rule", "contested").get_by_text("tcp 8081")).to_be_visible()


def test_an_attribute_policy_takes_away_what_a_rule_allows(console, network):
    console.goto(f"{network.plane.url}/abac")
    console.get_by_role("button", name="Add policy").first.click()
    drawer = console.get_by_role("dialog")
    drawer.get_by_label("Name", exact=True).fill("auditors only")
    drawer.get_by_role("button", name="Preview").click()
    expect(drawer.get_by_role("alert")).to_have_text("Ask at least one attribute.")
    drawer.get_by_text("Auditors").click()
    drawer.get_by_role("button", name="Preview").click()
    preview = console.get_by_role("dialog", name="Add auditors only")
    expect(preview.get_by_text("flows lost")).to_be_visible()
    preview.get_by_role("button", name="Apply").click()
    policy = card(console, "Policy", "auditors only")
    expect(policy.get_by_text("owned by auditor")).to_be_visible()

    console.goto(f"{network.plane.url}/acls")
    console.get_by_label("From", exact=True).select_option(network.id_of("laptop"))
    console.get_by_label("To", exact=True).select_option(network.id_of("web"))
    console.get_by_label("Port", exact=True).fill("443")
    expect(console.get_by_text("Denied: laptop → web")).to_be_visible()
    expect(console.get_by_text("An attribute policy forbids it")).to_be_visible()
    console.goto(f"{network.plane.url}/abac")
    policy.get_by_role("button", name="Delete auditors only").click()
    preview = console.get_by_role("dialog", name="Delete auditors only")
    expect(preview.get_by_text("flows gained")).to_be_visible()
    preview.get_by_role("button", name="Delete").click()
    expect(policy).to_have_count(0)
