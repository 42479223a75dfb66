"""Tables acl_rules and policy_tests."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from apps.core.api.columns import Column
from apps.core.api.tables import TableView
from apps.core.api.views import Call
from apps.core.errors import ValidationFailed
from apps.machines.api.fields import Flag, WholeNumber
from apps.policy.conditions import parse_hours
from apps.policy.documents import as_api_error
from apps.policy.faults import RuleFault
from apps.policy.models import AclRule
from apps.policy.services import rules as services

SHORT = {"src": "source", "dst": "destination", "proto": "protocol"}
# What an exported row holds besides: it goes back in, and means nothing.
IGNORED = ("jit_grant_id", "unresolved", "warnings")


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


WRITABLE = tuple(name for name in RuleWrite().fields if name not in ("time_start", "time_end", "revision"))


class AclRulesTable(TableView):
    table, model, scope = "acl_rules", AclRule, "acl"
    columns = (
        *(Column(name) for name in ("id", "org_id", "created_by", "created_at", "updated_at")),
        *(Column(name, write="A") for name in WRITABLE),
        Column("src", write="A", source="source"),
        Column("dst", write="A", source="destination"),
        Column("proto", write="A", source="protocol"),
        Column("jit_grant_id", write="A"),
        Column("unresolved", write="A"),
        Column("warnings", write="A", source="unresolved", filterable=False),
        Column("revision", write="A"),
    )
    default_order = ("priority", "created_at")
    read, insert, update, delete_by = "M", "A", "A", "A"
    serializer = RuleWrite

    def decorate(self, rows: list[dict[str, Any]], call: Call) -> None:
        """A rule that names what is not there says so; hours also as start and end."""
        for row in rows:
            if "warnings" in row:
                row["warnings"] = [f"{member} names nothing" for member in row["warnings"]]
            if "time_hour" in row:
                start, _, end = (row["time_hour"] or "").partition("-")
                row["time_start"], row["time_end"] = _clock(start), _clock(end)

    def create_row(self, call: Call, values: Mapping[str, Any]) -> AclRule:
        given = {name: value for name, value in values.items() if name != "revision"}
        return services.create_rule(org=call.org, actor=call.actor, values=given)

    def update_row(self, call: Call, row: AclRule, values: Mapping[str, Any]) -> None:
        services.update_rule(org=call.org, actor=call.actor, rule_id=row.pk, values=values)

    def delete_row(self, call: Call, row: AclRule, *, force: bool) -> None:
        services.delete_rule(org=call.org, actor=call.actor, rule_id=row.pk)


def _minutes(hours: str) -> tuple[int, int]:
    try:
        return parse_hours(hours)
    except RuleFault as fault:
        raise as_api_error(fault) from None


def _clock(text: str) -> str | None:
    return (text if ":" in text else f"{text}:00") if text else None
