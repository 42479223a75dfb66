"""Regions: built-in ones for everybody, and an organisation's own."""

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from apps.core.models_base import Row
from apps.core.tenancy import OrgOwned
from wire.numbers import RELAY_PORT, STUN_PORT

PORT = (MinValueValidator(1), MaxValueValidator(65535))


class Region(models.Model):
    """What both kinds say of a region."""

    region_code = models.CharField(max_length=16, validators=[RegexValidator(r"^[A-Za-z0-9-]{2,16}\Z")])
    region_name = models.CharField(max_length=100)
    hostname = models.CharField(max_length=253)
    ipv4 = models.GenericIPAddressField(protocol="IPv4", null=True, blank=True)
    ipv6 = models.GenericIPAddressField(protocol="IPv6", null=True, blank=True)
    stun_port = models.PositiveIntegerField(default=STUN_PORT, validators=PORT)
    derp_port = models.PositiveIntegerField(default=RELAY_PORT, validators=PORT)
    priority = models.PositiveIntegerField(default=100, help_text="lower is preferred at equal latency")
    enabled = models.BooleanField(default=True)
    report_key_hash = models.CharField(
        max_length=64, null=True, unique=True, editable=False, help_text="of what its relays report with"
    )

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.region_code} ({self.region_name})"


class BuiltinRegion(Region, Row):
    """A region of the operator's, offered to every organisation."""

    class Meta:
        db_table = "derp_regions_builtin"
        ordering = ("priority", "region_code")
        constraints = (models.UniqueConstraint(fields=("region_code",), name="builtin_region_once"),)


class DerpRegion(Region, OrgOwned):
    """An organisation's own region; its machines use no other's."""

    class Meta(OrgOwned.Meta):
        db_table = "derp_regions"
        ordering = ("priority", "region_code")
        constraints = (models.UniqueConstraint(fields=("org", "region_code"), name="region_once_per_org"),)


class RelaySession(OrgOwned):
    """A machine's connection to the relays of a region, as they reported it; live for two minutes."""

    machine = models.ForeignKey("machines.Machine", on_delete=models.CASCADE, related_name="+")
    region_code = models.CharField(max_length=16)
    public_ip = models.GenericIPAddressField(null=True, blank=True)
    status = models.CharField(
        max_length=8, choices=[("active", "active"), ("ended", "ended")], default="active"
    )
    connection = models.CharField(
        max_length=40, help_text="as its relay calls it: what another one says of it does not count"
    )
    last_heartbeat = models.DateTimeField()

    class Meta(OrgOwned.Meta):
        db_table = "relay_sessions"
        constraints = (
            models.UniqueConstraint(fields=("machine", "region_code"), name="relay_session_one_per_region"),
        )
        indexes = [
            models.Index(fields=["org", "last_heartbeat"], name="relay_session_by_org"),
            models.Index(fields=["last_heartbeat"], name="relay_session_by_age"),
        ]


class RelayCut(Row):
    """A machine or an organisation that relays serve no more, as wire.relay.cut_id names it."""

    digest = models.CharField(max_length=22, unique=True)
    not_before = models.BigIntegerField(
        db_index=True, help_text="Unix seconds; tokens issued until then are void"
    )

    class Meta:
        db_table = "relay_cuts"

    def __str__(self) -> str:
        return self.digest
