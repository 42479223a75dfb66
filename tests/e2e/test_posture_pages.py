"""Posture in Chromium against the real control plane: what is asked, who fails, what becomes of it."""

import base64
import secrets

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

EMAIL, PASSWORD = "ada@example.test", "a sentence nobody would guess"
LIVE_MS = 5000
HEALTHY = {"os_version": "Debian 12", "disk_encrypted": True, "firewall_enabled": True, "patch_age_days": 3}


@pytest.fixture(scope="module")
def laptop(control_plane):
    """A machine of a new organisation, as its own agent would speak: report(**signals)."""
    token = control_plane.post("/api/auth/signup", {"email": EMAIL, "password": PASSWORD})["data"]["token"]
    created = control_plane.post("/api/org-management", {"action": "create", "name": "Acme"}, token)
    org_id = created["data"]["id"]
    body = {"action": "create_auth_key", "org_id": org_id, "name": "key"}
    key = control_plane.post("/api/key-management", body, token)["data"]["key"]
    public = base64.b64encode(secrets.token_bytes(32)).decode()
    body = {"auth_key": key, "name": "laptop", "os": "linux", "wireguard_public_key": public}
    node = control_plane.post("/api/register-machine", body)["data"]

    def report(**signals):
        answer = control_plane.post("/api/posture-report", HEALTHY | signals, node["node_key"])
        assert answer["success"], answer
        return answer["data"]

    return report


@pytest.fixture
def console(page, control_plane, laptop):
    page.goto(f"{control_plane.url}/auth")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/dashboard")
    return page


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
    drawer.get_by_role("button", name="Save").click()
    expect(drawer.get_by_text("debian twelve is no name and version")).to_be_visible()
    drawer.get_by_label("System not older than").fill("debian 12")
    drawer.get_by_role("button", name="Who would fail?").click()
    expect(drawer.get_by_text("1 of 1 machine would fail")).to_be_visible()
    drawer.get_by_role("button", name="Save").click()
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
    copy = console.get_by_role("article", name="Policy Healthcare/HIPAA")
    expect(copy.get_by_text("patches of the last 14 days")).to_be_visible()
    copy.get_by_role("button", name="Delete").click()
    console.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(copy).to_have_count(0)
    expect(console.get_by_text("read-only")).to_have_count(3)
