"""Making, reading and revoking auth keys."""

import re

import pytest

from apps.machines.models import AuthKey
from apps.machines.tests.agents import auth_key, code


def create(person, org, **values):
    body = {"action": "create_auth_key", "org_id": str(org.pk), **values}
    return person.client.call("/api/key-management", body)


def test_a_key_is_shown_once_and_kept_as_a_hash(cast):
    made = auth_key(cast.alice, cast.org_a, reusable=True)
    assert re.fullmatch(r"tskey-auth-[0-9a-f]{64}", made["key"])
    assert made["key_prefix"] == made["key"].removeprefix("tskey-auth-")[:8] + "..."
    assert (made["expiry_days"], made["allowed_tags"], made["allowed_cidrs"]) == (90, None, None)
    listed = cast.alice.client.get("/api/db/auth_keys", {"org_id": str(cast.org_a.pk)}).content.decode()
    row = AuthKey.objects.for_org(cast.org_a).get()
    assert made["key"] not in listed
    assert row.key_hash not in listed
    assert made["key"] not in str(row.__dict__)


def test_the_second_form_needs_no_name_and_lives_an_hour(cast):
    made = create(cast.alice, cast.org_a, tags=["ci"], description="pipeline").json()["data"]
    assert (made["name"], made["tags"], made["allowed_tags"]) == ("pipeline", ["ci"], ["ci"])
    assert made["expiry_days"] == 0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "MISSING_FIELDS"),
        ({"name": "k", "expiry_days": 500}, "INVALID_INPUT"),
        ({"name": "k", "expiry_days": 0}, "INVALID_INPUT"),
        ({"name": "k", "expiry_days": 1.5}, "INVALID_INPUT"),
        ({"name": "k", "expires_in": 10}, "VALIDATION_ERROR"),
        ({"name": "k", "allowed_cidrs": ["10.0.0.1/8"]}, "INVALID_INPUT"),
        ({"name": "k", "reusable": "true"}, "INVALID_INPUT"),
        ({"name": "k", "tags": "ci"}, "INVALID_INPUT"),
    ],
)
def test_bad_values_make_no_key(cast, values, expected):
    assert code(create(cast.alice, cast.org_a, **values)) == (400, expected)
    assert not AuthKey.objects.for_org(cast.org_a).exists()


@pytest.mark.parametrize("days", [500, 0, -5, 1.5, "x", True])
def test_the_days_of_a_key_are_told_their_bounds(cast, days):
    error = create(cast.alice, cast.org_a, name="k", expiry_days=days).json()["error"]
    assert error["message"] == "expiry_days must be an integer between 1 and 365"


def test_a_key_is_revoked_under_the_old_topic_too(cast):
    made = auth_key(cast.alice, cast.org_a)
    body = {"action": "revoke_auth_key", "org_id": str(cast.org_a.pk), "key_id": made["id"]}
    assert code(cast.bob.client.call("/api/org-management", body)) == (403, "FORBIDDEN")
    foreign = {**body, "org_id": str(cast.org_b.pk)}
    assert code(cast.charlie.client.call("/api/org-management", foreign)) == (404, "NOT_FOUND")
    answer = cast.alice.client.call("/api/org-management", body).json()["data"]
    assert answer == {"revoked": made["id"], "machines_quarantined": 0}


def test_the_table_tells_who_made_a_key(cast):
    auth_key(cast.alice, cast.org_a)
    (row,) = cast.alice.client.get("/api/db/auth_keys", {"org_id": str(cast.org_a.pk)}).json()["data"]
    assert row["created_by"] == str(cast.alice.user.pk)


def test_members_and_strangers_neither_make_nor_revoke(cast):
    made = auth_key(cast.alice, cast.org_a)
    for person, status in ((cast.bob, 403), (cast.charlie, 403)):
        assert create(person, cast.org_a, name="k").status_code == status
        body = {"action": "revoke_auth_key", "org_id": str(cast.org_a.pk), "key_id": made["id"]}
        assert person.client.call("/api/key-management", body).status_code == status
    own = {"action": "revoke_auth_key", "org_id": str(cast.org_b.pk), "key_id": made["id"]}
    assert code(cast.charlie.client.call("/api/key-management", own)) == (404, "NOT_FOUND")
    assert not AuthKey.objects.for_org(cast.org_a).get().revoked


def test_the_table_inserts_renames_and_revokes(cast):
    body = {"org_id": str(cast.org_a.pk), "name": "table"}
    made = cast.alice.client.call("/api/db/auth_keys", body)
    assert made.status_code == 201
    assert made.json()["data"]["key"].startswith("tskey-auth-")
    url = f"/api/db/auth_keys?id=eq.{made.json()['data']['id']}"
    assert cast.alice.client.call(url, {"name": "new"}, method="PATCH").status_code == 200
    assert cast.alice.client.call(url, {"revoked": True}, method="PATCH").status_code == 200
    assert code(cast.alice.client.call(url, {"revoked": False}, method="PATCH")) == (400, "INVALID_INPUT")
    assert code(cast.alice.client.call(url, {"used_count": 0}, method="PATCH")) == (403, "FIELD_NOT_WRITABLE")
    row = AuthKey.objects.for_org(cast.org_a).get()
    assert (row.name, row.revoked) == ("new", True)
