"""Why a map takes most peers away: signed if changes on record, or plain facts, explain every loss.

A peer may go because it or the viewer is quarantined, disabled, locked, pending or its key has run out;
because the organisation is in lockdown; because a service took it out, which the log of changes or the
trail tells; or because rights hide it and a change of rights, or of what they know of one of the two, is
in the log. A peer that is simply not there, as in an emptied or half-loaded database, has no reason.
"""

import re
import time
import uuid
from dataclasses import dataclass
from typing import Any

from apps.audit.models import AuditLog
from apps.core.api.signing import introduced_keys, sign
from apps.machines.changes import RIGHTS, stored_version
from apps.machines.models import Machine, NetmapChange
from apps.machines.nodes import Node
from apps.machines.snapshots import feed_of
from apps.orgs.models import Organization
from wire.binary import WireError
from wire.documents import texts
from wire.losses import AUDIENCE, MAX_NAMED, REMOVAL_AUDIENCE, REMOVAL_TYPE, STATEMENT_SECONDS, TYPE

REMOVALS = ("machine.deleted", "machine.rejected", "machine.cleanup_deleted")
_DIGEST, _NONCE = re.compile(r"[0-9a-f]{64}"), re.compile(r"[\w-]{8,64}")


@dataclass(frozen=True, slots=True)
class Question:
    """What an agent would lose between two versions; peers: the first of them by id."""

    since: int
    upto: int
    count: int
    lost: str
    nonce: str
    peers: frozenset[str]


def parse_question(body: dict[str, Any]) -> Question:
    """WireError for anything but a question."""
    numbers = [body.get(name) for name in ("from", "to", "count")]
    peers = frozenset(texts(body.get("peers"), limit=MAX_NAMED))
    lost, nonce = str(body.get("lost")), str(body.get("nonce"))
    if not all(isinstance(number, int) and 0 <= number < 2**53 for number in numbers):
        raise WireError("versions and counts are whole numbers")
    if not (_DIGEST.fullmatch(lost) and _NONCE.fullmatch(nonce) and peers):
        raise WireError("no question about a map")
    try:
        peers = frozenset(str(uuid.UUID(peer)) for peer in peers)
    except ValueError:
        raise WireError("a peer is named by its id") from None
    return Question(*numbers, lost, nonce, peers)


def explained(node: Node, asked: Question) -> str | None:
    """A statement for this machine about exactly what it asked; None where no reason is on record."""
    reason = _reason(node, asked)
    if reason is None:
        return None
    claims = {
        "sub": str(node.pk),
        "org": str(node.org_id),
        "from": asked.since,
        "to": asked.upto,
        "count": asked.count,
        "lost": asked.lost,
        "nonce": asked.nonce,
        "reason": reason,
    }
    return sign(claims, audience=AUDIENCE, seconds=STATEMENT_SECONDS, type_=TYPE)


def _reason(node: Node, asked: Question) -> str | None:
    if Organization.objects.for_org(node.org_id).filter(lockdown_mode=True).exists():
        return "lockdown"
    now = time.time()
    snapshot = feed_of(node.org_id).at_least(stored_version(node.org_id))
    own = snapshot.nodes.get(str(node.pk))
    if own is not None and not own.connects(now):
        return "this machine is cut off"
    rows = NetmapChange.objects.for_org(node.org_id).filter(version__gt=asked.since)
    changes = set(rows.values_list("machine_id", "rights"))
    changed = {str(machine_id) for machine_id, _ in changes}
    judged = {str(machine_id) for machine_id, rights in changes if rights}
    reasons = set()
    gone = set()
    for peer in asked.peers:
        other = snapshot.nodes.get(peer)
        if other is None:
            gone |= {peer} - changed
            reasons.add("machines removed")
        elif not other.connects(now):
            reasons.add("machines cut off")
        elif str(RIGHTS) in changed:
            reasons.add("policy changed")
        elif {peer, str(node.pk)} & judged:
            reasons.add("machines changed")
        else:
            return None
    if gone and not _on_record(node.org_id, gone):
        return None
    return ", ".join(sorted(reasons))


def _on_record(org_id: uuid.UUID, gone: set[str]) -> bool:
    """Whether a service took all of these machines out."""
    rows = AuditLog.objects.for_org(org_id).filter(action__in=REMOVALS, resource_id__in=gone)
    return set(rows.values_list("resource_id", flat=True)) >= gone


def removal(claimed: str, key_hash: str) -> dict[str, Any]:
    """What proves to a machine that its node key is dead; claimed is its `organisation/machine`.

    {} unless a service took the machine out, or gave it another key, on record.
    """
    try:
        org_id, machine_id = (uuid.UUID(part) for part in claimed.split("/"))
    except ValueError:
        return {}
    replaced = Machine.objects.for_org(org_id).filter(pk=machine_id).exclude(node_key_hash=key_hash)
    if not (replaced.exists() or _on_record(org_id, {str(machine_id)})):
        return {}
    claims = {"sub": str(machine_id), "org": str(org_id), "key": key_hash}
    statement = sign(claims, audience=REMOVAL_AUDIENCE, seconds=STATEMENT_SECONDS, type_=REMOVAL_TYPE)
    return {"statement": statement, "signing_keys": introduced_keys()}
