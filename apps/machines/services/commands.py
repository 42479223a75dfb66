"""Orders to one machine: queued, delivered when its agent is heard, answered once."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.errors import ConfirmationRequired, FourEyesRequired, InvalidState, NotFound
from apps.core.ratelimit import Limit, wait_for
from apps.core.realtime import publish
from apps.machines.changes import nudge, touch
from apps.machines.models import AgentCommand, Machine
from apps.machines.nodes import Node
from apps.machines.services.writing import machine_in
from apps.machines.state import quarantine

LIFE = timedelta(hours=24)
UNFINISHED = ("pending", "delivered", "running")
ONE_WIPE = Limit(1, 600)
RESULTS = ("running", "completed", "failed", "refused")


def queue_command(
    machine: Machine, *, actor: Actor, command_type: str, parameters: dict[str, Any] | None = None
) -> AgentCommand:
    """Queue an order inside the transaction of its cause."""
    command = AgentCommand.objects.create_in(
        machine.org_id,
        machine=machine,
        command_type=command_type,
        parameters=parameters or {},
        issued_by_id=actor.user_id,
        expires_at=timezone.now() + LIFE,
    )
    nudge(machine, "command")
    _tell(command, "INSERT")
    return command


def wipe_device(*, org: Any, actor: Actor, machine_id: Any, confirm: str) -> AgentCommand:
    """Order a wipe; the node key dies with its result.

    Raises NotFound, ConfirmationRequired, and FourEyesRequired for a second wipe in ten minutes until
    another administrator repeats it.
    """
    with transaction.atomic():
        machine = machine_in(org, machine_id)
        if confirm != f"WIPE-{machine.pk}":
            raise ConfirmationRequired(f"confirm must be WIPE-{machine.pk}", field="confirm")
        asked = AgentCommand.objects.for_org(org).filter(machine=machine, command_type="wipe")
        standing = asked.filter(status__in=UNFINISHED).first()
        if standing is not None:
            return standing
        # Counted per administrator: another one's word lifts the limit.
        if wait_for(f"wipe:{org.pk}:{actor.id}", ONE_WIPE):
            raise FourEyesRequired()
        command = queue_command(machine, actor=actor, command_type="wipe")
        details = {"name": machine.name, "command_id": command.pk}
        record(org=org, actor=actor, action="machine.wipe_requested", resource=machine, details=details)
    return command


def deliver_commands(node: Node) -> list[dict[str, Any]]:
    """What the agent still has to do, marked as delivered; an agent runs an id once."""
    waiting = AgentCommand.objects.for_org(node.org_id).filter(
        machine_id=node.pk, status__in=("pending", "delivered"), expires_at__gt=timezone.now()
    )
    commands = list(waiting.order_by("created_at"))
    if any(command.status == "pending" for command in commands):
        waiting.filter(status="pending").update(status="delivered", delivered_at=timezone.now())
    return [
        {
            "id": str(command.pk),
            "command_type": command.command_type,
            "parameters": command.parameters,
            "expires_at": command.expires_at,
        }
        for command in commands
    ]


def take_result(*, node: Node, command_id: Any, status: str, output: str = "") -> None:
    """What became of an order; again with the same status: same. Raises NotFound, InvalidState."""
    with transaction.atomic():
        command = (
            AgentCommand.objects.for_org(node.org_id)
            .select_for_update()
            .filter(pk=command_id, machine_id=node.pk)
            .first()
        )
        if command is None:
            raise NotFound()
        if command.status == status:
            return
        if command.status not in UNFINISHED:
            raise InvalidState(f"The command is {command.status}")
        command.status, command.output = status, output
        command.finished_at = None if status == "running" else timezone.now()
        command.save(update_fields=["status", "output", "finished_at"])
        _tell(command, "UPDATE")
        if command.command_type == "wipe" and status == "completed":
            _end_wiped(machine_in(node.org_id, node.pk))


def _end_wiped(machine: Machine) -> None:
    """The device holds nothing any more, so nobody else may hold its key."""
    dead = machine.node_key_hash
    machine.node_key_hash = f"wiped:{machine.pk}"
    machine.wiped_at = timezone.now()
    quarantine(machine, reason="admin", note="wiped")
    machine.status = "quarantined"
    machine.save()
    touch(machine.org_id, changed=[machine], dead_keys=[dead])


def _tell(command: AgentCommand, event: str) -> None:
    payload = {"id": command.pk, "machine_id": command.machine_id, "status": command.status}
    publish(org=command.org_id, channel="general", event=event, table="agent_commands", payload=payload)
