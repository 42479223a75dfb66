"""Who is connected to which region, as relays report it.

A region's key lets its relays speak for that region alone; those of an organisation's own region are
believed about its own machines only. Reports are signs of life: they leave no audit rows.
"""

import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.auth.secrets import secret_hash
from apps.core.api.principals import Principal
from apps.core.errors import Forbidden, InvalidInput, Unauthorized
from apps.machines.models import Machine
from apps.orgs.models import Organization
from apps.relays.cuts import cut_among
from apps.relays.models import BuiltinRegion, DerpRegion, RelaySession
from wire.binary import WireError, decode_key, encode_key
from wire.numbers import X25519_KEY_BYTES

LIVE = timedelta(minutes=2)
# Each of a region's processes sends many reports for many clients.
REPORTS_PER_MINUTE = 3000
LOAD_KEPT_SECONDS = 120
MAX_PROCESSES = 256


@dataclass(frozen=True, slots=True)
class Reporter:
    """The relays of a region, by its key. org_id is None for a built-in region."""

    pk: uuid.UUID
    region_code: str
    org_id: uuid.UUID | None


def relay_principal(credential: str, address: str | None) -> Principal:
    """The region behind a report key; raises Unauthorized. It is a member of no organisation."""
    known = {"report_key_hash": secret_hash(credential)}
    builtin = BuiltinRegion.objects.filter(**known).values_list("pk", "region_code").first()
    own = DerpRegion.all_orgs.filter(**known, org__suspended_at=None)
    found = (*builtin, None) if builtin else own.values_list("pk", "region_code", "org_id").first()
    if found is None:
        raise Unauthorized("Unknown relay")
    return Principal(kind="relay", subject=Reporter(*found), rate_per_minute=REPORTS_PER_MINUTE)


def take_report(
    reporter: Reporter,
    region_code: str,
    process: str,
    sessions: Iterable[Mapping[str, Any]],
    load: Mapping[str, int],
) -> list[str]:
    """Note sessions {org_id, key, connection, status, issued_at, public_ip?}; the keys to be cut off.

    process is what one of the region's processes calls itself: load is its own.
    Whom the control plane does not know is passed over in silence. Raises Forbidden for another
    region, InvalidInput for what is no key.
    """
    if region_code != reporter.region_code:
        raise Forbidden("The key is another region's")
    told = {}
    for session in sessions:
        if reporter.org_id in (None, session["org_id"]):
            told[session["org_id"], _key(session["key"])] = session
    _note_load(reporter, process, load)
    _store(reporter, told)
    cut = cut_among((str(org_id), key, session["issued_at"]) for (org_id, key), session in told.items())
    return sorted({encode_key(key) for _, key in cut})


def live_sessions(org: Organization) -> QuerySet[RelaySession]:
    """Sessions that were reported lately."""
    return RelaySession.objects.for_org(org).filter(last_heartbeat__gt=timezone.now() - LIVE)


def load_of(region_id: uuid.UUID) -> dict[str, int]:
    """What the processes of a region's relays said lately, summed up; {} when none did."""
    total: Counter[str] = Counter()
    for load, said_at in cache.get(_load_key(region_id), {}).values():
        if said_at > time.time() - LOAD_KEPT_SECONDS:
            total.update(load)
    return dict(total)


def drop_stale() -> int:
    """Forget sessions that were not reported again; how many."""
    return RelaySession.all_orgs.filter(last_heartbeat__lte=timezone.now() - LIVE).delete()[0]


def _store(reporter: Reporter, told: Mapping[tuple[uuid.UUID, bytes], Mapping[str, Any]]) -> None:
    now = timezone.now()
    came, ended = [], []
    for machine_id, org_id, key in _machines(reporter, told):
        session = told[org_id, key]
        row = RelaySession(
            org_id=org_id,
            machine_id=machine_id,
            region_code=reporter.region_code,
            public_ip=session.get("public_ip"),
            connection=session["connection"],
            last_heartbeat=now,
        )
        (came if session["status"] == "active" else ended).append(row)
    with transaction.atomic():
        # In one order, so that two processes of a region do not wait for each other.
        RelaySession.all_orgs.bulk_create(
            sorted(came, key=lambda row: row.machine_id),
            update_conflicts=True,
            unique_fields=["machine", "region_code"],
            update_fields=["public_ip", "status", "connection", "last_heartbeat"],
        )
        # A client that moved between the processes of a relay has ended at one and not at the other.
        RelaySession.all_orgs.filter(
            region_code=reporter.region_code,
            machine_id__in=[row.machine_id for row in ended],
            connection__in=[row.connection for row in ended],
        ).update(status="ended", last_heartbeat=now)


def _machines(
    reporter: Reporter, told: Mapping[tuple[uuid.UUID, bytes], Any]
) -> list[tuple[uuid.UUID, uuid.UUID, bytes]]:
    """(machine id, organisation, key) of those that exist."""
    rows = Machine.all_orgs.filter(
        org_id__in={org_id for org_id, _ in told}, disco_public_key__in={encode_key(key) for _, key in told}
    )
    columns = rows.values_list("pk", "org_id", "disco_public_key")
    found = ((machine_id, org_id, _key(key)) for machine_id, org_id, key in columns)
    return [entry for entry in found if entry[1:] in told]


def _note_load(reporter: Reporter, process: str, load: Mapping[str, int]) -> None:
    """Two at once may lose one of both, until its next report."""
    now = time.time()
    kept = cache.get(_load_key(reporter.pk), {})
    fresh = {name: said for name, said in kept.items() if said[1] > now - LOAD_KEPT_SECONDS}
    fresh.pop(process, None)
    newest = sorted(fresh.items(), key=lambda item: item[1][1])[-MAX_PROCESSES:]
    said = {**dict(newest), process: (dict(load), now)}
    cache.set(_load_key(reporter.pk), said, timeout=LOAD_KEPT_SECONDS)


def _load_key(region_id: uuid.UUID) -> str:
    return f"relay-load:{region_id}"


def _key(text: str) -> bytes:
    try:
        return decode_key(text, X25519_KEY_BYTES)
    except WireError:
        raise InvalidInput("sessions: each key must be 32 bytes of base64", field="sessions") from None
