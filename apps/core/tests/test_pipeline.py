"""The envelope and the order of checks that every call keeps."""

import json

import pytest
from django.test import Client

from apps.core.errors import ApiError
from tests.cast import ApiClient

pytestmark = pytest.mark.django_db
URL = "/api/org-management"


def error(response):
    assert set(response.json()) == {"success", "data", "error"}
    assert response["X-Request-Id"]
    return response.status_code, response.json()["error"]["code"]


def test_each_check_comes_before_the_next(cast):
    """One flaw is taken away after the other; each answer names the first that is left."""
    member, owner, org_id = cast.bob.client, cast.alice.client, str(cast.org_a.pk)
    raw = {"content_type": "application/json"}
    assert error(ApiClient().call(URL, {})) == (401, "UNAUTHORIZED")
    assert error(ApiClient("bad").generic("POST", URL, b"{", **raw)) == (401, "UNAUTHORIZED")
    assert error(member.generic("POST", URL, b"{", **raw)) == (400, "INVALID_JSON")
    assert error(member.call(URL, {})) == (400, "MISSING_FIELDS")
    assert error(member.call(URL, {"action": "nope"})) == (400, "UNKNOWN_ACTION")
    assert error(member.call(URL, {"action": "update_org"})) == (400, "MISSING_FIELDS")
    assert error(member.call(URL, {"action": "update_org", "org_id": 5})) == (400, "INVALID_INPUT")
    foreign = {"action": "update_org", "org_id": str(cast.org_b.pk)}
    assert member.call(URL, foreign).json()["error"]["message"] == "Not a member"
    body = {"action": "invite_member", "org_id": org_id}
    assert member.call(URL, body).json()["error"]["message"] == "Admin required"
    absent = owner.call(URL, body).json()["error"]
    assert absent["code"] == "MISSING_FIELDS"
    assert [detail["field"] for detail in absent["details"]] == ["email"]
    assert error(owner.call(URL, {**body, "email": "no mailbox"})) == (400, "INVALID_INPUT")


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"x"', b"\xff", b'{"action": NaN}', b"[" * 100_000],
    ids=["open", "list", "text", "not utf-8", "NaN", "deep"],
)
def test_bodies_that_are_no_json_object(cast, body):
    response = cast.alice.client.generic("POST", URL, body, content_type="application/json")
    assert error(response) == (400, "INVALID_JSON")


def test_nul_characters_never_reach_the_database(cast):
    body = {"action": "create", "name": "a\0b"}
    assert error(cast.alice.client.call(URL, body)) == (400, "INVALID_INPUT")


def test_sizes_types_and_methods(cast):
    client = cast.alice.client
    big = json.dumps({"action": "create", "name": "x" * 1_100_000}).encode()
    assert error(client.generic("POST", URL, big, content_type="application/json")) == (
        413,
        "PAYLOAD_TOO_LARGE",
    )
    assert error(client.generic("POST", URL, b"a=b", content_type="text/plain")) == (
        415,
        "UNSUPPORTED_MEDIA_TYPE",
    )
    assert error(client.get(URL)) == (405, "METHOD_NOT_ALLOWED")
    assert error(client.call("/api/auth/login", method="PUT")) == (405, "METHOD_NOT_ALLOWED")
    assert error(client.get("/api/nothing/here")) == (404, "NOT_FOUND")
    strict = Client(enforce_csrf_checks=True)
    for method in ("POST", "PATCH", "DELETE"):
        assert error(strict.generic(method, "/api/nothing/here", b"{}")) == (404, "NOT_FOUND")


def test_aliases_and_slashes(cast):
    for path in ("user-orgs", "user-orgs/", "functions/user-orgs"):
        assert cast.alice.client.get(f"/api/{path}").status_code == 200


def test_a_retired_action_names_its_successor(cast):
    answer = cast.alice.client.call("/api/dns-management", {"action": "list_records"})
    assert error(answer) == (400, "UNKNOWN_ACTION")
    assert answer.json()["error"]["message"] == "Unknown action: list_records; use get_settings"


def test_unknown_fields_are_named(cast):
    body = {"action": "create", "name": "New", "colour": "red", "evil\r\nheader": 1}
    assert cast.alice.client.call(URL, body)["X-Ignored-Fields"] == "colour"


def test_an_unforeseen_failure_tells_only_its_request_id(cast, monkeypatch):
    def fail(**kwargs):
        raise RuntimeError("secret detail")

    monkeypatch.setattr("apps.orgs.services.create_organization", fail)
    response = cast.alice.client.call(URL, {"action": "create", "name": "New"})
    assert error(response) == (500, "INTERNAL_ERROR")
    assert response.json()["error"]["request_id"] == response["X-Request-Id"]
    assert "secret detail" not in response.content.decode()


def test_idempotency_keys_repeat_the_first_answer(cast):
    client, key = cast.alice.client, {"Idempotency-Key": "once"}
    body = {"action": "create", "name": "Twice"}
    first, second = (client.call(URL, body, **key) for _ in range(2))
    assert first.json() == second.json()
    assert (first.status_code, second.status_code) == (201, 201)
    assert error(client.call(URL, {**body, "name": "Other"}, **key)) == (409, "CONFLICT")
    assert cast.bob.client.call(URL, body, **key).json() != first.json()


def test_a_failed_call_may_be_tried_again(cast):
    client, key = cast.alice.client, {"Idempotency-Key": "retry"}
    assert client.call(URL, {"action": "create"}, **key).status_code == 400
    assert client.call(URL, {"action": "create", "name": "Now"}, **key).status_code == 201


def test_answers_carry_the_headers_of_a_locked_down_page(cast):
    response = cast.alice.client.get("/api/auth/me")
    assert response["Cache-Control"] == "no-store"
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert response["X-Content-Type-Options"] == "nosniff"
    page = cast.alice.client.get("/")
    assert "script-src 'self';" in page["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"]


def all_errors(base=ApiError):
    for kind in base.__subclasses__():
        yield kind
        yield from all_errors(kind)


def test_each_code_has_one_status():
    statuses = {}
    for kind in all_errors():
        statuses.setdefault(kind.code, set()).add(kind.status)
        assert kind.message
    assert {code: found for code, found in statuses.items() if len(found) > 1} == {}


def test_public_calls_are_limited_by_address(db):
    answers = [ApiClient().get("/api/invitation/x").status_code for _ in range(21)]
    assert answers == [404] * 20 + [429]


def test_a_forged_address_does_not_escape_the_limit(db):
    for number in range(20):
        headers = {
            "X-Forwarded-For": f"198.51.100.{number}",
            "X-Real-Ip": "192.0.2.1",
            "Forwarded": "for=1.2.3.4",
        }
        ApiClient().get("/api/invitation/x", headers=headers)
    assert ApiClient().get("/api/invitation/x", headers={"X-Forwarded-For": "9.9.9.9"}).status_code == 429
