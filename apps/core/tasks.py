"""Jobs of the core: sending mail, forgetting what has lapsed."""

from datetime import timedelta

from django.utils import timezone

from apps.core import mail
from apps.core.jobs import job
from apps.core.models import IdempotencyKey, JobRun, MailMessage

KEPT_RUNS = timedelta(days=30)


@job("mail-outbox", every_seconds=10)
def send_mail() -> dict[str, int]:
    return {"sent": mail.send_due()}


@job("core-cleanup", every_seconds=3600)
def forget_lapsed() -> dict[str, int]:
    now = timezone.now()
    keys, _ = IdempotencyKey.objects.filter(expires_at__lte=now).delete()
    runs, _ = JobRun.objects.filter(started_at__lt=now - KEPT_RUNS).delete()
    mails, _ = MailMessage.objects.filter(state="sent", created_at__lt=now - KEPT_RUNS).delete()
    return {"idempotency_keys": keys, "job_runs": runs, "mails": mails}
