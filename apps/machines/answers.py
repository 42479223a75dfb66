"""What a machine's own calls answer with, over HTTP and over its socket alike."""

import time
from typing import Any

from django.utils import timezone

from apps.core.clock import rfc3339
from apps.machines.changes import map_version, stored_version
from apps.machines.errors import InvalidNodeKey
from apps.machines.netmap import full_map
from apps.machines.nodes import Node
from apps.machines.services.commands import deliver_commands
from apps.machines.services.heartbeat import Report
from apps.machines.snapshots import feed_of
from apps.machines.tokens import MACHINE_TOKEN_SECONDS, machine_token, relay_token


def heartbeat_answer(node: Node, report: Report) -> dict[str, Any]:
    """`same` for a caller whose map is current, else the whole map."""
    version = map_version(node.org_id)
    now = rfc3339(timezone.now())
    if report.leaving:
        return {"status": "offline", "netmap_version": version, "server_time": now}
    if report.netmap_version == version:
        # A pending order has raised no version: its agent was nudged, and asks without one.
        return {"status": node.status, "same": True, "netmap_version": version, "server_time": now}
    document = map_document(node, stored_version(node.org_id))
    return {**document, "netmap_version": document["version"], "server_time": now}


def map_document(node: Node, version: int) -> dict[str, Any]:
    """The whole map of a machine with what concerns its state, tokens and orders."""
    snapshot = feed_of(node.org_id).at_least(version)
    if str(node.pk) not in snapshot.nodes:
        raise InvalidNodeKey()
    document = full_map(snapshot, str(node.pk), time.time())[0].to_json()
    status = document["self"]["status"]
    return {
        **document,
        "status": status,
        "quarantined": status == "quarantined",
        "quarantine_reason": node.quarantine_reason,
        "admin_disabled": node.admin_disabled,
        "locked": node.locked,
        "pending_commands": deliver_commands(node),
        "token": machine_token(node.pk, node.org_id),
        "expires_in": MACHINE_TOKEN_SECONDS,
        "relay_token": relay_token(node, snapshot.relays),
    }


def exchange_answer(exchange: Any) -> dict[str, Any]:
    """A key exchange as its two machines see it."""
    return {
        "exchange_id": exchange.pk,
        "requester_machine_id": exchange.requester_machine_id,
        "responder_machine_id": exchange.responder_machine_id,
        "status": exchange.status,
        "x25519_public": exchange.x25519_public,
        "mlkem_ciphertext": exchange.mlkem_ciphertext,
        "nonce": exchange.nonce,
        "signature": exchange.signature,
        "confirm": exchange.confirm,
        "confirm_signature": exchange.confirm_signature,
        "created_at": exchange.created_at,
        "expires_at": exchange.expires_at,
    }
