"""Subnet routers and exit nodes: a machine offers, an administrator decides."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from apps.core.actors import Actor
from apps.core.errors import Forbidden, InvalidInput, InvalidState
from apps.machines.models import Machine
from apps.machines.routes import parse_routes, pending
from apps.machines.services.writing import machine_in, require_admin_or_owner, save_change
from apps.orgs.models import OrgSettings

EXIT_NODE = ("advertise_exit_node", "exit_node_approved")


def advertise_routes(*, org: Any, actor: Actor, machine_id: Any, routes: Any) -> Machine:
    """Offer exactly these networks, [] withdraws all; what was approved of them stays approved.

    Raises InvalidInput, Forbidden, NotFound.
    """
    parsed = parse_routes(routes)
    with transaction.atomic():
        machine = machine_in(org, machine_id)
        require_admin_or_owner(actor, machine)
        if parsed and not OrgSettings.objects.for_org(org).get().allow_subnet_routing:
            raise Forbidden("subnet routing not allowed for this org")
        approved = [route for route in machine.approved_routes if route in parsed]
        return _save_routes(machine, parsed, approved, actor=actor, action="machine.routes_advertised")


def approve_routes(
    *, org: Any, actor: Actor, machine_id: Any, routes: Sequence[str] | None = None
) -> Machine:
    """Let a machine carry these of its networks, all pending ones by default.

    Raises InvalidInput for one it does not offer, Forbidden, NotFound.
    """
    with transaction.atomic():
        machine = machine_in(org, machine_id)
        if not OrgSettings.objects.for_org(org).get().allow_subnet_routing:
            raise Forbidden("Subnet routing is disabled for this organization")
        wanted = set(_offered(machine, routes)) | set(machine.approved_routes)
        approved = [route for route in machine.advertised_routes if route in wanted]
        return _save_routes(
            machine, machine.advertised_routes, approved, actor=actor, action="machine.routes_approved"
        )


def reject_routes(*, org: Any, actor: Actor, machine_id: Any, routes: Sequence[str] | None = None) -> Machine:
    """Turn these offers away, approved or not, all pending ones by default; the machine may offer again.

    Raises InvalidInput for one it does not offer, NotFound.
    """
    with transaction.atomic():
        machine = machine_in(org, machine_id)
        refused = set(_offered(machine, routes))
        kept = [
            [route for route in known if route not in refused]
            for known in (machine.advertised_routes, machine.approved_routes)
        ]
        return _save_routes(machine, *kept, actor=actor, action="machine.routes_rejected")


def set_approved_routes(*, org: Any, actor: Actor, machine_id: Any, routes: Any) -> Machine:
    """Let a machine carry exactly these of its networks; the others wait again.

    Raises InvalidInput for one it does not offer, Forbidden, NotFound.
    """
    with transaction.atomic():
        machine = machine_in(org, machine_id)
        wanted = _offered(machine, parse_routes(routes, field="approved_routes"))
        grown = not set(wanted) <= set(machine.approved_routes)
        if grown and not OrgSettings.objects.for_org(org).get().allow_subnet_routing:
            raise Forbidden("Subnet routing is disabled for this organization")
        approved = [route for route in machine.advertised_routes if route in wanted]
        action = "machine.routes_approved" if grown else "machine.routes_rejected"
        return _save_routes(machine, machine.advertised_routes, approved, actor=actor, action=action)


def approve_exit_node(*, org: Any, actor: Actor, machine_id: Any) -> Machine:
    """Let a machine that offers it carry others' traffic; raises Forbidden, InvalidState, NotFound."""
    with transaction.atomic():
        machine = machine_in(org, machine_id)
        if not OrgSettings.objects.for_org(org).get().allow_exit_nodes:
            raise Forbidden("exit nodes not allowed for this org")
        if not machine.advertise_exit_node:
            raise InvalidState("The machine does not offer to be an exit node")
        if machine.exit_node_approved:
            raise InvalidState("The machine is approved as an exit node already")
        machine.exit_node_approved = True
        return save_change(machine, EXIT_NODE, actor=actor, action="machine.exit_node_approved")


def reject_exit_node(*, org: Any, actor: Actor, machine_id: Any) -> Machine:
    """Turn the offer away, approved or not; raises InvalidState, NotFound."""
    with transaction.atomic():
        machine = machine_in(org, machine_id)
        if not machine.advertise_exit_node:
            raise InvalidState("The machine does not offer to be an exit node")
        machine.advertise_exit_node = machine.exit_node_approved = False
        return save_change(machine, EXIT_NODE, actor=actor, action="machine.exit_node_rejected")


def _offered(machine: Machine, routes: Sequence[str] | None) -> list[str]:
    """The named routes in their usual form; raises InvalidInput unless the machine offers each."""
    if routes is None:
        return pending(machine)
    wanted = parse_routes(routes)
    if unknown := [route for route in wanted if route not in machine.advertised_routes]:
        raise InvalidInput(f"routes: {unknown[0]} is not advertised", field="routes")
    return wanted


def _save_routes(
    machine: Machine, advertised: list[str], approved: list[str], *, actor: Actor, action: str
) -> Machine:
    if (advertised, approved) == (machine.advertised_routes, machine.approved_routes):
        return machine
    details = {
        "before": {"advertised": machine.advertised_routes, "approved": machine.approved_routes},
        "after": {"advertised": advertised, "approved": approved},
    }
    machine.advertised_routes, machine.approved_routes = advertised, approved
    return save_change(
        machine, ["advertised_routes", "approved_routes"], actor=actor, action=action, details=details
    )
