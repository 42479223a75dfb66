"""A machine's report as it comes in. What it says is bounded; whether it is true nobody else can tell."""

import ipaddress
import math
from typing import Any

from rest_framework import serializers

from apps.flows.models import MAX_PORT, VERDICTS
from apps.machines.api.fields import WholeNumber

MAX_ROWS = 500
# No link carries more in the time of a report, and no sum of such rows overflows.
MOST = 1 << 48
MOST_COUNT = 1 << 24
NAMED = ("tcp", "udp", "icmp")


class Moment(serializers.FloatField):
    """Unix seconds, finite."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool | str) or not math.isfinite(value := super().to_internal_value(data)):
            self.fail("invalid")
        return value


class Address(serializers.CharField):
    """An IPv4 or IPv6 address in its usual form."""

    default_error_messages = {"invalid": "must be an IP address"}

    def to_internal_value(self, data: Any) -> str:
        try:
            return str(ipaddress.ip_address(super().to_internal_value(data)))
        except ValueError:
            self.fail("invalid")


class Protocol(serializers.CharField):
    """tcp, udp, icmp or the number of another one."""

    default_error_messages = {"invalid": "must be tcp, udp, icmp or a protocol number"}

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        number = value.isascii() and value.isdecimal() and int(value) <= 255
        if value not in NAMED and not number:
            self.fail("invalid")
        return value


class RowInput(serializers.Serializer):
    at = Moment()
    source = Address(max_length=45)
    destination = Address(max_length=45)
    protocol = Protocol(max_length=4)
    port = WholeNumber(min_value=0, max_value=MAX_PORT)
    verdict = serializers.ChoiceField(VERDICTS)
    rule_id = serializers.CharField(max_length=64, required=False, allow_null=True)
    packets = WholeNumber(min_value=0, max_value=MOST)
    bytes = WholeNumber(min_value=0, max_value=MOST)
    count = WholeNumber(min_value=0, max_value=MOST_COUNT)


class ReportInput(serializers.Serializer):
    """from and to: the span on the machine's clock; together they name the report."""

    to = Moment()
    dropped = WholeNumber(min_value=0, max_value=MOST, required=False, default=0)
    rows = serializers.ListField(child=RowInput(), max_length=MAX_ROWS)

    def get_fields(self) -> dict[str, Any]:
        return {"from": Moment(), **super().get_fields()}
