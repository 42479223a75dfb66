"""Rows of this app full of a canary string, for the tenancy sweeps."""

from typing import Any

from apps.dns.models import DnsConfig, DnsRecord


def plant(org: Any, canary: str) -> None:
    """A split nameserver and a record."""
    DnsConfig.objects.create_in(org, nameserver=f"tls://{canary}", type="split", domains=[canary])
    DnsRecord.objects.create_in(org, name=f"txt-{canary.lower()}", type="TXT", value=canary)
