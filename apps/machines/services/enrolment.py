"""Enrolment: a machine joins by auth key or through its person, as a new one or as one it proves to be.

Order of failures: the auth key (unknown, spent, wrong network), then the proof, then what the
database refuses. Counting the key's use, the address and the row are one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.audit.services import record
from apps.auth.secrets import new_secret, secret_hash
from apps.core.actors import Actor
from apps.core.addresses import in_networks
from apps.core.errors import Conflict
from apps.core.realtime import publish
from apps.machines import presence
from apps.machines.addresses import take_address
from apps.machines.changes import touch
from apps.machines.errors import (
    AddressRefused,
    InvalidKey,
    InvalidSignature,
    KeyUsed,
    RegistrationConflict,
)
from apps.machines.keys import KeyBundle, verify
from apps.machines.models import AuthKey, Machine
from apps.machines.names import as_selectors, numbered, reserved_labels
from apps.machines.nodes import NODE_KEY_PREFIX
from apps.machines.services.tagowners import given_tags
from apps.machines.services.writing import settle, tell
from apps.orgs.models import Organization, OrgSettings
from apps.orgs.signals import names_changed
from wire.identity import reenrolment


@dataclass(frozen=True)
class Previous:
    """The machine that the caller says to be: proof is its old node key, or its old identity's signature."""

    machine_id: UUID
    proof: str


@dataclass(frozen=True)
class Candidate:
    """What a machine says of itself; name is a DNS label, tags and routes are parsed.

    routes, exit_node: what it offers to carry; None leaves the offers of a known machine as they are.
    """

    name: str
    os: str
    keys: KeyBundle
    version: str | None = None
    os_version: str | None = None
    tags: Sequence[str] = field(default_factory=tuple)
    previous: Previous | None = None
    routes: Sequence[str] | None = None
    exit_node: bool | None = None


@dataclass(frozen=True)
class Enrolled:
    """The machine and its node key, which is stored only as a hash."""

    machine: Machine
    node_key: str
    tags_refused: Sequence[str] = ()
    renamed_from: str | None = None


def judge_auth_key(credential: str, *, address: str | None, previous: Previous | None = None) -> AuthKey:
    """The key that a credential names; raises InvalidKey, KeyUsed, AddressRefused."""
    key = AuthKey.all_orgs.filter(key_hash=secret_hash(credential), org__suspended_at=None).first()
    if key is None:
        raise InvalidKey()
    _judge(key, address, previous)
    return key


def register_machine(*, auth_key: AuthKey, credential: str, candidate: Candidate, actor: Actor) -> Enrolled:
    """Enrol by a key that was judged; judged again under its lock, since others may have spent it."""
    org = Organization.objects.for_org(auth_key.org_id).get()
    with _conflicts(), transaction.atomic():
        key = AuthKey.objects.for_org(org).select_for_update().get(pk=auth_key.pk)
        _judge(key, actor.ip_address, candidate.previous)
        allowed = key.allowed_tags or []
        tags = list(dict.fromkeys([*(key.tags or []), *(tag for tag in candidate.tags if tag in allowed)]))
        known = _proven(org, candidate, credential)
        if known is not None:
            enrolled = _return(known, candidate, actor, auth_key_id=key.pk)
        else:
            enrolled = _admit(org, candidate, actor, tags=tags, key=key)
        if known is None or key.uses_left:
            key.used_count += 1
            key.save(update_fields=["used_count"])
            payload = {"id": key.pk, "used_count": key.used_count}
            publish(org=org, channel="keys", event="UPDATE", table="auth_keys", payload=payload)
    return _with_refusals(enrolled, candidate)


