"""Taking machines out for good."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from apps.audit.services import record
from apps.core.actors import Actor
from apps.machines import presence
from apps.machines.changes import touch
from apps.machines.models import Machine
from apps.machines.names import as_selectors
from apps.machines.services.writing import machine_in, tell
from apps.orgs.signals import names_changed


def delete_machine(*, org: Any, actor: Actor, machine_id: Any) -> None:
    """Delete with all that hangs on it; its node key is dead at once. Raises NotFound."""
    with transaction.atomic():
        remove_machines([machine_in(org, machine_id)], actor=actor, action="machine.deleted")


def remove_machines(machines: Sequence[Machine], *, actor: Actor, action: str) -> None:
    """Delete locked machines of one organisation as one version of the map."""
    if not machines:
        return
    org_id = machines[0].org_id
    touch(org_id, removed=machines)
    ids = [machine.pk for machine in machines]
    for machine in machines:
        tell(machine, "DELETE")
        details = {"name": machine.name}
        record(org=org_id, actor=actor, action=action, resource_id=machine.pk, details=details)
    Machine.objects.for_org(org_id).filter(pk__in=ids).delete()
    tags = {tag for machine in machines for tag in machine.tags}
    names_changed.send(Machine, org_id=org_id, came=(), went=[*map(str, ids), *as_selectors(tags)])
    transaction.on_commit(lambda: presence.left(ids))
