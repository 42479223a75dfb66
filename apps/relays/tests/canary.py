"""Rows of this app full of a canary string, for the tenancy sweeps."""

from typing import Any

from apps.relays.models import DerpRegion


def plant(org: Any, canary: str) -> None:
    """A region of the organisation's own."""
    DerpRegion.objects.create_in(
        org, region_code=canary[:16], region_name=canary, hostname=f"{canary.lower()}.example.com"
    )
