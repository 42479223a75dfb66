"""Jobs: presence into rows, silence into offline, age into expiry."""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.jobs import job
from apps.core.realtime import publish
from apps.machines import presence
from apps.machines.changes import touch
from apps.machines.models import AgentCommand, AuthKey, KeyExchange, Machine, NetmapAck, NetmapChange
from apps.machines.services.commands import UNFINISHED
from apps.machines.services.removal import remove_machines
from apps.machines.services.writing import settle, tell
from apps.orgs.models import OrgSettings
from wire.numbers import OFFLINE_AFTER_SECONDS

BATCH = 500
SWEEP_SECONDS = 15
RUNNING_LIMIT = timedelta(hours=1)
# Agents that were away follow by them, and they are the reasons for what a map takes away.
CHANGES_KEPT, RIGHTS_KEPT = timedelta(days=1), timedelta(days=90)
ACKS_KEPT = timedelta(days=7)
LAST_SWEEP, SWEEP_FROM = "machines:last-sweep", "machines:sweep-from"


@job("presence-flush", every_seconds=10)
def flush_presence() -> dict[str, int]:
    """last_seen and measurements of the network, never over newer ones; status is not touched."""
    sightings = presence.take_sightings()
    written = 0
    for ids in _batches(sightings):
        rows = Machine.all_orgs.filter(pk__in=ids)
        stale = []
        for row in rows:
            sighting = sightings[row.pk]
            at = datetime.fromtimestamp(sighting.at, UTC)
            for name, value in (sighting.network or {}).items():
                setattr(row, name, value)
            if row.last_seen is None or row.last_seen < at:
                row.last_seen = at
                stale.append(row)
        Machine.all_orgs.bulk_update(stale, ["last_seen", "derp_latencies", "client_connectivity"])
        written += len(stale)
    presence.sightings_stored()
    return {"machines": written}


@job("cleanup-machines", every_seconds=SWEEP_SECONDS)
def sweep_silent() -> dict[str, int]:
    """Online and silent over 180 s: offline; ephemeral: gone. Waits after an outage of ours."""
    if not _service_is_steady():
        return {}
    limit = time.time() - OFFLINE_AFTER_SECONDS
    silent = Machine.all_orgs.filter(status="online").filter(
        Q(last_seen=None) | Q(last_seen__lt=datetime.fromtimestamp(limit, UTC))
    )
    counts = {"offline": 0, "deleted": 0}
    for org_id, ids in _by_org(silent):
        heard = presence.last_heard(ids)
        ids = [pk for pk in ids if heard.get(pk, 0) < limit]
        with transaction.atomic():
            rows = list(
                Machine.objects.for_org(org_id).select_for_update().filter(pk__in=ids, status="online")
            )
            _mark_offline(org_id, [row for row in rows if not row.ephemeral])
            gone = [row for row in rows if row.ephemeral]
            remove_machines(gone, actor=Actor.job("cleanup-machines"), action="machine.cleanup_deleted")
        counts["offline"] += len(rows) - len(gone)
        counts["deleted"] += len(gone)
    return counts


def _mark_offline(org_id: Any, rows: list[Machine]) -> None:
    if not rows:
        return
    presence.left(row.pk for row in rows)
    for row in rows:
        settle(row)
        row.save(update_fields=["status", "updated_at"])
        tell(row, "UPDATE")
    touch(org_id, changed=rows)
    for row in rows:
        details = {"name": row.name, "reason": "heartbeat_timeout"}
        record(
            org=org_id,
            actor=Actor.job("cleanup-machines"),
            action="machine.marked_offline",
            resource=row,
            details=details,
        )


def _service_is_steady() -> bool:
    """False until this job has run for 180 s without a gap: silence may have been ours."""
    now = time.time()
    last = cache.get(LAST_SWEEP)
    cache.set(LAST_SWEEP, now, timeout=None)
    if last is None or now - last > 4 * SWEEP_SECONDS:
        cache.set(SWEEP_FROM, now + OFFLINE_AFTER_SECONDS, timeout=None)
    return now >= cache.get(SWEEP_FROM, 0)


