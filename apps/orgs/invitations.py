"""Invitations: a token that is stored hashed, good for seven days, for one mailbox."""

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.audit.services import record
from apps.auth.models import User, canonical_email
from apps.auth.secrets import new_secret, secret_hash
from apps.core import mail
from apps.core.actors import Actor
from apps.core.errors import Forbidden, InvalidState, NotFound
from apps.core.realtime import publish
from apps.orgs import signals
from apps.orgs.errors import (
    AlreadyMember,
    DuplicateInvitation,
    EmailMismatch,
    EmailNotVerified,
    InvalidInvitation,
    InvalidRole,
)
from apps.orgs.members import names_of
from apps.orgs.models import ROLES, Organization, OrgInvitation, OrgMember

LIFE = timedelta(days=7)


def invitation_link(token: str) -> str:
    return f"{settings.PUBLIC_URL}/invite/{token}"


def invite_member(*, org: Organization, actor: Actor, email: str, role: str) -> tuple[OrgInvitation, str]:
    """(invitation, token); raises InvalidRole, Forbidden, AlreadyMember, DuplicateInvitation."""
    if role not in ROLES:
        raise InvalidRole()
    if role == "owner" and actor.role != "owner":
        raise Forbidden("Only owners can invite an owner")
    email = canonical_email(email)
    if OrgMember.objects.for_org(org).filter(user__email=email).exists():
        raise AlreadyMember()
    now, token = timezone.now(), new_secret()
    with transaction.atomic():
        open_ones = OrgInvitation.objects.for_org(org).filter(email=email, status="pending")
        open_ones.filter(expires_at__lte=now).update(status="expired")
        try:
            with transaction.atomic():
                invitation = OrgInvitation.objects.create_in(
                    org,
                    email=email,
                    role=role,
                    token_hash=secret_hash(token),
                    expires_at=now + LIFE,
                    invited_by_id=actor.user_id,
                )
        except IntegrityError:
            raise DuplicateInvitation() from None
        details = {"email": email, "role": role}
        record(org=org, actor=actor, action="member.invited", resource=invitation, details=details)
        _mail(org, actor, invitation, token)
        payload = {"id": invitation.pk, "status": "pending"}
        publish(org=org, channel="members", event="INSERT", table="org_invitations", payload=payload)
    return invitation, token


def resend_invitation(*, org: Organization, actor: Actor, invitation_id: uuid.UUID) -> OrgInvitation:
    """A new token and seven more days; raises NotFound, InvalidState."""
    token = new_secret()
    with transaction.atomic():
        invitation = _pending(org, invitation_id)
        invitation.token_hash = secret_hash(token)
        invitation.sent_at = timezone.now()
        invitation.expires_at = invitation.sent_at + LIFE
        invitation.save(update_fields=["token_hash", "sent_at", "expires_at"])
        record(org=org, actor=actor, action="invitation.resent", resource=invitation)
        _mail(org, actor, invitation, token)
    return invitation


def revoke_invitation(*, org: Organization, actor: Actor, invitation_id: uuid.UUID) -> None:
    """Close it; raises NotFound, InvalidState."""
    with transaction.atomic():
        invitation = _pending(org, invitation_id)
        invitation.status = "revoked"
        invitation.save(update_fields=["status"])
        record(org=org, actor=actor, action="invitation.revoked", resource=invitation)
        payload = {"id": invitation.pk, "status": "revoked"}
        publish(org=org, channel="members", event="UPDATE", table="org_invitations", payload=payload)


def find_invitation(token: str) -> OrgInvitation:
    """The open invitation of a token; raises InvalidInvitation for every other, all alike."""
    found = OrgInvitation.all_orgs.select_related("org").filter(
        token_hash=secret_hash(token), status="pending", expires_at__gt=timezone.now()
    )
    invitation = found.first()
    if invitation is None:
        raise InvalidInvitation()
    return invitation


def accept_invitation(*, user: User, actor: Actor, token: str) -> OrgMember:
    """Join; raises InvalidInvitation, EmailMismatch, EmailNotVerified, AlreadyMember."""
    found = find_invitation(token)
    if found.email != user.email:
        raise EmailMismatch()
    if not user.email_verified:
        raise EmailNotVerified()
    already = False
    with transaction.atomic():
        mine = OrgInvitation.objects.for_org(found.org).select_for_update()
        invitation = mine.filter(pk=found.pk, status="pending").first()
        if invitation is None:
            raise InvalidInvitation()
        invitation.status, invitation.accepted_by = "accepted", user
        invitation.save(update_fields=["status", "accepted_by"])
        already = OrgMember.objects.for_org(found.org).filter(user=user).exists()
        if not already:
            member = OrgMember.objects.create_in(
                found.org, user=user, role=invitation.role, source="invitation"
            )
            details = {"user_id": user.pk, "role": member.role}
            record(org=found.org, actor=actor, action="member.joined", resource=member, details=details)
            payload = {"id": member.pk, "user_id": user.pk, "role": member.role}
            publish(org=found.org, channel="members", event="INSERT", table="org_members", payload=payload)
            signals.names_changed.send(OrgMember, org_id=found.org_id, came=names_of(member), went=())
    if already:  # raised outside, so that the invitation stays closed
        raise AlreadyMember()
    return member


def _pending(org: Organization, invitation_id: uuid.UUID) -> OrgInvitation:
    invitation = OrgInvitation.objects.for_org(org).select_for_update().filter(pk=invitation_id).first()
    if invitation is None:
        raise NotFound()
    if invitation.status != "pending":
        raise InvalidState("The invitation is no longer open")
    return invitation


def _mail(org: Organization, actor: Actor, invitation: OrgInvitation, token: str) -> None:
    mail.enqueue(
        recipient=invitation.email,
        template="invitation",
        context={
            "org_name": org.name,
            "inviter": actor.name or actor.email,
            "role": invitation.role,
            "link": invitation_link(token),
        },
    )
