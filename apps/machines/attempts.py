"""Failed enrolments, counted by address and by key; successes cost nothing, so that fleets may enrol."""

from typing import Any

from django.core.cache import cache

from apps.auth.secrets import secret_hash
from apps.core.addresses import client_network
from apps.core.errors import RateLimited
from apps.core.ratelimit import Limit

PER_ADDRESS, PER_KEY = Limit(10, 600), Limit(5, 300)


def check(address: str | None, credential: Any) -> None:
    """Raise RateLimited after too many failures from this address or with this key."""
    limits = _buckets(address, credential)
    failures = cache.get_many(limits)
    for bucket, limit in limits.items():
        if failures.get(bucket, 0) >= limit.count:
            raise RateLimited(retry_after=limit.seconds)


def count_failure(address: str | None, credential: Any) -> None:
    """Note one."""
    for bucket, limit in _buckets(address, credential).items():
        cache.add(bucket, 0, timeout=limit.seconds)
        try:
            cache.incr(bucket)
        except ValueError:  # it lapsed between the two calls
            cache.add(bucket, 1, timeout=limit.seconds)


def _buckets(address: str | None, credential: Any) -> dict[str, Limit]:
    buckets = {f"enrol:address:{client_network(address)}": PER_ADDRESS}
    if isinstance(credential, str) and credential:
        buckets[f"enrol:key:{secret_hash(credential)}"] = PER_KEY
    return buckets
