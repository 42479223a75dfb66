"""Machines, keys and what travels between them, in Django admin."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from apps.core.admin import OrgModelAdmin, confirmed, operator, tell_done
from apps.core.errors import ApiError
from apps.machines.models import (
    AddressCursor,
    AgentCommand,
    AuthKey,
    KeyExchange,
    Machine,
    NetmapAck,
    NetmapChange,
    TagOwner,
)
from apps.machines.services import authkeys, moves, tagowners
from apps.machines.services.removal import delete_machine


def _action(name: str, question: str, service: Callable[..., Any], id_name: str = "machine_id") -> Any:
    """An action that asks first and runs the service of the API on each row."""

    def run(modeladmin: Any, request: HttpRequest, rows: Any) -> Any:
        if page := confirmed(modeladmin, request, rows, action=name, question=question):
            return page
        done, refused = 0, []
        for row in rows:
            try:
                service(org=row.org, actor=operator(request), **{id_name: row.pk})
                done += 1
            except ApiError as error:
                refused.append(f"{row}: {error.message}")
        tell_done(modeladmin, request, "; ".join([f"{done} changed", *refused]))
        return None

    run.__name__ = name
    return admin.action(description=question.rstrip("?"))(run)


@admin.register(Machine)
class MachineAdmin(OrgModelAdmin):
    list_display = ("name", "org", "status", "os", "tailnet_ip", "version", "last_seen", "owner")
    list_filter = ("org", "status", "os", "ephemeral", "quarantine_reason")
    list_select_related = ("org", "owner")
    search_fields = ("name", "tailnet_ip", "public_key", "owner__email")
    exclude = ("node_key_hash",)
    actions = (
        _action("approve_machines", "Approve these machines?", moves.approve_machine),
        _action("quarantine_machines", "Quarantine these machines?", moves.quarantine_machine),
        _action("unquarantine_machines", "Lift their quarantine?", moves.unquarantine_machine),
        _action("expire_machine_keys", "Make these machines sign in again?", moves.expire_key),
        _action("delete_machines", "Delete these machines for good?", delete_machine),
    )


@admin.register(AuthKey)
class AuthKeyAdmin(OrgModelAdmin):
    list_display = ("name", "org", "key_prefix", "reusable", "used_count", "expires_at", "revoked")
    list_filter = ("org", "reusable", "ephemeral", "revoked", "expired")
    search_fields = ("name", "key_prefix")
    exclude = ("key_hash",)
    actions = (
        _action(
            "revoke_auth_keys",
            "Revoke these keys and quarantine their machines?",
            authkeys.revoke_auth_key,
            "key_id",
        ),
    )


@admin.register(TagOwner)
class TagOwnerAdmin(OrgModelAdmin):
    list_display = ("tag", "org", "principal", "user", "created_by", "created_at")
    list_filter = ("org", "principal")
    list_select_related = ("org", "user", "created_by")
    search_fields = ("tag", "user__email")
    actions = (
        _action(
            "remove_tag_owners", "Take these tags from their owners?", tagowners.remove_tag_owner, "owner_id"
        ),
    )


@admin.register(KeyExchange)
class KeyExchangeAdmin(OrgModelAdmin):
    list_display = ("requester_machine", "responder_machine", "org", "status", "created_at", "completed_at")
    list_filter = ("org", "status")
    list_select_related = ("org", "requester_machine", "responder_machine")
    search_fields = ("requester_machine__name", "responder_machine__name")
    exclude = ("x25519_public", "mlkem_ciphertext", "nonce", "confirm")


@admin.register(AgentCommand)
class AgentCommandAdmin(OrgModelAdmin):
    list_display = ("command_type", "machine", "org", "status", "created_at", "finished_at")
    list_filter = ("org", "command_type", "status")
    list_select_related = ("org", "machine")
    search_fields = ("machine__name",)


@admin.register(NetmapChange)
class NetmapChangeAdmin(OrgModelAdmin):
    list_display = ("version", "org", "machine_id", "created_at")
    search_fields = ("machine_id",)


@admin.register(NetmapAck)
class NetmapAckAdmin(OrgModelAdmin):
    list_display = ("version", "org", "machine_id", "took_ms", "created_at")
    search_fields = ("machine_id",)


@admin.register(AddressCursor)
class AddressCursorAdmin(OrgModelAdmin):
    list_display = ("org", "given")
    search_fields = ("org__name",)
