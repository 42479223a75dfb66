"""Celery: worker and beat of the declared jobs; `celery -A quickztna worker|beat` in production."""

import os

from celery import Celery
from celery.signals import beat_init, worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quickztna.settings")
app = Celery("quickztna")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
@beat_init.connect
def schedule(**kwargs: object) -> None:
    """Every declared job at its period."""
    from apps.core.jobs import JOBS

    app.loader.import_default_modules()
    app.conf.beat_schedule = {
        job.name: {
            "task": job.task,
            "schedule": job.every_seconds,
            # A worker that was away must not run the missed periods one after the other.
            "options": {"expires": job.every_seconds},
        }
        for job in JOBS.values()
    }
