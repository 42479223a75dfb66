"""Table policy_tests."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from apps.core.api.columns import Column
from apps.core.api.tables import TableView
from apps.core.api.views import Call
from apps.machines.api.fields import WholeNumber
from apps.policy.models import PolicyTest
from apps.policy.ports import LAST_PORT
from apps.policy.rules import ACTIONS, PROTOCOLS
from apps.policy.services import policytests as services


class PolicyTestWrite(serializers.Serializer):
    name = serializers.CharField(max_length=100)
    source = serializers.CharField(max_length=4000)
    destination = serializers.CharField(max_length=4000)
    port = WholeNumber(required=False, min_value=0, max_value=LAST_PORT)
    protocol = serializers.ChoiceField(PROTOCOLS[:3], required=False)
    expected = serializers.ChoiceField(ACTIONS)


class PolicyTestsTable(TableView):
    table, model, scope = "policy_tests", PolicyTest, "acl"
    columns = (
        *(Column(name) for name in ("id", "org_id", "created_at", "updated_at")),
        *(Column(name) for name in ("last_result", "last_run_at")),
        *(Column(name, write="A") for name in PolicyTestWrite().fields),
    )
    default_order = ("name",)
    read, insert, update, delete_by = "M", "A", "A", "A"
    serializer = PolicyTestWrite

    def create_row(self, call: Call, values: Mapping[str, Any]) -> PolicyTest:
        return services.save_test(org=call.org, actor=call.actor, values=values)

    def update_row(self, call: Call, row: PolicyTest, values: Mapping[str, Any]) -> None:
        services.save_test(org=call.org, actor=call.actor, values=values, test_id=row.pk)

    def delete_row(self, call: Call, row: PolicyTest, *, force: bool) -> None:
        services.delete_test(org=call.org, actor=call.actor, test_id=row.pk)
