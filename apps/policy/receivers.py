"""What this app does when something below it changes."""

from typing import Any

from django.dispatch import receiver

from apps.machines.changes import touch, touch_rights
from apps.machines.models import Machine
from apps.machines.signals import connections_counted
from apps.orgs import signals
from apps.policy.services.cutcount import take_counts
from apps.policy.services.grants import revoke_all_of
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


@receiver(connections_counted)
def complete_plan(sender: Any, *, org_id: Any, question: Any, answers: Any, **kwargs: Any) -> None:
    """Machines say which open connections a plan would cut."""
    take_counts(org_id, plan_id=question, answers=answers)