def set_up_machine(*, org: Organization, candidate: Candidate, actor: Actor) -> Enrolled:
    """Enrol as the caller's own, with the tags that he may give; his machine of that name is taken over."""
    with _conflicts(), transaction.atomic():
        known = Machine.objects.for_org(org).select_for_update().filter(name__iexact=candidate.name).first()
        if known is not None and known.owner_id is not None and known.owner_id == actor.user_id:
            enrolled = _return(known, candidate, actor, auth_key_id=known.auth_key_id)
        else:
            tags = given_tags(org, actor, list(candidate.tags))
            enrolled = _admit(org, candidate, actor, tags=tags, owner_id=actor.user_id)
    return _with_refusals(enrolled, candidate)


def _with_refusals(enrolled: Enrolled, candidate: Candidate) -> Enrolled:
    """With the tags that were asked for and not given."""
    refused = [tag for tag in candidate.tags if tag not in enrolled.machine.tags]
    return replace(enrolled, tags_refused=refused)


def _judge(key: AuthKey, address: str | None, previous: Previous | None) -> None:
    if key.revoked or key.expired or key.expires_at <= timezone.now():
        raise InvalidKey()
    if not key.uses_left and not _is_return(key, previous):
        raise KeyUsed()
    if key.allowed_cidrs and not in_networks(address, key.allowed_cidrs):
        raise AddressRefused()


def _is_return(key: AuthKey, previous: Previous | None) -> bool:
    """A spent key still serves the machine that it made."""
    if previous is None:
        return False
    return Machine.objects.for_org(key.org_id).filter(pk=previous.machine_id, auth_key=key).exists()


def _proven(org: Organization, candidate: Candidate, credential: str) -> Machine | None:
    """The machine that the candidate proves to be; None if there is none. Raises InvalidSignature."""
    previous = candidate.previous
    if previous is None:
        return None
    machine = Machine.objects.for_org(org).locked_row(previous.machine_id)
    if machine is None:
        return None
    if previous.proof.startswith(NODE_KEY_PREFIX):
        if secret_hash(previous.proof) != machine.node_key_hash:
            raise InvalidSignature("The node key is not this machine's")
    elif machine.identity_public_key is None or candidate.keys.identity is None:
        raise InvalidSignature("This machine can only be proven by its node key")
    else:
        message = reenrolment(
            machine_id=str(machine.pk), auth_key=credential, bundle=candidate.keys.transcript
        )
        verify(machine.identity_public_key, previous.proof, message)
    return machine


def _admit(
    org: Organization,
    candidate: Candidate,
    actor: Actor,
    *,
    tags: list[str],
    key: AuthKey | None = None,
    owner_id: UUID | None = None,
) -> Enrolled:
    """A new row, with the next address and a name that is free."""
    node_key = new_secret(NODE_KEY_PREFIX)
    # Its lock puts enrolments of one organisation in line, so that the name stays free too.
    address = take_address(org)
    name = _free_name(org, candidate.name)
    now = timezone.now()
    settings = OrgSettings.objects.for_org(org).get()
    approved = not settings.approval_required or (key is not None and key.pre_approved)
    machine = Machine(
        org=org,
        name=name,
        tags=tags,
        owner_id=owner_id,
        auth_key=key,
        ephemeral=key is not None and key.ephemeral,
        tailnet_ip=address.ipv4,
        tailnet_ipv6=address.ipv6,
        approved_at=now if approved else None,
        last_seen=now,
    )
    _take_keys(machine, candidate, node_key)
    machine.public_address = actor.ip_address
    _take_offers(machine, candidate, settings)
    presence.heard(machine.pk)
    settle(machine)
    machine.save(force_insert=True)
    touch(org, changed=[machine])
    if tags:
        names_changed.send(Machine, org_id=org.pk, came=as_selectors(tags), went=())
    tell(machine, "INSERT", name=name, status=machine.status)
    _record(machine, actor, "registered" if key else "self_service_setup", reactivated=False)
    return Enrolled(machine, node_key, renamed_from=candidate.name if name != candidate.name else None)


