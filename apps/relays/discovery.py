"""Where peers may be met: what machines say of themselves here, beside the map, for a few minutes."""

import time
import uuid
from collections.abc import Iterable
from typing import Any

from django.core.cache import cache

from apps.machines.changes import stored_version
from apps.machines.errors import InvalidNodeKey
from apps.machines.models import Machine
from apps.machines.netmap import visible_peers
from apps.machines.nodes import Node
from apps.machines.services.heartbeat import paths_of_many
from apps.machines.snapshots import feed_of
from apps.orgs.models import Organization
from wire.netmap import MAX_ENDPOINTS

CANDIDATES_KEPT_SECONDS = 300
MAX_PEERS = 1000
PAIRS_KEPT_SECONDS = 30
MAX_REPORTERS = 5000


def discover(node: Node, endpoints: Iterable[str]) -> list[dict[str, Any]]:
    """Keep where a machine may be met; {machine_id, endpoints, derp_region} of the peers it may know.

    A machine that is no part of the network leaves nothing and learns nothing. Raises InvalidNodeKey.
    """
    machine_id, now = str(node.pk), time.time()
    snapshot = feed_of(node.org_id).at_least(stored_version(node.org_id))
    viewer = snapshot.nodes.get(machine_id)
    if viewer is None:
        raise InvalidNodeKey()
    if not viewer.connects(now):
        return []
    told = tuple(endpoints)
    if told:
        cache.set(_key(machine_id), told, timeout=CANDIDATES_KEPT_SECONDS)
    # Who is online comes first, should there be more than an answer holds.
    peers = sorted(visible_peers(snapshot, machine_id, now).items(), key=lambda item: not item[1].online)
    peers = peers[:MAX_PEERS]
    candidates = cache.get_many([_key(peer_id) for peer_id, _ in peers])
    return [
        {
            "machine_id": peer_id,
            # What was said here is newer than what the map says.
            "endpoints": _first((*candidates.get(_key(peer_id), ()), *peer.endpoints)),
            "derp_region": peer.derp_region,
        }
        for peer_id, peer in peers
    ]


def direct_pairs(org: Organization) -> int:
    """How many pairs of machines talk directly, as either end last said."""
    return cache.get_or_set(f"direct-pairs:{org.pk}", lambda: _count(org), timeout=PAIRS_KEPT_SECONDS)


def _count(org: Organization) -> int:
    online = Machine.objects.for_org(org).filter(status="online")
    said = paths_of_many(online.values_list("pk", flat=True)[:MAX_REPORTERS])
    pairs = {
        frozenset((str(machine_id), path["machine_id"]))
        for machine_id, paths in said.items()
        for path in paths
        if path["path"] == "direct"
    }
    return len(pairs)


def _first(endpoints: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(endpoints))[:MAX_ENDPOINTS]


def _key(machine_id: uuid.UUID | str) -> str:
    return f"candidates:{machine_id}"
