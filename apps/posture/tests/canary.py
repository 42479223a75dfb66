"""Rows of this app full of a canary string, for the tenancy sweeps."""

from typing import Any

from django.utils import timezone

from apps.machines.models import Machine
from apps.posture.models import PostureHistory, PosturePolicy, PostureReport


def plant(org: Any, canary: str) -> None:
    """A policy, and a machine's report with its history."""
    PosturePolicy.objects.create_in(org, name=canary, description=canary, scope={"tags": [canary]})
    if machine := Machine.objects.for_org(org).first():
        PostureReport.objects.create_in(
            org,
            machine=machine,
            os_version=canary,
            antivirus_name=canary,
            custom_attributes={canary: canary},
            compliant=False,
            violations=[canary],
            reported_at=timezone.now(),
        )
        PostureHistory.objects.create_in(org, machine=machine, compliant=False, violations=[canary])
