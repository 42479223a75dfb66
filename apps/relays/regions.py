"""The relay map: an organisation's own regions where it has enabled ones, else the built-in ones."""

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.core.cache import cache

from apps.core.api.signing import sign
from apps.relays.models import BuiltinRegion, DerpRegion, Region
from wire.netmap import RelayRegion

AUDIENCE = "quickztna-derp-map"
SIGNED_SECONDS = 24 * 3600
SIGNATURE_KEPT_SECONDS = 3600
# Names that are the same for every region: the relay also answers for TURN.
TURN_PORT = 3479


def regions_of(org_id: uuid.UUID | None) -> tuple[RelayRegion, ...]:
    """What machines of the organisation (None: of nobody's) may use, preferred first."""
    own = DerpRegion.objects.for_org(org_id).filter(enabled=True) if org_id else ()
    rows: Iterable[Region] = list(own) or BuiltinRegion.objects.filter(enabled=True)
    return tuple(_wire(row) for row in rows)


def relay_map(org_id: uuid.UUID | None) -> dict[str, Any]:
    """The public document; version is a hash of the content, signature a JWT over that version."""
    regions = [{**asdict(region), "turn_port": TURN_PORT} for region in regions_of(org_id)]
    canonical = json.dumps(regions, sort_keys=True, separators=(",", ":")).encode()
    version = hashlib.sha256(canonical).hexdigest()
    signature = cache.get_or_set(
        f"derp-map:{version}",
        lambda: sign({"sub": version}, audience=AUDIENCE, seconds=SIGNED_SECONDS),
        timeout=SIGNATURE_KEPT_SECONDS,
    )
    return {"regions": regions, "version": version, "signature": signature}


def _wire(row: Region) -> RelayRegion:
    return RelayRegion(
        region_code=row.region_code,
        region_name=row.region_name,
        hostname=row.hostname,
        ipv4=row.ipv4,
        ipv6=row.ipv6,
        stun_port=row.stun_port,
        derp_port=row.derp_port,
        priority=row.priority,
    )
