"""Reading the trail: filters, pages, menus, the check through the API."""

import pytest
from django.db import transaction
from django.utils import timezone

from apps.audit.services import record

pytestmark = pytest.mark.django_db


@pytest.fixture
def rows(cast):
    with transaction.atomic():
        for action, details in (
            ("machine.offline", {"name": "alpha"}),
            ("machine.approved", {"name": "beta"}),
            ("auth.login", {"note": "was offline"}),
        ):
            record(org=cast.org_a, actor=cast.bob.actor, action=action, details=details)


def search(person, org, **body):
    body = {"action": "search_audit_logs", "org_id": str(org.pk), **body}
    return person.client.call("/api/governance", body).json()["data"]


@pytest.mark.parametrize(
    ("wanted", "actions"),
    [
        ({"action_category": "machine"}, ["machine.approved", "machine.offline"]),
        ({"action_category": "machine."}, ["machine.approved", "machine.offline"]),
        ({"action_category": "machine", "search": "OFFLINE"}, ["machine.offline"]),
        ({"audit_action": "auth.login"}, ["auth.login"]),
        ({"audit_action": "machine.*"}, ["machine.approved", "machine.offline"]),
        ({"search": "bob@example"}, ["auth.login", "machine.approved", "machine.offline"]),
        ({"search": "beta"}, ["machine.approved"]),
        ({"resource_type": "nothing"}, []),
    ],
    ids=str,
)
def test_filters(cast, rows, wanted, actions):
    found = search(cast.bob, cast.org_a, **wanted)
    assert [row["action"] for row in found["logs"]] == actions
    assert found["total"] == len(actions)


def test_dates_pages_and_menus(cast, rows):
    now = timezone.now().isoformat()
    assert search(cast.bob, cast.org_a, date_from=now)["total"] == 0
    page = search(cast.bob, cast.org_a, page=1, page_size=3)
    # Three of this test, the organisation and its starter rule.
    assert (page["total"], page["total_pages"], len(page["logs"])) == (5, 2, 2)
    assert page["filters"]["action_categories"] == ["acl_rule", "auth", "machine", "org"]
    assert page["logs"][0]["actor"]["email"] == "alice@example.com"
    first = search(cast.bob, cast.org_a, page_size=1)["logs"][0]
    assert search(cast.bob, cast.org_a, after_id=first["id"])["total"] == 4


def test_the_check_is_open_to_auditors_and_is_itself_told(cast, rows):
    body = {"action": "verify", "org_id": str(cast.org_a.pk)}
    assert cast.bob.client.call("/api/audit-log", body).status_code == 403
    auditor = cast.join("auditor@example.com", "auditor")
    data = auditor.client.call("/api/audit-log", body).json()["data"]
    assert data["valid"]
    assert data["first_broken"] is None
    assert search(cast.bob, cast.org_a)["logs"][0]["action"] == "audit.verified"


def test_nobody_writes_it_by_hand(cast, rows):
    url = f"/api/db/audit_logs?org_id={cast.org_a.pk}&action=like.machine*"
    for method in ("POST", "PATCH", "DELETE"):
        response = cast.alice.client.call(url, {"action": "x"}, method=method)
        assert (response.status_code, response.json()["error"]["code"]) == (403, "FORBIDDEN")
