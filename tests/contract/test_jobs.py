"""Jobs: once at a time, recorded, told by name."""

import pytest
from django.conf import settings
from django.core.cache import cache

from apps.core import jobs
from apps.core.models import JobRun

pytestmark = pytest.mark.django_db


@pytest.fixture
def declare(monkeypatch):
    monkeypatch.setattr(jobs, "JOBS", {})
    monkeypatch.setattr(jobs, "close_old_connections", lambda: None)
    monkeypatch.setattr(jobs, "shared_task", lambda **options: lambda run: run)
    return lambda work: jobs.job("test-job", every_seconds=60)(work)


def test_what_changed_is_recorded(declare):
    assert declare(lambda: {"rows": 3})() == {"rows": 3}
    run = JobRun.objects.get()
    assert (run.name, run.outcome, run.counts) == ("test-job", "ok", {"rows": 3})
    declare(lambda: {"rows": 0})()
    assert JobRun.objects.count() == 1


def test_a_failure_is_recorded_and_frees_the_lock(declare):
    def fail():
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        declare(fail)()
    assert (JobRun.objects.get().outcome, JobRun.objects.get().error) == ("failed", "ValueError: broken")
    assert declare(lambda: {"rows": 1})() == {"rows": 1}


def test_two_never_run_at_once(declare):
    work = declare(lambda: {"rows": 1})
    cache.add("job:test-job", "another worker")
    assert work() == {}
    assert not JobRun.objects.exists()
    assert cache.get("job:test-job") == "another worker"


def test_every_declared_job_has_a_task_and_a_period():
    from quickztna.celery import app, schedule

    schedule()
    assert set(app.conf.beat_schedule) == set(jobs.JOBS) >= {"mail-outbox", "auth-cleanup"}
    for job in jobs.JOBS.values():
        assert job.task in app.tasks
        assert job.every_seconds > 0
    assert settings.CELERY_BROKER_URL
