"""Checking an organisation's chain from the rows alone; needs no key."""

from typing import Any, NamedTuple

from apps.audit.models import AuditHead, AuditLog
from apps.audit.services import row_hash
from wire.audit import GENESIS


class Verdict(NamedTuple):
    """first_broken is the seq of the first row that does not fit, or where one is missing."""

    valid: bool
    rows: int
    first_broken: int | None
    head_hash: str


def verify_chain(org: Any) -> Verdict:
    """Whether every row is unaltered, in its place, and none is missing, also at the end."""
    previous, seq = GENESIS, 0
    for row in AuditLog.objects.for_org(org).order_by("seq").iterator(chunk_size=1000):
        if row.seq != seq + 1 or row.prev_hash != previous or row.hash != row_hash(row):
            return Verdict(False, seq, seq + 1, previous)
        previous, seq = row.hash, row.seq
    head = AuditHead.objects.for_org(org).first()
    if head is not None and (head.seq, head.hash) != (seq, previous):
        return Verdict(False, seq, seq + 1, previous)
    return Verdict(True, seq, None, previous)
