"""Nameservers and records of an organisation."""

from django.db import models
from django.db.models import Q

from apps.core.domains import MAX_DOMAIN
from apps.core.tenancy import OrgOwned
from wire.naming import RECORD_TYPES

SERVER_TYPES = ("global", "split")


class DnsConfig(OrgOwned):
    """A nameserver: of all other names (global), or of some domains alone (split)."""

    nameserver = models.CharField(max_length=300)
    type = models.CharField(
        max_length=6, choices=[(name, name) for name in SERVER_TYPES], default=SERVER_TYPES[0]
    )
    domains = models.JSONField(default=list, blank=True)

    class Meta(OrgOwned.Meta):
        db_table = "dns_configs"
        ordering = ("created_at", "pk")
        indexes = (models.Index(fields=("org", "created_at"), name="dns_server_order"),)
        constraints = (
            models.UniqueConstraint(
                fields=("org", "nameserver"), condition=Q(type="global"), name="dns_global_server_once"
            ),
        )

    def __str__(self) -> str:
        return self.nameserver


class DnsRecord(OrgOwned):
    """A record of the organisation's own. name is fully qualified, without the last dot."""

    name = models.CharField(max_length=MAX_DOMAIN)
    type = models.CharField(max_length=5, choices=[(name, name) for name in RECORD_TYPES])
    value = models.CharField(max_length=255)
    # It goes with this machine, where one is named.
    machine = models.ForeignKey("machines.Machine", on_delete=models.CASCADE, null=True, related_name="+")

    class Meta(OrgOwned.Meta):
        db_table = "dns_records"
        ordering = ("name", "type", "value")
        constraints = (
            models.UniqueConstraint(fields=("org", "name", "type", "value"), name="dns_record_once"),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.type}"
