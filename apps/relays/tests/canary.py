"""Rows of this app full of a canary string, for the tenancy sweeps."""

from typing import Any

from django.utils import timezone

from apps.machines.models import Machine
from apps.relays.models import DerpRegion, RelaySession


def plant(org: Any, canary: str) -> None:
    """A region of the organisation's own, and a session at its relay."""
    DerpRegion.objects.create_in(
        org, region_code=canary[:16], region_name=canary, hostname=f"{canary.lower()}.example.com"
    )
    RelaySession.objects.create_in(
        org,
        machine=Machine.objects.for_org(org).first(),
        region_code=canary[:16],
        connection=canary[:40],
        last_heartbeat=timezone.now(),
    )
