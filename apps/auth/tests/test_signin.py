"""Signing up and in, the lock, and what an attacker may learn."""

import pytest
from django.core.cache import cache

from apps.audit.models import AuditLog
from apps.auth.models import User
from tests.cast import PASSWORD, ApiClient, forget_limits

pytestmark = pytest.mark.django_db


def login(email="alice@example.com", password=PASSWORD, address="127.0.0.1"):
    client = ApiClient()
    client.defaults["REMOTE_ADDR"] = address
    return client.call("/api/auth/login", {"email": email, "password": password})


def test_login_answers_a_pair_and_is_told(cast):
    response = login(" ALICE@example.com ")
    data = response.json()["data"]
    assert response.status_code == 200
    assert data["token"] == data["access_token"]
    assert (data["expires_in"], data["user"]["email"]) == (3600, "alice@example.com")
    row = AuditLog.objects.for_org(cast.org_a).latest("seq")
    assert (row.action, row.user_id) == ("auth.login", cast.alice.user.pk)


def test_wrong_password_and_unknown_account_look_alike(cast):
    wrong, unknown = login(password="not it at all"), login("nobody@example.com")
    assert wrong.json()["error"] == unknown.json()["error"]
    assert wrong.status_code == unknown.status_code == 401


@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com"])
def test_the_tenth_failure_locks_known_and_unknown_accounts_alike(cast, email):
    codes = [login(email, "wrong one").json()["error"]["code"] for _ in range(10)]
    assert codes == ["INVALID_CREDENTIALS"] * 9 + ["ACCOUNT_LOCKED"]
    forget_limits()
    locked = login(email)
    assert (locked.status_code, locked.json()["error"]["code"]) == (423, "ACCOUNT_LOCKED")
    assert 0 < int(locked["Retry-After"]) <= 900


def test_a_stranger_cannot_lock_the_owner_out(cast):
    for _ in range(10):
        login(password="wrong one", address="203.0.113.7")
    assert login().status_code == 200
    assert User.objects.get(pk=cast.alice.user.pk).failed_logins == 0


def test_a_good_sign_in_starts_the_counter_again(cast):
    for _ in range(9):
        login(password="wrong one")
    assert login().status_code == 200
    forget_limits()
    assert login(password="wrong one").json()["error"]["code"] == "INVALID_CREDENTIALS"


def test_a_hundred_failures_in_a_row_stop_the_account(cast):
    User.objects.filter(pk=cast.alice.user.pk).update(failed_logins=100)
    cache.clear()
    assert login().status_code == 423


def signup(email="new@example.com", password="a fine long password", **more):
    return ApiClient().call("/api/auth/signup", {"email": email, "password": password, **more})


def test_signup_makes_an_account_that_can_sign_in(db):
    response = signup(full_name="New Person")
    assert response.status_code == 201
    assert (
        ApiClient(response.json()["data"]["token"]).get("/api/auth/me").json()["data"]["name"] == "New Person"
    )
    assert login("new@example.com", "a fine long password").status_code == 200


def test_signup_of_a_known_address_changes_nothing(cast):
    response = signup("Alice@example.com", "another fine password")
    data = response.json()["data"]
    assert response.status_code == 201
    assert data["token"] is None
    assert data["user_id"] != str(cast.alice.user.pk)
    assert login().status_code == 200


@pytest.mark.parametrize(
    "password", ["short", "password123", "new@example.com", "quickztna-rules", "x" * 129], ids=str
)
def test_weak_passwords_are_refused(db, password):
    response = signup(password=password)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "INVALID_INPUT")
    assert not User.objects.exists()


def test_change_password_ends_the_other_sessions(cast):
    other = login().json()["data"]["token"]
    body = {"current_password": "wrong", "new_password": "an entirely different one"}
    refused = cast.alice.client.call("/api/auth/change-password", body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "INVALID_PASSWORD")
    changed = cast.alice.client.call("/api/auth/change-password", {**body, "current_password": PASSWORD})
    assert ApiClient(changed.json()["data"]["token"]).get("/api/auth/me").status_code == 200
    assert ApiClient(other).get("/api/auth/me").status_code == 401
    assert login(password="an entirely different one").status_code == 200


def test_sessions_are_listed_and_ended(cast):
    other = ApiClient(login().json()["data"]["token"])
    listed = cast.alice.client.get("/api/auth/sessions").json()["data"]
    assert [session["current"] for session in listed].count(True) == 1
    assert len(listed) == 2
    foreign = cast.charlie.session.pk
    assert cast.alice.client.call(f"/api/auth/sessions/{foreign}", method="DELETE").status_code == 404
    assert cast.alice.client.call("/api/auth/sessions", method="DELETE").json()["data"] == {"revoked": 1}
    assert other.get("/api/auth/me").status_code == 401
    assert cast.charlie.client.get("/api/auth/me").status_code == 200


def test_the_admin_door_has_the_same_lock(cast):
    User.objects.filter(pk=cast.alice.user.pk).update(is_staff=True, is_superuser=True)
    door = ApiClient()
    for _ in range(10):
        door.post("/admin/login/", {"username": "alice@example.com", "password": "wrong one"})
    page = door.post("/admin/login/", {"username": "alice@example.com", "password": PASSWORD})
    assert page.status_code == 200
    assert "sessionid" not in door.cookies
