"""Columns of policy's tables as they are written, whichever door they come through."""

from typing import Any

from rest_framework import serializers

from apps.core.errors import ValidationFailed
from apps.machines.api.fields import Flag, WholeNumber
from apps.policy.abac import EFFECTS
from apps.policy.conditions import parse_hours
from apps.policy.documents import as_api_error
from apps.policy.faults import RuleFault
from apps.policy.rules import LAST_PRIORITY

SHORT = {"src": "source", "dst": "destination", "proto": "protocol"}
# What an exported row holds besides: it goes back in, and means nothing.
WARNED = ("unresolved", "warnings")
IGNORED = ("jit_grant_id", *WARNED)


class RuleWrite(serializers.Serializer):
    """Columns of a rule; the service judges what stands in them, for all doors alike."""

    name = serializers.CharField(max_length=300)
    description = serializers.CharField(max_length=500, required=False, allow_null=True, allow_blank=True)
    source = serializers.CharField(max_length=4000, trim_whitespace=False)
    destination = serializers.CharField(max_length=4000, trim_whitespace=False)
    protocol = serializers.CharField(max_length=20, required=False)
    ports = serializers.CharField(max_length=800, required=False)
    action = serializers.CharField(max_length=20, required=False)
    priority = WholeNumber(required=False)
    enabled = Flag(required=False)
    starts_at = serializers.DateTimeField(required=False, allow_null=True)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    time_hour = serializers.CharField(max_length=20, required=False, allow_null=True)
    time_start = serializers.CharField(max_length=5, required=False, write_only=True, allow_null=True)
    time_end = serializers.CharField(max_length=5, required=False, write_only=True, allow_null=True)
    day_of_week = serializers.CharField(max_length=60, required=False, allow_null=True)
    timezone = serializers.CharField(max_length=60, required=False)
    source_country = serializers.JSONField(required=False, allow_null=True)
    source_os = serializers.JSONField(required=False, allow_null=True)
    require_posture = Flag(required=False)
    require_pqc = Flag(required=False)
    revision = WholeNumber(required=False)

    def to_internal_value(self, data: Any) -> Any:
        """Short names stand for the stored ones; both at once must agree."""
        values = {name: value for name, value in data.items() if name not in IGNORED}
        for short, stored in SHORT.items():
            if short in values:
                value = values.pop(short)
                if values.setdefault(stored, value) != value:
                    raise ValidationFailed(f"{short} and {stored} differ", field=stored)
        found = super().to_internal_value(values)
        start, end = found.pop("time_start", None), found.pop("time_end", None)
        if start or end:
            hours = f"{start or '00:00'}-{end or '24:00'}"
            given = found.get("time_hour")
            if given is not None and _minutes(given) != _minutes(hours):
                raise ValidationFailed("time_hour and time_start, time_end differ", field="time_hour")
            found["time_hour"] = hours
        return found


class AbacWrite(serializers.Serializer):
    """Columns of an attribute policy."""

    name = serializers.CharField(max_length=100)
    effect = serializers.ChoiceField(EFFECTS)
    selector = serializers.CharField(max_length=4000)
    conditions = serializers.DictField()
    enabled = Flag(required=False)
    priority = WholeNumber(required=False, min_value=0, max_value=LAST_PRIORITY)

    def to_internal_value(self, data: Any) -> Any:
        """What an exported row says of what it names goes back in, and means nothing."""
        return super().to_internal_value({name: data[name] for name in data if name not in WARNED})


def _minutes(hours: str) -> tuple[int, int]:
    try:
        return parse_hours(hours)
    except RuleFault as fault:
        raise as_api_error(fault) from None
