"""What other apps may hear from this one."""

import uuid

from django.db import transaction
from django.dispatch import Signal

from apps.core.realtime import send_to_group, session_group

# kwargs: user, actor, action, details; receivers write the trail of the user's organisations
account_event = Signal()


def announce_session_end(session_id: uuid.UUID) -> None:
    """Close the session's sockets after commit."""
    message = {"type": "session.ended", "code": 4001}
    transaction.on_commit(lambda: send_to_group(session_group(session_id), message))
