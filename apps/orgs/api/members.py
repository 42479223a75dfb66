"""`POST /api/org-management`: roles, removal, leaving, ownership."""

from typing import Any

from rest_framework import serializers

from apps.core.api.views import ActionView, Call, Operation
from apps.core.errors import Forbidden
from apps.orgs import members


class ChangeRoleInput(serializers.Serializer):
    target_user_id = serializers.UUIDField()
    new_role = serializers.CharField(max_length=20)


class TargetInput(serializers.Serializer):
    target_user_id = serializers.UUIDField()


def _change_role(call: Call) -> dict[str, Any]:
    member = members.change_role(
        org=call.org,
        actor=call.actor,
        user_id=call.data["target_user_id"],
        new_role=call.data["new_role"],
    )
    return {"user_id": member.user_id, "role": member.role}


def _remove(call: Call) -> dict[str, Any]:
    user_id = call.data["target_user_id"]
    quarantined = members.remove_member(org=call.org, actor=call.actor, user_id=user_id)
    return {"removed": user_id, "machines_quarantined": quarantined}


def _leave(call: Call) -> dict[str, Any]:
    if call.principal.kind != "user":
        raise Forbidden("Only open to people")
    members.leave(org=call.org, actor=call.actor)
    return {"left": True}


def _transfer(call: Call) -> dict[str, Any]:
    user_id = call.data["target_user_id"]
    members.transfer_ownership(org=call.org, actor=call.actor, user_id=user_id)
    return {"owner_user_id": user_id}


class MemberManagement(ActionView):
    topic = "org-management"
    actions = (
        Operation("change_role", "A", _change_role, ChangeRoleInput, scope="users:write"),
        Operation("remove_member", "A", _remove, TargetInput, scope="users:write"),
        Operation("leave", "M", _leave),
        Operation("transfer_ownership", "O", _transfer, TargetInput, step_up=True),
    )
