"""Table abac_policies, and `POST /api/abac`: a policy tried on a source that need not exist."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from apps.core.api.columns import Column
from apps.core.api.views import ActionView, Call, Operation
from apps.machines.api.fields import Flag
from apps.orgs.api.planned import PlannedTable
from apps.orgs.api.warnings import tell_warnings
from apps.policy.abac import EFFECTS, ROLES, parse_attribute_policy
from apps.policy.api.writes import AbacWrite
from apps.policy.documents import as_api_error
from apps.policy.facts import MachineFacts
from apps.policy.faults import RuleFault
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


class TriedPolicy(serializers.Serializer):
    """A policy that need not have a name yet."""

    name = serializers.CharField(max_length=100, required=False, default="policy")
    effect = serializers.ChoiceField(EFFECTS, required=False, default="deny")
    selector = serializers.CharField(max_length=4000, required=False, default="*")
    conditions = serializers.DictField()


class SampleInput(serializers.Serializer):
    """What is told of the source; what is left out is unknown."""

    at = serializers.DateTimeField(required=False)
    country = serializers.RegexField("^[A-Za-z]{2}$", required=False)
    os = serializers.CharField(max_length=20, required=False, default="unknown")
    tags = serializers.ListField(child=serializers.CharField(max_length=50), required=False, max_length=50)
    role = serializers.ChoiceField(ROLES, required=False)
    posture = Flag(required=False)
    address = serializers.IPAddressField(required=False)


class TrialInput(serializers.Serializer):
    policy = TriedPolicy()
    sample = SampleInput(required=False, default=dict)


def _try(call: Call) -> dict[str, Any]:
    given = call.data["sample"]
    try:
        policy = parse_attribute_policy({"id": "", **call.data["policy"]})
    except RuleFault as fault:
        raise as_api_error(fault) from None
    source = MachineFacts(
        id="",
        name="",
        addresses=(),
        os=given.get("os", "unknown"),
        country=given["country"].upper() if "country" in given else None,
        tags=frozenset(tag.removeprefix("tag:") for tag in given.get("tags", ())),
        owner_role=given.get("role"),
        posture_ok=given.get("posture"),
        public_address=given.get("address"),
    )
    conditions = policy.attributes(source)
    if policy.window is not None:
        conditions["time"] = policy.window.active((given.get("at") or timezone.now()).timestamp())
    return {"met": all(conditions.values()), "conditions": conditions}


class Abac(ActionView):
    topic = "abac"
    actions = (Operation("test", "M", _try, TrialInput, scope="acl:read"),)
