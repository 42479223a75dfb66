"""Rows of this app full of a canary string, for the tenancy sweeps."""

from typing import Any

from apps.core import sealing


def plant(org: Any, canary: str) -> None:
    """A data key is made by its first use."""
    sealing.seal_for_org(org.pk, table="canary", column="text", row=org.pk, secret=canary.encode())
