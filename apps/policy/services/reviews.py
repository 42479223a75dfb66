"""Access reviews: somebody looks at every machine and rule there is, and says which of them stay.

pending -start or first decision-> active -last decision-> completed; pending, active -cancel-> cancelled.
Nothing is decided by time: a campaign past its due date is overdue, and stays open.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.clock import rfc3339
from apps.core.errors import Forbidden, InvalidInput, InvalidState, InvalidValue, MissingFields, NotFound
from apps.core.mail import enqueue
from apps.core.realtime import publish
from apps.machines.models import Machine
from apps.machines.services.authkeys import quarantine_many
from apps.machines.services.moves import lift_if
from apps.orgs.models import Organization, OrgMember
from apps.orgs.planning import refuse_alone
from apps.policy.models import AccessReviewCampaign, AccessReviewDecision, AclRule
from apps.policy.models.governance import DECISIONS
from apps.policy.services.commit import locked
from apps.policy.services.rules import disable_rules

OPEN = ("pending", "active")
MOST_OPEN = 20
LONGEST = timedelta(days=366)
REASON = "review"
NAME_LENGTH = 100
REMINDERS = (1, 7)  # days before the due date, nearest first


def create_campaign(
    *,
    org: Any,
    actor: Actor,
    name: str,
    reviewer_user_id: Any,
    due_date: datetime,
    description: str | None = None,
    starts_at: datetime | None = None,
) -> tuple[AccessReviewCampaign, int, int]:
    """Line up what there is now; returns (campaign, machines, rules) to review. Raises InvalidInput."""
    with transaction.atomic():
        org = locked(org)
        _require_future(due_date)
        if starts_at is not None and starts_at >= due_date:
            raise InvalidInput("starts_at: must be before due_date", field="starts_at")
        reviewer = OrgMember.objects.for_org(org).filter(user_id=reviewer_user_id, status="active")
        if not reviewer.exists():
            raise InvalidInput("reviewer_user_id: not a member", field="reviewer_user_id")
        if AccessReviewCampaign.objects.for_org(org).filter(status__in=OPEN).count() >= MOST_OPEN:
            raise InvalidInput(f"At most {MOST_OPEN} open reviews; finish or cancel one")
        machines = list(Machine.objects.for_org(org).exclude(approved_at=None).order_by("created_at", "pk"))
        rules = list(AclRule.objects.for_org(org).filter(enabled=True))
        if not machines and not rules:
            raise InvalidInput("There is no machine and no rule to review")
        campaign = AccessReviewCampaign.objects.create_in(
            org,
            name=name,
            description=description or None,
            reviewer_id=reviewer_user_id,
            due_date=due_date,
            reminded_days=_step(due_date, timezone.now()),
            starts_at=starts_at,
            created_by_id=actor.user_id,
        )
        AccessReviewDecision.objects.for_org(org).bulk_create(
            [_row(campaign, "machine", found, machine=found) for found in machines]
            + [_row(campaign, "acl_rule", found) for found in rules],
            batch_size=500,
        )
        counts = {"machines_to_review": len(machines), "rules_to_review": len(rules)}
        _remind(campaign, f"is yours to do: {len(machines)} machines and {len(rules)} rules")
        _note(campaign, actor, "created", event="INSERT", reviewer_user_id=reviewer_user_id, **counts)
        return campaign, len(machines), len(rules)


def decide(
    *, org: Any, actor: Actor, decision_id: Any, decision: str, notes: str | None = None
) -> tuple[AccessReviewDecision, str | None]:
    """Write a decision down and carry it out; returns (row, what it did or None).

    What it does: rule_disabled, machine_quarantined, quarantine_lifted, admins_told. A decision may be
    changed while the campaign is open; a rule that is disabled stays so. Raises InvalidValue, NotFound,
    Forbidden, InvalidState, MissingFields (modify without notes), FourEyesRequired.
    """
    if decision not in DECISIONS:
        raise InvalidValue(f"decision must be one of {', '.join(DECISIONS)}", field="decision")
    with transaction.atomic():
        org = locked(org)
        rows = AccessReviewDecision.objects.for_org(org).select_for_update()
        row = rows.filter(pk=decision_id).first()
        if row is None:
            raise NotFound("No such decision")
        campaign = _open_campaign(org, row.campaign_id)
        if not actor.is_admin and (actor.user_id is None or actor.user_id != campaign.reviewer_id):
            raise Forbidden("Only the reviewer or an administrator decides")
        if decision == "modify" and not notes:
            raise MissingFields("notes required: what should change?", field="notes")
        effect = _carry_out(org, row, actor, decision, notes)
        row.decision, row.notes = decision, notes or None
        row.decided_at, row.decided_by_id = timezone.now(), actor.user_id
        row.save()
        _tell(row, "UPDATE", "access_review_decisions", campaign_id=campaign.pk, decision=decision)
        details = {"campaign": campaign.name, "decision": decision, "notes": row.notes, "effect": effect}
        shown = {"resource": row.resource_name, "kind": row.resource_type}
        record(org=org, actor=actor, action="access_review.decided", resource=row, details=shown | details)
        _move_on(campaign, actor)
        return row, effect


def cancel(*, org: Any, actor: Actor, campaign_id: Any) -> AccessReviewCampaign:
    """Close a campaign; what has been decided stays. Raises NotFound, InvalidState."""
    with transaction.atomic():
        campaign = _open_campaign(locked(org), campaign_id)
        campaign.status = "cancelled"
        campaign.save()
        _note(campaign, actor, "cancelled")
        return campaign


def extend(*, org: Any, actor: Actor, campaign_id: Any, due_date: datetime) -> AccessReviewCampaign:
    """Move the due date; reminders begin anew. Raises NotFound, InvalidState, InvalidInput."""
    with transaction.atomic():
        campaign = _open_campaign(locked(org), campaign_id)
        _require_future(due_date)
        before, campaign.due_date = campaign.due_date, due_date
        campaign.reminded_days, campaign.overdue_told = _step(due_date, timezone.now()), False
        campaign.save()
        _note(campaign, actor, "extended", before=rfc3339(before), after=rfc3339(due_date))
        return campaign


def remind(*, org: Any, actor: Actor) -> dict[str, int]:
    """Start campaigns whose moment has come, remind reviewers and say once what is overdue."""
    now = timezone.now()
    done = {"started": 0, "reminded": 0, "overdue": 0}
    with transaction.atomic():
        org = locked(org)
        rows = AccessReviewCampaign.objects.for_org(org).select_for_update(of=("self",))
        for campaign in rows.filter(status__in=OPEN).select_related("reviewer"):
            if campaign.status == "pending" and campaign.starts_at and campaign.starts_at <= now:
                _start(campaign)
                _remind(campaign, "has begun")
                _note(campaign, actor, "started")
                done["started"] += 1
            if campaign.due_date <= now:
                done["overdue"] += _say_overdue(campaign, actor)
            elif campaign.status == "active" or campaign.starts_at is None:
                done["reminded"] += _remind_in_time(campaign, now)
    return done


def _step(due_date: datetime, now: datetime) -> int | None:
    """The reminder whose time has come, in days before the due date."""
    return next((days for days in REMINDERS if due_date - now <= timedelta(days=days)), None)


def _remind_in_time(campaign: AccessReviewCampaign, now: datetime) -> bool:
    step, sent = _step(campaign.due_date, now), campaign.reminded_days
    if step is None or (sent is not None and sent <= step):
        return False
    campaign.reminded_days = step
    campaign.save()
    _remind(campaign, f"ends in {step} day{'s' if step > 1 else ''}")
    return True


def _say_overdue(campaign: AccessReviewCampaign, actor: Actor) -> bool:
    if campaign.overdue_told:
        return False
    campaign.overdue_told = True
    campaign.save()
    _remind(campaign, "is overdue")
    _note(campaign, actor, "overdue", due_date=rfc3339(campaign.due_date))
    return True


def _row(campaign: AccessReviewCampaign, kind: str, found: Any, **values: Any) -> AccessReviewDecision:
    return AccessReviewDecision(
        org_id=campaign.org_id,
        campaign=campaign,
        resource_type=kind,
        resource_id=found.pk,
        resource_name=found.name[:NAME_LENGTH],
        **values,
    )


def _carry_out(
    org: Organization, row: AccessReviewDecision, actor: Actor, decision: str, notes: str | None
) -> str | None:
    """What is gone by now needs nothing done to it."""
    if decision == "modify":
        return _ask_admins(org, row, actor, notes or "")
    if row.resource_type == "acl_rule":
        rules = AclRule.objects.for_org(org).select_for_update()
        rule = rules.filter(pk=row.resource_id, enabled=True).first()
        if decision != "revoke" or rule is None:
            return None
        refuse_alone(org)
        disable_rules(org=org, actor=actor, rows=[rule], reason="access_review")
        return "rule_disabled"
    machines: QuerySet = Machine.objects.for_org(org).filter(pk=row.resource_id)
    if decision == "revoke":
        stopped = quarantine_many(machines, org=org, actor=actor, reason=REASON)
        return "machine_quarantined" if stopped else None
    lifted = lift_if(org=org, actor=actor, machine_id=row.resource_id, reason=REASON)
    return "quarantine_lifted" if lifted else None


def _ask_admins(org: Organization, row: AccessReviewDecision, actor: Actor, notes: str) -> str:
    members = OrgMember.objects.for_org(org).filter(role__in=("owner", "admin"), status="active")
    context = {
        "org_name": org.name,
        "reviewer": actor.email or actor.name,
        "campaign": row.campaign.name,
        "kind": "machine" if row.resource_type == "machine" else "rule",
        "resource": row.resource_name,
        "notes": notes,
    }
    for email in members.values_list("user__email", flat=True):
        enqueue(recipient=email, template="review_change_wanted", context=context)
    return "admins_told"


def _move_on(campaign: AccessReviewCampaign, actor: Actor) -> None:
    """The first decision starts a campaign, the last one completes it."""
    if campaign.status == "pending":
        _start(campaign)
    rows = AccessReviewDecision.objects.for_org(campaign.org_id).filter(campaign=campaign)
    if rows.filter(decision=None).exists():
        _tell(campaign, "UPDATE", "access_review_campaigns", status=campaign.status)
        return
    campaign.status, campaign.completed_at = "completed", timezone.now()
    campaign.save()
    _note(campaign, actor, "completed")


def _start(campaign: AccessReviewCampaign) -> None:
    campaign.status, campaign.started_at = "active", timezone.now()
    campaign.save()


def _open_campaign(org: Organization, campaign_id: Any) -> AccessReviewCampaign:
    rows = AccessReviewCampaign.objects.for_org(org).select_for_update(of=("self",))
    campaign = rows.filter(pk=campaign_id).first()
    if campaign is None:
        raise NotFound("No such review")
    if campaign.status not in OPEN:
        raise InvalidState(f"The review is {campaign.status}")
    return campaign


def _require_future(due_date: datetime) -> None:
    if not timezone.now() < due_date <= timezone.now() + LONGEST:
        raise InvalidInput(f"due_date: within the next {LONGEST.days} days", field="due_date")


def _remind(campaign: AccessReviewCampaign, what: str) -> None:
    if campaign.reviewer is not None:
        due = campaign.due_date.strftime("%-d %B %Y %H:%M UTC")
        context = {"org_name": campaign.org.name, "campaign": campaign.name, "what": what, "due": due}
        enqueue(recipient=campaign.reviewer.email, template="review_reminder", context=context)


def _note(
    campaign: AccessReviewCampaign, actor: Actor, verb: str, event: str = "UPDATE", **more: Any
) -> None:
    """Event and audit row of a move of the state machine."""
    _tell(campaign, event, "access_review_campaigns", status=campaign.status)
    details = {"name": campaign.name, **more}
    action = f"access_review.{verb}"
    record(org=campaign.org_id, actor=actor, action=action, resource=campaign, details=details)


def _tell(row: AccessReviewCampaign | AccessReviewDecision, event: str, table: str, **values: Any) -> None:
    publish(org=row.org_id, channel="acl", event=event, table=table, payload={"id": row.pk, **values})
