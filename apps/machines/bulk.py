"""One operation on many machines; each is judged by itself and all changes are one transaction."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.core.actors import Actor
from apps.core.errors import ApiError
from apps.core.realtime import REFRESH_ABOVE, as_refresh
from apps.machines.services import edits, moves
from apps.machines.services.removal import delete_machine

# operation -> (service, names of `args` that it takes)
OPERATIONS: Mapping[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "approve": (moves.approve_machine, ()),
    "enable": (moves.enable_machine, ()),
    "disable": (moves.disable_machine, ()),
    "quarantine": (moves.quarantine_machine, ()),
    "unquarantine": (moves.unquarantine_machine, ()),
    "update_tags": (edits.update_tags, ("tags",)),
    "delete": (delete_machine, ()),
}


def change_many(
    *,
    org: Any,
    actor: Actor,
    operation: str,
    machine_ids: Sequence[UUID],
    dry_run: bool,
    args: Mapping[str, Any],
) -> dict[str, Any]:
    """{matched, changed, skipped[{id, code}]}; a dry run does all of it and takes it back."""
    service, names = OPERATIONS[operation]
    values = {name: args.get(name) for name in names}
    ids = list(dict.fromkeys(machine_ids))
    skipped = []
    with transaction.atomic():
        if len(ids) > REFRESH_ABOVE:
            with as_refresh():
                skipped = _run(service, org, actor, ids, values)
        else:
            skipped = _run(service, org, actor, ids, values)
        transaction.set_rollback(dry_run)
    missing = sum(skip["code"] == "NOT_FOUND" for skip in skipped)
    return {"matched": len(ids) - missing, "changed": len(ids) - len(skipped), "skipped": skipped}


def _run(
    service: Callable[..., Any], org: Any, actor: Actor, ids: Sequence[UUID], values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    skipped = []
    for machine_id in ids:
        try:
            with transaction.atomic():
                service(org=org, actor=actor, machine_id=machine_id, **values)
        except ApiError as error:
            skipped.append({"id": machine_id, "code": error.code})
    return skipped
