"""The machine's state machine: which status its facts add up to.

quarantined if a reason is set, else pending if not approved, else offline if disabled, locked or its
key has expired, else what presence says.
"""

from datetime import datetime, timedelta

from django.utils import timezone

from apps.machines.models import QUARANTINE_REASONS, Machine


def status_of(machine: Machine, *, present: bool) -> str:
    """online, offline, pending or quarantined."""
    if machine.quarantine_reason:
        return "quarantined"
    if machine.approved_at is None:
        return "pending"
    if machine.admin_disabled or machine.locked or machine.key_expired_at:
        return "offline"
    return "online" if present else "offline"


def key_expires_at(machine: Machine, key_expiry_days: int) -> datetime | None:
    """When the node key ends, by its own age; None if it never does."""
    if machine.key_expired_at:
        return machine.key_expired_at
    if machine.key_expiry_disabled:
        return None
    return machine.key_created_at + timedelta(days=key_expiry_days)


def quarantine(machine: Machine, *, reason: str, note: str | None = None, by_id: object = None) -> bool:
    """Set the reason unless a stronger one stands; True if the machine changed. Does not save."""
    standing = machine.quarantine_reason
    if standing and QUARANTINE_REASONS.index(standing) <= QUARANTINE_REASONS.index(reason):
        return False
    machine.quarantine_reason, machine.quarantine_note = reason, note
    machine.quarantined_at, machine.quarantined_by_id = timezone.now(), by_id
    return True


def lift_quarantine(machine: Machine) -> None:
    """Clear the reason and all that goes with it. Does not save."""
    machine.quarantine_reason = machine.quarantine_note = None
    machine.quarantined_at = machine.quarantined_by_id = None
