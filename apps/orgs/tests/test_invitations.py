"""Invitations: one mailbox, one use, seven days, and nothing learned from a bad token."""

from datetime import timedelta

import pytest
from django.core import mail as outbox
from django.utils import timezone

from apps.core import mail
from apps.orgs.models import OrgInvitation, OrgMember
from tests.cast import ApiClient, sign_in

pytestmark = pytest.mark.django_db
URL = "/api/org-management"


def invite(person, org, email="dora@example.com", **body):
    body = {"action": "invite_member", "org_id": str(org.pk), "email": email, "copy_link": True, **body}
    return person.client.call(URL, body)


@pytest.fixture
def token(cast):
    return invite(cast.alice, cast.org_a).json()["data"]["token"]


def accept(person, token):
    return person.client.call("/api/accept-invitation", {"token": token})


def test_an_invitation_becomes_a_membership_once(cast, token):
    dora = sign_in("dora@example.com")
    dora.user.email_verified = True
    dora.user.save()
    shown = ApiClient().get(f"/api/invitation/{token}").json()["data"]
    assert (shown["org_name"], shown["email"]) == ("Org A", "d***@example.com")
    assert accept(dora, token).json()["data"]["role"] == "member"
    assert OrgMember.objects.for_org(cast.org_a).filter(user=dora.user).exists()
    assert accept(dora, token).status_code == 404


def test_the_token_is_stored_hashed_and_mailed(cast, token):
    assert token not in repr(OrgInvitation.objects.for_org(cast.org_a).values())
    assert mail.send_due() == 1
    assert token in outbox.outbox[0].body
    assert "join Org A" in outbox.outbox[0].subject


def test_another_mailbox_and_an_unproven_one_are_refused(cast, token):
    other = sign_in("eve@example.com")
    assert accept(other, token).json()["error"]["code"] == "EMAIL_MISMATCH"
    dora = sign_in("dora@example.com")
    assert accept(dora, token).json()["error"]["code"] == "EMAIL_NOT_VERIFIED"
    assert OrgInvitation.objects.for_org(cast.org_a).get().status == "pending"
    assert OrgMember.objects.for_org(cast.org_a).count() == 2


def test_all_bad_tokens_look_alike(cast):
    def fresh(email):
        return invite(cast.alice, cast.org_a, email).json()["data"]

    expired, revoked = fresh("one@example.com"), fresh("two@example.com")
    rows = OrgInvitation.objects.for_org(cast.org_a)
    rows.filter(pk=expired["invitation_id"]).update(expires_at=timezone.now() - timedelta(seconds=1))
    body = {"action": "revoke_invitation", "org_id": str(cast.org_a.pk)}
    cast.alice.client.call(URL, {**body, "invitation_id": revoked["invitation_id"]})
    answers = [
        accept(cast.bob, value).json()["error"] for value in (expired["token"], revoked["token"], "x" * 64)
    ]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["code"] == "INVALID_INVITATION"


def test_duplicates_members_and_roles(cast, token):
    assert (
        invite(cast.alice, cast.org_a, "DORA@example.com").json()["error"]["code"] == "DUPLICATE_INVITATION"
    )
    assert invite(cast.alice, cast.org_a, "bob@example.com").json()["error"]["code"] == "ALREADY_MEMBER"
    assert (
        invite(cast.alice, cast.org_a, "f@example.com", role="king").json()["error"]["code"] == "INVALID_ROLE"
    )
    admin = cast.join("admin@example.com", "admin")
    assert invite(admin, cast.org_a, "g@example.com", role="owner").status_code == 403
    assert invite(cast.bob, cast.org_a, "h@example.com").status_code == 403


def test_resending_voids_the_old_token(cast, token):
    invitation = OrgInvitation.objects.for_org(cast.org_a).get()
    body = {"action": "resend_invitation", "org_id": str(cast.org_a.pk), "invitation_id": str(invitation.pk)}
    assert cast.alice.client.call(URL, body).status_code == 200
    assert ApiClient().get(f"/api/invitation/{token}").status_code == 404
