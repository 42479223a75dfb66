"""Moves of the machine's state machine that people make."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.errors import Conflict, Forbidden, InvalidState, NotFound
from apps.machines.models import Machine
from apps.machines.services.commands import queue_command
from apps.machines.services.removal import remove_machines
from apps.machines.services.writing import machine_in, require_admin_or_owner, save_change, tell_regrouped
from apps.machines.state import lift_quarantine, quarantine
from apps.machines.verdicts import verdicts_of
from apps.orgs.models import OrgMember

QUARANTINE = ("quarantine_reason", "quarantine_note", "quarantined_at", "quarantined_by")


def approve_machine(*, org: Any, actor: Actor, machine_id: Any, owner_id: UUID | None = None) -> Machine:
    """Let a pending machine in, or lift a quarantine; raises NotFound, InvalidState."""
    with transaction.atomic():
        owner_id = _held_member(org, owner_id) if owner_id else None
        machine = machine_in(org, machine_id)
        if machine.approved_at and not machine.quarantine_reason:
            raise InvalidState("The machine is neither pending nor quarantined")
        _refuse_while_failing(machine)
        fields = ["approved_at", "approved_by", *QUARANTINE]
        if owner_id is not None:
            machine.owner_id = owner_id
            fields.append("owner")
        elif machine.owner_id and not _is_member(org, machine.owner_id):
            raise Conflict("Its owner has left; name a new one", field="owner_id")
        if machine.approved_at is None:
            machine.approved_at, machine.approved_by_id = timezone.now(), actor.user_id
        lift_quarantine(machine)
        save_change(machine, fields, actor=actor, action="machine.approved")
        return machine if owner_id is None else tell_regrouped(machine, actor)


def reject_machine(*, org: Any, actor: Actor, machine_id: Any) -> None:
    """Turn a pending machine away for good; raises NotFound, InvalidState."""
    with transaction.atomic():
        machine = machine_in(org, machine_id)
        if machine.approved_at:
            raise InvalidState("The machine is not pending")
        remove_machines([machine], actor=actor, action="machine.rejected")


def enable_machine(*, org: Any, actor: Actor, machine_id: Any) -> Machine:
    """Undo `disable_machine`; never lifts a quarantine. Raises Forbidden, InvalidState, NotFound."""
    with transaction.atomic():
        machine = machine_in(org, machine_id)
        require_admin_or_owner(actor, machine)
        if not machine.admin_disabled:
            raise InvalidState("The machine is not disabled")
        if machine.disabled_by_admin and not actor.is_admin:
            raise Forbidden("disabled by an administrator")
        machine.admin_disabled = machine.disabled_by_admin = False
        return save_change(
            machine, ["admin_disabled", "disabled_by_admin"], actor=actor, action="machine.enabled"
        )


def disable_machine(*, org: Any, actor: Actor, machine_id: Any, reason: str = "") -> Machine:
    """Take a machine off the network until it is enabled; raises Forbidden, NotFound."""
    with transaction.atomic():
        machine = machine_in(org, machine_id)
        require_admin_or_owner(actor, machine)
        machine.admin_disabled = True
        # An administrator's word outweighs the owner's, and the owner never takes it back.
        machine.disabled_by_admin = machine.disabled_by_admin or actor.is_admin
        return save_change(
            machine,
            ["admin_disabled", "disabled_by_admin"],
            actor=actor,
            action="machine.disabled",
            details={"reason": reason},
        )


def quarantine_machine(*, org: Any, actor: Actor, machine_id: Any, reason: str = "") -> Machine:
    """Cut a machine off by an administrator's word; raises NotFound, InvalidState for a pending one."""
    with transaction.atomic():
        machine = machine_in(org, machine_id)
        if machine.approved_at is None:
            raise InvalidState("A pending machine has nothing to be cut off from")
        if not quarantine(machine, reason="admin", note=reason or None, by_id=actor.user_id):
            return machine
        return save_change(
            machine, QUARANTINE, actor=actor, action="machine.quarantined", details={"reason": reason}
        )


