"""Jobs: what time has ended is written down."""

from django.utils import timezone

from apps.core.actors import Actor
from apps.core.jobs import job
from apps.policy.models import AclRule, JitAccessGrant
from apps.policy.services.grants import expire_due


@job("grant-expiry", every_seconds=30)
def expire_grants() -> dict[str, int]:
    """Grants past their term become expired, lapsed rules are disabled; nothing is ever enabled."""
    now = timezone.now()
    orgs = set(
        JitAccessGrant.all_orgs.filter(status="approved", expires_at__lte=now).values_list(
            "org_id", flat=True
        )
    )
    orgs |= set(AclRule.all_orgs.filter(enabled=True, expires_at__lte=now).values_list("org_id", flat=True))
    actor = Actor.job("grant-expiry")
    return {"expired": sum(expire_due(org=org_id, actor=actor) for org_id in sorted(orgs))}
