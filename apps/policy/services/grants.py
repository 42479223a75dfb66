"""Access for a while: requested by one person, approved by another, carried out by a rule that ends.

pending -approve-> approved -time-> expired; approved -revoke-> revoked; pending -deny-> denied.
The rule ends by its own expires_at in the evaluator, the netmap and the agent; the job only tidies.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.errors import Forbidden, InvalidInput, InvalidState, NotFound
from apps.core.mail import enqueue
from apps.core.realtime import publish
from apps.machines.models import Machine
from apps.orgs.models import Organization, OrgMember, OrgSettings
from apps.policy.documents import as_api_error
from apps.policy.faults import RuleFault
from apps.policy.models import AclRule, JitAccessGrant
from apps.policy.ports import format_ports, parse_ports
from apps.policy.references import resolve_hosts
from apps.policy.rules import MAX_NAME
from apps.policy.services.commit import commit, locked
from apps.policy.services.foureyes import person_behind
from apps.policy.services.rules import disable_rules, stage_rule

LONGEST_HOURS = 24
APPROVERS = ("owner", "admin")
SHOWN = ("source_selector", "destination_selector", "ports", "protocol", "reason")


def request_access(
    *,
    org: Any,
    actor: Actor,
    source: str | None,
    destination: str,
    ports: str = "*",
    protocol: str = "tcp",
    hours: float = 1,
    reason: str | None = None,
) -> tuple[JitAccessGrant, list[str]]:
    """File a request; returns it and the addresses of who was told.

    source None: the caller's own machines. hours: 24 at most. Raises ValidationFailed, InvalidInput.
    """
    with transaction.atomic():
        org = locked(org)
        try:
            row = JitAccessGrant(
                org_id=org.pk,
                requester_id=actor.user_id,
                source_selector=resolve_hosts(org, source or f"user:{actor.user_id}", "source_selector"),
                destination_selector=resolve_hosts(org, destination, "destination_selector"),
                ports=format_ports(parse_ports(ports)),
                protocol=protocol,
                requested_duration_hours=min(hours, LONGEST_HOURS),
                reason=reason,
            )
        except RuleFault as fault:
            if fault.field == "ports":
                raise InvalidInput(fault.message, field="ports") from None
            raise as_api_error(fault) from None
        if row.protocol == "icmp" and row.ports != "*":
            raise InvalidInput("ports: icmp has no ports; use *", field="ports")
        row.machine = Machine.objects.for_org(org).filter(pk=_lone_id(row.destination_selector)).first()
        row.machine_name = row.machine.name if row.machine else None
        row.save(force_insert=True)
        told = _tell_approvers(org, row, actor)
        _note(row, actor, "requested", "INSERT", duration_hours=row.requested_duration_hours)
        return row, told


def approve(
    *, org: Any, actor: Actor, grant_id: Any, hours: float | None = None
) -> tuple[JitAccessGrant, AclRule, list[AclRule]]:
    """Open the access; returns grant, its rule and rules that still deny before it.

    hours: shorter than asked for. Raises NotFound, InvalidState, and Forbidden for one's own request, unless
    the organisation lets one pair of eyes do.
    """
    with transaction.atomic():
        org = locked(org)
        row = _locked_grant(org, grant_id, "pending")
        own = row.requester_id is not None and person_behind(org, actor) == row.requester_id
        if own and OrgSettings.objects.for_org(org).filter(four_eyes_jit=True).exists():
            raise Forbidden("Nobody approves his own request")
        granted = min(hours or row.requested_duration_hours, row.requested_duration_hours)
        now = timezone.now()
        row.status, row.approver_id, row.granted_at = "approved", actor.user_id, now
        row.expires_at = now + timedelta(hours=granted)
        row.save()
        values = {
            "name": f"JIT: {row.source_selector} → {row.destination_selector}"[:MAX_NAME],
            "source": row.source_selector,
            "destination": row.destination_selector,
            "ports": row.ports,
            "protocol": row.protocol,
            "priority": 0,
            "expires_at": row.expires_at,
            "jit_grant_id": row.pk,
        }
        rule = AclRule(org_id=org.pk, created_by_id=actor.user_id)
        change = stage_rule(org, rule, values)
        commit(org=org, actor=actor, changes=[change], reason="jit.approved")
        told = {
            "expires_at": row.expires_at,
            "acl_rule_id": rule.pk,
            **({"own_request": True} if own else {}),
        }
        _note(row, actor, "approved", "UPDATE", **told)
        earlier = AclRule.objects.for_org(org).filter(enabled=True, action="deny", priority=0)
        return row, rule, list(earlier.filter(created_at__lt=rule.created_at))


def deny(*, org: Any, actor: Actor, grant_id: Any, denial_reason: str | None = None) -> JitAccessGrant:
    """Refuse a request; raises NotFound, InvalidState."""
    with transaction.atomic():
        row = _locked_grant(locked(org), grant_id, "pending")
        row.status, row.approver_id, row.denial_reason = "denied", actor.user_id, denial_reason
        row.save()
        if row.requester:
            context = {"destination": row.destination_selector, "reason": denial_reason or ""}
            enqueue(recipient=row.requester.email, template="jit_denied", context=context)
        _note(row, actor, "denied", "UPDATE", denial_reason=denial_reason)
        return row


def revoke(*, org: Any, actor: Actor, grant_id: Any) -> JitAccessGrant:
    """Shut the access at once; again: the same. Raises NotFound, Forbidden, InvalidState."""
    with transaction.atomic():
        org = locked(org)
        row = _locked_grant(org, grant_id, "approved", "revoked")
        if not actor.is_admin and (actor.user_id is None or actor.user_id != row.requester_id):
            raise Forbidden("Only an administrator or the requester may revoke")
        if row.status == "approved":
            _end(org, row, actor, "revoked")
        return row


def revoke_all_of(*, org: Organization, actor: Actor, user_id: Any) -> None:
    """End the grants and requests of somebody who leaves, in the caller's transaction."""
    org = locked(org)
    rows = JitAccessGrant.objects.for_org(org).select_for_update().filter(requester_id=user_id)
    for row in rows.filter(status__in=("pending", "approved")):
        _end(org, row, actor, "revoked" if row.status == "approved" else "denied")


