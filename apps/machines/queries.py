"""`query` frames of the agent's socket: the same calls as over HTTP, with the same checks."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from rest_framework import serializers

from apps.core import ratelimit
from apps.core.api.rendering import WireEncoder, as_api_error, field_error
from apps.core.errors import InvalidInput
from apps.machines.answers import exchange_answer
from apps.machines.api.node import CompleteInput, ExchangeInput, InitiateInput
from apps.machines.nodes import REQUESTS_PER_MINUTE, Node
from apps.machines.services import exchange
from apps.machines.services.commands import deliver_commands
from apps.machines.snapshots import relays_of
from apps.machines.tokens import relay_token
from wire.numbers import RELAY_TOKEN_SECONDS


def reply(node: Node, body: Mapping[str, Any]) -> dict[str, Any]:
    """{data}, or {error} as over HTTP."""
    try:
        return {"data": answer(node, body)}
    except Exception as error:
        refused = as_api_error(error)
        return {"error": {"code": refused.code, "message": refused.message, **refused.extra}}


def answer(node: Node, body: Mapping[str, Any]) -> Any:
    """The plain-JSON answer to {kind, args}; raises ApiError."""
    ratelimit.hit(f"machine:{node.pk}", ratelimit.Limit(REQUESTS_PER_MINUTE, 60))
    kind = body.get("kind")
    if kind not in KINDS:
        raise InvalidInput(f"kind: must be one of {', '.join(KINDS)}", field="kind")
    serializer_class, run = KINDS[kind]
    serializer = serializer_class(data=body.get("args") or {})
    if not serializer.is_valid():
        raise field_error(serializers.ValidationError(serializer.errors).get_full_details())
    return json.loads(json.dumps(run(node, **serializer.validated_data), cls=WireEncoder))


def _initiate(node: Node, **values: Any) -> dict[str, Any]:
    return exchange_answer(exchange.initiate(node=node, **values))


def _pending(node: Node) -> dict[str, Any]:
    return {"exchanges": [exchange_answer(each) for each in exchange.waiting_for(node)]}


def _complete(node: Node, **values: Any) -> dict[str, Any]:
    return exchange_answer(exchange.complete(node=node, **values))


def _status(node: Node, **values: Any) -> dict[str, Any]:
    return exchange_answer(exchange.find(node=node, **values))


def _relay_token(node: Node) -> dict[str, Any]:
    return {"relay_token": relay_token(node, relays_of(node.org_id)), "expires_in": RELAY_TOKEN_SECONDS}


def _commands(node: Node) -> dict[str, Any]:
    return {"commands": deliver_commands(node)}


Query = tuple[type[serializers.Serializer], Callable[..., dict[str, Any]]]
KINDS: Mapping[str, Query] = {
    "key_exchange.initiate": (InitiateInput, _initiate),
    "key_exchange.pending": (serializers.Serializer, _pending),
    "key_exchange.complete": (CompleteInput, _complete),
    "key_exchange.status": (ExchangeInput, _status),
    "relay_token": (serializers.Serializer, _relay_token),
    "commands": (serializers.Serializer, _commands),
}
