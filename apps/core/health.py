"""Which of the services that the control plane needs are up."""

import uuid
from collections.abc import Callable
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.utils import timezone
from redis.exceptions import RedisError

# name -> check; a check raises what _FAILURES names if its service is down
_checks: dict[str, Callable[[], None]] = {}
_FAILURES = (DatabaseError, RedisError, OSError, RuntimeError)


def register_check(name: str, check: Callable[[], None]) -> None:
    """Add a check; it raises OSError or RuntimeError if its service is down."""
    _checks[name] = check


def report() -> dict[str, Any]:
    """{status, version, time, checks}; down without the database, degraded without another."""
    checks = {name: _outcome(check) for name, check in _checks.items()}
    status = "ok" if set(checks.values()) <= {"ok"} else "degraded"
    if checks["database"] != "ok":
        status = "down"
    off = dict.fromkeys(("storage",), "off")
    return {
        "status": status,
        "version": settings.VERSION,
        "time": timezone.now(),
        "checks": {**checks, **off},
    }


def _outcome(check: Callable[[], None]) -> str:
    try:
        check()
    except _FAILURES:
        return "down"
    return "ok"


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _cache() -> None:
    probe = uuid.uuid4().hex
    cache.set(f"health:{probe}", probe, timeout=5)
    if cache.get(f"health:{probe}") != probe:
        raise RuntimeError("the cache forgets")


def _channels() -> None:
    async_to_sync(get_channel_layer().group_send)("health", {"type": "health.probe"})


register_check("database", _database)
register_check("cache", _cache)
register_check("channels", _channels)
