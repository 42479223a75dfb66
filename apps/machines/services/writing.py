"""The steps that every change of a machine ends with."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.errors import Forbidden, NotFound
from apps.core.realtime import publish
from apps.machines import presence
from apps.machines.changes import touch
from apps.machines.models import Machine
from apps.machines.signals import machines_regrouped
from apps.machines.state import status_of

TABLE = "machines"


def machine_in(org: Any, machine_id: Any) -> Machine:
    """The machine, locked until the end of the transaction; raises NotFound for a foreign one too."""
    machine = Machine.objects.for_org(org).locked_row(machine_id)
    if machine is None:
        raise NotFound()
    return machine


def hold_machines(org: Any, which: Q) -> list[UUID]:
    """Lock machines in the order of their ids, as every writer of several does; their ids."""
    rows = Machine.objects.for_org(org).select_for_update().filter(which).order_by("pk")
    return list(rows.values_list("pk", flat=True))


def require_admin_or_owner(actor: Actor, machine: Machine) -> None:
    """Raise Forbidden unless the actor is an administrator, the machine's owner or the machine itself."""
    if actor.is_admin or (actor.kind == "machine" and actor.id == machine.pk):
        return
    if actor.user_id is None or actor.user_id != machine.owner_id:
        raise Forbidden("Only an administrator or the machine's owner may do this")


def save_change(
    machine: Machine,
    fields: Iterable[str],
    *,
    actor: Actor,
    action: str,
    details: dict[str, Any] | None = None,
) -> Machine:
    """Save readable fields and the status they lead to, with new map, event and audit row."""
    fields = list(fields)
    settle(machine)
    machine.save(update_fields=[*fields, "status", "updated_at"])
    touch(machine.org_id, changed=[machine], rights=True)
    columns = [machine._meta.get_field(name).attname for name in fields]
    tell(machine, "UPDATE", **{column: getattr(machine, column) for column in columns})
    details = {"name": machine.name, **(details or {})}
    record(org=machine.org_id, actor=actor, action=action, resource=machine, details=details)
    return machine


def tell_regrouped(machine: Machine, actor: Actor) -> Machine:
    """Who judges machines by their groups, tags or owner looks anew; the machine as it is after that."""
    machines_regrouped.send(Machine, org_id=machine.org_id, actor=actor, machine_ids=[machine.pk])
    return machine_in(machine.org_id, machine.pk)


def settle(machine: Machine) -> bool:
    """Bring `status` in line with the machine's facts and presence; True if it changed. Does not save."""
    status = status_of(machine, present=presence.is_present(machine.pk))
    changed, machine.status = status != machine.status, status
    return changed


def tell(machine: Machine, event: str, **values: Any) -> None:
    """Tell browsers of a machine; an update always carries status and last_seen."""
    payload = {"id": machine.pk, **values}
    if event == "UPDATE":
        payload |= {"status": machine.status, "last_seen": machine.last_seen}
    publish(org=machine.org_id, channel="machines", event=event, table=TABLE, payload=payload)
