"""Rows of this app full of a canary string, for the tenancy sweeps."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.auth.models import User
from apps.orgs.models import IdpGroup, IdpGroupMember, Organization, OrgInvitation, OrgMember


def plant(org: Any, canary: str) -> None:
    """The organisation's own name, a member with his group, and an invitation; settings are made with it."""
    Organization.objects.for_org(org).update(name=canary, domain=canary)
    user = User.objects.create_user(f"{canary}@example.com", None, full_name=canary)
    OrgMember.objects.create_in(org, user=user, role="member", source="invitation")
    group = IdpGroup.objects.create_in(org, name=f"{canary} people"[:64], source="scim", external_id=canary)
    IdpGroupMember.objects.create_in(org, group=group, user=user)
    OrgInvitation.objects.create_in(
        org,
        email=f"{canary}-2@example.com",
        role="member",
        token_hash=f"secret-{canary}"[:64],
        expires_at=timezone.now() + timedelta(days=1),
    )
