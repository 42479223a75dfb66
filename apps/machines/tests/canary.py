"""Rows of this app full of a canary string, for the tenancy sweeps."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone

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
from apps.orgs.models import OrgMember


def plant(org: Any, canary: str) -> None:
    """Two machines with an exchange and an order between them, and the key that enrolled them."""
    later = timezone.now() + timedelta(days=1)
    key = AuthKey.objects.create_in(
        org,
        name=canary,
        description=canary,
        key_hash=uuid4().hex,
        key_prefix=canary[:30],
        tags=[canary],
        allowed_tags=[canary],
        reusable=True,
        expires_at=later,
    )
    first, second = (_machine(org, f"{canary}-{number}", canary, key, number) for number in (1, 2))
    KeyExchange.objects.create_in(
        org,
        requester_machine=first,
        responder_machine=second,
        x25519_public=canary[:44],
        mlkem_ciphertext=canary,
        nonce=canary[:44],
        signature=canary[:88],
        expires_at=later,
    )
    AgentCommand.objects.create_in(
        org,
        machine=first,
        command_type="lock",
        parameters={"reason": canary},
        output=canary,
        expires_at=later,
    )
    AddressCursor.objects.create_in(org, given=2)
    if member := OrgMember.objects.for_org(org).first():
        TagOwner.objects.create_in(org, tag=canary[:50], user_id=member.user_id)
    NetmapChange.objects.create_in(org, version=1, machine_id=first.pk)
    NetmapAck.objects.create_in(org, version=1, machine_id=first.pk, took_ms=40)


def _machine(org: Any, name: str, canary: str, key: AuthKey, number: int) -> Machine:
    return Machine.objects.create_in(
        org,
        name=name[:63].lower(),
        os="linux",
        os_version_detail=canary,
        version=canary[:40],
        auth_key=key,
        tags=[canary],
        tailnet_ip=f"100.64.0.{number}",
        tailnet_ipv6=f"fd00::{number}",
        public_key=f"{canary[:40]}{number}",
        node_key_hash=uuid4().hex,
        key_created_at=timezone.now(),
        status="quarantined",
        quarantine_reason="admin",
        quarantine_note=canary,
        approved_at=timezone.now(),
        endpoints=[canary],
        derp_region=canary[:16],
        derp_latencies={canary[:16]: 1},
        client_connectivity={canary: True},
    )
