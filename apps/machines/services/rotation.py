"""New keys for a machine: its own rotation, and a fresh node key that its owner allows."""

import time
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.audit.services import record
from apps.auth.secrets import new_secret, secret_hash
from apps.core.actors import Actor
from apps.core.errors import InvalidInput, InvalidState
from apps.machines.changes import nudge, touch
from apps.machines.errors import InvalidNodeKey, KeyExpired
from apps.machines.keys import KeyBundle
from apps.machines.models import Machine
from apps.machines.nodes import NODE_KEY_PREFIX, Node
from apps.machines.services.writing import machine_in, require_admin_or_owner, settle, tell


def rotate_keys(
    *,
    node: Node,
    actor: Actor,
    signature: str,
    wireguard: str | None = None,
    mlkem: str | None = None,
    disco: str | None = None,
    rotate_node_key: bool = False,
) -> tuple[Machine, str | None, int]:
    """(machine, new node key or None, map version). The identity signs the bundle that results.

    Raises InvalidSignature, InvalidNodeKey, InvalidState without an identity, and KeyExpired: a key that
    aged out renews by a new sign-in, or after `renew_key`.
    """
    with transaction.atomic():
        machine = Machine.objects.for_org(node.org_id).locked_row(node.pk)
        if machine is None or machine.node_key_hash != node.node_key_hash:
            raise InvalidNodeKey()
        if node.key_expires_at is not None and node.key_expires_at <= time.time():
            raise KeyExpired()
        if machine.identity_public_key is None:
            raise InvalidState("The machine has no identity key; sign in again to make one")
        bundle = KeyBundle(
            wireguard=wireguard or machine.public_key,
            disco=disco or machine.disco_public_key,
            mlkem=mlkem or machine.mlkem_public_key,
            identity=machine.identity_public_key,
            signature=signature,
        )
        bundle.check()
        _refuse_taken(machine, bundle)
        machine.public_key, machine.disco_public_key = bundle.wireguard, bundle.disco
        machine.mlkem_public_key, machine.identity_signature = bundle.mlkem, bundle.signature
        node_key = dead = None
        if rotate_node_key or machine.node_key_pending:
            node_key, dead = new_secret(NODE_KEY_PREFIX), machine.node_key_hash
            machine.node_key_hash, machine.node_key_pending = secret_hash(node_key), False
            machine.key_created_at = timezone.now()
        settle(machine)
        machine.save()
        version = touch(machine.org_id, changed=[machine], dead_keys=[dead] if dead else ())
        tell(machine, "UPDATE", key_created_at=machine.key_created_at)
        details = {"name": machine.name, "node_key": node_key is not None}
        record(
            org=machine.org_id, actor=actor, action="machine.key_rotated", resource=machine, details=details
        )
    return machine, node_key, version


def renew_key(*, org: Any, actor: Actor, machine_id: Any) -> Machine:
    """Restart the key's age; the agent is asked to fetch a new node key. Raises NotFound, Forbidden."""
    with transaction.atomic():
        machine = machine_in(org, machine_id)
        require_admin_or_owner(actor, machine)
        machine.key_created_at, machine.key_expired_at = timezone.now(), None
        machine.node_key_pending = True
        settle(machine)
        machine.save()
        touch(machine.org_id, changed=[machine])
        tell(machine, "UPDATE", key_created_at=machine.key_created_at)
        nudge(machine, "rekey")
        details = {"name": machine.name}
        record(org=org, actor=actor, action="machine.key_renewed", resource=machine, details=details)
    return machine


def _refuse_taken(machine: Machine, bundle: KeyBundle) -> None:
    """A clear answer instead of the database's: the key belongs to another machine."""
    others = Machine.objects.for_org(machine.org_id).exclude(pk=machine.pk)
    for column, value in (("public_key", bundle.wireguard), ("disco_public_key", bundle.disco)):
        if value and others.filter(**{column: value}).exists():
            raise InvalidInput(f"{column}: in use by another machine", field=column)
