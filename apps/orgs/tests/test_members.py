"""Members: who may change whom, and that an owner always stays."""

import pytest
from django.utils import timezone

from apps.audit.models import AuditLog
from apps.auth.models import Session
from apps.orgs import signals
from apps.orgs.models import OrgMember
from tests.cast import PASSWORD

pytestmark = pytest.mark.django_db
URL = "/api/org-management"


def manage(person, action, org, **body):
    return person.client.call(URL, {"action": action, "org_id": str(org.pk), **body})


def role_of(cast, person):
    return OrgMember.objects.for_org(cast.org_a).get(user=person.user).role


def change(cast, person, target, role):
    return manage(person, "change_role", cast.org_a, target_user_id=str(target.user.pk), new_role=role)


def test_roles_change_and_are_told(cast):
    response = change(cast, cast.alice, cast.bob, "auditor")
    assert response.json()["data"] == {"user_id": str(cast.bob.user.pk), "role": "auditor"}
    row = AuditLog.objects.for_org(cast.org_a).latest("seq")
    assert (row.action, row.details["before"], row.details["after"]) == (
        "member.role_changed",
        "member",
        "auditor",
    )
    assert change(cast, cast.alice, cast.bob, "auditor").status_code == 200
    assert AuditLog.objects.for_org(cast.org_a).latest("seq").pk == row.pk


@pytest.mark.parametrize(("role", "code"), [("king", "INVALID_ROLE"), ("", "MISSING_FIELDS")])
def test_unknown_roles(cast, role, code):
    assert change(cast, cast.alice, cast.bob, role).json()["error"]["code"] == code


def test_an_admin_has_no_power_over_owners(cast):
    admin = cast.join("admin@example.com", "admin")
    assert change(cast, admin, cast.bob, "owner").json()["error"]["message"] == (
        "Only owners can promote to owner role"
    )
    assert change(cast, admin, cast.alice, "member").status_code == 403
    removed = manage(admin, "remove_member", cast.org_a, target_user_id=str(cast.alice.user.pk))
    assert removed.status_code == 403
    assert change(cast, admin, admin, "owner").json()["error"]["message"] == "Can't change your own role"
    url = f"/api/db/org_members?org_id={cast.org_a.pk}&user_id=eq.{cast.alice.user.pk}"
    assert admin.client.call(url, {"role": "member"}, method="PATCH").status_code == 403
    assert admin.client.call(url, method="DELETE").status_code == 403
    assert role_of(cast, cast.alice) == "owner"


def test_the_last_owner_stays(cast):
    second = cast.join("second@example.com", "owner")
    assert manage(cast.alice, "leave", cast.org_a).status_code == 200
    refused = manage(second, "leave", cast.org_a)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "LAST_OWNER")
    assert OrgMember.objects.for_org(cast.org_a).filter(role="owner").count() == 1


def test_removal_takes_the_membership_at_once(cast):
    heard = []

    def hear(sender, **kwargs):
        heard.append(kwargs)
        return 2

    signals.member_removed.connect(hear)
    try:
        response = manage(cast.alice, "remove_member", cast.org_a, target_user_id=str(cast.bob.user.pk))
    finally:
        signals.member_removed.disconnect(hear)
    assert response.json()["data"]["machines_quarantined"] >= 2
    assert heard[0]["user_id"] == cast.bob.user.pk
    read = cast.bob.client.get("/api/db/organizations", {"org_id": str(cast.org_a.pk)})
    assert read.status_code == 403
    again = manage(cast.alice, "remove_member", cast.org_a, target_user_id=str(cast.bob.user.pk))
    assert again.status_code == 404


def test_a_foreign_person_and_an_unknown_one_look_alike(cast):
    foreign = manage(cast.alice, "remove_member", cast.org_a, target_user_id=str(cast.charlie.user.pk))
    unknown = manage(cast.alice, "remove_member", cast.org_a, target_user_id=str(cast.org_a.pk))
    assert foreign.json()["error"] == unknown.json()["error"]


def test_ownership_needs_the_password_again(cast):
    target = {"target_user_id": str(cast.bob.user.pk)}
    refused = manage(cast.alice, "transfer_ownership", cast.org_a, **target)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "STEP_UP_REQUIRED")
    assert cast.alice.client.call("/api/auth/step-up", {"password": "wrong"}).status_code == 403
    assert cast.alice.client.call("/api/auth/step-up", {"password": PASSWORD}).status_code == 200
    assert manage(cast.alice, "transfer_ownership", cast.org_a, **target).status_code == 200
    assert (role_of(cast, cast.bob), role_of(cast, cast.alice)) == ("owner", "admin")


def test_a_step_up_lapses(cast):
    Session.objects.filter(pk=cast.alice.session.pk).update(stepped_up_until=timezone.now())
    target = {"target_user_id": str(cast.bob.user.pk)}
    assert manage(cast.alice, "transfer_ownership", cast.org_a, **target).status_code == 403


def test_members_report(cast):
    body = {"fn": "get_org_members", "_org_id": str(cast.org_a.pk)}
    data = cast.bob.client.call("/api/db/_rpc", body).json()["data"]
    assert [member["email"] for member in data["members"]] == ["alice@example.com", "bob@example.com"]
    assert data["data"] == data["members"]
    assert cast.charlie.client.call("/api/db/_rpc", body).status_code == 403
    unknown = cast.bob.client.call("/api/db/_rpc", {**body, "fn": "drop_tables"})
    assert unknown.json()["error"]["code"] == "UNKNOWN_ACTION"
    stats = cast.bob.client.call("/api/db/_rpc", {**body, "fn": "get_dashboard_stats"}).json()["data"]
    assert stats["memberCount"] == 2
    assert stats["aclRuleCount"] == 1
    asked = {"org_id": str(cast.org_a.pk), "_summary": "true"}
    (row,) = cast.bob.client.get("/api/db/organizations", asked).json()["data"]
    assert (row["slug"], row["memberCount"], row["postureTotal"]) == (cast.org_a.slug, 2, 0)
    assert "members" not in row
    (plain,) = cast.bob.client.get("/api/db/organizations", {"org_id": str(cast.org_a.pk)}).json()["data"]
    assert "memberCount" not in plain