def expire_due(*, org: Any, actor: Actor) -> int:
    """Write down which grants and rules time has ended; returns how many."""
    now = timezone.now()
    with transaction.atomic():
        org = locked(org)
        rows = JitAccessGrant.objects.for_org(org).select_for_update()
        due = list(rows.filter(status="approved", expires_at__lte=now))
        for row in due:
            _end(org, row, actor, "expired")
        rules = AclRule.objects.for_org(org).select_for_update()
        lapsed = list(rules.filter(enabled=True, expires_at__lte=now))
        disable_rules(org=org, actor=actor, rows=lapsed, reason="expired")
        for rule in lapsed:
            record(
                org=org, actor=actor, action="acl_rule.expired", resource=rule, details={"name": rule.name}
            )
        return len(due) + len(lapsed)


def _end(org: Organization, row: JitAccessGrant, actor: Actor, status: str) -> None:
    row.status = status
    if status == "revoked":
        row.revoked_at = timezone.now()
    row.save()
    rules = AclRule.objects.for_org(org).select_for_update().filter(jit_grant_id=row.pk)
    disable_rules(org=org, actor=actor, rows=list(rules), reason=f"jit.{status}")
    _note(row, actor, status, "UPDATE")


def _locked_grant(org: Any, grant_id: Any, *states: str) -> JitAccessGrant:
    rows = JitAccessGrant.objects.for_org(org).select_for_update(of=("self",)).select_related("requester")
    row = rows.filter(pk=grant_id).first()
    if row is None:
        raise NotFound("No such grant")
    if row.status not in states:
        raise InvalidState(
            f"Grant is already {row.status}" if row.status != "pending" else "Grant is pending"
        )
    return row


def _tell_approvers(org: Organization, row: JitAccessGrant, actor: Actor) -> list[str]:
    members = OrgMember.objects.for_org(org).filter(role__in=APPROVERS, status="active")
    told = list(members.exclude(user_id=actor.user_id).values_list("user__email", flat=True))
    context = {
        "requester": actor.email,
        "org_name": org.name,
        "destination": row.destination_selector,
        "ports": row.ports,
        "hours": f"{row.requested_duration_hours:g}",
        "reason": row.reason or "",
    }
    for email in told:
        enqueue(recipient=email, template="jit_requested", context=context)
    return told


def _note(row: JitAccessGrant, actor: Actor, verb: str, event: str, **values: Any) -> None:
    """Event and audit row of a move of the state machine."""
    shown: Mapping[str, Any] = {name: getattr(row, name) for name in SHOWN}
    details = {**shown, "requester_user_id": row.requester_id, **values}
    payload = {"id": row.pk, "status": row.status, "expires_at": row.expires_at}
    publish(org=row.org_id, channel="acl", event=event, table="jit_access_grants", payload=payload)
    record(org=row.org_id, actor=actor, action=f"jit.{verb}", resource=row, details=details)


def _lone_id(selector: str) -> str | None:
    """The machine that a selector names and nothing else."""
    return selector if len(selector) == 36 and ":" not in selector else None
