"""A machine's own calls: heartbeat, keys, key exchange, results of orders."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from apps.core.api.principals import Principal, authenticate
from apps.core.api.views import ActionView, Answer, Call, CallView, Operation
from apps.machines.answers import exchange_answer, heartbeat_answer
from apps.machines.api.fields import Flag, machine_org
from apps.machines.nodes import NODE_KEY_PREFIX, find_node
from apps.machines.reports import parse_report
from apps.machines.services import commands, exchange, rotation
from apps.machines.services.heartbeat import take_heartbeat

HEARTBEAT_BODY = 256 * 1024


class RotateInput(serializers.Serializer):
    wireguard_public_key = serializers.CharField(max_length=44, required=False, allow_null=True)
    mlkem_public_key = serializers.CharField(max_length=1600, required=False, allow_null=True)
    pqc_pubkey = serializers.CharField(max_length=1600, required=False, allow_null=True)
    disco_public_key = serializers.CharField(max_length=44, required=False, allow_null=True)
    identity_signature = serializers.CharField(max_length=88)
    rotate_node_key = Flag(required=False, default=False)


class MachineIdInput(serializers.Serializer):
    machine_id = serializers.UUIDField()


class InitiateInput(serializers.Serializer):
    peer_machine_id = serializers.UUIDField()
    x25519_public = serializers.CharField(max_length=44)
    mlkem_ciphertext = serializers.CharField(max_length=1500)
    nonce = serializers.CharField(max_length=44)
    signature = serializers.CharField(max_length=88)


class CompleteInput(serializers.Serializer):
    exchange_id = serializers.UUIDField()
    confirm = serializers.CharField(max_length=44)
    signature = serializers.CharField(max_length=88)


class ExchangeInput(serializers.Serializer):
    exchange_id = serializers.UUIDField()


class ResultInput(serializers.Serializer):
    command_id = serializers.UUIDField()
    status = serializers.ChoiceField(commands.RESULTS)
    output = serializers.CharField(max_length=100_000, required=False, allow_blank=True, default="")


def _heartbeat(call: Call) -> dict[str, Any]:
    node = call.principal.subject
    report = parse_report(call.data, address=call.actor.ip_address)
    take_heartbeat(node, report)
    # A sign of life may just have brought it online.
    return heartbeat_answer(node if node.status != "offline" else find_node(node.node_key_hash), report)


class NodeCallView(CallView):
    """A call whose node key may also stand in the body, as old agents send it."""

    def principal_of(self, request: Request) -> Principal | None:
        principal = super().principal_of(request)
        if principal is None:
            node_key = self.read_json(request, HEARTBEAT_BODY).get("node_key")
            if isinstance(node_key, str) and node_key.startswith(NODE_KEY_PREFIX):
                return authenticate(node_key, request._request.client_address)
        return principal


class MachineHeartbeat(NodeCallView):
    path = "machine-heartbeat"
    calls = {
        "POST": Operation("machine-heartbeat", "N", _heartbeat, raw=True, max_body=HEARTBEAT_BODY),
    }


def _rotate(call: Call) -> dict[str, Any]:
    data = call.data
    machine, node_key, version = rotation.rotate_keys(
        node=call.principal.subject,
        actor=call.actor,
        signature=data["identity_signature"],
        wireguard=data.get("wireguard_public_key"),
        mlkem=data.get("mlkem_public_key") or data.get("pqc_pubkey"),
        disco=data.get("disco_public_key"),
        rotate_node_key=data["rotate_node_key"],
    )
    answer = {"key_created_at": machine.key_created_at, "netmap_version": version}
    return {**answer, "node_key": node_key} if node_key else answer


def _renew(call: Call) -> dict[str, Any]:
    rotation.renew_key(org=call.org, actor=call.actor, machine_id=call.data["machine_id"])
    return {"node_key_pending": True}


class MachineKey(ActionView):
    topic = "machine-key"
    actions = (
        Operation("rotate", "N", _rotate, RotateInput),
        Operation("renew", "M", _renew, MachineIdInput, scope="machines:write", org_of=machine_org),
    )


def _initiate(call: Call) -> Answer:
    made = exchange.initiate(node=call.principal.subject, **call.data)
    data = {"exchange_id": made.pk, "status": made.status, "expires_at": made.expires_at}
    return Answer(data, status=201)


def _pending(call: Call) -> dict[str, Any]:
    return {"exchanges": [exchange_answer(each) for each in exchange.waiting_for(call.principal.subject)]}


def _complete(call: Call) -> dict[str, Any]:
    return {"status": exchange.complete(node=call.principal.subject, **call.data).status}


def _status(call: Call) -> dict[str, Any]:
    return exchange_answer(exchange.find(node=call.principal.subject, **call.data))


class KeyExchanges(ActionView):
    topic = "key-exchange"
    actions = (
        Operation("initiate", "N", _initiate, InitiateInput),
        Operation("pending", "N", _pending),
        Operation("complete", "N", _complete, CompleteInput),
        Operation("status", "N", _status, ExchangeInput),
    )


def _result(call: Call) -> dict[str, Any]:
    commands.take_result(node=call.principal.subject, **call.data)
    return {"recorded": True}


class AgentCommands(ActionView):
    topic = "agent-command"
    actions = (Operation("result", "N", _result, ResultInput),)
