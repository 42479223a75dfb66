"""`touch`: the one door through which a change of machines becomes a new version of the map."""

import logging
import time
import uuid
from collections.abc import Iterable

from django.db import transaction
from django.db.models import F
from redis.exceptions import RedisError

from apps.core.realtime import org_group, send_to_group
from apps.core.tenancy import org_id_of
from apps.machines.models import Machine, NetmapChange
from apps.machines.nodes import refresh_nodes
from apps.machines.signals import machines_touched
from apps.orgs.models import Organization

logger = logging.getLogger("quickztna.netmap")
RECENT_SECONDS = 1.0
# Stands for "all that the map is made of, not only machines".
EVERYTHING = uuid.UUID(int=0)
# Stands for the rules of who may send what to whom.
RIGHTS = uuid.UUID(int=1)
# organisation -> (version, when it was read)
_recent: dict[uuid.UUID, tuple[int, float]] = {}


def touch(
    org: object,
    *,
    changed: Iterable[Machine] = (),
    removed: Iterable[Machine] = (),
    dead_keys: Iterable[str] = (),
    rights: bool = False,
) -> int:
    """Raise the map's version inside the transaction of the change, and announce it after commit.

    dead_keys: hashes of node keys that this change ended. rights: what policy knows of the changed
    machines did change, so they may lose peers by it. Returns the new version.
    """
    changed, removed = list(changed), list(removed)
    dead = [*dead_keys, *(machine.node_key_hash for machine in removed)]
    changed_ids = [machine.pk for machine in changed]
    machines_touched.send(sender=Machine, org_id=org_id_of(org), changed=changed, removed=removed)
    return _raise(org_id_of(org), changed_ids, [machine.pk for machine in removed], dead, rights=rights)


def touch_groups(org: object, ids: Iterable[uuid.UUID]) -> int:
    """The same for machines that are in other groups now; they are as they were, and nobody locked them."""
    return _raise(org_id_of(org), list(ids), [], [], rights=True)


def touch_everything(org: object) -> int:
    """The same for what all machines of the organisation are told: relays, DNS, key lifetime."""
    return _raise(org_id_of(org), [], [EVERYTHING], [], rights=False)


def touch_rights(org: object) -> int:
    """The same for rules, and for whatever else decides who may send what to whom."""
    return _raise(org_id_of(org), [], [RIGHTS], [], rights=True)


def _raise(
    org_id: uuid.UUID,
    changed_ids: list[uuid.UUID],
    other_ids: list[uuid.UUID],
    dead_keys: list[str],
    *,
    rights: bool,
) -> int:
    # The row lock puts writers in line: versions are committed in their order.
    Organization.objects.for_org(org_id).update(netmap_version=F("netmap_version") + 1)
    version = stored_version(org_id)
    NetmapChange.all_orgs.bulk_create(
        NetmapChange(org_id=org_id, version=version, machine_id=machine_id, rights=rights)
        for machine_id in [*changed_ids, *other_ids]
    )
    transaction.on_commit(lambda: _announce(org_id, version, changed_ids, dead_keys))
    return version


def map_version(org_id: uuid.UUID) -> int:
    """The version of the organisation's map, a second old at most: enough to say "same"."""
    version = recent_version(org_id)
    if version is None:
        version = stored_version(org_id)
        _recent[org_id] = version, time.monotonic()
    return version


def recent_version(org_id: uuid.UUID) -> int | None:
    """The same without asking the database; None where this process has not asked lately."""
    version, read_at = _recent.get(org_id, (0, 0.0))
    return version if time.monotonic() - read_at <= RECENT_SECONDS else None


def stored_version(org_id: uuid.UUID) -> int:
    """The version as the database has it."""
    return Organization.objects.for_org(org_id).values_list("netmap_version", flat=True).get()


def fleet_group(org_id: uuid.UUID) -> str:
    """Channel-layer group of the processes that hold sockets of an organisation's agents."""
    return org_group(org_id, "fleet")


def nudge(machine: Machine, what: str, *, peer: Machine | None = None) -> None:
    """Ask a machine's agent, after commit, to look at something now."""
    body = {"what": what} | ({"peer_machine_id": str(peer.pk)} if peer else {})
    message = {"type": "agent.nudge", "machine_id": str(machine.pk), "body": body}
    transaction.on_commit(lambda: tell_agents(machine.org_id, message))


def _announce(org_id: uuid.UUID, version: int, changed: list[uuid.UUID], dead_keys: list[str]) -> None:
    committed_at = time.time()
    _recent.pop(org_id, None)
    try:
        refresh_nodes(org_id, changed, dead_keys)
    except (RedisError, OSError):
        # The change is committed; caches lapse by themselves within minutes.
        logger.exception("caches not refreshed", extra={"org": str(org_id)})
    tell_agents(org_id, {"type": "netmap.changed", "version": version, "at": committed_at})


def tell_agents(org_id: uuid.UUID, message: dict[str, object]) -> None:
    """Send to the fleets of an organisation; see `apps.machines.fleet`."""
    try:
        send_to_group(fleet_group(org_id), message)
    except (RedisError, OSError):
        logger.exception("agents not told; the next look catches up", extra={"org": str(org_id)})
