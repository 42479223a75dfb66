"""Signing the command line in: PKCE codes and device codes."""

import base64
import hashlib
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.auth.models import OneTimeToken
from tests.cast import ApiClient, forget_limits

pytestmark = pytest.mark.django_db
VERIFIER = "v" * 50
STATE = "state-of-at-least-16"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


def complete(person, **changed):
    body = {"action": "cli_complete", "cli_state": STATE, "code_challenge": CHALLENGE, **changed}
    return person.client.call("/api/auth", body)


def exchange(code, **changed):
    body = {"action": "cli_exchange", "code": code, "code_verifier": VERIFIER, "cli_state": STATE, **changed}
    return ApiClient().call("/api/auth", body)


def test_a_code_signs_in_once(cast):
    code = complete(cast.bob, org_id=str(cast.org_a.pk)).json()["data"]["code"]
    answer = exchange(code)
    assert answer.json()["data"]["org_id"] == str(cast.org_a.pk)
    token = answer.json()["data"]["token"]
    assert ApiClient(token).get("/api/auth/me").json()["data"]["email"] == "bob@example.com"
    assert exchange(code).json()["error"]["code"] == "INVALID_TOKEN"


@pytest.mark.parametrize("changed", [{"code_verifier": "w" * 50}, {"cli_state": "another-state-here"}])
def test_a_stolen_code_is_useless_and_spent(cast, changed):
    code = complete(cast.bob).json()["data"]["code"]
    assert exchange(code, **changed).status_code == 401
    assert exchange(code).status_code == 401


def test_a_code_lapses_after_a_minute(cast):
    code = complete(cast.bob).json()["data"]["code"]
    OneTimeToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert exchange(code).status_code == 401


def test_no_code_for_a_foreign_organisation(cast):
    assert complete(cast.charlie, org_id=str(cast.org_a.pk)).status_code == 403
    assert complete(cast.charlie, code_challenge="too-short").status_code == 400
    assert not OneTimeToken.objects.exists()


def device(client, action, **body):
    return client.call("/api/auth/device", {"action": action, **body})


def test_a_device_waits_for_approval(cast):
    codes = device(ApiClient(), "start", hostname="printer").json()["data"]
    assert device(ApiClient(), "poll", device_code=codes["device_code"]).json()["error"]["code"] == (
        "AUTHORIZATION_PENDING"
    )
    fast = device(ApiClient(), "poll", device_code=codes["device_code"])
    assert (fast.status_code, fast.json()["error"]["code"]) == (429, "SLOW_DOWN")
    seen = device(cast.bob.client, "lookup", user_code=codes["user_code"].lower())
    assert seen.json()["data"]["hostname"] == "printer"
    assert device(cast.bob.client, "approve", user_code=codes["user_code"]).status_code == 200
    assert device(cast.charlie.client, "approve", user_code=codes["user_code"]).status_code == 404
    forget_limits()
    token = device(ApiClient(), "poll", device_code=codes["device_code"]).json()["data"]["token"]
    assert ApiClient(token).get("/api/auth/me").json()["data"]["email"] == "bob@example.com"
    forget_limits()
    assert device(ApiClient(), "poll", device_code=codes["device_code"]).status_code == 401


def test_a_denied_device_stays_out(cast):
    codes = device(ApiClient(), "start").json()["data"]
    device(cast.bob.client, "deny", user_code=codes["user_code"])
    assert device(ApiClient(), "poll", device_code=codes["device_code"]).status_code == 403


def test_guessing_user_codes_is_limited(cast):
    tries = [device(cast.bob.client, "lookup", user_code="BBBB-BBBB").status_code for _ in range(11)]
    assert tries == [404] * 10 + [429]
