"""What this app does when something below it changes."""

from typing import Any

from django.db.models.signals import pre_delete
from django.dispatch import receiver

from apps.core.realtime import publish
from apps.dns.models import DnsRecord
from apps.machines.changes import touch_everything
from apps.machines.models import Machine
from apps.orgs import signals

NAMING = frozenset({"magic_dns_enabled", "search_domains", "override_local_dns"})


@receiver(pre_delete, sender=Machine)
def redraw_without_its_records(sender: Any, *, instance: Machine, **kwargs: Any) -> None:
    """A machine takes its records along; all other machines are told."""
    ids = DnsRecord.objects.for_org(instance.org_id).filter(machine=instance).values_list("pk", flat=True)
    for record_id in ids:
        payload = {"id": record_id}
        publish(org=instance.org_id, channel="dns", event="DELETE", table="dns_records", payload=payload)
    if ids:
        touch_everything(instance.org_id)


@receiver(signals.settings_changed)
def tell_watchers(sender: Any, *, org: Any, changed: frozenset[str], **kwargs: Any) -> None:
    """Whoever changed a setting of naming, and wherever."""
    if changed & NAMING:
        publish(org=org, channel="dns", event="UPDATE", table="org_settings", payload={"id": org.pk})
