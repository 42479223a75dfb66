"""Rows full of a canary for the tenancy sweeps: this app holds nothing of an organisation."""

from typing import Any


def plant(org: Any, canary: str) -> None:
    """Nothing to plant: client versions are public."""
