"""API keys: made, used within their scopes, rotated, revoked."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.audit.models import AuditLog
from apps.auth.models import ApiKey
from tests.cast import ApiClient

pytestmark = pytest.mark.django_db
URL = "/api/key-management"


def make(person, org, **body):
    return person.client.call(URL, {"action": "create_api_key", "org_id": str(org.pk), "name": "ci", **body})


@pytest.fixture
def key(cast):
    def build(*scopes, **body):
        return make(cast.alice, cast.org_a, scopes=list(scopes), **body).json()["data"]

    return build


def read(secret, table="organizations", **headers):
    client = ApiClient(None if headers else secret)
    return client.get(f"/api/db/{table}", headers=headers or None)


def test_the_key_is_shown_once_and_stored_hashed(cast, key):
    made = key("read", expiry_days=14)
    assert made["key"].startswith("qz-api-live-")
    assert len(made["key"]) == 12 + 64
    assert (made["expiry_days"], made["scopes"]) == (14, ["read"])
    stored = ApiKey.objects.for_org(cast.org_a).get()
    assert made["key"] not in repr(ApiKey.objects.for_org(cast.org_a).values().get())
    assert stored.key_prefix == made["key"][:20] + "..."
    row = AuditLog.objects.for_org(cast.org_a).get(action="api_key.created")
    assert made["key"] not in repr(row.details)


@pytest.mark.parametrize("days", [91, 0, -5, 1.5, "x", True])
def test_a_term_out_of_bounds_is_refused(cast, days):
    response = make(cast.alice, cast.org_a, expiry_days=days)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "INVALID_INPUT")
    assert not ApiKey.objects.for_org(cast.org_a).exists()


def test_unknown_scopes_are_named(cast):
    response = make(cast.alice, cast.org_a, scopes=["machines", "superpower"])
    error = response.json()["error"]
    assert error["code"] == "INVALID_SCOPES"
    assert "superpower" in error["message"]
    assert "billing" in error["message"]


def test_there_is_no_side_door_around_the_term(cast):
    row = {"name": "x", "expires_at": "2099-01-01T00:00:00Z"}
    url = f"/api/db/api_keys?org_id={cast.org_a.pk}"
    assert cast.alice.client.call(url, row).status_code == 403
    assert not ApiKey.objects.for_org(cast.org_a).exists()


@pytest.mark.parametrize(
    ("scopes", "table", "status"),
    [
        ((), "organizations", 403),
        (("read",), "organizations", 200),
        (("settings:read",), "organizations", 200),
        (("billing",), "organizations", 403),
        (("audit:read",), "organizations", 403),
        (("audit", "read"), "audit_logs", 200),
        (("machines", "read"), "audit_logs", 403),
        (("admin",), "api_keys", 200),
        (("read",), "api_keys", 403),
    ],
    ids=str,
)
def test_scopes_are_enforced(key, scopes, table, status):
    response = read(key(*scopes)["key"], table)
    assert response.status_code == status
    if status == 403:
        assert response.json()["error"]["code"] == "INSUFFICIENT_SCOPE"
        assert response.json()["error"]["required_scope"]


def test_a_reading_key_changes_nothing(cast, key):
    client = ApiClient(key("read")["key"])
    url = f"/api/db/organizations?id=eq.{cast.org_a.pk}"
    assert client.call(url, {"name": "Taken"}, method="PATCH").status_code == 403
    cast.org_a.refresh_from_db()
    assert cast.org_a.name == "Org A"


def test_a_full_key_is_no_owner_and_no_person(cast, key):
    client = ApiClient(key("admin")["key"])
    body = {"org_id": str(cast.org_a.pk)}
    for action in ("transfer_ownership", "leave", "create"):
        given = {"action": action, **body, "target_user_id": str(cast.bob.user.pk), "name": "x"}
        assert client.call("/api/org-management", given).status_code == 403
    refused = client.call("/api/org-management", {"action": "update_org_settings", "api_key_max_days": 300})
    assert refused.json()["error"]["code"] == "FIELD_NOT_WRITABLE"
    assert client.get("/api/auth/me").status_code == 403


def test_both_ways_to_send_it_and_only_its_own_organisation(cast, key):
    secret = key("read")["key"]
    assert read(secret).json()["data"][0]["id"] == str(cast.org_a.pk)
    assert read(None, **{"X-Api-Key": secret}).status_code == 200
    assert read(None, **{"x-api-key": ""}).json()["error"]["message"] == "Missing X-API-Key header"
    foreign = ApiClient(secret).get("/api/db/organizations", {"org_id": str(cast.org_b.pk)})
    assert foreign.status_code == 403
    assert ApiClient().get("/api/db/organizations", {"api_key": secret}).status_code == 401


def test_use_is_counted_and_bad_keys_are_not(cast, key):
    secret = key("read")["key"]
    for _ in range(3):
        read(secret)
    assert read("qz-api-live-" + "0" * 64).json()["error"]["message"] == "Invalid or revoked API key"
    assert ApiKey.objects.for_org(cast.org_a).get().usage_count == 3


def test_its_own_rate_limit(key):
    slow, other = key("read", rate_limit_rpm=5)["key"], key("read")["key"]
    assert [read(slow).status_code for _ in range(6)] == [200] * 5 + [429]
    limited = read(slow)
    assert int(limited["Retry-After"]) > 0
    assert read(other).status_code == 200


def test_only_from_its_networks(key):
    secret = key("read", allowed_cidrs=["198.51.100.0/24"])["key"]
    assert read(secret).status_code == 401
    client = ApiClient(secret)
    client.defaults["REMOTE_ADDR"] = "198.51.100.7"
    assert client.get("/api/db/organizations").status_code == 200
    client.defaults["REMOTE_ADDR"] = "192.0.2.1"
    client.defaults["HTTP_X_FORWARDED_FOR"] = "198.51.100.7"
    assert client.get("/api/db/organizations").status_code == 401


def test_rotation_carries_over_and_ends_the_old_key(cast, key):
    old = key("machines", "acl", rate_limit_rpm=120, expiry_days=7)
    body = {"action": "rotate_api_key", "org_id": str(cast.org_a.pk), "key_id": old["id"]}
    answer = cast.alice.client.call(URL, body)
    assert answer.status_code == 201
    new = ApiKey.objects.for_org(cast.org_a).get(pk=answer.json()["data"]["id"])
    assert (new.scopes, new.rate_limit_rpm, new.usage_count) == (["machines", "acl"], 120, 0)
    assert new.expires_at <= timezone.now() + timedelta(days=7)
    assert read(old["key"]).status_code == 401
    again = cast.alice.client.call(URL, body)
    assert again.json()["error"]["message"] == "API key not found or already revoked"
    assert ApiKey.objects.for_org(cast.org_a).count() == 2


def test_grace_lets_the_old_key_live_on_until_revoked(cast, key):
    old = key("read")
    body = {"org_id": str(cast.org_a.pk), "key_id": old["id"]}
    cast.alice.client.call(URL, {"action": "rotate_api_key", **body, "grace_hours": 1})
    assert read(old["key"]).status_code == 200
    for _ in range(2):
        assert cast.alice.client.call(URL, {"action": "revoke_api_key", **body}).status_code == 200
    assert read(old["key"]).status_code == 401


def test_expired_keys_are_refused_at_once(cast, key):
    secret = key("read")["key"]
    ApiKey.objects.for_org(cast.org_a).update(expires_at=timezone.now())
    assert read(secret).status_code == 401
