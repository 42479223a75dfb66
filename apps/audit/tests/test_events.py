"""What programs report stands in the trail under a name of its own, with the server's word on who it was."""

import pytest

from apps.audit.models import AuditLog
from apps.core import ratelimit
from apps.core.ratelimit import Limit

pytestmark = pytest.mark.django_db


def report(person, org, **values):
    body = {"org_id": str(org.pk), "action": "report.opened", "resource_type": "report", **values}
    return person.client.call("/api/audit", body)


def test_an_event_is_kept_under_the_name_space_of_programs(cast):
    given = {
        "resource_id": "r1",
        "details": {"page": 2},
        "user_id": str(cast.alice.user.pk),
        "ip_address": "1.1.1.1",
    }
    answer = report(cast.bob, cast.org_a, **given)
    assert answer.status_code == 201
    row = AuditLog.objects.for_org(cast.org_a).get(pk=answer.json()["data"]["id"])
    assert (row.action, row.resource_type, row.resource_id) == ("client.report.opened", "report", "r1")
    assert (row.user_id, row.ip_address, row.details) == (cast.bob.user.pk, "127.0.0.1", {"page": 2})


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"action": ""}, "MISSING_FIELDS"),
        ({"action": "machine renamed"}, "INVALID_INPUT"),
        ({"details": {"text": "x" * 8200}}, "INVALID_INPUT"),
        ({"details": "text"}, "INVALID_INPUT"),
    ],
)
def test_nonsense_is_refused(cast, values, code):
    answer = report(cast.bob, cast.org_a, **values)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_a_stranger_reports_nothing_and_a_member_not_without_end(cast):
    before = AuditLog.objects.for_org(cast.org_a).count()
    assert report(cast.charlie, cast.org_a).status_code == 403
    assert AuditLog.objects.for_org(cast.org_a).count() == before
    assert report(cast.bob, cast.org_a).status_code == 201
    for _ in range(59):
        ratelimit.hit(f"audit:{cast.bob.user.pk}", Limit(60, 60))
    assert report(cast.bob, cast.org_a).status_code == 429
    assert report(cast.alice, cast.org_a).status_code == 201
