"""Who was heard when: kept in Redis (in this process in embedded mode), written to rows in batches.

A heartbeat costs one round trip here and touches no row.
"""

import json
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django.conf import settings

from apps.core import ratelimit
from apps.core.ratelimit import Limit
from wire.numbers import OFFLINE_AFTER_SECONDS

SEEN, DIRTY, NETWORK = "presence:seen", "presence:dirty", "presence:network"
# Notes a sign of life; with a limit it also counts it, and answers the seconds to wait.
PUT = """
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
if ARGV[3] ~= '' then redis.call('HSET', KEYS[3], ARGV[1], ARGV[3]) end
if not ARGV[4] then return '0' end
""" + ratelimit.GCRA_LUA.format(key="KEYS[4]", interval="ARGV[4]", window="ARGV[5]")


class Sighting(NamedTuple):
    """When a machine was last heard (Unix time), and what it measured of its network since the last drain."""

    at: float
    network: Mapping[str, Any] | None


class _Local:
    """The three hashes in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hashes: dict[str, dict[str, str]] = {SEEN: {}, DIRTY: {}, NETWORK: {}}

    def put(self, machine_id: str, at: str, network: str | None, limit: Limit | None) -> float:
        with self._lock:
            self._hashes[SEEN][machine_id] = self._hashes[DIRTY][machine_id] = at
            if network is not None:
                self._hashes[NETWORK][machine_id] = network
        return ratelimit.wait_for(bucket_of(machine_id), limit) if limit is not None else 0.0

    def seen(self, machine_ids: list[str]) -> list[str | None]:
        with self._lock:
            return [self._hashes[SEEN].get(machine_id) for machine_id in machine_ids]

    def take(self, name: str) -> dict[str, str]:
        with self._lock:
            taken, self._hashes[name] = self._hashes[name], {}
        return taken

    def remove(self, machine_ids: list[str]) -> None:
        with self._lock:
            for entries in self._hashes.values():
                for machine_id in machine_ids:
                    entries.pop(machine_id, None)

    def done(self) -> None:
        """Nothing outlives this process anyway."""


class _Redis:
    """The three hashes in Redis, shared by all processes."""

    @property
    def _connection(self) -> Any:
        from django_redis import get_redis_connection

        return get_redis_connection("default")

    def put(self, machine_id: str, at: str, network: str | None, limit: Limit | None) -> float:
        # One short script: a pipeline costs the client three times as much.
        keys = (SEEN, DIRTY, NETWORK, ratelimit.bucket_key(bucket_of(machine_id)))
        counted = (limit.seconds / limit.count, limit.seconds) if limit else ()
        script = (PUT, 4, *keys, machine_id, at, network or "", *counted)
        return float(self._connection.execute_command("EVAL", *script))

    def seen(self, machine_ids: list[str]) -> list[str | None]:
        return [value and value.decode() for value in self._connection.hmget(SEEN, machine_ids)]

    def take(self, name: str) -> dict[str, str]:
        # What a run before could not finish still lies aside, and comes first.
        aside, connection = f"{name}:taken", self._connection
        if connection.exists(name) and not connection.exists(aside):
            connection.rename(name, aside)
        return {key.decode(): value.decode() for key, value in connection.hgetall(aside).items()}

    def remove(self, machine_ids: list[str]) -> None:
        pipe = self._connection.pipeline(transaction=False)
        for name in (SEEN, DIRTY, NETWORK):
            pipe.hdel(name, *machine_ids)
        pipe.execute()

    def done(self) -> None:
        self._connection.delete(f"{DIRTY}:taken", f"{NETWORK}:taken")


_local, _redis = _Local(), _Redis()


def _store() -> _Local | _Redis:
    return _local if settings.EMBEDDED else _redis


def heard(
    machine_id: uuid.UUID, network: Mapping[str, Any] | None = None, *, limit: Limit | None = None
) -> float:
    """A sign of life, with what the machine measured of its network.

    limit: count it against the machine's calls in the same round trip. Returns the seconds until the
    machine may call again, 0.0 while it is within the limit; it is noted as alive either way.
    """
    measured = json.dumps(network) if network else None
    return _store().put(str(machine_id), f"{time.time():.3f}", measured, limit)


def bucket_of(machine_id: object) -> str:
    """The bucket that counts a machine's calls, whichever door they come through."""
    return f"machine:{machine_id}"


def left(machine_ids: Iterable[uuid.UUID]) -> None:
    """A clean goodbye, or a machine that is gone."""
    if ids := [str(machine_id) for machine_id in machine_ids]:
        _store().remove(ids)


def last_heard(machine_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, float]:
    """Unix times of those that were heard since they said goodbye."""
    ids = list(machine_ids)
    found = _store().seen([str(machine_id) for machine_id in ids]) if ids else []
    return {machine_id: float(at) for machine_id, at in zip(ids, found, strict=True) if at}


def is_present(machine_id: uuid.UUID) -> bool:
    """Whether a machine was heard within the silence that counts as offline."""
    at = last_heard([machine_id]).get(machine_id)
    return at is not None and time.time() - at < OFFLINE_AFTER_SECONDS


def take_sightings() -> dict[uuid.UUID, Sighting]:
    """All since the last call; call `sightings_stored` once they are in the database."""
    networks = _store().take(NETWORK)
    return {
        uuid.UUID(machine_id): Sighting(
            float(at), json.loads(networks[machine_id]) if machine_id in networks else None
        )
        for machine_id, at in _store().take(DIRTY).items()
    }


def sightings_stored() -> None:
    """The sightings of the last `take_sightings` need not be given out again."""
    _store().done()
