"""Rows of this app full of a canary string, for the tenancy sweeps."""

from typing import Any

from django.db import transaction

from apps.audit.services import record
from apps.core.actors import Actor


def plant(org: Any, canary: str) -> None:
    """One row of the trail, with its actor and the end of the chain."""
    actor = Actor(kind="job", name=canary, email=canary, ip_address=canary[:45], user_agent=canary)
    with transaction.atomic():
        record(
            org=org,
            actor=actor,
            action=f"{canary}.made",
            resource_type=canary,
            resource_id=canary,
            details={canary: canary},
        )
