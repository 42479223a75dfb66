"""Each process keeps one snapshot an organisation and brings it forward by what changed."""

import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from apps.core.tenancy import org_id_of
from apps.machines.changes import EVERYTHING, RIGHTS
from apps.machines.models import Machine, NetmapChange
from apps.machines.netmap import Changes, MapNode, Snapshot, Terms, map_node, organisation_dns
from apps.machines.rights import rights_feed
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
        self._rights = rights_feed(org_id)
        self._asked: tuple[tuple[int, int], Changes | None] = ((-1, -1), None)
        # Version, and what led to it from an earlier one of the log.
        self._log: deque[tuple[int, int, Changes]] = deque(maxlen=REMEMBERED_VERSIONS)

    def ready(self, version: int) -> Snapshot | None:
        """The kept snapshot if it is of this version or a newer one; never waits."""
        snapshot = self._snapshot
        return snapshot if snapshot is not None and snapshot.version >= version else None

    def at_least(self, version: int) -> Snapshot:
        """A snapshot of this version or a newer one; reads the database if the kept one is older."""
        if snapshot := self.ready(version):
            return snapshot
        with self._lock:
            if self._snapshot is None or self._snapshot.version < version:
                self._snapshot = self._advanced(self._snapshot)
            return self._snapshot

    def changed_since(self, version: int, snapshot: Snapshot) -> Changes | None:
        """What changed after `version` up to the snapshot; None if only the whole map tells."""
        span = version, snapshot.version
        # A thousand agents ask for the same span one after the other.
        asked = self._asked
        if asked[0] != span:
            asked = self._asked = span, self._merged(version, snapshot)
        return asked[1]

    def recorded_since(self, version: Any, snapshot: Snapshot) -> frozenset[str] | None:
        """Machines that changed after `version` as the database has it; None if that is not all there is."""
        if not isinstance(version, int) or not 0 <= version <= snapshot.version:
            return None
        ids = self._changed(version, snapshot.version)
        return None if ids is None or ids & {str(EVERYTHING), str(RIGHTS)} else ids

    def _merged(self, version: int, snapshot: Snapshot) -> Changes | None:
        steps = [step for step in list(self._log) if version < step[1] <= snapshot.version]
        reached = version
        # A step may bring more than the version lacks; it must not leave a gap.
        for before, after, _ in steps:
            if before > reached:
                return None
            reached = after
        if reached != snapshot.version:
            return None
        ids = frozenset().union(*(changes.ids for _, _, changes in steps))
        reaches = tuple(reach for _, _, changes in steps for reach in changes.reaches)
        return None if str(EVERYTHING) in ids else Changes(ids, reaches)

    def _advanced(self, old: Snapshot | None) -> Snapshot:
        org = Organization.objects.for_org(self._org_id).get()
        changed = self._changed(old.version, org.netmap_version) if old else None
        if old is None or changed is None or str(EVERYTHING) in changed:
            self._log.clear()
            return self._loaded(org)
        policy, ids = str(RIGHTS) in changed, changed - {str(RIGHTS)}
        nodes = {key: node for key, node in old.nodes.items() if key not in ids}
        nodes.update(_nodes(org, old.terms, ids))
        rights, reaches = self._rights.advance(nodes, ids, policy=policy)
        self._log.append((old.version, org.netmap_version, Changes(ids, reaches)))
        return replace(old, version=org.netmap_version, nodes=nodes, rights=rights)

    def _changed(self, after: int, upto: int) -> frozenset[str] | None:
        """Ids that changed; None if some version is no longer on record."""
        found: dict[int, set[str]] = {}
        rows = NetmapChange.objects.for_org(self._org_id).filter(version__gt=after, version__lte=upto)
        for version, machine_id in rows.values_list("version", "machine_id"):
            found.setdefault(version, set()).add(str(machine_id))
        return frozenset().union(*found.values()) if len(found) == upto - after else None

    def _loaded(self, org: Organization) -> Snapshot:
        settings = OrgSettings.objects.for_org(org).get()
        terms = Terms(
            slug=org.slug,
            key_expiry_days=settings.key_expiry_days,
            routes_allowed=settings.allow_subnet_routing,
            exit_nodes_allowed=settings.allow_exit_nodes,
            log_flows=settings.flow_logs_enabled,
        )
        dns = organisation_dns(org.slug, settings)
        for source in _naming:
            dns = source(org.pk, dns)
        nodes = _nodes(org, terms, None)
        return Snapshot(
            org_id=org.pk,
            version=org.netmap_version,
            dns=dns,
            relays=relays_of(org.pk),
            terms=terms,
            rights=self._rights.load(nodes),
            nodes=nodes,
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
