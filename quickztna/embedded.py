"""Worker and beat as threads of the web process, for the mode without a broker server."""

import logging
import threading

from celery.beat import Scheduler, Service
from celery.worker import WorkController

from quickztna.celery import app, schedule

logger = logging.getLogger("quickztna.embedded")
THREADS = 2
STOP_SECONDS = 5


class EmbeddedJobs:
    """Starts both; `stop` lets running jobs end."""

    def __init__(self) -> None:
        schedule()
        self._worker = WorkController(
            app=app,
            hostname="embedded@localhost",
            pool_cls="threads",
            concurrency=THREADS,
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
        )
        # The schedule is declared in code; nothing about it is worth keeping on disk.
        self._beat = Service(app=app, scheduler_cls=Scheduler)
        self._threads = [
            threading.Thread(target=self._worker.start, name="jobs-worker", daemon=True),
            threading.Thread(target=self._beat.start, name="jobs-beat", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        logger.info("jobs run in this process")

    def stop(self) -> None:
        self._beat.stop()
        self._worker.stop()
        for thread in self._threads:
            thread.join(STOP_SECONDS)
