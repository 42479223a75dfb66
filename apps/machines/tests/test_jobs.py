"""Jobs: each twice, with the same end; none acts on what was heard since, or after our own outage."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from apps.audit.models import AuditLog
from apps.machines import presence, tasks
from apps.machines.models import AgentCommand, AuthKey, KeyExchange, Machine
from apps.machines.tests.agents import admin, auth_key, enrol


@pytest.fixture
def steady():
    """A control plane that has run for long."""
    cache.set(tasks.LAST_SWEEP, timezone.now().timestamp())
    cache.set(tasks.SWEEP_FROM, 0)


def fall_silent(cast, agent):
    """Last heard 181 seconds ago."""
    presence.left([Machine.objects.for_org(cast.org_a).get(pk=agent.id).pk])
    Machine.objects.for_org(cast.org_a).filter(pk=agent.id).update(
        last_seen=timezone.now() - timedelta(seconds=181)
    )


def test_silence_is_offline_once(cast, steady):
    agent = enrol(auth_key(cast.alice, cast.org_a)["key"])
    fall_silent(cast, agent)
    assert tasks.sweep_silent() == {"offline": 1, "deleted": 0}
    assert tasks.sweep_silent() == {"offline": 0, "deleted": 0}
    assert Machine.objects.for_org(cast.org_a).get().status == "offline"
    entry = AuditLog.objects.for_org(cast.org_a).get(action="machine.marked_offline")
    assert (entry.details["reason"], entry.user_id) == ("heartbeat_timeout", None)


def test_one_heard_since_stays(cast, steady):
    agent = enrol(auth_key(cast.alice, cast.org_a)["key"])
    fall_silent(cast, agent)
    agent.heartbeat()
    assert tasks.sweep_silent() == {"offline": 0, "deleted": 0}


def test_ephemeral_silence_is_deletion(cast, steady):
    fall_silent(cast, enrol(auth_key(cast.alice, cast.org_a, ephemeral=True)["key"]))
    assert tasks.sweep_silent() == {"offline": 0, "deleted": 1}
    assert not Machine.objects.for_org(cast.org_a).exists()


def test_a_quarantined_machine_is_left_alone(cast, steady):
    agent = enrol(auth_key(cast.alice, cast.org_a)["key"])
    admin(cast.alice, "quarantine", agent)
    fall_silent(cast, agent)
    assert tasks.sweep_silent() == {"offline": 0, "deleted": 0}


def test_after_an_outage_nobody_is_blamed_for_our_silence(cast):
    fall_silent(cast, enrol(auth_key(cast.alice, cast.org_a)["key"]))
    assert tasks.sweep_silent() == {}
    assert Machine.objects.for_org(cast.org_a).get().status == "online"
    cache.set(tasks.SWEEP_FROM, timezone.now().timestamp() - 1)
    assert tasks.sweep_silent() == {"offline": 1, "deleted": 0}


def test_an_auth_key_expires_without_touching_machines(cast):
    agent = enrol(auth_key(cast.alice, cast.org_a, reusable=True)["key"])
    AuthKey.objects.for_org(cast.org_a).update(expires_at=timezone.now())
    assert tasks.expire_auth_keys() == {"auth_keys_expired": 1}
    assert tasks.expire_auth_keys() == {"auth_keys_expired": 0}
    key = AuthKey.objects.for_org(cast.org_a).get()
    assert (key.expired, key.revoked) == (True, False)
    assert agent.heartbeat().json()["data"]["status"] == "online"


def test_orders_that_nobody_took_expire(cast):
    agent = enrol(auth_key(cast.alice, cast.org_a)["key"])
    admin(cast.alice, "lock_device", agent)
    AgentCommand.objects.for_org(cast.org_a).update(expires_at=timezone.now())
    assert tasks.expire_commands() == {"commands": 1}
    assert tasks.expire_commands() == {"commands": 0}
    assert AgentCommand.objects.for_org(cast.org_a).get().status == "expired"


def test_an_exchange_that_lapsed_keeps_no_key_material(cast):
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    first, second = enrol(key, "a"), enrol(key, "b")
    KeyExchange.objects.create_in(
        cast.org_a,
        requester_machine_id=first.id,
        responder_machine_id=second.id,
        x25519_public="x",
        mlkem_ciphertext="y",
        nonce="z",
        expires_at=timezone.now(),
    )
    assert tasks.prune_netmap()["exchanges"] == 1
    assert tasks.prune_netmap()["exchanges"] == 0
    row = KeyExchange.objects.for_org(cast.org_a).get()
    assert (row.status, row.x25519_public, row.mlkem_ciphertext) == ("expired", None, None)
