"""The cryptography of a renewal against those who lack a part: keys, identity, or the present key."""

from dataclasses import fields, replace

import pytest

from agent.engine.hybrid import ExchangeRefused
from agent.engine.ratchet import HybridRatchet
from agent.keys import MachineKeys
from wire.psk import Ends, Joiner, Offer, base_name, split

BASE, EXCHANGE = b"b" * 32, b"e" * 16


@pytest.fixture(scope="module")
def keys():
    return MachineKeys.generate(), MachineKeys.generate(), MachineKeys.generate()


def ends_of(a, b):
    return Ends(a.identity_public, b.identity_public, a.wireguard_public, b.wireguard_public)


def ratchets(a, b):
    ends = ends_of(a, b)
    return (
        HybridRatchet(ends=ends, peer_identity=b.identity_public, sign=a.sign),
        HybridRatchet(ends=ends, peer_identity=a.identity_public, sign=b.sign),
    )


def changed(value):
    return value + 1 if isinstance(value, int) else bytes((value[0] ^ 1,)) + value[1:]


def test_both_derive_one_fresh_key(keys):
    a, b, _ = keys
    initiator, responder = ratchets(a, b)
    found = set()
    for _ in range(3):
        offer, secret = initiator.offer(EXCHANGE, 1, BASE)
        answer, psk = responder.answer(offer, BASE)
        assert initiator.accept(offer, secret, BASE, answer) == psk
        assert len(psk) == 32
        found.add(psk)
    assert len(found) == 3


@pytest.mark.parametrize("field", [field.name for field in fields(Offer)])
def test_an_offer_changed_on_its_way_is_refused(keys, field):
    a, b, _ = keys
    initiator, responder = ratchets(a, b)
    offer, _ = initiator.offer(EXCHANGE, 1, BASE)
    with pytest.raises(ExchangeRefused):
        responder.answer(replace(offer, **{field: changed(getattr(offer, field))}), BASE)


@pytest.mark.parametrize("field", ["x25519", "ciphertext", "proof", "signature"])
def test_an_answer_changed_on_its_way_is_refused(keys, field):
    a, b, _ = keys
    initiator, responder = ratchets(a, b)
    offer, secret = initiator.offer(EXCHANGE, 1, BASE)
    answer, _ = responder.answer(offer, BASE)
    with pytest.raises(ExchangeRefused):
        initiator.accept(offer, secret, BASE, replace(answer, **{field: changed(getattr(answer, field))}))


def test_an_identity_without_the_present_key_gets_nowhere(keys):
    """Who can forge every signature, a quantum computer say, still lacks the key that came before."""
    a, b, _ = keys
    initiator, forger = ratchets(a, b)
    offer, secret = initiator.offer(EXCHANGE, 1, BASE)
    answer, guess = forger.answer(offer, b"?" * 32)
    with pytest.raises(ExchangeRefused, match="another key"):
        initiator.accept(offer, secret, BASE, answer)
    _, honest = forger.answer(offer, BASE)
    assert guess != honest


def test_the_present_key_without_the_identity_gets_nowhere(keys):
    """Who stole a key file cannot go on in the machine's place."""
    a, b, mallory = keys
    initiator, responder = ratchets(a, b)
    thief = HybridRatchet(ends=ends_of(a, b), peer_identity=a.identity_public, sign=mallory.sign)
    offer, secret = initiator.offer(EXCHANGE, 1, BASE)
    answer, _ = thief.answer(offer, BASE)
    with pytest.raises(ExchangeRefused, match="signed"):
        initiator.accept(offer, secret, BASE, answer)
    forged, _ = HybridRatchet(ends=ends_of(a, b), peer_identity=b.identity_public, sign=mallory.sign).offer(
        EXCHANGE, 1, BASE
    )
    with pytest.raises(ExchangeRefused, match="signed"):
        responder.answer(forged, BASE)


def test_what_was_said_to_one_peer_counts_for_no_other(keys):
    a, b, c = keys
    initiator, _ = ratchets(a, b)
    offer, _ = initiator.offer(EXCHANGE, 1, BASE)
    with pytest.raises(ExchangeRefused):
        ratchets(a, c)[1].answer(offer, BASE)


def test_an_answer_to_one_offer_fits_no_other(keys):
    a, b, _ = keys
    initiator, responder = ratchets(a, b)
    first, _ = initiator.offer(EXCHANGE, 1, BASE)
    second, secret = initiator.offer(EXCHANGE, 1, BASE)
    answer, _ = responder.answer(first, BASE)
    with pytest.raises(ExchangeRefused):
        initiator.accept(second, secret, BASE, answer)


@pytest.mark.parametrize(
    "point", [bytes(32), bytes((1,)) + bytes(31), bytes.fromhex("ec" + "ff" * 30 + "7f")]
)
def test_points_of_small_order_are_refused_even_when_signed(keys, point):
    a, b, _ = keys
    from wire.psk import offer_transcript

    initiator, responder = ratchets(a, b)
    honest, _ = initiator.offer(EXCHANGE, 1, BASE)
    weak = replace(honest, x25519=point)
    weak = replace(weak, signature=a.sign(offer_transcript(ends_of(a, b), weak)))
    with pytest.raises(ExchangeRefused, match="malformed"):
        responder.answer(weak, BASE)


def test_nothing_on_the_wire_holds_a_secret(keys):
    a, b, _ = keys
    initiator, responder = ratchets(a, b)
    offer, _ = initiator.offer(EXCHANGE, 1, BASE)
    answer, psk = responder.answer(offer, BASE)
    sent = b"".join(part.chunk for message in (offer, answer) for part in split(message))
    assert BASE not in sent
    assert psk not in sent
    assert base_name(BASE) in sent


def test_real_messages_fit_two_parts_each(keys):
    a, b, _ = keys
    initiator, responder = ratchets(a, b)
    offer, _ = initiator.offer(EXCHANGE, 1, BASE)
    answer, _ = responder.answer(offer, BASE)
    for message in (offer, answer):
        parts = split(message)
        assert len(parts) == 2
        joiner = Joiner()
        assert joiner.add(parts[1]) is None
        assert joiner.add(parts[1]) is None
        assert joiner.add(parts[0]) == message
