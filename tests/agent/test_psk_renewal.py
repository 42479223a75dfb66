"""Renewals of a pair's key under loss, copies, disorder and restarts: the two sides never part."""

import copy
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.engine.keyring import Keyring, PairKey, Pending
from agent.engine.renewal import Install, StartOver, Store
from tests.agent.pskmodel import FIRST_KEY, PEER, Side, World, explore
from wire.psk import Answer, Confirm, Installed, Refused, Wanted


@pytest.mark.parametrize(
    ("losses", "copies", "restarts", "depth"), [(1, 1, 0, 8), (0, 1, 1, 7), (1, 0, 2, 7), (0, 2, 0, 8)]
)
def test_every_short_history_keeps_the_rule_and_ends_in_one_key(losses, copies, restarts, depth):
    def visit(world):
        world.check()
        after = copy.deepcopy(world)
        assert after.settle(), world.trail
        # No fault of the network and no restart costs an exchange through the control plane.
        assert not after.sides[0].starts_over, world.trail
        after.check()

    assert explore(World(losses=losses, copies=copies, restarts=restarts), depth, visit) > 100


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_long_random_histories(data):
    world = World(losses=99, copies=99, restarts=99)
    for _ in range(data.draw(st.integers(10, 60))):
        step = data.draw(st.sampled_from(list(world.steps())))
        if step[0] == "timeout" and world.sides[step[1]].engine.next_timeout() == float("inf"):
            continue
        world.take(*step)
        world.check()
    assert world.settle()
    assert not world.sides[0].starts_over


OTHER = PairKey(0, b"o" * 32)


@pytest.mark.parametrize(
    "keys",
    [
        (FIRST_KEY, OTHER),
        (FIRST_KEY, None),
        (FIRST_KEY, PairKey(1, FIRST_KEY.psk)),
        (PairKey(3, b"x" * 32), OTHER),
    ],
)
def test_sides_that_hold_different_keys_find_out_and_start_over(keys):
    world = World(losses=0, copies=0, restarts=0, keys=keys)
    assert world.settle()
    assert world.sides[0].starts_over
    assert world.sides[0].wireguard == keys[0]
    assert world.sides[1].wireguard == keys[1]
    assert world.now < 60


def pair():
    return Side(b"i", True), Side(b"r", False)


def offered(initiator, now=10.0):
    initiator.engine.handle_timeout(now)
    (offer,) = initiator.perform()
    return offer


def say(side, message, now=10.0):
    side.engine.receive(message, now)
    return side.perform()


def test_an_exchange_takes_four_messages_and_the_responder_installs_first():
    initiator, responder = pair()
    offer = offered(initiator)
    (answer,) = say(responder, offer)
    assert responder.wireguard == FIRST_KEY
    (confirm,) = say(initiator, answer)
    assert initiator.wireguard == FIRST_KEY
    (installed,) = say(responder, confirm)
    assert responder.wireguard.epoch == 1
    assert initiator.wireguard == FIRST_KEY
    assert say(initiator, installed) == []
    assert initiator.wireguard == responder.wireguard
    assert initiator.engine.next_timeout() == pytest.approx(130, rel=0.1)


def test_keys_are_on_disk_before_anything_is_said_of_them():
    initiator, responder = pair()
    (answer,) = say(responder, offered(initiator))
    initiator.engine.receive(answer, 10.0)
    store, send = initiator.engine.actions()
    assert isinstance(store, Store)
    assert isinstance(send.message, Confirm)
    responder.engine.receive(send.message, 10.0)
    install, send = responder.engine.actions()
    assert isinstance(install, Install)
    assert isinstance(send.message, Installed)


def test_without_the_acknowledgement_the_confirmation_is_repeated_for_ever():
    initiator, responder = pair()
    (answer,) = say(responder, offered(initiator))
    (first,) = say(initiator, answer)
    gaps, now = [], 10.0
    for _ in range(50):
        due = initiator.engine.next_timeout()
        gaps.append(due - now)
        now = due
        initiator.engine.handle_timeout(now)
        assert initiator.perform() == [first]
    assert max(gaps) <= 10
    initiator.start(now)  # even a restart does not forget it
    assert initiator.keys.pending is not None
    initiator.engine.handle_timeout(initiator.engine.next_timeout())
    assert initiator.perform() == [first]


def test_an_unanswered_offer_is_repeated_and_given_up_with_the_key_kept():
    initiator, _ = pair()
    offers = [offered(initiator)]
    while len(offers) < 20 and initiator.engine._offered:
        initiator.engine.handle_timeout(initiator.engine.next_timeout())
        offers += initiator.perform()
    assert len(offers) == 6
    assert set(offers) == {offers[0]}
    assert initiator.wireguard == FIRST_KEY


@pytest.mark.parametrize("kind", [Answer, Confirm, Installed, Refused])
def test_messages_of_an_older_exchange_change_nothing(kind):
    initiator, responder = pair()
    transcript = [offered(initiator)]
    transcript += say(responder, transcript[0])
    transcript += say(initiator, transcript[1])
    transcript += say(responder, transcript[2])
    say(initiator, transcript[3])
    transcript.append(Refused(transcript[0].exchange))
    old = next(message for message in transcript if isinstance(message, kind))
    new = offered(initiator, 300.0)
    (answer,) = say(responder, new, 300.0)
    before = initiator.state(), responder.state()
    say(initiator, old, 300.0)
    say(responder, old, 300.0)
    assert (initiator.state(), responder.state()) == before
    (confirm,) = say(initiator, answer, 300.0)
    (installed,) = say(responder, confirm, 300.0)
    say(initiator, installed, 300.0)
    assert initiator.wireguard == responder.wireguard
    assert initiator.wireguard.epoch == 2


