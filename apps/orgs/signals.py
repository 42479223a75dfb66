"""What higher apps may hear from this one; receivers run inside the transaction of the change."""

from django.dispatch import Signal

org_created = Signal()  # kwargs: org, actor
settings_changed = Signal()  # kwargs: org, actor, changed (names)
lockdown_changed = Signal()  # kwargs: org
# kwargs: org, user_id, actor; receivers answer the number of machines they quarantined
member_removed = Signal()
