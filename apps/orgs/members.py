"""Members: roles, removal, leaving, handing ownership over. An organisation always has an owner."""

import uuid
from typing import Any

from django.db import transaction

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.errors import Forbidden, NotFound
from apps.core.realtime import member_group, publish, send_to_group
from apps.orgs import signals
from apps.orgs.errors import InvalidRole, LastOwner
from apps.orgs.idpgroups import forget_member
from apps.orgs.models import ROLES, OrgMember


def change_role(*, org: Any, actor: Actor, user_id: uuid.UUID, new_role: str) -> OrgMember:
    """Give a member another role; raises InvalidRole, Forbidden, NotFound, LastOwner."""
    if new_role not in ROLES:
        raise InvalidRole()
    if actor.user_id == user_id:
        raise Forbidden("Can't change your own role")
    with transaction.atomic():
        member = _locked(org, user_id)
        if new_role == "owner" and actor.role != "owner":
            raise Forbidden("Only owners can promote to owner role")
        if member.role == "owner" and actor.role != "owner":
            raise Forbidden("Only owners can change an owner's role")
        if member.role == new_role:
            return member
        _keep_an_owner(org, member)
        details = {"user_id": user_id, "before": member.role, "after": new_role}
        member.role = new_role
        member.save(update_fields=["role", "updated_at"])
        record(org=org, actor=actor, action="member.role_changed", resource=member, details=details)
        signals.role_changed.send(OrgMember, org=member.org, user_id=user_id)
        _tell(member, "UPDATE", role=new_role)
        # Sockets hear by role: a changed one has to come in again.
        _close_sockets(member)
    return member


def remove_member(*, org: Any, actor: Actor, user_id: uuid.UUID) -> int:
    """Take a member out; returns how many of his machines were quarantined.

    Raises Forbidden, NotFound, LastOwner.
    """
    if actor.user_id == user_id:
        raise Forbidden("Can't remove yourself")
    with transaction.atomic():
        member = _locked(org, user_id)
        if member.role == "owner" and actor.role != "owner":
            raise Forbidden("Only owners can remove an owner")
        return _take_out(member, actor, "member.removed")


def leave(*, org: Any, actor: Actor) -> None:
    """Go by oneself; raises LastOwner."""
    with transaction.atomic():
        _take_out(_locked(org, actor.user_id), actor, "member.left")


def transfer_ownership(*, org: Any, actor: Actor, user_id: uuid.UUID) -> None:
    """Make another member owner and step down to administrator; raises NotFound, Forbidden."""
    if actor.user_id == user_id:
        raise Forbidden("You already own this organisation")
    with transaction.atomic():
        _lock_owners(org)
        both = OrgMember.objects.for_org(org).select_for_update().filter(user_id__in=[user_id, actor.user_id])
        rows = {member.user_id: member for member in both.order_by("pk")}
        if user_id not in rows or actor.user_id not in rows:
            raise NotFound()
        for member, role in ((rows[user_id], "owner"), (rows[actor.user_id], "admin")):
            member.role = role
            member.save(update_fields=["role", "updated_at"])
            signals.role_changed.send(OrgMember, org=org, user_id=member.user_id)
            _tell(member, "UPDATE", role=role)
            _close_sockets(member)
        details = {"from": actor.user_id, "to": user_id}
        record(
            org=org,
            actor=actor,
            action="org.ownership_transferred",
            resource_type="org",
            resource_id=getattr(org, "pk", org),
            details=details,
        )


def names_of(member: OrgMember) -> list[str]:
    """What selectors may call him."""
    return [f"user:{member.user_id}", f"user:{member.user.email.casefold()}"]


def _lock_owners(org: Any) -> list[OrgMember]:
    """The active owners, locked first and in one order by every change of members.

    Two who leave at once then neither both see the other stay nor wait for each other for ever.
    """
    owners = OrgMember.objects.for_org(org).select_for_update().filter(role="owner", status="active")
    return list(owners.order_by("pk"))


def _locked(org: Any, user_id: uuid.UUID | None) -> OrgMember:
    _lock_owners(org)
    member = OrgMember.objects.for_org(org).select_for_update().filter(user_id=user_id).first()
    if member is None:
        raise NotFound("No such member")
    return member


def _keep_an_owner(org: Any, member: OrgMember) -> None:
    if member.role == "owner" and all(owner.pk == member.pk for owner in _lock_owners(org)):
        raise LastOwner()


def _take_out(member: OrgMember, actor: Actor, action: str) -> int:
    _keep_an_owner(member.org_id, member)
    quarantined = sum(
        answer or 0
        for _, answer in signals.member_removed.send(
            OrgMember, org=member.org, user_id=member.user_id, actor=actor
        )
    )
    details = {"user_id": member.user_id, "role": member.role, "machines_quarantined": quarantined}
    if left := forget_member(org=member.org_id, actor=actor, user_id=member.user_id):
        details["idp_groups"] = left
    record(
        org=member.org_id,
        actor=actor,
        action=action,
        resource_type="member",
        resource_id=member.pk,
        details=details,
    )
    _tell(member, "DELETE")
    _close_sockets(member)
    names = names_of(member)
    member.delete()
    signals.names_changed.send(OrgMember, org_id=member.org_id, came=(), went=names)
    return quarantined


def _tell(member: OrgMember, event: str, **values: Any) -> None:
    payload = {"id": member.pk, "user_id": member.user_id, **values}
    publish(org=member.org_id, channel="members", event=event, table="org_members", payload=payload)


def _close_sockets(member: OrgMember) -> None:
    group = member_group(member.org_id, member.user_id)
    transaction.on_commit(lambda: send_to_group(group, {"type": "session.ended", "code": 4003}))