def test_an_old_offer_played_again_is_refused_and_costs_nobody_a_key():
    initiator, responder = pair()
    offer = offered(initiator)
    (answer,) = say(responder, offer)
    (confirm,) = say(initiator, answer)
    (installed,) = say(responder, confirm)
    say(initiator, installed)
    assert isinstance(say(responder, offer, 20.0)[0], Answer)  # one step back is still known ...
    confirmed = say(responder, confirm, 20.0)
    assert confirmed == [installed]  # ... but the confirmation fits the installed key only
    for now in (300.0, 600.0):
        (answer,) = say(responder, offered(initiator, now), now)
        say(initiator, say(responder, say(initiator, answer, now)[0], now)[0], now)
    assert say(responder, offer, 900.0) == [Refused(offer.exchange)]
    assert say(initiator, Refused(offer.exchange), 900.0) == []
    assert initiator.wireguard == responder.wireguard


def test_forged_proofs_install_nothing():
    initiator, responder = pair()
    offer = offered(initiator)
    (answer,) = say(responder, offer)
    wrong = bytes(32)
    assert say(initiator, replace(answer, proof=wrong)) == []
    assert say(responder, Confirm(offer.exchange, wrong)) == [Refused(offer.exchange)]
    (confirm,) = say(initiator, answer)
    assert say(initiator, Installed(offer.exchange, wrong)) == []
    # A proof of one step is none of another.
    assert say(initiator, Installed(offer.exchange, confirm.proof)) == []
    assert say(initiator, Installed(offer.exchange, answer.proof)) == []
    assert initiator.wireguard == responder.wireguard == FIRST_KEY


def test_each_role_hears_only_what_the_other_says():
    initiator, responder = pair()
    offer = offered(initiator)
    (answer,) = say(responder, offer)
    (confirm,) = say(initiator, answer)
    for message in (offer, confirm):
        assert say(initiator, message) == []
    for message in (answer, Installed(offer.exchange, bytes(32)), Refused(offer.exchange), Wanted(bytes(16))):
        assert say(responder, message) == []


def test_a_flood_of_offers_is_answered_at_a_bounded_pace_and_in_bounded_memory():
    _, responder = pair()
    offer = offered(Side(b"i", True))
    flood = [replace(offer, exchange=number.to_bytes(16, "big")) for number in range(100)]
    answers = [reply for message in flood for reply in say(responder, message)]
    assert len(answers) == 1
    for number, message in enumerate(flood):
        say(responder, message, 100.0 + number)
    assert len(responder.engine._candidates) <= 4


def test_a_responder_without_a_key_asks_and_is_not_asked_twice():
    initiator, responder = Side(b"i", True), Side(b"r", False, key=None)
    responder.engine.handle_timeout(responder.engine.next_timeout())
    (wanted,) = responder.perform()
    assert isinstance(wanted, Wanted)
    (offer,) = say(initiator, wanted)
    assert say(initiator, wanted) == []
    (refused,) = say(responder, offer)
    initiator.engine.receive(refused, 10.0)
    assert any(isinstance(action, StartOver) for action in initiator.engine.actions())
    assert say(initiator, wanted, 11.0) == []  # a replayed request does not make work


def test_a_responder_that_got_a_key_elsewhere_asks_until_an_offer_builds_on_it():
    initiator, responder = pair()
    for side in (initiator, responder):
        side.keys.advance(OTHER)
        side.engine.restarted(0.0)
    assert responder.engine.next_timeout() <= 5
    say(responder, offered(initiator))
    assert responder.engine.next_timeout() == float("inf")


def test_nothing_begins_while_the_control_plane_exchanges_or_the_peer_is_away():
    initiator, responder = pair()
    initiator.engine.pause(50.0)
    assert initiator.engine.next_timeout() == 50.0
    initiator.engine.online = responder.engine.online = False
    assert initiator.engine.next_timeout() == responder.engine.next_timeout() == float("inf")
    initiator.engine.online = True
    (answer,) = say(responder, offered(initiator, 60.0), 60.0)
    say(initiator, answer, 60.0)
    initiator.engine.online = False
    assert initiator.engine.next_timeout() < float("inf")  # a confirmed exchange goes on


def test_old_keys_are_gone_from_both_disks_two_renewals_later():
    initiator, responder = pair()
    secret = initiator.disk["current"]["psk"]
    for now in (10.0, 300.0):
        (answer,) = say(responder, offered(initiator, now), now)
        say(initiator, say(responder, say(initiator, answer, now)[0], now)[0], now)
    assert secret not in str(initiator.disk)
    assert secret not in str(responder.disk)


@given(st.integers(0, 2**32 - 1), st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=16))
def test_keyrings_survive_their_file(epoch, psk, exchange):
    keys = Keyring(PairKey(epoch, psk), PairKey(0, psk), Pending(exchange, PairKey(1, psk)))
    assert Keyring.from_json(keys.to_json(PEER), PEER) == keys
    assert Keyring.from_json(keys.to_json(PEER), b"q" * 32) == Keyring()


@pytest.mark.parametrize(
    "damage",
    [{"current": None}, {"current": 7}, {"current": {"epoch": -1, "psk": ""}}, {"pending": {"epoch": 1}}],
)
def test_a_damaged_file_is_no_key_or_a_whole_one(damage):
    document = {**Keyring(FIRST_KEY, OTHER).to_json(PEER), **damage}
    keys = Keyring.from_json(document, PEER)
    assert keys.current is None
