"""Groups of people, as identity providers tell of them.

What a provider says is no administrator's edit: it waits for nobody's agreement, and is put on record.
A group that only sign-ins tell of is there as long as one of them does.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audit.services import record
from apps.auth.models import User
from apps.core.actors import Actor
from apps.core.errors import Conflict, InvalidInput, NotFound
from apps.orgs.groupnames import is_group_name, names_of_others
from apps.orgs.idpedits import (
    Edit,
    Label,
    carry_out,
    joining,
    label_of,
    leaving,
    people_in,
    put_on_record,
    removal,
)
from apps.orgs.models import IdpGroup, IdpGroupMember, Organization, OrgMember, OrgSettings

MAX_GROUPS = 1000
# So many of a claim's names that were left out does the trail tell.
MAX_SKIPPED = 100


@dataclass(frozen=True, slots=True)
class Told:
    """A group as its source tells it; user_ids: who is in it."""

    name: str
    external_id: str | None = None
    user_ids: Collection[UUID] = ()


def sync_groups(*, org: Any, actor: Actor, source: str, groups: Sequence[Told]) -> None:
    """Make the groups of a source exactly these; who is no member of the organisation does not count.

    One with the external_id that it had stays itself under a new name, and rules follow it. Other sources'
    groups are left alone. Raises InvalidInput, and Conflict for a name that another group has.
    """
    _require_names(groups)
    with transaction.atomic():
        org, members = _held(org, {user_id for told in groups for user_id in told.user_ids})
        rows = list(IdpGroup.objects.for_org(org).filter(source=source))
        _require_free(org, source, groups)
        present, edits = people_in(org, rows), []
        for told, row in _matched(rows, groups):
            label, wanted = Label(told.name, told.external_id), members.intersection(told.user_ids)
            if row is None:
                row = IdpGroup(org_id=org.pk, source=source, **label._asdict())
                edits.append(Edit(row, None, label, wanted=wanted))
            else:
                edits.append(Edit(row, label_of(row), label, present.pop(row.pk), wanted))
        edits += [removal(row, present[row.pk]) for row in rows if row.pk in present]
        put_on_record(org, actor, carry_out(org, actor, edits))


def sync_memberships(*, org: Any, actor: Actor, user: User, source: str, names: Iterable[str]) -> None:
    """Let a member be in exactly these groups of a source, as his sign-in tells; unknown ones are made.

    A name that no group can have, or that another group has, is left out and put on record. Raises NotFound
    for a stranger.
    """
    with transaction.atomic():
        org, members = _held(org, {user.pk})
        if not members:
            raise NotFound("No such member")
        known = {row.name.casefold(): row for row in IdpGroup.objects.for_org(org)}
        wanted, skipped = _sorted_out(org, source, known, names)
        his = IdpGroupMember.objects.for_org(org).filter(user=user, group__source=source)
        present = set(his.values_list("group_id", flat=True))
        rows = [known.get(key) or IdpGroup(org_id=org.pk, source=source, name=wanted[key]) for key in wanted]
        edits = [joining(row, user.pk) for row in rows if row.pk not in present]
        left = [row for key, row in known.items() if row.pk in present and key not in wanted]
        edits = carry_out(org, actor, edits + leaving(org, left, user.pk))
        if edits or skipped:
            _record_sign_in(org, actor, user, source, edits, skipped)


def forget_member(*, org: Any, actor: Actor, user_id: UUID) -> list[str]:
    """Take a member out of all groups, in the transaction in which he goes; their names.

    It locks the organisation: machines have to be locked before.
    """
    org = Organization.objects.for_org(org).select_for_update().get()
    rows = list(IdpGroup.objects.for_org(org).filter(members__user_id=user_id))
    carry_out(org, actor, leaving(org, rows, user_id))
    return [row.name for row in rows]


def remove_group(*, org: Any, actor: Actor, group_id: UUID) -> None:
    """Take a group away until its source tells of it again; raises NotFound."""
    with transaction.atomic():
        org, _ = _held(org, ())
        row = IdpGroup.objects.for_org(org).filter(pk=group_id).first()
        if row is None:
            raise NotFound("No such group")
        edits = [removal(row, people_in(org, [row])[row.pk])]
        put_on_record(org, actor, carry_out(org, actor, edits))


def remove_membership(*, org: Any, actor: Actor, member_id: UUID) -> None:
    """Take a person out of a group until its source tells of him again; raises NotFound."""
    with transaction.atomic():
        org, _ = _held(org, ())
        rows = IdpGroupMember.objects.for_org(org).select_related("group")
        member = rows.filter(pk=member_id).first()
        if member is None:
            raise NotFound()
        edits = leaving(org, [member.group], member.user_id)
        put_on_record(org, actor, carry_out(org, actor, edits))


def groups_of_people(org: Any, user_ids: Collection[UUID] | None = None) -> dict[UUID, set[str]]:
    """Names of groups in lower case, by who is in them; user_ids: only of these people."""
    rows = IdpGroupMember.objects.for_org(org)
    if user_ids is not None:
        rows = rows.filter(user_id__in=user_ids)
    found: dict[UUID, set[str]] = {}
    for user_id, name in rows.values_list("user_id", "group__name"):
        found.setdefault(user_id, set()).add(name.casefold())
    return found


def _held(org: Any, user_ids: Collection[UUID]) -> tuple[Organization, frozenset[UUID]]:
    """The organisation, and who of these is a member; locked are settings, members, organisation in turn.

    Held members keep whoever is being removed from coming into a group meanwhile.
    """
    OrgSettings.objects.for_org(org).select_for_update().get()
    members = OrgMember.objects.for_org(org).select_for_update().filter(user_id__in=user_ids).order_by("pk")
    found = frozenset(members.values_list("user_id", flat=True))
    return Organization.objects.for_org(org).select_for_update().get(), found


def _require_names(groups: Sequence[Told]) -> None:
    for told in groups:
        if not is_group_name(told.name):
            raise InvalidInput(f"name: {told.name[:80]!r} is no name of a group", field="name")
    names = [told.name.casefold() for told in groups]
    ids = [told.external_id for told in groups if told.external_id is not None]
    for field, values in (("name", names), ("external_id", ids)):
        if len(set(values)) < len(values):
            raise Conflict(f"Two groups have one {field}", field=field)


def _require_free(org: Organization, source: str, groups: Sequence[Told]) -> None:
    others = IdpGroup.objects.for_org(org).exclude(source=source).values_list("name", flat=True)
    theirs, names = {name.casefold() for name in others}, {told.name.casefold() for told in groups}
    if len(theirs) + len(names) > MAX_GROUPS:
        raise InvalidInput(f"At most {MAX_GROUPS} groups of people", field="groups")
    if taken := (names & theirs) | names_of_others(org, names):
        shown = [told.name for told in groups if told.name.casefold() in taken]
        raise Conflict(f"Another group is called {', '.join(shown[:5])}", field="name", names=shown)


def _matched(rows: Sequence[IdpGroup], groups: Sequence[Told]) -> Iterable[tuple[Told, IdpGroup | None]]:
    """Each with the row that it is about: the one of its external_id, else the one of its name."""
    by_id = {row.external_id: row for row in rows if row.external_id is not None}
    ids = {told.external_id for told in groups}
    by_name = {
        row.name.casefold(): row for row in rows if row.external_id is None or row.external_id not in ids
    }
    return [(told, by_id.get(told.external_id) or by_name.get(told.name.casefold())) for told in groups]


def _sorted_out(
    org: Organization, source: str, known: Mapping[str, IdpGroup], names: Iterable[str]
) -> tuple[dict[str, str], list[dict[str, str]]]:
    """(names that count, by their lower case; the others with the reason: name, taken or limit)."""
    asked = {name.casefold(): name for name in names}
    theirs = {key for key, row in known.items() if row.source != source}
    taken, free = theirs | names_of_others(org, asked.keys()), MAX_GROUPS - len(known)
    wanted: dict[str, str] = {}
    skipped: list[dict[str, str]] = []
    for key, name in asked.items():
        reason = "name" if not is_group_name(name) else "taken" if key in taken else None
        if reason is None and key not in known:
            reason, free = None if free > 0 else "limit", free - 1
        if reason is None:
            wanted[key] = name
        else:
            skipped.append({"name": name[:80], "reason": reason})
    return wanted, skipped


def _record_sign_in(
    org: Organization,
    actor: Actor,
    user: User,
    source: str,
    edits: Sequence[Edit],
    skipped: Sequence[Mapping[str, str]],
) -> None:
    """One row, for a sign-in may tell of hundreds of groups."""
    told = {
        "joined": [edit.name for edit in edits if edit.came],
        "left": [edit.name for edit in edits if edit.left],
        "created": [edit.name for edit in edits if edit.verb == "created"],
        "deleted": [edit.name for edit in edits if edit.verb == "deleted"],
        "skipped": skipped[:MAX_SKIPPED],
    }
    details = {"user_id": user.pk, "source": source, **{name: value for name, value in told.items() if value}}
    if len(skipped) > MAX_SKIPPED:
        details["more_skipped"] = len(skipped) - MAX_SKIPPED
    record(
        org=org,
        actor=actor,
        action="member.groups_told",
        resource_type="user",
        resource_id=user.pk,
        details=details,
    )
