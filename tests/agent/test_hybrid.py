"""Keys of a pair: agreed when both are honest, refused whenever one part is not what was signed."""

from dataclasses import replace

import pytest

from agent.engine import hybrid
from agent.engine.identity import Pin, RefusedPeer, verify
from agent.engine.keyring import Keyring, PairKey
from agent.engine.psk import UNPROVEN_SECONDS, Offered, PskSession, PskState
from agent.engine.renewal import Renewal
from agent.keys import MachineKeys
from wire.binary import decode_key, encode_key
from wire.netmap import Peer

A_ID, B_ID = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


@pytest.fixture(scope="module")
def keys():
    return MachineKeys.generate(), MachineKeys.generate(), MachineKeys.generate()


def peer_of(keys, machine_id=B_ID, **changes):
    own = keys.announcement()
    fields = {
        "machine_id": machine_id,
        "name": "beta",
        "magicdns_name": "beta.acme.zt.net",
        "tailnet_ip": "100.64.0.2",
        **own,
    }
    return Peer(**{**fields, **changes})


def keys_of(keys):
    return verify(peer_of(keys), {})[0]


def pair_of(a, b):
    return hybrid.Pair(A_ID, B_ID, a.wireguard_public, b.wireguard_public, b.mlkem_public)


def make_offer(a, b):
    return hybrid.offer(pair_of(a, b), a, ephemeral=b"\x11" * 32, nonce=b"\x22" * 32)


def test_both_sides_derive_one_key_and_both_know_it(keys):
    a, b, _ = keys
    offer, psk = make_offer(a, b)
    answer, same = hybrid.answer(pair_of(a, b), b, keys_of(a), offer)
    assert same == psk
    assert len(psk) == 32
    hybrid.accept(pair_of(a, b), keys_of(b), offer, psk, answer)


@pytest.mark.parametrize("field", ["x25519_public", "mlkem_ciphertext", "nonce", "signature"])
def test_an_offer_changed_on_its_way_is_refused(keys, field):
    a, b, _ = keys
    offer, _ = make_offer(a, b)
    value = getattr(offer, field)
    forged = replace(offer, **{field: bytes((value[0] ^ 1,)) + value[1:]})
    with pytest.raises(hybrid.ExchangeRefused):
        hybrid.answer(pair_of(a, b), b, keys_of(a), forged)


def test_an_offer_of_somebody_else_is_refused(keys):
    a, b, mallory = keys
    offer, _ = make_offer(mallory, b)
    with pytest.raises(hybrid.ExchangeRefused):
        hybrid.answer(pair_of(a, b), b, keys_of(a), offer)


def test_an_answer_of_somebody_else_or_for_another_key_is_refused(keys):
    a, b, mallory = keys
    offer, psk = make_offer(a, b)
    answer, _ = hybrid.answer(pair_of(a, b), b, keys_of(a), offer)
    with pytest.raises(hybrid.ExchangeRefused):
        hybrid.accept(pair_of(a, b), keys_of(mallory), offer, psk, answer)
    with pytest.raises(hybrid.ExchangeRefused):
        hybrid.accept(pair_of(a, b), keys_of(b), offer, b"\0" * 32, answer)
    other, _ = hybrid.offer(pair_of(a, b), a, ephemeral=b"\x11" * 32, nonce=b"\x33" * 32)
    with pytest.raises(hybrid.ExchangeRefused):
        hybrid.accept(pair_of(a, b), keys_of(b), other, psk, answer)


def test_without_either_half_the_key_is_another(keys):
    a, b, _ = keys
    first = make_offer(a, b)[1]
    # The same X25519 half, a fresh encapsulation.
    assert make_offer(a, b)[1] != first


