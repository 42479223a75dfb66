"""An administrator's first hour, in Chromium against the real control plane."""

import base64
import re
import secrets

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

EMAIL, PASSWORD = "ada@example.test", "a sentence nobody would guess"
LIVE_MS = 3000


def key(size=32):
    return base64.b64encode(secrets.token_bytes(size)).decode()


def register(control_plane, auth_key, name):
    body = {"name": name, "os": "linux", "wireguard_public_key": key(), "disco_public_key": key()}
    answer = control_plane.post("/api/register-machine", {**body, "auth_key": auth_key})
    assert answer["success"], answer
    return answer["data"]


def sign_in(page, url):
    page.goto(f"{url}/auth")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/dashboard")


def test_sign_up_create_an_organisation_and_meet_the_guide(page, control_plane):
    page.goto(control_plane.url)
    page.get_by_role("tab", name="Sign Up").click()
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.wait_for_url("**/create-org")
    expect(page.get_by_role("heading", name="Create an organisation")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("Acme")
    page.get_by_role("button", name="Create organisation").click()
    page.wait_for_url("**/dashboard")
    expect(page.get_by_text("Getting Started")).to_be_visible()


def test_a_machine_appears_live_and_quarantine_sticks(page, control_plane):
    sign_in(page, control_plane.url)
    page.goto(f"{control_plane.url}/settings/auth-keys")
    page.get_by_role("button", name="Create auth key").first.click()
    page.get_by_label("Name", exact=True).fill("servers")
    page.get_by_role("switch", name="Reusable").click()
    page.get_by_role("button", name="Create", exact=True).click()
    shown = page.get_by_text(re.compile(r"^tskey-auth-[0-9a-f]{64}$")).first
    auth_key = shown.inner_text()
    page.reload()
    expect(page.get_by_text("servers")).to_be_visible()
    assert auth_key not in page.content(), "a key may be seen once"

    page.goto(f"{control_plane.url}/machines")
    expect(page.get_by_role("heading", name="Machines")).to_be_visible()
    expect(page.get_by_text("No machine yet")).to_be_visible()
    page.wait_for_timeout(1000)  # the socket subscribes
    machine = register(control_plane, auth_key, "web-1")
    expect(page.get_by_text("web-1", exact=True).first).to_be_visible(timeout=LIVE_MS)

    page.goto(f"{control_plane.url}/machines/{machine['machine_id']}")
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Quarantine").click()
    page.get_by_role("dialog").get_by_role("button", name="Quarantine").click()
    expect(page.get_by_role("button", name="Remove from quarantine")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Remove from quarantine")).to_be_visible()

    page.goto(f"{control_plane.url}/audit-log")
    expect(page.get_by_text("machine.quarantined").first).to_be_visible()


def test_the_session_survives_a_reload_and_ends_at_sign_out(page, control_plane):
    sign_in(page, control_plane.url)
    page.reload()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "eyJ" not in stored, "no token may lie where a script can read it"
    page.get_by_role("button", name=re.compile("^Account ")).click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.wait_for_url("**/auth*")
    page.goto(f"{control_plane.url}/machines")
    page.wait_for_url("**/auth*")


def test_a_wrong_password_is_told_in_words(page, control_plane):
    page.goto(f"{control_plane.url}/auth")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Invalid email or password")).to_be_visible()


def test_the_console_outlives_a_restart_of_the_control_plane(page, control_plane):
    sign_in(page, control_plane.url)
    page.goto(f"{control_plane.url}/machines")
    expect(page.get_by_text("web-1", exact=True).first).to_be_visible()
    control_plane.stop()
    control_plane.start()
    token = control_plane.post("/api/auth/login", {"email": EMAIL, "password": PASSWORD})["data"]["token"]
    machine_id = page.evaluate(
        "document.querySelector('a[href*=\"/machines/\"]').getAttribute('href').split('/').pop()"
    )
    body = {"action": "rename", "machine_id": machine_id, "name": "web-renamed"}
    assert control_plane.post("/api/machine-admin", body, token)["success"]
    expect(page.get_by_text("web-renamed", exact=True).first).to_be_visible(timeout=10_000)
