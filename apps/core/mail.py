"""The mail outbox: a mail is written with the change that causes it and sent by a job.

A template `mail/<name>.txt` opens with its subject line, then an empty line, then the text.
"""

import json
from datetime import timedelta
from smtplib import SMTPException
from typing import Any

from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone

from apps.core import sealing
from apps.core.models import MailMessage

MOST_TRIES = 5
BATCH = 100


def enqueue(*, recipient: str, template: str, context: dict[str, Any]) -> MailMessage:
    """Put a mail into the outbox, in the caller's transaction."""
    mail = MailMessage(recipient=recipient, template=template, next_try_at=timezone.now())
    mail.context = sealing.seal_platform("mail", str(mail.pk), json.dumps(context).encode())
    mail.save(force_insert=True)
    return mail


def send_due() -> int:
    """Send what is due; a mail that fails is tried again later. Returns how many went out."""
    sent = 0
    due = MailMessage.objects.filter(state="queued", next_try_at__lte=timezone.now())
    for mail_id in list(due.order_by("next_try_at").values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            locked = MailMessage.objects.select_for_update().filter(pk=mail_id, state="queued")
            mail = locked.first()
            if mail is not None:
                sent += _send(mail)
    return sent


def _send(mail: MailMessage) -> int:
    context = json.loads(sealing.open_platform("mail", str(mail.pk), bytes(mail.context)))
    subject, _, text = render_to_string(f"mail/{mail.template}.txt", context).partition("\n\n")
    try:
        send_mail(subject.strip(), text, None, [mail.recipient])
    except (OSError, SMTPException):
        mail.tries += 1
        mail.state = "failed" if mail.tries >= MOST_TRIES else "queued"
        mail.next_try_at = timezone.now() + timedelta(minutes=2**mail.tries)
    else:
        mail.state = "sent"
        mail.context = b""  # its link is nobody's business any more
    mail.save(update_fields=["tries", "state", "next_try_at", "context"])
    return int(mail.state == "sent")
