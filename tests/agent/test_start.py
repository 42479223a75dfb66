"""Who starts a handshake, which region is home, and what a sealed packet is worth."""

import math
import random

import pytest

from agent.engine.disco import Sealer
from agent.engine.start import FIRST_WAIT_SECONDS, MOVE_WAIT_SECONDS, Starter
from wire.binary import Endpoint
from wire.disco import CallMeMaybe, Ping

NEVER = -math.inf


def test_the_initiator_starts_at_once_and_the_other_waits():
    first, second = Starter(initiator=True), Starter(initiator=False)
    for each in (first, second):
        assert not each.may_set(100.0, NEVER)
        each.agreed(100.0)
    assert first.may_set(100.0, NEVER)
    assert not second.may_set(100.0 + FIRST_WAIT_SECONDS - 0.01, NEVER)
    assert second.next_timeout(100.0) == 100.0 + FIRST_WAIT_SECONDS
    assert second.may_set(100.0 + FIRST_WAIT_SECONDS, NEVER)


def test_a_session_lets_both_move_at_once_and_its_absence_makes_one_wait():
    starter = Starter(initiator=False)
    starter.agreed(0.0)
    starter.moved(50.0, NEVER)
    assert not starter.may_set(50.0 + MOVE_WAIT_SECONDS - 0.01, NEVER)
    assert starter.may_set(50.0, last_handshake=49.0)
    assert starter.may_set(50.0 + MOVE_WAIT_SECONDS, NEVER)


def test_a_session_is_confirmed_until_the_peer_is_heard_and_not_for_ever():
    silent, answered = Starter(initiator=True), Starter(initiator=True)
    assert not silent.unconfirmed(9.0, NEVER, 0)
    said = [now for now in range(10, 60) if silent.unconfirmed(now, 9.5, 92)]
    assert said == [11, 12, 14, 18]
    assert not answered.unconfirmed(10.0, 9.5, 92)
    assert answered.unconfirmed(10.5, 9.5, 92)
    assert not any(answered.unconfirmed(now, 9.5, 124) for now in range(11, 60))
    # A session anew after a long silence is confirmed anew.
    assert not answered.unconfirmed(300.0, 9.5, 124)
    assert not answered.unconfirmed(310.0, 309.0, 216)
    assert answered.unconfirmed(311.0, 309.0, 216)


@pytest.fixture
def sealers():
    source = random.Random(3)
    private = [source.randbytes(32) for _ in range(3)]
    made = [Sealer(key, source.randbytes) for key in private]
    return made, [each._public for each in made]


def test_only_the_one_it_was_sealed_for_opens_a_packet(sealers):
    (a, b, mallory), (a_key, b_key, mallory_key) = sealers
    a.add(b_key)
    b.add(a_key)
    mallory.add(a_key)
    mallory.add(b_key)
    packet = a.seal(b_key, Ping(b"t" * 12, b"w" * 32))
    assert b.open(packet) == (a_key, Ping(b"t" * 12, b"w" * 32))
    assert mallory.open(packet) is None
    b.add(mallory_key)
    # Mallory's packet under a's name, a changed packet, a reflected one, a truncated one, noise.
    forged = bytearray(mallory.seal(b_key, Ping(b"t" * 12, b"w" * 32)))
    forged[4:36] = a_key
    for bad in (bytes(forged), packet[:-1] + bytes((packet[-1] ^ 1,)), packet[:80], b"", b"\0" * 100):
        assert b.open(bad) is None
    assert a.open(packet) is None
    b.remove(a_key)
    assert b.open(packet) is None


def test_too_many_endpoints_are_cut_before_they_travel(sealers):
    (a, b, _), (a_key, b_key, _) = sealers
    a.add(b_key)
    b.add(a_key)
    many = tuple(Endpoint("192.0.2.1", 1 + number) for number in range(40))
    opened = b.open(a.seal(b_key, CallMeMaybe(many)))
    assert opened is not None
    assert len(opened[1].endpoints) == 32


def test_a_lost_first_initiation_is_sent_anew_by_its_initiator_only():
    first, second = Starter(initiator=True), Starter(initiator=False)
    for each in (first, second):
        each.agreed(0.0)
        each.started(0.0)
    assert not second.lost(100.0, NEVER)
    at, tries = 0.0, []
    while at < 30.0:
        at = round(at + 0.1, 1)
        if first.lost(at, NEVER):
            tries.append(at)
            first.started(at)
    # Then WireGuard's own retries, every 5 s, take over.
    assert tries == [1.0, 3.0, 7.0]
    assert not first.lost(40.0, last_handshake=39.0)


def test_nothing_is_lost_before_anything_was_sent():
    starter = Starter(initiator=True)
    starter.agreed(0.0)
    assert not starter.lost(50.0, NEVER)
