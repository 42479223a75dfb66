"""Jobs: what time has ended is written down."""

from django.db.models import Q
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.jobs import job
from apps.policy.api.changes import wanted_of
from apps.policy.models import AccessReviewCampaign, AclRule, ChangePlan, JitAccessGrant
from apps.policy.services import reviews
from apps.policy.services.grants import expire_due
from apps.policy.services.plans import OPEN, apply_scheduled, expire_plans


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


@job("plan-deadlines", every_seconds=10)
def end_plans() -> dict[str, int]:
    """A plan whose time has come is applied, one that nobody confirmed is undone, an old one is closed."""
    now = timezone.now()
    actor = Actor.job("plan-deadlines")
    due = ChangePlan.all_orgs.filter(status="scheduled", apply_at__lte=now).order_by("apply_at")
    applied = 0
    for org_id, plan_id in list(due.values_list("org_id", "pk")):
        plan = apply_scheduled(org=org_id, actor=actor, plan_id=plan_id, parse=wanted_of)
        applied += plan.status != "failed"
    unconfirmed = Q(status="awaiting_confirmation", confirm_by__lte=now)
    lapsed = Q(status__in=OPEN, expires_at__lte=now)
    orgs = set(ChangePlan.all_orgs.filter(unconfirmed | lapsed).values_list("org_id", flat=True))
    return {
        "applied": applied,
        "ended": sum(expire_plans(org=org_id, actor=actor) for org_id in sorted(orgs)),
    }


@job("review-reminders", every_seconds=3600)
def remind_reviewers() -> dict[str, int]:
    """Reviews start, reviewers are reminded, what is overdue is said once; nothing is decided."""
    campaigns = AccessReviewCampaign.all_orgs.filter(status__in=reviews.OPEN)
    done: dict[str, int] = {"started": 0, "reminded": 0, "overdue": 0}
    for org_id in sorted(set(campaigns.values_list("org_id", flat=True))):
        for what, count in reviews.remind(org=org_id, actor=Actor.job("review-reminders")).items():
            done[what] += count
    return done
