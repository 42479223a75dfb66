"""What higher apps may hear from this one; receivers run inside the transaction of the change."""

from django.dispatch import Signal

machines_touched = Signal()  # kwargs: org_id, changed, removed (lists of Machine)
