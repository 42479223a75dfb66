"""Each process keeps one snapshot an organisation and brings it forward by what changed."""

import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from apps.core.tenancy import org_id_of
from apps.machines.changes import EVERYTHING
from apps.machines.models import Machine, NetmapChange
from apps.machines.netmap import MapNode, Snapshot, Terms, map_node, organisation_dns
from apps.orgs.models import Organization, OrgSettings
from wire.naming import Dns
from wire.netmap import RelayRegion

REMEMBERED_VERSIONS = 2000

RelaySource = Callable[[uuid.UUID], tuple[RelayRegion, ...]]
_relays: list[RelaySource] = []
# Completes the document with what it knows of the organisation.
DnsSource = Callable[[uuid.UUID, Dns], Dns]
_naming: list[DnsSource] = []


def provide_relays(source: RelaySource) -> None:
    """Register who knows an organisation's relay regions."""
    _relays[:] = [source]


def relays_of(org_id: uuid.UUID) -> tuple[RelayRegion, ...]:
    """The regions that the organisation's machines may use."""
    return _relays[0](org_id) if _relays else ()


def provide_dns(source: DnsSource) -> None:
    """Register who knows an organisation's nameservers and records."""
    _naming[:] = [source]


class OrgFeed:
    """An organisation's newest snapshot, and which ids changed at each version before it."""

    def __init__(self, org_id: uuid.UUID) -> None:
        self._org_id = org_id
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._log: deque[tuple[int, frozenset[str]]] = deque(maxlen=REMEMBERED_VERSIONS)

    def at_least(self, version: int) -> Snapshot:
        """A snapshot of this version or a newer one; reads the database if the kept one is older."""
        snapshot = self._snapshot
        if snapshot is not None and snapshot.version >= version:
            return snapshot
        with self._lock:
            if self._snapshot is None or self._snapshot.version < version:
                self._snapshot = self._advanced(self._snapshot)
            return self._snapshot

    def changed_since(self, version: int, snapshot: Snapshot) -> frozenset[str] | None:
        """Ids that changed after `version` up to the snapshot; None if only the whole map tells."""
        steps = [(at, ids) for at, ids in list(self._log) if version < at <= snapshot.version]
        if len(steps) != snapshot.version - version:
            return None
        ids = frozenset().union(*(ids for _, ids in steps))
        return None if str(EVERYTHING) in ids else ids

    def _advanced(self, old: Snapshot | None) -> Snapshot:
        org = Organization.objects.for_org(self._org_id).get()
        steps = self._steps(old.version, org.netmap_version) if old else None
        if old is None or steps is None:
            self._log.clear()
            return _loaded(org)
        self._log.extend(steps)
        changed = frozenset().union(*(ids for _, ids in steps))
        if str(EVERYTHING) in changed:
            return _loaded(org)
        fresh = {key: node for key, node in old.nodes.items() if key not in changed}
        fresh.update(_nodes(org, old.terms, changed))
        return replace(old, version=org.netmap_version, nodes=fresh)

    def _steps(self, after: int, upto: int) -> list[tuple[int, frozenset[str]]] | None:
        """Ids by version; None if some version is no longer on record."""
        found: dict[int, set[str]] = {}
        rows = NetmapChange.objects.for_org(self._org_id).filter(version__gt=after, version__lte=upto)
        for version, machine_id in rows.values_list("version", "machine_id"):
            found.setdefault(version, set()).add(str(machine_id))
        if len(found) != upto - after:
            return None
        return [(version, frozenset(found[version])) for version in sorted(found)]


def _loaded(org: Organization) -> Snapshot:
    settings = OrgSettings.objects.for_org(org).get()
    terms = Terms(
        slug=org.slug,
        key_expiry_days=settings.key_expiry_days,
        routes_allowed=settings.allow_subnet_routing,
        exit_nodes_allowed=settings.allow_exit_nodes,
    )
    dns = organisation_dns(org.slug, settings)
    for source in _naming:
        dns = source(org.pk, dns)
    return Snapshot(
        org_id=org.pk,
        version=org.netmap_version,
        dns=dns,
        relays=relays_of(org.pk),
        terms=terms,
        nodes=_nodes(org, terms, None),
    )


def _nodes(org: Organization, terms: Terms, ids: Iterable[str] | None) -> dict[str, MapNode]:
    rows = Machine.objects.for_org(org).select_related("owner")
    if ids is not None:
        rows = rows.filter(pk__in=ids)
    return {str(row.pk): map_node(row, terms) for row in rows.iterator()}


_feeds: dict[uuid.UUID, OrgFeed] = {}


def feed_of(org: object) -> OrgFeed:
    """The feed of an organisation in this process."""
    org_id = org_id_of(org)
    return _feeds.get(org_id) or _feeds.setdefault(org_id, OrgFeed(org_id))
