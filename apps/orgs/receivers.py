"""What happens to a person is told in the trail of each organisation that he belongs to."""

from typing import Any

from django.dispatch import receiver

from apps.audit.services import record
from apps.auth.models import User
from apps.auth.signals import account_event
from apps.core.actors import Actor
from apps.orgs.models import OrgMember


@receiver(account_event)
def record_account_event(
    sender: Any, *, user: User, actor: Actor, action: str, details: dict[str, Any], **kwargs: Any
) -> None:
    """One row in every organisation of the user, in a fixed order so that two can't lock each other."""
    known = Actor(
        kind="user",
        id=user.pk,
        name=user.full_name,
        email=user.email,
        session_id=actor.session_id,
        ip_address=actor.ip_address,
        user_agent=actor.user_agent,
        request_id=actor.request_id,
    )
    memberships = OrgMember.all_orgs.filter(user=user, status="active").order_by("org_id")
    for org_id in memberships.values_list("org_id", flat=True):
        record(org=org_id, actor=known, action=action, resource_type="user", resource=user, details=details)
