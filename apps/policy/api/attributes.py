"""Table abac_policies."""

from collections.abc import Mapping
from typing import Any

from apps.core.api.columns import Column
from apps.core.api.views import Call
from apps.orgs.api.planned import PlannedTable
from apps.orgs.api.warnings import tell_warnings
from apps.policy.api.writes import AbacWrite
from apps.policy.models import AbacPolicy
from apps.policy.services import attributes as services


class AbacPoliciesTable(PlannedTable):
    table, model, scope = "abac_policies", AbacPolicy, "acl"
    columns = (
        *(Column(name) for name in ("id", "org_id", "created_by", "created_at", "updated_at")),
        *(Column(name, write="A") for name in (*AbacWrite().fields, "unresolved")),
        Column("warnings", write="A", source="unresolved", filterable=False),
    )
    default_order = ("priority",)
    read, insert, update, delete_by = "M", "A", "A", "A"
    serializer = AbacWrite

    def decorate(self, rows: list[dict[str, Any]], call: Call) -> None:
        """A policy that names what is not there says so."""
        tell_warnings(rows)

    def create_row(self, call: Call, values: Mapping[str, Any]) -> AbacPolicy:
        return services.create_policy(org=call.org, actor=call.actor, values=values)

    def update_row(self, call: Call, row: AbacPolicy, values: Mapping[str, Any]) -> None:
        services.update_policy(org=call.org, actor=call.actor, policy_id=row.pk, values=values)

    def delete_row(self, call: Call, row: AbacPolicy, *, force: bool) -> None:
        services.delete_policy(org=call.org, actor=call.actor, policy_id=row.pk)
