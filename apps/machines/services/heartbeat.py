"""Signs of life. The usual one touches no row: a change of state or of endpoints does."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.ratelimit import Limit
from apps.machines import presence
from apps.machines.changes import touch
from apps.machines.errors import KeyExpired, PendingApproval
from apps.machines.models import Machine
from apps.machines.nodes import Node
from apps.machines.services.removal import remove_machines
from apps.machines.services.writing import settle, tell

PATHS_KEPT_SECONDS = 180
# What browsers are told of it; where a machine is heard from is for administrators.
SHOWN = ("endpoints", "derp_region", "version")


@dataclass(frozen=True)
class Report:
    """What an agent says of itself, and the address that it was heard from; None means: not said."""

    leaving: bool = False
    netmap_version: int | None = None
    version: str | None = None
    endpoints: tuple[str, ...] | None = None
    derp_region: str | None = None
    network: dict[str, Any] | None = None  # derp_latencies, client_connectivity
    paths: list[dict[str, Any]] | None = None
    address: str | None = None


def take_heartbeat(node: Node, report: Report) -> None:
    """Note a sign of life or a goodbye; raises KeyExpired, PendingApproval (after noting it)."""
    if node.key_expires_at is not None and node.key_expires_at <= time.time():
        raise KeyExpired()
    if report.leaving:
        _leave(node)
        return
    note_presence(node, report)
    if node.status == "pending":
        raise PendingApproval()
    if is_news(node, report):
        _store(node, report)


def note_presence(node: Node, report: Report, *, limit: Limit | None = None) -> float:
    """Keep in the cache that the machine lives and what it measured; see `presence.heard`."""
    wait = presence.heard(node.pk, report.network, limit=limit)
    if report.paths is not None:
        cache.set(_paths_key(node.pk), report.paths, timeout=PATHS_KEPT_SECONDS)
    return wait


def paths_of(machine_id: Any) -> list[dict[str, Any]]:
    """How a machine last said it reaches its peers; [] when it has not said so lately."""
    return cache.get(_paths_key(machine_id), [])


def paths_of_many(machine_ids: Iterable[Any]) -> dict[Any, list[dict[str, Any]]]:
    """The same of several machines; those that have not said so lately are left out."""
    keys = {_paths_key(machine_id): machine_id for machine_id in machine_ids}
    return {keys[key]: paths for key, paths in cache.get_many(keys).items()}


def _paths_key(machine_id: Any) -> str:
    return f"paths:{machine_id}"


def is_news(node: Node, report: Report) -> bool:
    """Whether a report says something that the machine's row does not."""
    withheld = node.admin_disabled or node.locked
    return (
        (node.status == "offline" and not withheld)
        or (report.endpoints is not None and report.endpoints != node.endpoints)
        or (report.derp_region is not None and report.derp_region != node.derp_region)
        or (report.version is not None and report.version != node.version)
        or (report.address is not None and report.address != node.public_address)
    )


def _store(node: Node, report: Report) -> None:
    with transaction.atomic():
        machine = Machine.objects.for_org(node.org_id).locked_row(node.pk)
        if machine is None:
            return
        values = {
            "endpoints": list(report.endpoints) if report.endpoints is not None else machine.endpoints,
            "derp_region": report.derp_region or machine.derp_region,
            "version": report.version or machine.version,
            "public_address": report.address or machine.public_address,
        }
        changed = [name for name, value in values.items() if getattr(machine, name) != value]
        for name in changed:
            setattr(machine, name, values[name])
        came = settle(machine)
        if came or changed:
            machine.last_seen = timezone.now()
            machine.save(update_fields=[*changed, "status", "last_seen", "updated_at"])
            touch(node.org_id, changed=[machine], rights="public_address" in changed)
            tell(machine, "UPDATE", **{name: values[name] for name in changed if name in SHOWN})


def _leave(node: Node) -> None:
    """Offline at once; an ephemeral machine goes for good."""
    with transaction.atomic():
        machine = Machine.objects.for_org(node.org_id).locked_row(node.pk)
        if machine is None:
            return
        presence.left([machine.pk])
        if machine.ephemeral and machine.status == "online":
            actor = Actor(kind="machine", id=machine.pk, name=machine.name)
            remove_machines([machine], actor=actor, action="machine.cleanup_deleted")
            return
        machine.last_seen = timezone.now()
        changed = settle(machine)
        machine.save(update_fields=["status", "last_seen", "updated_at"])
        if changed:
            touch(node.org_id, changed=[machine])
            tell(machine, "UPDATE")
