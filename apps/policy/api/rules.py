"""Tables acl_rules and policy_tests."""

from collections.abc import Mapping
from typing import Any

from apps.core.api.columns import Column
from apps.core.api.views import Call
from apps.orgs.api.planned import PlannedTable
from apps.orgs.api.warnings import tell_warnings
from apps.policy.api.writes import RuleWrite
from apps.policy.models import AclRule
from apps.policy.services import rules as services

WRITABLE = tuple(name for name in RuleWrite().fields if name not in ("time_start", "time_end", "revision"))


class AclRulesTable(PlannedTable):
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
        tell_warnings(rows)
        for row in rows:
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


def _clock(text: str) -> str | None:
    return (text if ":" in text else f"{text}:00") if text else None