def unquarantine_machine(*, org: Any, actor: Actor, machine_id: Any) -> Machine:
    """Lift a quarantine; raises NotFound, InvalidState."""
    with transaction.atomic():
        machine = machine_in(org, machine_id)
        if not machine.quarantine_reason:
            raise InvalidState("The machine is not quarantined")
        _refuse_while_failing(machine)
        return _lift(machine, actor)


def lift_if(*, org: Any, actor: Actor, machine_id: Any, reason: str) -> bool:
    """Lift a quarantine of this reason and no other; True if it stood. Runs inside a transaction."""
    machine = Machine.objects.for_org(org).locked_row(machine_id)
    if machine is None or machine.quarantine_reason != reason:
        return False
    _lift(machine, actor)
    return True


def set_locked(
    *, org: Any, actor: Actor, machine_id: Any, locked: bool, reason: str = ""
) -> tuple[Machine, UUID]:
    """(machine, command id): lock or unlock the device; raises NotFound, InvalidState."""
    with transaction.atomic():
        machine = machine_in(org, machine_id)
        if machine.locked == locked:
            raise InvalidState("The device is locked already" if locked else "The device is not locked")
        machine.locked = locked
        command = queue_command(
            machine, actor=actor, command_type="lock" if locked else "unlock", parameters={"reason": reason}
        )
        save_change(
            machine,
            ["locked"],
            actor=actor,
            action="machine.locked" if locked else "machine.unlocked",
            details={"reason": reason},
        )
    return machine, command.pk


def set_key_expiry(*, org: Any, actor: Actor, machine_id: Any, disabled: bool) -> Machine:
    """Exempt a machine's node key from ageing, or no longer; raises NotFound."""
    with transaction.atomic():
        machine = machine_in(org, machine_id)
        machine.key_expiry_disabled = disabled
        # A key that aged out is good again; one that was expired by hand stays so until a new sign-in.
        return save_change(
            machine,
            ["key_expiry_disabled"],
            actor=actor,
            action="machine.key_expiry_changed",
            details={"disabled": disabled},
        )


def expire_key(*, org: Any, actor: Actor, machine_id: Any) -> Machine:
    """End the node key now: the machine has to sign in again. Raises NotFound."""
    with transaction.atomic():
        machine = machine_in(org, machine_id)
        machine.key_expired_at = timezone.now()
        return save_change(machine, ["key_expired_at"], actor=actor, action="machine.key_expired")


def set_owner(*, org: Any, actor: Actor, machine_id: Any, owner_id: UUID | None) -> Machine:
    """Give a machine to a member, or to nobody; raises NotFound."""
    with transaction.atomic():
        owner_id = _held_member(org, owner_id) if owner_id else None
        machine = machine_in(org, machine_id)
        machine.owner_id = owner_id
        details = {"owner_id": machine.owner_id}
        save_change(machine, ["owner"], actor=actor, action="machine.owner_changed", details=details)
        return tell_regrouped(machine, actor)


def _lift(machine: Machine, actor: Actor) -> Machine:
    details = {"reason": machine.quarantine_reason}
    lift_quarantine(machine)
    return save_change(machine, QUARANTINE, actor=actor, action="machine.unquarantined", details=details)


def _refuse_while_failing(machine: Machine) -> None:
    """A quarantine of posture ends by a clean report, not by a word: the next look would bring it back."""
    verdict = verdicts_of(machine.org_id, [machine.pk]).get(machine.pk)
    if machine.quarantine_reason == "posture" and verdict is not None and verdict.compliant is False:
        raise InvalidState("Its posture still fails; a clean report lifts this quarantine")


def _is_member(org: Any, user_id: UUID) -> bool:
    return OrgMember.objects.for_org(org).filter(user_id=user_id, status="active").exists()


def _held_member(org: Any, user_id: UUID) -> UUID:
    """Members are locked before machines: nobody is given a machine while he is taken out."""
    members = OrgMember.objects.for_org(org).select_for_update()
    if members.filter(user_id=user_id, status="active").first() is None:
        raise NotFound("owner_id: no such member")
    return user_id
