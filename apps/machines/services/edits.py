"""What people change about a machine: name, tags, flags."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from apps.core.actors import Actor
from apps.core.errors import Conflict, Forbidden, InvalidInput
from apps.machines.models import FLAGS, Machine
from apps.machines.names import as_selectors, parse_name, parse_tags, reserved_labels
from apps.machines.services.routing import advertise_routes
from apps.machines.services.tagowners import refuse_tags, require_tags
from apps.machines.services.writing import machine_in, require_admin_or_owner, save_change, tell_regrouped
from apps.orgs.models import OrgSettings
from apps.orgs.signals import names_changed


def rename_machine(*, org: Any, actor: Actor, machine_id: Any, name: str) -> Machine:
    """Give another name; raises InvalidInput, Conflict, Forbidden, NotFound."""
    label = parse_name(name)
    with transaction.atomic():
        machine = machine_in(org, machine_id)
        require_admin_or_owner(actor, machine)
        if label == machine.name:
            return machine
        others = Machine.objects.for_org(org).filter(name__iexact=label).exclude(pk=machine.pk)
        if others.exists():
            raise Conflict("Another machine has this name", field="name")
        if label in reserved_labels(machine.org_id):
            raise Conflict("A DNS record has this name", field="name")
        details = {"before": machine.name, "after": label}
        machine.name = label
        return save_change(machine, ["name"], actor=actor, action="machine.renamed", details=details)


def update_tags(*, org: Any, actor: Actor, machine_id: Any, tags: Any) -> Machine:
    """Replace the tags; who is no administrator changes only those that the machine's owner owns.

    Raises InvalidInput, NotFound, and Forbidden, which is put on record where no transaction is open.
    """
    parsed = parse_tags(tags)
    refuse_tags(org=org, actor=actor, machine_id=machine_id, tags=parsed)
    with transaction.atomic():
        machine = machine_in(org, machine_id)
        require_tags(actor, machine, parsed)
        if parsed == machine.tags:
            return machine
        before, machine.tags = machine.tags, parsed
        details = {"before": before, "after": parsed}
        save_change(machine, ["tags"], actor=actor, action="machine.tags_updated", details=details)
        came, went = (as_selectors(tags) for tags in (set(parsed) - set(before), set(before) - set(parsed)))
        names_changed.send(Machine, org_id=machine.org_id, came=came, went=went)
        return tell_regrouped(machine, actor)


def update_flags(*, org: Any, actor: Actor, machine_id: Any, flags: Mapping[str, bool]) -> Machine:
    """Change some of FLAGS; raises InvalidInput without one, Forbidden, NotFound."""
    if not flags:
        raise InvalidInput("At least one flag must be provided")
    with transaction.atomic():
        machine = machine_in(org, machine_id)
        require_admin_or_owner(actor, machine)
        if flags.get("advertise_exit_node") and not OrgSettings.objects.for_org(org).get().allow_exit_nodes:
            raise Forbidden("exit nodes not allowed for this org")
        changed = {name: flags[name] for name in FLAGS if name in flags}
        if all(getattr(machine, name) == value for name, value in changed.items()):
            return machine
        for name, value in changed.items():
            setattr(machine, name, value)
        fields = list(changed)
        if not machine.advertise_exit_node and machine.exit_node_approved:
            # What is no longer offered has to be approved anew.
            machine.exit_node_approved = False
            fields.append("exit_node_approved")
        return save_change(machine, fields, actor=actor, action="machine.flags_updated", details=changed)


def update_machine(
    *,
    org: Any,
    actor: Actor,
    machine_id: Any,
    name: str | None = None,
    tags: Sequence[str] | None = None,
    flags: Mapping[str, bool] | None = None,
    advertised_routes: Sequence[str] | None = None,
) -> Machine:
    """Several of the above and the routes offered, all or nothing."""
    if name is None and tags is None and flags is None and advertised_routes is None:
        raise InvalidInput("At least one of name, tags, flags and advertised_routes must be provided")
    same = {"org": org, "actor": actor, "machine_id": machine_id}
    if tags is not None:
        refuse_tags(**same, tags=parse_tags(tags))
    with transaction.atomic():
        if name is not None:
            rename_machine(**same, name=name)
        if tags is not None:
            update_tags(**same, tags=tags)
        if flags is not None:
            update_flags(**same, flags=flags)
        if advertised_routes is not None:
            advertise_routes(**same, routes=advertised_routes)
        return machine_in(org, machine_id)
