"""DNS, subnets and exit nodes in Chromium against the real control plane."""

import base64
import secrets

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

EMAIL, PASSWORD = "ada@example.test", "a sentence nobody would guess"
LAN, BRANCH = "192.168.7.0/24", "10.20.0.0/16"


@pytest.fixture(scope="module")
def router(control_plane):
    """A machine of a new organisation that offers two networks and to be an exit node."""
    answer = control_plane.post("/api/auth/signup", {"email": EMAIL, "password": PASSWORD})
    token = answer["data"]["token"]

    def act(topic, action, **values):
        answer = control_plane.post(f"/api/{topic}", {"action": action, **values}, token)
        assert answer["success"], answer
        return answer["data"]

    org_id = act("org-management", "create", name="Acme")["id"]
    act("org-management", "update_org_settings", org_id=org_id, allow_exit_nodes=True)
    key = act("key-management", "create_auth_key", org_id=org_id, name="key")["key"]
    public = base64.b64encode(secrets.token_bytes(32)).decode()
    body = {"auth_key": key, "name": "router", "os": "linux", "wireguard_public_key": public}
    offers = {"advertise_routes": [LAN, BRANCH], "advertise_exit_node": True}
    return control_plane.post("/api/register-machine", {**body, **offers})["data"]


@pytest.fixture
def console(page, control_plane, router):
    """The page, signed in."""
    page.goto(f"{control_plane.url}/auth")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/dashboard")
    return page


def test_names_are_added_resolved_and_removed(console, control_plane, router):
    console.goto(f"{control_plane.url}/dns")
    records = console.get_by_role("table", name="Records")
    expect(records.get_by_role("cell", name=router["tailnet_ip"], exact=True)).to_be_visible()

    console.get_by_role("button", name="Add record").click()
    dialog = console.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Router")
    dialog.get_by_label("Value").fill("192.168.7.40")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog.get_by_text("A machine has this name")).to_be_visible()
    dialog.get_by_label("Name").fill("printer")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(records.get_by_role("cell", name="192.168.7.40", exact=True)).to_be_visible()

    console.get_by_label("Name", exact=True).fill("printer")
    console.get_by_role("button", name="Resolve").click()
    expect(console.get_by_text("Record of your own")).to_be_visible()

    console.get_by_role("button", name="Add nameserver").click()
    dialog.get_by_label("Nameserver").fill("not-an-ip")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("is not an IP address")
    dialog.get_by_label("Nameserver").fill("192.168.7.53")
    dialog.get_by_label("Asked for").select_option("split")
    dialog.get_by_label("Domains").fill("corp.example")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(console.get_by_text("corp.example", exact=True)).to_be_visible()

    console.get_by_role("button", name="Remove printer.acme.zt.net A").click()
    dialog.get_by_role("button", name="Remove").click()
    expect(records.get_by_role("cell", name="192.168.7.40", exact=True)).to_be_hidden()


def test_without_magic_dns_no_machine_has_a_name(console, control_plane, router):
    console.goto(f"{control_plane.url}/dns")
    switch = console.get_by_role("switch", name="MagicDNS")
    switch.click()
    expect(console.get_by_text("No record yet")).to_be_visible()
    console.reload()
    expect(switch).not_to_be_checked()
    switch.click()
    expect(console.get_by_role("table", name="Records")).to_be_visible()


def test_routes_and_exit_node_are_decided_one_by_one(console, control_plane, router):
    console.goto(f"{control_plane.url}/machines?role=waiting")
    table = console.get_by_role("table", name="Machines")
    table.get_by_role("link", name="router").click()
    console.get_by_role("button", name=f"Approve {LAN}").click()
    expect(console.get_by_role("button", name=f"Withdraw {LAN}")).to_be_visible()
    console.get_by_role("button", name=f"Reject {BRANCH}").click()
    expect(console.get_by_text(BRANCH, exact=True)).to_be_hidden()
    console.get_by_role("button", name="Approve the exit node").click()
    expect(console.get_by_role("button", name="Withdraw the exit node")).to_be_visible()
    console.goto(f"{control_plane.url}/machines?role=router")
    expect(table.get_by_role("link", name="router")).to_be_visible()
    console.goto(f"{control_plane.url}/machines?role=waiting")
    expect(console.get_by_text("No machine matches")).to_be_visible()
