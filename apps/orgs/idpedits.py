"""What becomes of groups of people: worked out first, then written and told in one go."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from django.utils import timezone

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.realtime import REFRESH_ABOVE, as_refresh, publish
from apps.orgs import signals
from apps.orgs.models import IdpGroup, IdpGroupMember, Organization

EVENTS = {"created": "INSERT", "updated": "UPDATE", "deleted": "DELETE"}
# The source whose groups are told of by sign-ins alone, person by person.
BY_SIGN_IN = "oidc"
NOBODY: frozenset[UUID] = frozenset()


class Label(NamedTuple):
    """What a source calls a group."""

    name: str
    external_id: str | None


@dataclass(frozen=True, slots=True)
class Edit:
    """What becomes of one group. before, after: its label; None where it is not.

    present, wanted: who is in it and who shall be, as far as the edit is about them.
    """

    row: IdpGroup
    before: Label | None
    after: Label | None
    present: frozenset[UUID] = NOBODY
    wanted: frozenset[UUID] = NOBODY

    @property
    def came(self) -> frozenset[UUID]:
        return self.wanted - self.present

    @property
    def left(self) -> frozenset[UUID]:
        return self.present - self.wanted

    @property
    def verb(self) -> str:
        """created, updated or deleted."""
        return "created" if self.before is None else "deleted" if self.after is None else "updated"

    @property
    def name(self) -> str:
        """What the group is called, at last."""
        return (self.after or self.before or label_of(self.row)).name

    @property
    def renamed(self) -> bool:
        return self.before is not None and self.after is not None and self.before.name != self.after.name

    @property
    def concerned(self) -> frozenset[UUID]:
        """Whose groups are others now."""
        return self.present | self.wanted if self.renamed else self.present ^ self.wanted


def label_of(row: IdpGroup) -> Label:
    """What a stored group is called."""
    return Label(row.name, row.external_id)


def removal(row: IdpGroup, present: frozenset[UUID]) -> Edit:
    """The group goes, with all who are in it."""
    return Edit(row, label_of(row), None, present)


def joining(row: IdpGroup, user_id: UUID) -> Edit:
    """One comes into a group, which is made if it is new."""
    label = label_of(row)
    return Edit(row, None if row._state.adding else label, label, wanted=frozenset({user_id}))


def leaving(org: Organization, rows: Sequence[IdpGroup], user_id: UUID) -> list[Edit]:
    """One leaves these groups; a group that only sign-ins tell of goes with the last who is in it."""
    others = IdpGroupMember.objects.for_org(org).filter(group__in=rows).exclude(user_id=user_id)
    alive, he = set(others.values_list("group_id", flat=True)), frozenset({user_id})
    return [
        removal(row, he)
        if row.source == BY_SIGN_IN and row.pk not in alive
        else Edit(row, label_of(row), label_of(row), he)
        for row in rows
    ]


def people_in(org: Organization, rows: Collection[IdpGroup]) -> dict[UUID, frozenset[UUID]]:
    """Who is in these groups."""
    found: dict[UUID, set[UUID]] = {row.pk: set() for row in rows}
    members = IdpGroupMember.objects.for_org(org).filter(group__in=rows)
    for group_id, user_id in members.values_list("group_id", "user_id"):
        found[group_id].add(user_id)
    return {group_id: frozenset(ids) for group_id, ids in found.items()}


def carry_out(org: Organization, actor: Actor, edits: Iterable[Edit]) -> list[Edit]:
    """Write edits and tell of them, the trail apart; those that changed something. Needs the org's lock."""
    edits = [edit for edit in edits if edit.before != edit.after or edit.present != edit.wanted]
    if not edits:
        return []
    _write(org, edits)
    before = {edit.before.name.casefold() for edit in edits if edit.before is not None}
    after = {edit.after.name.casefold() for edit in edits if edit.after is not None}
    signals.idp_groups_changed.send(
        IdpGroup,
        org=org,
        actor=actor,
        renamed={edit.before.name: edit.after.name for edit in edits if edit.renamed},
        came=frozenset(after - before),
        gone=frozenset(before - after),
        user_ids=NOBODY.union(*(edit.concerned for edit in edits)),
    )
    _publish(org, edits)
    return edits


def _publish(org: Organization, edits: Sequence[Edit]) -> None:
    relabelled = [edit for edit in edits if edit.before != edit.after]
    with _gathered(relabelled):
        for edit in relabelled:
            payload = {"id": edit.row.pk, **(edit.after._asdict() if edit.after else {})}
            publish(org=org, channel="acl", event=EVENTS[edit.verb], table="idp_groups", payload=payload)
    if any(edit.came or edit.left for edit in edits):
        publish(org=org, channel="acl", event="REFRESH", table="idp_group_members", payload={})


def put_on_record(org: Organization, actor: Actor, edits: Sequence[Edit]) -> None:
    """The trail of edits, a row for each group."""
    with _gathered(edits):
        for edit in edits:
            details = {
                "name": edit.name,
                "source": edit.row.source,
                **({"before": edit.before.name} if edit.renamed else {}),
                **({"joined": sorted(edit.came)} if edit.came else {}),
                **({"left": sorted(edit.left)} if edit.left else {}),
            }
            record(org=org, actor=actor, action=f"idp_group.{edit.verb}", resource=edit.row, details=details)


def _gathered(edits: Sequence[Edit]) -> AbstractContextManager[None]:
    return as_refresh() if len(edits) > REFRESH_ABOVE else nullcontext()


def _write(org: Organization, edits: Sequence[Edit]) -> None:
    groups, members = IdpGroup.objects.for_org(org), IdpGroupMember.objects.for_org(org)
    groups.filter(pk__in=[edit.row.pk for edit in edits if edit.after is None]).delete()
    _relabel(org, [edit for edit in edits if edit.verb == "updated" and edit.before != edit.after])
    groups.bulk_create(edit.row for edit in edits if edit.before is None)
    for edit in edits:
        if edit.left and edit.after is not None:
            members.filter(group=edit.row, user_id__in=edit.left).delete()
    members.bulk_create(
        IdpGroupMember(org_id=org.pk, group=edit.row, user_id=user_id)
        for edit in edits
        for user_id in sorted(edit.came)
    )


def _relabel(org: Organization, edits: Sequence[Edit]) -> None:
    """In two steps, for groups may exchange their names."""
    rows, groups = [edit.row for edit in edits], IdpGroup.objects.for_org(org)
    for row in rows:
        row.name = f"~{row.pk.hex}"
    groups.bulk_update(rows, ["name"])
    for edit in edits:
        edit.row.name, edit.row.external_id = edit.after
        edit.row.updated_at = timezone.now()
    groups.bulk_update(rows, ["name", "external_id", "updated_at"])
