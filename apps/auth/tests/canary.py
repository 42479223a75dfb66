"""Rows of this app full of a canary string, for the tenancy sweeps."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.auth.models import ApiKey


def plant(org: Any, canary: str) -> None:
    """An API key; its hash carries a canary that not even its owner may see."""
    ApiKey.objects.create_in(
        org,
        name=canary,
        key_hash=f"secret-{canary}"[:64],
        key_prefix=canary[:24],
        scopes=[canary],
        allowed_cidrs=[canary],
        expires_at=timezone.now() + timedelta(days=1),
    )
