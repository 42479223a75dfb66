"""What this app does when an organisation changes."""

from typing import Any

from django.dispatch import receiver

from apps.orgs import signals
from apps.posture.services.verdict import rejudge


@receiver(signals.settings_changed)
def follow_mode(sender: Any, *, org: Any, actor: Any, changed: frozenset[str], **kwargs: Any) -> None:
    """A new mode is in force at once, and releases whom it would not hold."""
    if "posture_enforcement" in changed:
        rejudge(org, actor=actor)
