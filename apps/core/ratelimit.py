"""Sliding rate limits (GCRA) kept in Redis, or per process and stricter when it can't be reached."""

import threading
import time
from typing import NamedTuple

from django.conf import settings
from redis.exceptions import RedisError

from apps.core.errors import RateLimited


class Limit(NamedTuple):
    """At most `count` calls in any window of `seconds`."""

    count: int
    seconds: int


# State is one number per bucket: the moment at which it would be empty again. The names in braces are
# where a script finds its bucket, so that another one can count within its own round trip.
GCRA_LUA = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1000000
local interval, window = tonumber({interval}), tonumber({window})
local at = math.max(tonumber(redis.call('GET', {key}) or 0), now)
local wait = at + interval - window - now
if wait > 0.000001 then return tostring(wait) end
redis.call('SET', {key}, tostring(at + interval), 'PX', math.ceil((at + interval - now) * 1000) + 1)
return '0'
"""
GCRA = GCRA_LUA.format(key="KEYS[1]", interval="ARGV[1]", window="ARGV[2]")


class LocalBuckets:
    """The same algorithm in this process."""

    MAX_BUCKETS = 100_000

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._empty_at: dict[str, float] = {}

    def wait(self, bucket: str, limit: Limit) -> float:
        now = time.monotonic()
        with self._lock:
            if len(self._empty_at) >= self.MAX_BUCKETS:
                self._empty_at = {key: at for key, at in self._empty_at.items() if at > now}
            at = max(self._empty_at.get(bucket, 0.0), now)
            interval = limit.seconds / limit.count
            wait = at + interval - limit.seconds - now
            if wait > 1e-6:
                return wait
            self._empty_at[bucket] = at + interval
            return 0.0

    def clear(self) -> None:
        with self._lock:
            self._empty_at.clear()


local = LocalBuckets()


def wait_for(bucket: str, limit: Limit) -> float:
    """Take one place in the bucket; 0.0 if there was one, else seconds until there is."""
    if settings.EMBEDDED:
        return local.wait(bucket, limit)
    from django_redis import get_redis_connection

    try:
        arguments = (limit.seconds / limit.count, limit.seconds)
        return float(get_redis_connection("default").eval(GCRA, 1, bucket_key(bucket), *arguments))
    except RedisError:
        # Several processes now count apart: each lets half through.
        return local.wait(bucket, Limit(max(1, limit.count // 2), limit.seconds))


def bucket_key(bucket: str) -> str:
    """Where Redis keeps a bucket."""
    return f"rate:{bucket}"


def hit(bucket: str, limit: Limit) -> None:
    """Count one call; raise RateLimited with `retry_after` in whole seconds."""
    if wait := wait_for(bucket, limit):
        raise RateLimited(retry_after=max(1, round(wait + 0.5)))