def test_keys_that_were_not_signed_are_refused(keys):
    _, b, mallory = keys
    good = peer_of(b)
    assert verify(good, {})[0].mlkem == b.mlkem_public
    for changes in (
        {"wireguard_public_key": encode_key(mallory.wireguard_public)},
        {"disco_public_key": encode_key(mallory.disco_public)},
        {"mlkem_public_key": encode_key(mallory.mlkem_public)},
        {"mlkem_public_key": None},
        {"identity_signature": None},
        {"identity_public_key": None},
        {"identity_public_key": encode_key(mallory.identity_public)},
    ):
        with pytest.raises(RefusedPeer):
            verify(replace(good, **changes), {})


def test_another_identity_and_a_lost_post_quantum_key_are_refused_even_when_signed(keys):
    _, b, mallory = keys
    pins = {B_ID: verify(peer_of(b), {})[1]}
    with pytest.raises(RefusedPeer, match="identity"):
        verify(peer_of(mallory), pins)
    from wire.identity import signed_bundle

    stripped = b.sign(
        signed_bundle(
            identity=b.identity_public, wireguard=b.wireguard_public, disco=b.disco_public, mlkem=None
        )
    )
    classical = peer_of(b, mlkem_public_key=None, identity_signature=encode_key(stripped))
    assert verify(classical, {})[0].mlkem is None
    with pytest.raises(RefusedPeer, match="post-quantum"):
        verify(classical, pins)
    assert verify(classical, {B_ID: Pin(pins[B_ID].identity, hybrid=False)})


def offered():
    return Offered("x", hybrid.Offer(b"", b"", b"", b""), b"k" * 32)


def session(*, hybrid=True, initiator=True, stored=None):
    keys = Keyring(PairKey(0, stored) if stored else None)
    renewal = Renewal(initiator=initiator, keys=keys, ratchet=None, random_bytes=bytes, now=0.0)
    return PskSession(initiator=initiator, keys=keys, renewal=renewal if hybrid else None, now=0.0)


def test_only_the_initiator_offers_and_only_a_handshake_verifies():
    initiator = session()
    responder = session(initiator=False)
    assert initiator.wants_offer(0.0, peer_online=True)
    assert not responder.wants_offer(1e9, peer_online=True)
    initiator.offer_sent(offered(), 0.0)
    assert not initiator.wants_offer(1.0, peer_online=True)
    assert not initiator.agreed
    initiator.install(b"k" * 32, 2.0)
    initiator.handshake(1.9)
    assert initiator.state is PskState.INSTALLED
    initiator.handshake(2.1)
    assert initiator.state is PskState.VERIFIED
    assert not initiator.wants_offer(1e9, peer_online=True)


def test_a_key_that_does_not_prove_itself_is_offered_anew_ever_more_rarely():
    pair = session(stored=b"k" * 32)
    assert pair.agreed
    assert not pair.wants_offer(UNPROVEN_SECONDS + 1, peer_online=False)
    assert pair.wants_offer(UNPROVEN_SECONDS + 1, peer_online=True)
    waits, now = [], 0.0
    for _ in range(6):
        pair.install(b"n" * 32, now)
        wait = 0.0
        while not pair.wants_offer(now + wait, peer_online=True):
            wait += 1.0
        waits.append(wait)
        now += wait
    assert waits == sorted(waits)
    assert waits[0] < waits[-1] == 300


def test_a_silent_peer_makes_a_verified_key_doubtful_until_the_next_handshake():
    pair = session(stored=b"k" * 32)
    pair.handshake(1.0)
    pair.silent(500.0)
    pair.handshake(1.0)  # the old one again
    assert pair.state is PskState.INSTALLED
    pair.handshake(501.0)
    assert pair.state is PskState.VERIFIED


def test_classical_stays_classical():
    pair = session(hybrid=False)
    pair.handshake(10.0)
    pair.silent(500.0)
    assert pair.state is PskState.CLASSICAL
    assert pair.psk is None
    assert not pair.wants_offer(1e9, peer_online=True)


def test_keys_survive_their_file(keys):
    a, *_ = keys
    saved = a.secrets()
    assert decode_key(saved["wireguard_public_key"], 32) == a.wireguard_public
    assert decode_key(saved["mlkem_private_key"], 64) == a.mlkem