def _return(machine: Machine, candidate: Candidate, actor: Actor, *, auth_key_id: UUID | None) -> Enrolled:
    """New keys for a known machine: id, address, name, tags and every restriction stay."""
    node_key, old_hash = new_secret(NODE_KEY_PREFIX), machine.node_key_hash
    _take_keys(machine, candidate, node_key)
    machine.public_address = actor.ip_address
    _take_offers(machine, candidate, OrgSettings.objects.for_org(machine.org_id).get())
    machine.auth_key_id = auth_key_id
    machine.last_seen = timezone.now()
    presence.heard(machine.pk)
    settle(machine)
    machine.save()
    touch(machine.org_id, changed=[machine], dead_keys=[old_hash], rights=True)
    tell(machine, "UPDATE", os=machine.os, version=machine.version)
    by_key = actor.user_id is None
    _record(machine, actor, "registered" if by_key else "self_service_setup", reactivated=True)
    return Enrolled(machine, node_key)


def _take_keys(machine: Machine, candidate: Candidate, node_key: str) -> None:
    keys = candidate.keys
    machine.os, machine.version = candidate.os, candidate.version
    machine.os_version_detail = candidate.os_version
    machine.public_key, machine.mlkem_public_key = keys.wireguard, keys.mlkem
    machine.disco_public_key = keys.disco
    machine.identity_public_key, machine.identity_signature = keys.identity, keys.signature
    machine.node_key_hash = secret_hash(node_key)
    machine.key_created_at, machine.key_expired_at = timezone.now(), None
    machine.node_key_pending = False
    # Where the machine was reachable under its old keys says nothing of now.
    machine.endpoints = []


def _take_offers(machine: Machine, candidate: Candidate, settings: OrgSettings) -> None:
    """What of it was approved stays approved; what the organisation does not allow is not taken up."""
    if candidate.routes is not None:
        machine.advertised_routes = list(candidate.routes) if settings.allow_subnet_routing else []
        machine.approved_routes = [
            route for route in machine.approved_routes if route in machine.advertised_routes
        ]
    if candidate.exit_node is not None:
        machine.advertise_exit_node = candidate.exit_node and settings.allow_exit_nodes
        machine.exit_node_approved = machine.exit_node_approved and machine.advertise_exit_node


def _free_name(org: Organization, label: str) -> str:
    taken = {
        name.lower()
        for name in Machine.objects.for_org(org)
        .filter(name__istartswith=label[:40])
        .values_list("name", flat=True)
    }
    # A record of the organisation's own must not get a second answer from whoever enrols.
    taken |= reserved_labels(org.pk)
    name, number = label, 1
    while name in taken:
        number += 1
        name = numbered(label, number)
    return name


def _record(machine: Machine, actor: Actor, verb: str, *, reactivated: bool) -> None:
    details = {
        "name": machine.name,
        "os": machine.os,
        "tailnet_ip": machine.tailnet_ip,
        "auth_key_id": machine.auth_key_id,
        "reactivated": reactivated,
    }
    who = (
        actor
        if actor.user_id
        else Actor(
            kind="machine",
            id=machine.pk,
            name=machine.name,
            ip_address=actor.ip_address,
            user_agent=actor.user_agent,
            request_id=actor.request_id,
        )
    )
    record(org=machine.org_id, actor=who, action=f"machine.{verb}", resource=machine, details=details)


class _conflicts:
    """Names what the database refused: a key that another machine holds, or a lost race."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, IntegrityError):
            return
        text = str(error)
        for column, name in KEY_COLUMNS.items():
            if column in text:
                raise Conflict(f"{name} is in use by another machine", field=name) from None
        raise RegistrationConflict() from None


# What PostgreSQL (constraint) or SQLite (column) names, and the field of the request.
KEY_COLUMNS = {
    "machine_wireguard_key_per_org": "wireguard_public_key",
    "machines.public_key": "wireguard_public_key",
    "machine_disco_key_per_org": "disco_public_key",
    "machines.disco_public_key": "disco_public_key",
    "machine_identity_per_org": "identity_public_key",
    "machines.identity_public_key": "identity_public_key",
}
