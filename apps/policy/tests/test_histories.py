"""Tables of governance: whoever may see a row by an action may read it here, and nobody writes it."""

import pytest

from apps.policy.tests.calls import act, data, rows, rule
from apps.policy.tests.test_reviews import campaign, fleet  # noqa: F401  (a fixture)

pytestmark = pytest.mark.django_db
TABLES = (
    *("jit_access_grants", "access_review_campaigns", "access_review_decisions"),
    *("policy_versions", "change_plans"),
)


def read(person, org, table):
    return data(rows(person, org, table))


def test_a_member_reads_his_own_requests_and_an_auditor_all(cast):
    ask = {"source_selector": "tag:a", "destination_selector": "tag:b"}
    for person in (cast.bob, cast.alice):
        act(person, cast.org_a, "governance", "jit_request", 201, **ask)
    (own,) = read(cast.bob, cast.org_a, "jit_access_grants")
    assert own["requester_user_id"] == str(cast.bob.user.pk)
    assert len(read(cast.join("ruth@example.com", "auditor"), cast.org_a, "jit_access_grants")) == 2


def test_reviews_are_read_by_members(cast, fleet):  # noqa: F811
    told = campaign(cast)
    (row,) = read(cast.bob, cast.org_a, "access_review_campaigns")
    assert (row["id"], row["reviewer_user_id"]) == (told["campaign_id"], str(cast.bob.user.pk))
    names = [row["resource_name"] for row in read(cast.bob, cast.org_a, "access_review_decisions")]
    assert sorted(names) == ["alpha", "beta", "open", "second", "third"]


def test_versions_come_without_what_they_hold_and_plans_to_auditors_only(cast):
    target = {"policy_type": "acl_rule", "policy_id": rule(cast.alice, cast.org_a)["id"]}
    act(cast.alice, cast.org_a, "governance", "snapshot_policy", 201, **target)
    (version,) = read(cast.bob, cast.org_a, "policy_versions")
    assert version["changed_by"] == str(cast.alice.user.pk)
    assert "snapshot" not in version
    act(cast.alice, cast.org_a, "policy", "plan", 201, changes={"settings": {"default_deny": True}})
    (plan,) = read(cast.alice, cast.org_a, "change_plans")
    assert plan["created_by"] == str(cast.alice.user.pk)
    assert data(rows(cast.bob, cast.org_a, "change_plans"), 403)["code"] == "FORBIDDEN"


@pytest.mark.parametrize("table", TABLES)
def test_nobody_writes_them_and_strangers_do_not_read(cast, table):
    assert data(rows(cast.charlie, cast.org_a, table), 403)["code"] == "FORBIDDEN"
    for method in ("POST", "PATCH", "DELETE"):
        refused = rows(cast.alice, cast.org_a, table, {"status": "approved"}, method=method)
        assert data(refused, 403)["code"] == "FORBIDDEN"
