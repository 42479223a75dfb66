"""At most 200 browser sockets an organisation, counted across processes.

A slot is a cache entry that lapses by itself, so that a process that dies frees its slots.
"""

import random
import uuid

from django.core.cache import cache

from apps.core.errors import RateLimited

MOST_SOCKETS = 200
LIFE_SECONDS = 90


def take_slot(org_id: uuid.UUID, client_id: str) -> str:
    """Claim a free slot and return its name; raises RateLimited."""
    start = random.randrange(MOST_SOCKETS)  # noqa: S311 (only spreads the first guess)
    for step in range(MOST_SOCKETS):
        slot = f"socket:{org_id}:{(start + step) % MOST_SOCKETS}"
        if cache.add(slot, client_id, timeout=LIFE_SECONDS):
            return slot
    raise RateLimited("Too many open sockets in this organisation", retry_after=30)


def keep_slot(slot: str, client_id: str) -> None:
    """Prolong a claim."""
    if cache.get(slot) in (None, client_id):
        cache.set(slot, client_id, timeout=LIFE_SECONDS)


def free_slot(slot: str, client_id: str) -> None:
    """Give a claim back."""
    if cache.get(slot) == client_id:
        cache.delete(slot)
