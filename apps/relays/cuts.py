"""Who relays must serve no more although the token still stands: a signed list that they follow.

Whoever is cut is written down in the transaction of the change and kept until the last token from
before it has ended, so the list is as durable as the change and the same on every node of the control
plane. Relays compare a token's `iat` with it: clocks of the nodes have to agree within a second.
"""

import hashlib
import json
import time
from collections.abc import Iterable

from django.core.cache import cache

from apps.core.api.signing import LEEWAY_SECONDS, sign
from apps.machines.models import Machine
from apps.relays.models import RelayCut
from wire.binary import WireError, decode_key
from wire.numbers import RELAY_TOKEN_SECONDS, X25519_KEY_BYTES
from wire.relay import CUTS_AUDIENCE, MAX_CUTS, cut_id

KEPT_SECONDS = RELAY_TOKEN_SECONDS + 2 * LEEWAY_SECONDS
SIGNED_SECONDS = 120
SIGNATURE_KEPT_SECONDS = 60


def cut_machines(machines: Iterable[Machine]) -> None:
    """Void every relay token that these machines hold now."""
    digests = []
    for machine in machines:
        try:
            key = decode_key(machine.disco_public_key or "", X25519_KEY_BYTES)
        except WireError:
            continue  # never had a token
        digests.append(cut_id(str(machine.org_id), key))
    _cut(digests)


def cut_organisation(org_id: object) -> None:
    """Void every relay token of an organisation."""
    _cut([cut_id(str(org_id))])


def cut_among(claims: Iterable[tuple[str, bytes, int]]) -> set[tuple[str, bytes]]:
    """(organisation, key) of those (organisation, key, iat of the token) that the list voids.

    What a relay can tell for itself from the list and these claims, and no more.
    """
    named = [(org, key, iat, (cut_id(org), cut_id(org, key))) for org, key, iat in claims]
    digests = {digest for *_, pair in named for digest in pair}
    rows = RelayCut.objects.filter(digest__in=digests, not_before__gt=time.time() - KEPT_SECONDS)
    cuts = dict(rows.values_list("digest", "not_before"))
    return {(org, key) for org, key, iat, pair in named if any(iat <= cuts.get(each, -1) for each in pair)}


def signed_list() -> tuple[str, str]:
    """(version, JWT over {cuts: digest -> last voided iat}); the version is a hash of the content."""
    rows = RelayCut.objects.filter(not_before__gt=time.time() - KEPT_SECONDS).order_by(
        "-not_before", "digest"
    )
    cuts = dict(rows.values_list("digest", "not_before")[:MAX_CUTS])
    version = hashlib.sha256(json.dumps(cuts, sort_keys=True).encode()).hexdigest()
    signed = cache.get_or_set(
        f"derp-cuts:{version}",
        lambda: sign({"sub": version, "cuts": cuts}, audience=CUTS_AUDIENCE, seconds=SIGNED_SECONDS),
        timeout=SIGNATURE_KEPT_SECONDS,
    )
    return version, signed


def _cut(digests: list[str]) -> None:
    if not digests:
        return
    now = int(time.time())
    RelayCut.objects.filter(not_before__lte=now - KEPT_SECONDS).delete()
    RelayCut.objects.bulk_create(
        [RelayCut(digest=digest, not_before=now) for digest in dict.fromkeys(digests)],
        update_conflicts=True,
        unique_fields=["digest"],
        update_fields=["not_before"],
    )
