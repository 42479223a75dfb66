"""What this app does when something below it changes."""

from typing import Any

from django.db.models.signals import post_delete
from django.dispatch import receiver

from apps.core.realtime import publish
from apps.dns.models import DnsRecord
from apps.machines.changes import touch_everything
from apps.machines.models import Machine
from apps.orgs import signals

NAMING = frozenset({"magic_dns_enabled", "search_domains", "override_local_dns"})


@receiver(post_delete, sender=DnsRecord)
def redraw_after_machine(sender: Any, *, instance: DnsRecord, origin: Any, **kwargs: Any) -> None:
    """A deleted machine took this record along; all other machines are told."""
    if getattr(origin, "model", None) is not Machine:
        return
    payload = {"id": instance.pk}
    publish(org=instance.org_id, channel="dns", event="DELETE", table="dns_records", payload=payload)
    touch_everything(instance.org_id)


@receiver(signals.settings_changed)
def tell_watchers(sender: Any, *, org: Any, changed: frozenset[str], **kwargs: Any) -> None:
    """Whoever changed a setting of naming, and wherever."""
    if changed & NAMING:
        publish(org=org, channel="dns", event="UPDATE", table="org_settings", payload={"id": org.pk})
