"""`POST /api/register-machine` by auth key, `POST /api/client-setup` by a person."""

import time
import uuid
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from apps.core.api.rendering import field_error
from apps.core.api.views import Call, CallView, Operation
from apps.core.errors import ApiError, InvalidInput, MissingFields, NotFound
from apps.core.ratelimit import Limit
from apps.machines import attempts
from apps.machines.api.fields import Flag, tag_list
from apps.machines.errors import InvalidKey
from apps.machines.keys import KeyBundle
from apps.machines.models import OSES, Machine
from apps.machines.names import magicdns_name, parse_name, parse_tags
from apps.machines.netmap import visible_peers
from apps.machines.routes import parse_routes
from apps.machines.services import enrolment
from apps.machines.signals import machine_registered
from apps.machines.snapshots import feed_of
from apps.machines.tokens import MACHINE_TOKEN_SECONDS, machine_token
from apps.machines.verdicts import Verdict, verdicts_of
from apps.orgs.models import Organization
from wire.numbers import AGENT_PORT, MAGICDNS_ADDRESS, TUNNEL_MTU

# A flood stop only: fleets enrol from one address, and failures are counted apart.
FLOOD = Limit(3000, 60)
# Names that older agents send.
ALIASES = {"wireguard_pubkey": "wireguard_public_key", "pqc_pubkey": "mlkem_public_key"}


class PreviousInput(serializers.Serializer):
    machine_id = serializers.UUIDField()
    proof = serializers.CharField(max_length=100)


class MachineInput(serializers.Serializer):
    """What a machine says of itself when it enrols."""

    name = serializers.CharField(max_length=1000)
    os = serializers.CharField(max_length=20)
    wireguard_public_key = serializers.CharField(max_length=44)
    disco_public_key = serializers.CharField(max_length=44, required=False, allow_null=True)
    mlkem_public_key = serializers.CharField(max_length=1600, required=False, allow_null=True)
    identity_public_key = serializers.CharField(max_length=44, required=False, allow_null=True)
    identity_signature = serializers.CharField(max_length=88, required=False, allow_null=True)
    version = serializers.CharField(max_length=40, required=False, allow_null=True)
    os_version = serializers.CharField(max_length=100, required=False, allow_null=True)
    tags = tag_list(required=False, allow_null=True)
    previous = PreviousInput(required=False, allow_null=True)


class RegisterInput(MachineInput):
    auth_key = serializers.CharField(max_length=200, required=False)
    # Networks are judged by `parse_routes`, whose messages say more.
    advertise_routes = serializers.JSONField(required=False, allow_null=True)
    advertise_exit_node = Flag(required=False, allow_null=True)


class SetupInput(MachineInput):
    """All absent but machine_id: configuration only."""

    machine_id = serializers.UUIDField(required=False)


def _register(call: Call) -> dict[str, Any]:
    address = call.actor.ip_address
    scope, _, credential = call.request.headers.get("Authorization", "").partition(" ")
    credential = credential.strip() if scope.lower() == "bearer" else call.data.get("auth_key")
    attempts.check(address, credential)
    try:
        return _register_counted(call, credential)
    except ApiError as error:
        if error.status in (401, 403):
            attempts.count_failure(address, credential)
        raise


def _register_counted(call: Call, credential: Any) -> dict[str, Any]:
    body = _canonical(call.data)
    absent = [name for name in ("name", "os", "wireguard_public_key") if body.get(name) in (None, "")]
    if "hostname" in body and "name" in absent:
        absent.remove("name")
    if not credential:
        absent.insert(0, "auth_key")
    if absent:
        raise MissingFields(f"{', '.join(absent)} required", field=absent[0])
    if not isinstance(credential, str):
        raise InvalidKey()
    previous = _previous(body)
    key = enrolment.judge_auth_key(credential, address=call.actor.ip_address, previous=previous)
    if "hostname" in body and not body.get("name"):
        raise InvalidInput("hostname is called name", field="name")
    candidate = _candidate(_validated(RegisterInput, body), previous)
    enrolled = enrolment.register_machine(
        auth_key=key, credential=credential, candidate=candidate, actor=call.actor
    )
    told = {"machine": enrolled.machine, "posture": call.data.get("posture"), "actor": call.actor}
    machine_registered.send(Machine, **told)
    return _answer(enrolled)


def _set_up(call: Call) -> dict[str, Any]:
    body = _canonical(call.data)
    if body.get("machine_id"):
        return _configuration(call, body["machine_id"])
    candidate = _candidate(_validated(MachineInput, body), None)
    enrolled = enrolment.set_up_machine(org=call.org, candidate=candidate, actor=call.actor)
    return {**_answer(enrolled), "wireguard": _wireguard(enrolled.machine)}


