"""Signed tokens that machines show to others."""

import time
from collections.abc import Iterable
from typing import Any

from apps.core.api.signing import sign
from apps.machines.nodes import Node
from wire.netmap import RelayRegion
from wire.numbers import RELAY_TOKEN_AUDIENCE, RELAY_TOKEN_SECONDS

MACHINE_TOKEN_AUDIENCE = "quickztna-machine"
MACHINE_TOKEN_SECONDS = 3600


def relay_token(node: Node, regions: Iterable[RelayRegion]) -> str | None:
    """A token for the relays of these regions; None for a machine that may not connect."""
    if node.disco_public_key is None or node.status not in ("online", "offline"):
        return None
    expired = node.key_expires_at is not None and node.key_expires_at <= time.time()
    if node.admin_disabled or node.locked or expired:
        return None
    claims = {
        "sub": str(node.pk),
        "org": str(node.org_id),
        "key": node.disco_public_key,
        "regions": [region.region_code for region in regions],
    }
    return sign(claims, audience=RELAY_TOKEN_AUDIENCE, seconds=RELAY_TOKEN_SECONDS)


def machine_token(machine_id: Any, org_id: Any) -> str:
    """A machine's identity for an hour, checked offline with the published keys."""
    claims = {"sub": str(machine_id), "org": str(org_id)}
    return sign(claims, audience=MACHINE_TOKEN_AUDIENCE, seconds=MACHINE_TOKEN_SECONDS)
