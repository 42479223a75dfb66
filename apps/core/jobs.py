"""Background jobs: declared by `@job` in an app's `tasks.py`, locked, and recorded in job_runs."""

import functools
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from celery import shared_task
from django.core.cache import cache
from django.db import close_old_connections, connection
from django.utils import timezone
from prometheus_client import Counter, Histogram

from apps.core.models import JobRun

logger = logging.getLogger("quickztna.jobs")
RUNS = Counter("quickztna_job_runs", "Runs of background jobs", ["job", "outcome"])
SECONDS = Histogram("quickztna_job_seconds", "Duration of background jobs", ["job"])
LONGEST_RUN_SECONDS = 600

# What a job does: returns how many of each kind it changed; may run twice without further effect.
Work = Callable[[], dict[str, int]]


@dataclass(frozen=True)
class Job:
    """A declared job; every_seconds is its period."""

    name: str
    every_seconds: float
    task: str
    run: Work


JOBS: dict[str, Job] = {}


def job(name: str, *, every_seconds: float) -> Callable[[Work], Work]:
    """Declare a periodic job; two workers never run it at once."""

    def declare(work: Work) -> Work:
        task = f"quickztna.{name}"

        @functools.wraps(work)
        def run() -> dict[str, int]:
            return _run_locked(name, work)

        shared_task(name=task, ignore_result=True)(run)
        JOBS[name] = Job(name, every_seconds, task, run)
        return run

    return declare


def _run_locked(name: str, work: Work) -> dict[str, int]:
    lock, owner = f"job:{name}", uuid.uuid4().hex
    if not cache.add(lock, owner, timeout=LONGEST_RUN_SECONDS):
        RUNS.labels(name, "skipped").inc()
        return {}
    started, begun = timezone.now(), time.monotonic()
    _drop_stale_connections()
    try:
        counts = work()
    except Exception as error:
        logger.exception("job failed", extra={"job": name})
        _record(name, started, "failed", {}, f"{type(error).__name__}: {error}"[:2000])
        raise
    else:
        # A run that changed nothing leaves only a metric: most do, every few seconds.
        if any(counts.values()):
            _record(name, started, "ok", counts, "")
        RUNS.labels(name, "ok").inc()
        return counts
    finally:
        SECONDS.labels(name).observe(time.monotonic() - begun)
        if cache.get(lock) == owner:
            cache.delete(lock)
        _drop_stale_connections()


def _record(name: str, started: object, outcome: str, counts: dict[str, int], error: str) -> None:
    JobRun.objects.create(
        name=name,
        started_at=started,
        ended_at=timezone.now(),
        outcome=outcome,
        counts=counts,
        error=error,
    )
    if outcome == "failed":
        RUNS.labels(name, "failed").inc()


def _drop_stale_connections() -> None:
    """A worker's thread lives longer than its connections; a caller's transaction keeps its own."""
    if not connection.in_atomic_block:
        close_old_connections()