@job("enforce-key-expiry", every_seconds=60)
def expire_auth_keys() -> dict[str, int]:
    """Auth keys past their term: expired, which neither revokes nor quarantines."""
    lapsed = AuthKey.all_orgs.filter(expired=False, revoked=False, expires_at__lte=timezone.now())
    expired = 0
    for org_id, ids in _by_org(lapsed):
        with transaction.atomic():
            rows = AuthKey.objects.for_org(org_id).select_for_update().filter(pk__in=ids, expired=False)
            for key in rows:
                key.expired = True
                key.save(update_fields=["expired"])
                publish(
                    org=org_id,
                    channel="keys",
                    event="UPDATE",
                    table="auth_keys",
                    payload={"id": key.pk, "expired": True},
                )
                details = {"name": key.name}
                actor = Actor.job("enforce-key-expiry")
                record(org=org_id, actor=actor, action="auth_key.expired", resource=key, details=details)
                expired += 1
    return {"auth_keys_expired": expired}


@job("node-key-expiry", every_seconds=300)
def expire_node_keys() -> dict[str, int]:
    """Node keys older than the organisation allows: the machine must sign in again."""
    expired = 0
    for org_id, days in OrgSettings.all_orgs.values_list("org_id", "key_expiry_days"):
        aged = Machine.objects.for_org(org_id).filter(
            key_expiry_disabled=False,
            key_expired_at=None,
            key_created_at__lte=timezone.now() - timedelta(days=days),
        )
        for ids in _batches(aged.values_list("pk", flat=True).iterator()):
            with transaction.atomic():
                expired += _expire(org_id, aged.select_for_update().filter(pk__in=ids))
    return {"machines": expired}


def _expire(org_id: Any, rows: Iterable[Machine]) -> int:
    rows = list(rows)
    for row in rows:
        row.key_expired_at = timezone.now()
        settle(row)
        row.save(update_fields=["key_expired_at", "status", "updated_at"])
        tell(row, "UPDATE", key_expired_at=row.key_expired_at)
    if rows:
        touch(org_id, changed=rows)
    for row in rows:
        record(
            org=org_id,
            actor=Actor.job("node-key-expiry"),
            action="machine.key_expired",
            resource=row,
            details={"name": row.name, "reason": "age"},
        )
    return len(rows)


@job("command-expiry", every_seconds=30)
def expire_commands() -> dict[str, int]:
    """Orders that were never taken: expired; taken and silent for an hour: timeout."""
    now = timezone.now()
    due = AgentCommand.all_orgs.filter(
        Q(status__in=("pending", "delivered"), expires_at__lte=now)
        | Q(status="running", delivered_at__lte=now - RUNNING_LIMIT)
    )
    ended = 0
    for org_id, ids in _by_org(due):
        with transaction.atomic():
            rows = AgentCommand.objects.for_org(org_id).select_for_update()
            for command in rows.filter(pk__in=ids, status__in=UNFINISHED):
                command.status = "timeout" if command.status == "running" else "expired"
                command.finished_at = now
                command.save(update_fields=["status", "finished_at"])
                publish(
                    org=org_id,
                    channel="general",
                    event="UPDATE",
                    table="agent_commands",
                    payload={"id": command.pk, "status": command.status},
                )
                details = {"command_type": command.command_type, "status": command.status}
                actor = Actor.job("command-expiry")
                record(org=org_id, actor=actor, action="command.expired", resource=command, details=details)
                ended += 1
    return {"commands": ended}


@job("netmap-housekeeping", every_seconds=300)
def prune_netmap() -> dict[str, int]:
    """Exchanges past their day lose their key material; old map changes and acknowledgements go."""
    now = timezone.now()
    lapsed = KeyExchange.all_orgs.filter(status="pending", expires_at__lte=now)
    closed = lapsed.update(status="expired", x25519_public=None, mlkem_ciphertext=None, nonce=None)
    # The newest stay: a process may be an hour behind only if it slept.
    old = NetmapChange.all_orgs.filter(
        created_at__lt=now - CHANGES_KEPT, version__lt=F("org__netmap_version")
    )
    pruned, _ = old.exclude(rights=True, created_at__gte=now - RIGHTS_KEPT).delete()
    forgotten, _ = NetmapAck.all_orgs.filter(created_at__lt=now - ACKS_KEPT).delete()
    return {"exchanges": closed, "changes": pruned, "acks": forgotten}


def _batches(ids: Iterable[Any]) -> Iterator[list[Any]]:
    walk = iter(ids)
    while batch := list(islice(walk, BATCH)):
        yield batch


def _by_org(rows: Any) -> Iterator[tuple[Any, list[Any]]]:
    """(organisation, ids) in batches that never mix organisations."""
    pairs = list(rows.order_by("org_id", "pk").values_list("org_id", "pk"))
    for org_id, group in groupby(pairs, key=lambda pair: pair[0]):
        for batch in _batches(pk for _, pk in group):
            yield org_id, batch
