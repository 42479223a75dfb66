"""What this app does when something below it changes."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.dispatch import receiver

from apps.core.actors import Actor
from apps.machines.changes import touch, touch_groups, touch_rights
from apps.machines.models import Machine
from apps.machines.services.writing import hold_machines
from apps.machines.signals import connections_counted, machines_regrouped
from apps.orgs import signals
from apps.policy.models import SegmentationGroup
from apps.policy.services.commit import commit
from apps.policy.services.cutcount import take_counts
from apps.policy.services.grants import revoke_all_of
from apps.policy.services.groupnames import carry_along
from apps.policy.services.resolving import resolve_again
from apps.policy.services.rules import create_rule

STARTER = {
    "name": "Everything to everything",
    "description": "The starter rule: disable or delete it to close the network.",
    "source": "*",
    "destination": "*",
    "priority": 100_000,
}


@receiver(signals.org_created)
def add_starter_rule(sender: Any, *, org: Any, actor: Any, **kwargs: Any) -> None:
    """A new organisation's machines reach each other, by a rule that everybody sees."""
    create_rule(org=org, actor=actor, values=STARTER)


@receiver(signals.settings_changed)
def redraw_rights(sender: Any, *, org: Any, changed: frozenset[str], **kwargs: Any) -> None:
    """The default decides wherever no rule does."""
    if "default_deny" in changed:
        touch_rights(org)


@receiver(signals.lockdown_changed)
def shut_or_open(sender: Any, *, org: Any, **kwargs: Any) -> None:
    """Everything is denied, whatever rules say; or rules count again."""
    touch_rights(org)


@receiver(signals.member_removed)
def forget_member(sender: Any, *, org: Any, user_id: Any, actor: Any, **kwargs: Any) -> int:
    """His grants end; machines that were his are dealt with where they are kept."""
    revoke_all_of(org=org, actor=actor, user_id=user_id)
    return 0


@receiver(signals.role_changed)
def follow_role(sender: Any, *, org: Any, user_id: Any, **kwargs: Any) -> None:
    """The role of its owner is a fact of each of his machines: maps follow."""
    if owned := list(Machine.objects.for_org(org).filter(owner_id=user_id)):
        touch(org, changed=owned, rights=True)


@receiver(signals.names_changed)
def warn_of_names(sender: Any, *, org_id: Any, came: Any, went: Any, **kwargs: Any) -> None:
    """What is named by rules and policies is there from now on, or no longer."""
    if came or went:
        resolve_again(org_id, came=came, went=went)


@receiver(signals.group_names_asked)
def name_groups_of_machines(sender: Any, *, org: Any, names: Collection[str], **kwargs: Any) -> set[str]:
    """Groups of machines have their names for themselves."""
    groups = SegmentationGroup.objects.for_org(org).values_list("name", flat=True)
    return {name.casefold() for name in groups}.intersection(names)


@receiver(signals.idp_groups_changed)
def follow_people(
    sender: Any,
    *,
    org: Any,
    actor: Any,
    renamed: Mapping[str, str],
    came: Collection[str],
    gone: Collection[str],
    user_ids: Collection[Any],
    **kwargs: Any,
) -> None:
    """What names a group follows it, and machines may at once what their owners' groups may."""
    if changes := [change for change in carry_along(org, renamed) if change.before != change.after]:
        commit(org=org, actor=actor, changes=changes, reason="the identity provider renamed a group")
    new, old = ([f"group:{name}" for name in names] for names in (came, gone))
    signals.names_changed.send(sender, org_id=org.pk, came=new, went=old)
    if owned := list(Machine.objects.for_org(org).filter(owner_id__in=user_ids).values_list("pk", flat=True)):
        touch_groups(org, owned)
        # Posture locks machines before the organisation, which is locked here already.
        transaction.on_commit(lambda: _tell_regrouped(org.pk, actor, owned))


def _tell_regrouped(org_id: UUID, actor: Actor, machine_ids: list[UUID]) -> None:
    with transaction.atomic():
        held = hold_machines(org_id, Q(pk__in=machine_ids))
        machines_regrouped.send(Machine, org_id=org_id, actor=actor, machine_ids=held)


@receiver(connections_counted)
def complete_plan(sender: Any, *, org_id: Any, question: Any, answers: Any, **kwargs: Any) -> None:
    """Machines say which open connections a plan would cut."""
    take_counts(org_id, plan_id=question, answers=answers)
