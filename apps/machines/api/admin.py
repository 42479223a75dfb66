"""`POST /api/machine-admin`: what people do to machines."""

from collections.abc import Callable
from typing import Any

from rest_framework import serializers

from apps.core.api.filters import list_filters
from apps.core.api.views import ActionView, Answer, Call, Operation
from apps.core.api.window import MAX_ROWS
from apps.core.errors import InvalidInput, MissingFields, NotFound, TooManyRows, UnsafeUpdate
from apps.machines.api.fields import Flag, FlagsInput, machine_org, tag_list
from apps.machines.api.tables import MachinesTable
from apps.machines.bulk import OPERATIONS, change_many
from apps.machines.models import Machine
from apps.machines.names import magicdns_name
from apps.machines.routes import pending
from apps.machines.services import commands, edits, moves, routing
from apps.machines.services.heartbeat import paths_of
from apps.machines.services.removal import delete_machine

SOURCES = {"approved_by": "approved_by_id"}


class MachineInput(serializers.Serializer):
    machine_id = serializers.UUIDField()


class ReasonInput(MachineInput):
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class ApproveInput(MachineInput):
    owner_id = serializers.UUIDField(required=False, allow_null=True, default=None)


class RenameInput(MachineInput):
    # Length and characters are judged by the service, whose messages say more.
    name = serializers.CharField(max_length=2000, allow_blank=True, trim_whitespace=False)


class TagsInput(MachineInput):
    tags = tag_list()


class AdvertiseInput(MachineInput):
    # Networks are judged by the service, whose messages say more.
    routes = serializers.JSONField()


class RoutesInput(MachineInput):
    routes = serializers.JSONField(required=False, allow_null=True, default=None)


class FlagsChangeInput(MachineInput, FlagsInput):
    pass


class UpdateInput(MachineInput):
    name = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    tags = tag_list(required=False)
    flags = FlagsInput(required=False)
    advertised_routes = serializers.JSONField(required=False)


class KeyExpiryInput(MachineInput):
    disabled = Flag()


class OwnerInput(MachineInput):
    owner_id = serializers.UUIDField(required=False, allow_null=True, default=None)


class WipeInput(MachineInput):
    confirm = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")


class BulkInput(serializers.Serializer):
    """Machines by their ids, or by conditions as the table's `_filters` are written."""

    operation = serializers.ChoiceField(sorted(OPERATIONS))
    machine_ids = serializers.ListField(
        child=serializers.UUIDField(), max_length=MAX_ROWS, allow_empty=False, required=False
    )
    filters = serializers.JSONField(required=False)
    dry_run = Flag(required=False, default=True)
    args = serializers.DictField(required=False, default=dict)


def _move(service: Callable[..., Machine], *shown: str) -> Callable[[Call], dict[str, Any]]:
    """A call that answers machine_id, status and the columns named."""

    def run(call: Call) -> dict[str, Any]:
        machine = service(org=call.org, actor=call.actor, **call.data)
        found = {name: getattr(machine, SOURCES.get(name, name)) for name in ("status", *shown)}
        return {"machine_id": machine.pk, **found}

    return run


def _reject(call: Call) -> dict[str, Any]:
    machine_id = call.data["machine_id"]
    moves.reject_machine(org=call.org, actor=call.actor, machine_id=machine_id)
    return {"machine_id": machine_id, "deleted": machine_id}


def _delete(call: Call) -> dict[str, Any]:
    machine_id = call.data["machine_id"]
    delete_machine(org=call.org, actor=call.actor, machine_id=machine_id)
    return {"machine_id": machine_id, "deleted": machine_id}


def _lock(locked: bool) -> Callable[[Call], dict[str, Any]]:
    def run(call: Call) -> dict[str, Any]:
        machine, command_id = moves.set_locked(org=call.org, actor=call.actor, locked=locked, **call.data)
        return {"machine_id": machine.pk, "locked": machine.locked, "command_id": command_id}

    return run


def _wipe(call: Call) -> Answer:
    command = commands.wipe_device(org=call.org, actor=call.actor, **call.data)
    data = {"machine_id": call.data["machine_id"], "command_id": command.pk, "status": "queued"}
    return Answer(data, status=202)


def _rename(call: Call) -> dict[str, Any]:
    machine = edits.rename_machine(org=call.org, actor=call.actor, **call.data)
    full = magicdns_name(machine.name, call.org.slug)
    return {"machine_id": machine.pk, "name": machine.name, "magicdns_name": full}


def _flags(call: Call) -> dict[str, Any]:
    flags = dict(call.data)
    machine_id = flags.pop("machine_id")
    edits.update_flags(org=call.org, actor=call.actor, machine_id=machine_id, flags=flags)
    return {"machine_id": machine_id, **flags}


