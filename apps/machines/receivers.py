"""What this app does when an organisation changes."""

from typing import Any

from django.db.models import Q
from django.dispatch import receiver

from apps.machines.changes import touch_everything
from apps.machines.models import Machine
from apps.machines.services.authkeys import quarantine_many
from apps.machines.services.tagowners import forget_owner
from apps.machines.services.writing import hold_machines
from apps.orgs import signals

ON_THE_MAP = frozenset(
    {
        *("key_expiry_days", "allow_exit_nodes", "allow_subnet_routing"),
        *("magic_dns_enabled", "search_domains", "override_local_dns", "flow_logs_enabled"),
    }
)


@receiver(signals.member_removed)
def stop_machines(sender: Any, *, org: Any, user_id: Any, actor: Any, **kwargs: Any) -> int:
    """A member's machines stay cut off until an administrator gives them to somebody; he owns no tag.

    One that waits for approval goes on waiting: it is cut off from nothing yet.
    """
    owned = Machine.objects.for_org(org).filter(pk__in=hold_machines(org, Q(owner_id=user_id)))
    approved = owned.filter(approved_at__isnull=False)
    stopped = quarantine_many(approved, org=org, actor=actor, reason="member_removed")
    owned.update(owner=None)
    forget_owner(org=org, actor=actor, user_id=user_id)
    return stopped


@receiver(signals.settings_changed)
def redraw_maps(sender: Any, *, org: Any, changed: frozenset[str], **kwargs: Any) -> None:
    if changed & ON_THE_MAP:
        touch_everything(org)
