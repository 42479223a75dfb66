"""Serializer fields that several endpoints use."""

from typing import Any

from rest_framework import serializers

from apps.auth.api.keys import WholeNumber
from apps.core.api.views import parse_id
from apps.core.errors import MissingFields
from apps.machines.models import FLAGS, Machine

__all__ = ["Flag", "FlagsInput", "WholeNumber", "machine_org", "tag_list"]


class Flag(serializers.BooleanField):
    """true or false, and no text that reads like one."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class FlagsInput(serializers.Serializer):
    """Those of FLAGS that are given."""

    shields_up = Flag(required=False)
    ssh_enabled = Flag(required=False)
    accept_routes = Flag(required=False)
    advertise_exit_node = Flag(required=False)
    auto_update = Flag(required=False)


assert set(FlagsInput().fields) == set(FLAGS)


def tag_list(**options: Any) -> serializers.JSONField:
    """Tags as they came; `names.parse_tags` judges them, with messages of its own."""
    return serializers.JSONField(**options)


def machine_org(body: Any) -> Any:
    """The organisation that a machine_id fixes."""
    if not body.get("machine_id"):
        raise MissingFields("machine_id required", field="machine_id")
    machine_id = parse_id(body["machine_id"], "machine_id")
    return Machine.all_orgs.filter(pk=machine_id).values_list("org_id", flat=True).first()
