"""Hybrid key exchange v1: a mailbox between two machines, so that an offline peer finds its message.

The control plane checks both signatures and never sees a secret. One exchange a direction stands;
a newer one replaces it, and its key material is dropped once the initiator has seen the confirmation.
"""

import time
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.core.errors import InvalidState, NotFound
from apps.core.realtime import publish
from apps.machines.changes import nudge, stored_version
from apps.machines.errors import InvalidSignature
from apps.machines.keys import raw_key, verify
from apps.machines.models import KeyExchange, Machine
from apps.machines.nodes import Node
from apps.machines.snapshots import feed_of
from wire import identity
from wire.numbers import MLKEM768_CIPHERTEXT_BYTES, MLKEM768_PUBLIC_KEY_BYTES

LIFE = timedelta(hours=24)


def initiate(
    *, node: Node, peer_machine_id: Any, x25519_public: str, mlkem_ciphertext: str, nonce: str, signature: str
) -> KeyExchange:
    """Leave a message for a peer; raises NotFound for one this machine may not see, InvalidSignature."""
    requester, responder = _pair(node, peer_machine_id)
    if requester.identity_public_key is None or responder.mlkem_public_key is None:
        raise InvalidState("Both machines need an identity and the peer an ML-KEM key")
    exchange = KeyExchange(
        org_id=node.org_id,
        requester_machine=requester,
        responder_machine=responder,
        x25519_public=x25519_public,
        mlkem_ciphertext=mlkem_ciphertext,
        nonce=nonce,
        signature=signature,
        expires_at=timezone.now() + LIFE,
    )
    verify(requester.identity_public_key, signature, transcript_of(exchange))
    with transaction.atomic():
        # The pair's rows are locked in one order, whoever begins.
        list(
            Machine.objects.for_org(node.org_id)
            .filter(pk__in=[requester.pk, responder.pk])
            .order_by("pk")
            .select_for_update()
        )
        KeyExchange.objects.for_org(node.org_id).filter(
            requester_machine=requester, responder_machine=responder
        ).delete()
        exchange.save(force_insert=True)
        nudge(responder, "key_exchange", peer=requester)
        _tell(exchange, "INSERT")
    return exchange


def waiting_for(node: Node) -> list[KeyExchange]:
    """Messages that this machine has still to answer, oldest first."""
    return list(
        KeyExchange.objects.for_org(node.org_id)
        .filter(responder_machine_id=node.pk, status="pending", expires_at__gt=timezone.now())
        .order_by("created_at")
    )


def complete(*, node: Node, exchange_id: Any, confirm: str, signature: str) -> KeyExchange:
    """The responder agrees; raises NotFound, InvalidState, InvalidSignature."""
    with transaction.atomic():
        exchange = (
            KeyExchange.objects.for_org(node.org_id)
            .select_for_update(of=("self",))
            .select_related("requester_machine", "responder_machine")
            .filter(pk=exchange_id, responder_machine_id=node.pk)
            .first()
        )
        if exchange is None:
            raise NotFound()
        if exchange.status != "pending" or exchange.expires_at <= timezone.now():
            raise InvalidState("The exchange is no longer pending")
        if exchange.responder_machine.identity_public_key is None:
            raise InvalidSignature("The machine has no identity key")
        message = identity.key_exchange_complete(
            transcript=transcript_of(exchange), confirm=raw_key(confirm, "confirm")
        )
        verify(exchange.responder_machine.identity_public_key, signature, message)
        exchange.status, exchange.completed_at = "completed", timezone.now()
        exchange.confirm, exchange.confirm_signature = confirm, signature
        # What could rebuild the secret from a stolen ML-KEM key must not lie about.
        exchange.x25519_public = exchange.mlkem_ciphertext = None
        exchange.save()
        nudge(exchange.requester_machine, "key_exchange", peer=exchange.responder_machine)
        _tell(exchange, "UPDATE")
    return exchange


def find(*, node: Node, exchange_id: Any) -> KeyExchange:
    """An exchange that this machine takes part in; raises NotFound."""
    mine = Q(requester_machine_id=node.pk) | Q(responder_machine_id=node.pk)
    exchange = KeyExchange.objects.for_org(node.org_id).filter(mine, pk=exchange_id).first()
    if exchange is None:
        raise NotFound()
    return exchange


def transcript_of(exchange: KeyExchange) -> bytes:
    """What both machines sign; raises InvalidInput naming a malformed part."""
    requester, responder = exchange.requester_machine, exchange.responder_machine
    return identity.key_exchange(
        initiator_id=str(requester.pk),
        responder_id=str(responder.pk),
        initiator_wireguard=raw_key(requester.public_key, "public_key"),
        responder_wireguard=raw_key(responder.public_key, "public_key"),
        responder_mlkem=raw_key(responder.mlkem_public_key, "mlkem_public_key", MLKEM768_PUBLIC_KEY_BYTES),
        x25519_public=raw_key(exchange.x25519_public, "x25519_public"),
        mlkem_ciphertext=raw_key(exchange.mlkem_ciphertext, "mlkem_ciphertext", MLKEM768_CIPHERTEXT_BYTES),
        nonce=raw_key(exchange.nonce, "nonce"),
    )


def _pair(node: Node, peer_machine_id: Any) -> tuple[Machine, Machine]:
    """(this machine, its peer) if the map shows the one to the other."""
    snapshot = feed_of(node.org_id).at_least(stored_version(node.org_id))
    own, peer = (snapshot.nodes.get(str(key)) for key in (node.pk, peer_machine_id))
    if own is None or peer is None or not snapshot.shows(own, peer, time.time()):
        raise NotFound()
    rows = Machine.objects.for_org(node.org_id).in_bulk([node.pk, peer_machine_id])
    if len(rows) != 2:
        raise NotFound()
    return rows[node.pk], rows[peer_machine_id]


def _tell(exchange: KeyExchange, event: str) -> None:
    payload = {
        "id": exchange.pk,
        "requester_machine_id": exchange.requester_machine_id,
        "responder_machine_id": exchange.responder_machine_id,
        "status": exchange.status,
    }
    publish(org=exchange.org_id, channel="machines", event=event, table="key_exchanges", payload=payload)
