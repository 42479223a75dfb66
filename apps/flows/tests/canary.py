"""Rows of this app full of a canary, for the tenancy sweeps."""

from typing import Any

from django.utils import timezone

from apps.flows.models import FlowLog, FlowReport
from apps.machines.models import Machine


def plant(org: Any, canary: str) -> None:
    """A flow between machines whose names hold the canary, and its report. Columns here hold no text."""
    if machine := Machine.objects.for_org(org).first():
        FlowLog.objects.create_in(
            org,
            at=timezone.now(),
            machine=machine,
            source_machine=machine,
            source=machine.tailnet_ip,
            destination=machine.tailnet_ip,
            protocol="tcp",
            port=443,
            verdict="allow",
            packets=1,
            bytes=60,
            count=1,
        )
        FlowReport.objects.create_in(org, machine=machine, began=1.0, ended=2.0, dropped=0)
