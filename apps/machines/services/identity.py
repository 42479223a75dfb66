"""What machines report of what they refused: a peer's changed identity, a map without a reason."""

import uuid
from typing import Any

from django.core.cache import cache
from django.db import transaction

from apps.audit.services import record
from apps.core import ratelimit
from apps.core.actors import Actor
from apps.core.ratelimit import Limit
from apps.machines.models import Machine
from apps.machines.nodes import Node
from apps.machines.services.writing import tell
from wire.binary import WireError, decode_key
from wire.control import MAP_REFUSED, PEER_IDENTITY_CHANGED

REPORTS = Limit(20, 3600)
SAME_REPORT_SECONDS = 24 * 3600
IDENTITY_BYTES = 32


def report_event(node: Node, body: dict[str, Any]) -> bool:
    """Write down what a machine refused; True if that was news.

    Raises WireError for a malformed report. A peer of another organisation is as if it did not exist,
    repeated reports and floods leave no row.
    """
    if body.get("kind") == MAP_REFUSED:
        return _map_refused(node, body)
    if body.get("kind") != PEER_IDENTITY_CHANGED:
        raise WireError("unknown event")
    peer_id, old, new = (
        _machine_id(body.get("peer_machine_id")),
        _identity(body, "old"),
        _identity(body, "new"),
    )
    if ratelimit.wait_for(f"identity:{node.pk}", REPORTS):
        return False
    if not cache.add(f"identity:{node.pk}:{peer_id}:{new}", True, timeout=SAME_REPORT_SECONDS):
        return False
    with transaction.atomic():
        peer = Machine.objects.for_org(node.org_id).filter(pk=peer_id).first()
        if peer is None:
            return False
        record(
            org=node.org_id,
            actor=Actor(kind="machine", id=node.pk, name=node.name),
            action="machine.peer_identity_refused",
            resource=peer,
            details={"name": peer.name, "refused_by": node.name, "old_identity": old, "new_identity": new},
        )
        tell(peer, "UPDATE", identity_refused_by=node.pk)
    return True


def _map_refused(node: Node, body: dict[str, Any]) -> bool:
    have, offered, lost = (_number(body, name) for name in ("have", "offered", "lost"))
    why = str(body.get("why"))[:200]
    if ratelimit.wait_for(f"map-refused:{node.pk}", REPORTS):
        return False
    if not cache.add(f"map-refused:{node.pk}:{have}:{lost}", True, timeout=SAME_REPORT_SECONDS):
        return False
    with transaction.atomic():
        machine = Machine.objects.for_org(node.org_id).get(pk=node.pk)
        record(
            org=node.org_id,
            actor=Actor(kind="machine", id=node.pk, name=node.name),
            action="machine.map_refused",
            resource=machine,
            details={"name": node.name, "held": have, "offered": offered, "peers_lost": lost, "why": why},
        )
        tell(machine, "UPDATE", map_refused=lost)
    return True


def _number(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise WireError(f"{name} must be a whole number")
    return value


def _machine_id(value: Any) -> uuid.UUID:
    try:
        return uuid.UUID(str(value))
    except ValueError:
        raise WireError("peer_machine_id is no machine id") from None


def _identity(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    decode_key(str(value), IDENTITY_BYTES)
    return str(value)
