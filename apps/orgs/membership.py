"""What lower apps ask about organisations: who belongs where, how long a key may live."""

import uuid
from typing import Any

from apps.core.api.access import OrgAccess
from apps.core.api.principals import Principal
from apps.orgs.models import Organization, OrgMember, OrgSettings


def org_access(principal: Principal, org_id: uuid.UUID) -> OrgAccess | None:
    """The organisation and the caller's role in it; None if it is unknown or not the caller's."""
    if principal.kind == "user":
        member = (
            OrgMember.objects.for_org(org_id)
            .filter(user_id=principal.id, status="active", org__suspended_at=None)
            .select_related("org")
            .first()
        )
        return OrgAccess(member.org, member.role) if member else None
    org = Organization.objects.for_org(org_id).filter(suspended_at=None).first()
    return OrgAccess(org, principal.kind) if org and principal.org_id == org_id else None


def api_key_max_days(org: Any) -> int:
    """The longest life of an API key of this organisation."""
    return OrgSettings.objects.for_org(org).values_list("api_key_max_days", flat=True).get()
