"""Who loses the relays when machines and organisations change."""

from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from apps.machines.models import Machine
from apps.machines.nodes import forget_nodes
from apps.machines.signals import machines_touched
from apps.orgs.models import Organization
from apps.relays.cuts import cut_machines, cut_organisation


@receiver(machines_touched)
def cut_stopped(sender: Any, *, changed: list[Machine], removed: list[Machine], **kwargs: Any) -> None:
    stopped = [row for row in changed if row.quarantine_reason or row.admin_disabled or row.locked]
    cut_machines([*stopped, *removed])


@receiver(post_save, sender=Organization)
def cut_suspended(sender: Any, *, instance: Organization, **kwargs: Any) -> None:
    if instance.suspended_at is not None:
        cut_organisation(instance.pk)
        forget_nodes(instance.pk)
