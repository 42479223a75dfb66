"""Who may put which tags on his machines. Rules hang on tags: nobody else but administrators may."""

from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from apps.core.realtime import publish
from apps.machines.models import Machine, TagOwner
from apps.machines.names import parse_tags
from apps.orgs.models import Organization, OrgMember

MAX_OWNERS = 1000
TABLE = "tag_owners"
NO_GROUPS = "principal: groups of people cannot own tags yet; name a user"


def add_tag_owner(
    *, org: Any, actor: Actor, tag: str, principal_id: UUID, principal: str = "user"
) -> TagOwner:
    """Let a member put a tag on his machines; raises InvalidInput, NotFound, Conflict."""
    (bare,) = parse_tags([tag])
    if principal != "user":
        raise InvalidInput(NO_GROUPS, field="principal")
    with transaction.atomic():
        # Held, so that whoever is being removed does not gain a tag meanwhile.
        members = OrgMember.objects.for_org(org).select_for_update(of=("self",)).select_related("user")
        member = members.filter(user_id=principal_id, status="active").first()
        if member is None:
            raise NotFound("principal_id: no such member")
        owners = TagOwner.objects.for_org(org)
        if owners.filter(tag=bare, user_id=principal_id).exists():
            raise Conflict("This person owns the tag", field="principal_id")
        if owners.count() >= MAX_OWNERS:
            raise InvalidInput(f"At most {MAX_OWNERS} owners of tags", field="tag")
        row = TagOwner.objects.create_in(
            org, tag=bare, principal=principal, user=member.user, created_by_id=actor.user_id
        )
        _tell(row, actor, "INSERT", "added")
        return row


def remove_tag_owner(*, org: Any, actor: Actor, owner_id: Any) -> None:
    """End an ownership; tags that are on machines stay there. Raises NotFound."""
    with transaction.atomic():
        row = _owners(org).select_for_update(of=("self",)).filter(pk=owner_id).first()
        if row is None:
            raise NotFound()
        _take(row, actor)


def forget_owner(*, org: Any, actor: Actor, user_id: UUID) -> None:
    """End all that a member owned, in the transaction in which he goes."""
    for row in _owners(org).filter(user_id=user_id).order_by("pk"):
        _take(row, actor)


def owned_tags(org: Any, user_id: UUID | None) -> set[str]:
    """The tags that a person owns."""
    if user_id is None:
        return set()
    return set(TagOwner.objects.for_org(org).filter(user_id=user_id).values_list("tag", flat=True))


def given_tags(org: Organization, actor: Actor, asked: list[str]) -> list[str]:
    """Of the tags that a person asks for as he enrols a machine, those that he may give."""
    if actor.is_admin:
        return asked
    owned = owned_tags(org, actor.user_id)
    return [tag for tag in asked if tag in owned]


def require_tags(actor: Actor, machine: Machine, tags: list[str]) -> None:
    """Raise Forbidden, with the tags at fault, unless the actor may make these the machine's tags.

    An administrator may; the machine's owner, and the machine itself, may where only tags come or go that
    the owner owns.
    """
    if actor.is_admin:
        return
    moved = sorted(set(tags) ^ set(machine.tags))
    itself = actor.kind == "machine" and actor.id == machine.pk
    if not itself and (actor.user_id is None or actor.user_id != machine.owner_id):
        raise Forbidden("Only an administrator or the machine's owner may change its tags", tags=moved)
    owned = owned_tags(machine.org_id, machine.owner_id)
    if refused := [tag for tag in moved if tag not in owned]:
        told = ", ".join(f"tag:{tag}" for tag in refused)
        raise Forbidden(f"Only an administrator, or who owns the tag, may change {told}", tags=refused)


def refuse_tags(*, org: Any, actor: Actor, machine_id: Any, tags: list[str]) -> None:
    """The same before anything is written: a refusal is put on record. Call it outside of a transaction."""
    if actor.is_admin:
        return
    machine = Machine.objects.for_org(org).filter(pk=machine_id).first()
    if machine is None:
        raise NotFound()
    try:
        require_tags(actor, machine, tags)
    except Forbidden as refusal:
        details = {"name": machine.name, "before": machine.tags, "asked": tags, **refusal.extra}
        with transaction.atomic():
            record(org=org, actor=actor, action="machine.tags_refused", resource=machine, details=details)
        raise


def _owners(org: Any) -> Any:
    return TagOwner.objects.for_org(org).select_related("user")


def _take(row: TagOwner, actor: Actor) -> None:
    owner_id = row.pk
    row.delete()
    row.pk = owner_id
    _tell(row, actor, "DELETE", "removed")


def _tell(row: TagOwner, actor: Actor, event: str, verb: str) -> None:
    told = {"tag": row.tag, "principal": row.principal, "principal_id": row.user_id}
    publish(org=row.org_id, channel="machines", event=event, table=TABLE, payload={"id": row.pk, **told})
    details = {**told, "email": row.user.email}
    record(org=row.org_id, actor=actor, action=f"tag_owner.{verb}", resource_id=row.pk, details=details)
