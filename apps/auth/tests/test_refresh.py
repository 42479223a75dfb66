"""Refresh tokens: once each, in families, and by cookie for browsers."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.audit.models import AuditLog
from apps.auth.models import RefreshToken, Session
from tests.cast import PASSWORD, ApiClient

pytestmark = pytest.mark.django_db
URL = "/api/auth/refresh"
BROWSER = {"Origin": "http://127.0.0.1:8000"}


def refresh(token, client=None):
    return (client or ApiClient()).call(URL, {"refresh_token": token})


def age_spent_tokens():
    RefreshToken.objects.exclude(used_at=None).update(used_at=timezone.now() - timedelta(minutes=1))


def test_each_token_works_once_and_gives_the_next(cast):
    first = refresh(cast.alice.refresh).json()["data"]
    second = refresh(first["refresh_token"])
    assert second.status_code == 200
    assert ApiClient(second.json()["data"]["token"]).get("/api/auth/me").status_code == 200


def test_two_tabs_get_the_same_successor(cast):
    tokens = {refresh(cast.alice.refresh).json()["data"]["refresh_token"] for _ in range(3)}
    assert len(tokens) == 1
    assert RefreshToken.objects.filter(session=cast.alice.session).count() == 2


def test_reuse_ends_the_family_and_is_told(cast):
    successor = refresh(cast.alice.refresh).json()["data"]
    age_spent_tokens()
    stolen = refresh(cast.alice.refresh)
    assert (stolen.status_code, stolen.json()["error"]["code"]) == (401, "INVALID_TOKEN")
    assert refresh(successor["refresh_token"]).status_code == 401
    assert ApiClient(successor["token"]).get("/api/auth/me").status_code == 401
    assert Session.objects.get(pk=cast.alice.session.pk).end_reason == "reuse_detected"
    assert AuditLog.objects.for_org(cast.org_a).filter(action="auth.refresh_reused").count() == 1


def test_another_device_is_refused(cast):
    foreign = ApiClient()
    foreign.defaults["HTTP_USER_AGENT"] = "Thief/1.0"
    assert refresh(cast.alice.refresh, foreign).json()["error"]["code"] == "DEVICE_MISMATCH"
    foreign.defaults.pop("HTTP_USER_AGENT")
    foreign.defaults["REMOTE_ADDR"] = "203.0.113.9"
    assert refresh(cast.alice.refresh, foreign).json()["error"]["code"] == "DEVICE_MISMATCH"
    assert refresh(cast.alice.refresh).status_code == 200


def test_void_after_logout_and_after_a_password_change(cast):
    assert cast.alice.client.call("/api/auth/logout").status_code == 200
    assert refresh(cast.alice.refresh).status_code == 401
    body = {"current_password": PASSWORD, "new_password": "an entirely different one"}
    assert cast.bob.client.call("/api/auth/change-password", body).status_code == 200
    assert refresh(cast.bob.refresh).status_code == 401


def test_none_given(cast):
    response = ApiClient().call(URL, {})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "MISSING_TOKEN")


def test_browsers_get_a_cookie_that_scripts_cannot_read(cast):
    browser = ApiClient()
    body = {"email": "alice@example.com", "password": PASSWORD}
    signed_in = browser.call("/api/auth/login", body, **BROWSER)
    assert signed_in.json()["data"]["refresh_token"] is None
    cookie = signed_in.cookies["__Host-refresh_token"]
    assert cookie["httponly"]
    assert cookie["secure"]
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Strict", "/", "")
    renewed = browser.call(URL, {}, **BROWSER)
    assert renewed.status_code == 200
    assert renewed.cookies["__Host-refresh_token"].value != cookie.value


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8000.evil.example"},
        {"Origin": "http://sub.127.0.0.1:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {},
    ],
    ids=str,
)
def test_a_foreign_page_cannot_use_the_cookie(cast, headers):
    browser = ApiClient()
    browser.call("/api/auth/login", {"email": "alice@example.com", "password": PASSWORD}, **BROWSER)
    response = browser.call(URL, {}, **headers)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "CSRF_REJECTED")


def test_a_form_cannot_sign_a_visitor_in(cast):
    form = ApiClient().post(
        "/api/auth/login",
        {"email": "alice@example.com", "password": PASSWORD},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert (form.status_code, form.json()["error"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
