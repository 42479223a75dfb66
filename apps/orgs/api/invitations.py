"""Inviting and joining."""

from typing import Any

from rest_framework import serializers

from apps.core import ratelimit
from apps.core.api.views import ActionView, Answer, Call, CallView, Operation
from apps.orgs import invitations


class InviteInput(serializers.Serializer):
    email = serializers.EmailField(max_length=254)
    role = serializers.CharField(max_length=20, required=False, default="member")
    copy_link = serializers.BooleanField(required=False, default=False)


class InvitationInput(serializers.Serializer):
    invitation_id = serializers.UUIDField()


class AcceptInput(serializers.Serializer):
    token = serializers.CharField(max_length=100)


def _invite(call: Call) -> Answer:
    invitation, token = invitations.invite_member(
        org=call.org, actor=call.actor, email=call.data["email"], role=call.data["role"]
    )
    data = {"invitation_id": invitation.pk, "expires_at": invitation.expires_at, "email_sent": True}
    if call.data["copy_link"]:
        data |= {"token": token, "link": invitations.invitation_link(token)}
    return Answer(data, status=201)


def _resend(call: Call) -> dict[str, Any]:
    invitation = invitations.resend_invitation(
        org=call.org, actor=call.actor, invitation_id=call.data["invitation_id"]
    )
    return {"invitation_id": invitation.pk, "expires_at": invitation.expires_at}


def _revoke(call: Call) -> dict[str, Any]:
    invitation_id = call.data["invitation_id"]
    invitations.revoke_invitation(org=call.org, actor=call.actor, invitation_id=invitation_id)
    return {"revoked": invitation_id}


def _accept(call: Call) -> dict[str, Any]:
    member = invitations.accept_invitation(
        user=call.principal.subject, actor=call.actor, token=call.data["token"]
    )
    org = member.org
    return {"org_id": org.pk, "org_name": org.name, "slug": org.slug, "role": member.role}


def _look(call: Call) -> dict[str, Any]:
    invitation = invitations.find_invitation(call.path["token"])
    name, _, host = invitation.email.partition("@")
    return {
        "org_name": invitation.org.name,
        "role": invitation.role,
        "email": f"{name[:1]}***@{host}",
        "expires_at": invitation.expires_at,
    }


class Invitations(ActionView):
    topic = "org-management"
    actions = (
        Operation("invite_member", "A", _invite, InviteInput, scope="users:write"),
        Operation("resend_invitation", "A", _resend, InvitationInput, scope="users:write"),
        Operation("revoke_invitation", "A", _revoke, InvitationInput, scope="users:write"),
    )


class AcceptInvitation(CallView):
    path = "accept-invitation"
    calls = {"POST": Operation("accept-invitation", "S", _accept, AcceptInput)}


class Invitation(CallView):
    path = "invitation/<str:token>"
    calls = {"GET": Operation("invitation", "P", _look, limit=ratelimit.Limit(20, 60))}
