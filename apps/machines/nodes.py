"""What a machine's own calls need to know of it, kept in the cache under the hash of its node key.

Writers put the fresh record there after commit and readers only add, so that a reader that was
slower than a change can't bring the old state back.
"""

import hmac
import uuid
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db import transaction

from apps.auth.secrets import secret_hash
from apps.core.api.principals import Principal
from apps.machines.errors import InvalidNodeKey
from apps.machines.models import Machine
from apps.machines.state import key_expires_at
from apps.orgs.models import OrgSettings

NODE_KEY_PREFIX = "nk_live_"
KEPT_SECONDS = 600  # several heartbeats
REQUESTS_PER_MINUTE = 120


@dataclass(frozen=True, slots=True)
class Node:
    """A machine as its credential proves it. key_expires_at is Unix time, None for never."""

    pk: uuid.UUID
    org_id: uuid.UUID
    name: str
    status: str
    quarantine_reason: str | None
    admin_disabled: bool
    locked: bool
    key_expires_at: float | None
    node_key_hash: str
    node_key_pending: bool
    version: str | None
    public_address: str | None
    endpoints: tuple[str, ...]
    derp_region: str | None
    public_key: str
    disco_public_key: str | None
    identity_public_key: str | None


def node_of(machine: Machine, key_expiry_days: int) -> Node:
    """The record of a row."""
    expires = key_expires_at(machine, key_expiry_days)
    return Node(
        pk=machine.pk,
        org_id=machine.org_id,
        name=machine.name,
        status=machine.status,
        quarantine_reason=machine.quarantine_reason,
        admin_disabled=machine.admin_disabled,
        locked=machine.locked,
        key_expires_at=expires.timestamp() if expires else None,
        node_key_hash=machine.node_key_hash,
        node_key_pending=machine.node_key_pending,
        version=machine.version,
        public_address=machine.public_address,
        endpoints=tuple(machine.endpoints),
        derp_region=machine.derp_region,
        public_key=machine.public_key,
        disco_public_key=machine.disco_public_key,
        identity_public_key=machine.identity_public_key,
    )


def find_node(key_hash: str) -> Node:
    """The machine whose node key has this hash; raises InvalidNodeKey."""
    node = cache.get(_key(key_hash))
    if node is None:
        machine = Machine.all_orgs.filter(node_key_hash=key_hash, org__suspended_at=None).first()
        if machine is None:
            raise InvalidNodeKey()
        node = node_of(machine, expiry_days(machine.org_id))
        cache.add(_key(key_hash), node, timeout=KEPT_SECONDS)
    # "" stands for a key that died moments ago.
    if node == "" or not hmac.compare_digest(node.node_key_hash, key_hash):
        raise InvalidNodeKey()
    return node


def known_node(key_hash: str) -> Node | None:
    """The same from the cache alone; None where only `find_node` can tell."""
    node = cache.get(_key(key_hash))
    return node if node and hmac.compare_digest(node.node_key_hash, key_hash) else None


def refresh_nodes(org_id: uuid.UUID, machine_ids: list[uuid.UUID], dead_keys: list[str]) -> None:
    """Bring the cache up to date after a commit."""
    days = expiry_days(org_id) if machine_ids else 0
    rows = Machine.objects.for_org(org_id).filter(pk__in=machine_ids)
    records: dict[str, Any] = {_key(row.node_key_hash): node_of(row, days) for row in rows}
    records.update({_key(key_hash): "" for key_hash in dead_keys})
    if records:
        cache.set_many(records, timeout=KEPT_SECONDS)


def forget_nodes(org_id: uuid.UUID) -> None:
    """Have every node key of an organisation looked up again, after commit."""
    hashes = Machine.objects.for_org(org_id).values_list("node_key_hash", flat=True)
    keys = [_key(key_hash) for key_hash in hashes]
    transaction.on_commit(lambda: cache.delete_many(keys))


def expiry_days(org_id: uuid.UUID) -> int:
    """The organisation's key_expiry_days."""
    return OrgSettings.objects.for_org(org_id).values_list("key_expiry_days", flat=True).get()


def node_principal(credential: str, address: str | None) -> Principal:
    """The machine behind a node key; raises InvalidNodeKey."""
    node = find_node(secret_hash(credential))
    return Principal(kind="machine", subject=node, org_id=node.org_id, rate_per_minute=REQUESTS_PER_MINUTE)


def _key(key_hash: str) -> str:
    return f"node:{key_hash}"