def _routes(service: Callable[..., Machine]) -> Callable[[Call], dict[str, Any]]:
    """A call that answers what the machine offers, may carry and waits for."""

    def run(call: Call) -> dict[str, Any]:
        machine = service(org=call.org, actor=call.actor, **call.data)
        return {
            "machine_id": machine.pk,
            "advertised_routes": machine.advertised_routes,
            "approved_routes": machine.approved_routes,
            "pending": pending(machine),
        }

    return run


def _expire_key(call: Call) -> dict[str, Any]:
    machine = moves.expire_key(org=call.org, actor=call.actor, **call.data)
    return {"machine_id": machine.pk, "key_expired": True}


def _peers(call: Call) -> dict[str, Any]:
    """How the machine last said it reaches each peer, with the peers' names."""
    machine_id = call.data["machine_id"]
    rows = Machine.objects.for_org(call.org)
    if not rows.filter(pk=machine_id).exists():
        raise NotFound()
    paths = paths_of(machine_id)
    names = {
        str(pk): name
        for pk, name in rows.filter(pk__in=[path["machine_id"] for path in paths]).values_list("pk", "name")
    }
    peers = [{**path, "name": names[path["machine_id"]]} for path in paths if path["machine_id"] in names]
    return {"machine_id": machine_id, "peers": peers}


def _bulk(call: Call) -> dict[str, Any]:
    wanted = dict(call.data)
    if "filters" in wanted:
        if "machine_ids" in wanted:
            raise InvalidInput("machine_ids and filters exclude each other", field="filters")
        wanted["machine_ids"] = _matching(call, wanted.pop("filters"))
    elif "machine_ids" not in wanted:
        raise MissingFields("machine_ids or filters required", field="machine_ids")
    return change_many(org=call.org, actor=call.actor, **wanted)


def _matching(call: Call, filters: Any) -> list[Any]:
    """Ids of the machines that conditions leave; raises InvalidFilter, UnsafeUpdate, TooManyRows."""
    table = MachinesTable()
    columns = {name: column for name, column in table.resolved_columns().items() if column.filterable}
    conditions = list_filters(columns, filters)
    if not conditions:
        raise UnsafeUpdate()
    rows = table.scoped_rows(call).filter(conditions).order_by("pk")
    found = list(rows.values_list("pk", flat=True)[: MAX_ROWS + 1])
    if len(found) > MAX_ROWS:
        raise TooManyRows()
    return found


def _write(name: str, who: str, run: Any, serializer: Any, **options: Any) -> Operation:
    return Operation(name, who, run, serializer, scope="machines:write", org_of=machine_org, **options)


class MachineAdmin(ActionView):
    topic = "machine-admin"
    actions = (
        _write("approve", "A", _move(moves.approve_machine, "approved_at", "approved_by"), ApproveInput),
        _write("reject", "A", _reject, MachineInput),
        _write("enable", "M", _move(moves.enable_machine, "admin_disabled"), MachineInput),
        _write("disable", "M", _move(moves.disable_machine, "admin_disabled"), ReasonInput),
        _write("quarantine", "A", _move(moves.quarantine_machine, "quarantine_reason"), ReasonInput),
        _write("unquarantine", "A", _move(moves.unquarantine_machine), MachineInput),
        _write("delete", "A", _delete, MachineInput),
        _write("rename", "MN", _rename, RenameInput),
        _write("update_tags", "MN", _move(edits.update_tags, "tags"), TagsInput),
        _write("update_flags", "MN", _flags, FlagsChangeInput),
        _write("update", "MN", _move(edits.update_machine, "name", "tags", "advertised_routes"), UpdateInput),
        _write("advertise_routes", "MN", _routes(routing.advertise_routes), AdvertiseInput),
        _write("approve_routes", "A", _routes(routing.approve_routes), RoutesInput),
        _write("reject_routes", "A", _routes(routing.reject_routes), RoutesInput),
        _write("approve_exit_node", "A", _move(routing.approve_exit_node, *routing.EXIT_NODE), MachineInput),
        _write("reject_exit_node", "A", _move(routing.reject_exit_node, *routing.EXIT_NODE), MachineInput),
        _write("set_key_expiry", "A", _move(moves.set_key_expiry, "key_expiry_disabled"), KeyExpiryInput),
        _write("expire_key", "A", _expire_key, MachineInput),
        _write("lock_device", "A", _lock(True), ReasonInput),
        _write("unlock_device", "A", _lock(False), ReasonInput),
        _write("wipe_device", "A", _wipe, WipeInput, step_up=True),
        _write("set_owner", "A", _move(moves.set_owner, "owner_id"), OwnerInput),
        Operation("bulk", "A", _bulk, BulkInput, scope="machines:write"),
        Operation("peers", "M", _peers, MachineInput, scope="machines:read", org_of=machine_org),
    )