def _configuration(call: Call, machine_id: Any) -> dict[str, Any]:
    """The caller's own machine once more, without new keys."""
    try:
        found = Machine.objects.for_org(call.org).filter(pk=uuid.UUID(str(machine_id)))
    except ValueError:
        raise InvalidInput("machine_id: must be a UUID", field="machine_id") from None
    machine = found.filter(owner_id=call.actor.user_id).first() if call.actor.user_id else None
    if machine is None:
        raise NotFound()
    return {**_described(machine), "wireguard": _wireguard(machine)}


def _canonical(body: Mapping[str, Any]) -> dict[str, Any]:
    return {ALIASES.get(name, name): value for name, value in body.items()}


def _validated(serializer_class: type[serializers.Serializer], body: dict[str, Any]) -> dict[str, Any]:
    serializer = serializer_class(data=body)
    if not serializer.is_valid():
        raise field_error(serializers.ValidationError(serializer.errors).get_full_details())
    return serializer.validated_data


def _previous(body: dict[str, Any]) -> enrolment.Previous | None:
    if not body.get("previous"):
        return None
    serializer = PreviousInput(data=body["previous"])
    if not serializer.is_valid():
        raise InvalidInput("previous: needs machine_id and proof", field="previous")
    return enrolment.Previous(**serializer.validated_data)


def _candidate(values: Mapping[str, Any], previous: enrolment.Previous | None) -> enrolment.Candidate:
    keys = KeyBundle(
        wireguard=values["wireguard_public_key"],
        disco=values.get("disco_public_key"),
        mlkem=values.get("mlkem_public_key"),
        identity=values.get("identity_public_key"),
        signature=values.get("identity_signature"),
    )
    name = parse_name(values["name"])
    os_name = values["os"].lower().replace("darwin", "macos")
    tags = parse_tags(values.get("tags") or [])
    keys.check()
    routes = values.get("advertise_routes")
    return enrolment.Candidate(
        name=name,
        os=os_name if os_name in OSES else "unknown",
        keys=keys,
        version=values.get("version"),
        os_version=values.get("os_version"),
        tags=tags,
        previous=previous,
        routes=None if routes is None else parse_routes(routes, field="advertise_routes"),
        exit_node=values.get("advertise_exit_node"),
    )


def _described(machine: Machine) -> dict[str, Any]:
    slug = Organization.objects.for_org(machine.org_id).values_list("slug", flat=True).get()
    return {
        "machine_id": machine.pk,
        "name": machine.name,
        "magicdns_name": magicdns_name(machine.name, slug),
        "tailnet_ip": machine.tailnet_ip,
        "tailnet_ipv6": machine.tailnet_ipv6,
        "org_id": machine.org_id,
        "status": machine.status,
        "wg_public_key": machine.public_key,
        "tags": machine.tags,
        "derp_region": machine.derp_region,
    }


def _answer(enrolled: enrolment.Enrolled) -> dict[str, Any]:
    machine = enrolled.machine
    return {
        **_described(machine),
        "node_key": enrolled.node_key,
        "tags_refused": list(enrolled.tags_refused),
        "renamed_from": enrolled.renamed_from,
        "posture_compliant": verdicts_of(machine.org_id, [machine.pk]).get(machine.pk, Verdict()).compliant,
        "token": machine_token(machine.pk, machine.org_id),
        "expires_in": MACHINE_TOKEN_SECONDS,
        "refresh_token": None,
    }


def _wireguard(machine: Machine) -> dict[str, Any]:
    version = Organization.objects.for_org(machine.org_id).values_list("netmap_version", flat=True).get()
    peers = visible_peers(feed_of(machine.org_id).at_least(version), str(machine.pk), time.time())
    return {
        "address": [f"{machine.tailnet_ip}/32", f"{machine.tailnet_ipv6}/128"],
        "dns": [MAGICDNS_ADDRESS],
        "mtu": TUNNEL_MTU,
        "listen_port": AGENT_PORT,
        "peers": [
            {
                "name": peer.name,
                "public_key": peer.wireguard_public_key,
                "endpoint": peer.endpoints[0] if peer.endpoints else None,
                "allowed_ips": [f"{peer.tailnet_ip}/32", f"{peer.tailnet_ipv6}/128"],
            }
            for peer in peers.values()
            if peer.online
        ],
    }


class RegisterMachine(CallView):
    path = "register-machine"
    calls = {"POST": Operation("register-machine", "P", _register, RegisterInput, limit=FLOOD, raw=True)}


class ClientSetup(CallView):
    path = "client-setup"
    calls = {"POST": Operation("client-setup", "M", _set_up, SetupInput, scope="machines:write", raw=True)}
