"""Parts of a key exchange: round trips, sizes, and what is refused."""

import contextlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from wire import disco, psk
from wire.binary import WireError


def fixed(size):
    return st.binary(min_size=size, max_size=size)


NAME = fixed(16)
MESSAGES = st.one_of(
    st.builds(psk.Offer, NAME, st.integers(0, 2**32 - 1), fixed(16), fixed(32), fixed(1184), fixed(64)),
    st.builds(psk.Answer, NAME, fixed(32), fixed(1088), fixed(32), fixed(64)),
    st.builds(psk.Confirm, NAME, fixed(32)),
    st.builds(psk.Installed, NAME, fixed(32)),
    st.builds(psk.Refused, NAME),
    st.builds(psk.Wanted, NAME),
)


@given(MESSAGES, st.booleans())
def test_messages_survive_their_parts_in_any_order(message, turned):
    joiner, found = psk.Joiner(), []
    parts = psk.split(message)
    for part in reversed(parts) if turned else parts:
        plain = disco.encode(part)
        assert disco.HEADER_BYTES + disco.TAG_BYTES + len(plain) <= 1200
        found.append(joiner.add(disco.decode(plain)))
    assert found[-1] == message
    assert found[:-1] == [None] * (len(parts) - 1)


@given(MESSAGES, MESSAGES)
def test_interleaved_exchanges_never_mix(first, second):
    assume(first.exchange != second.exchange)
    joiner, found = psk.Joiner(), []
    for pair in zip(psk.split(first), psk.split(second), strict=False):
        found += [joiner.add(part) for part in pair]
    assert {message for message in found if message} <= {first, second}


@given(st.binary(max_size=1100))
def test_noise_raises_wire_error_only(noise):
    with contextlib.suppress(WireError):
        psk.decode_part(noise)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        bytes(18),
        bytes(16) + bytes((0, 0, 1)),
        bytes(16) + bytes((7, 0, 1)),
        bytes(16) + bytes((1, 0, 1)) + bytes(1024),
        bytes(16) + bytes((1, 2, 2)) + bytes(276),
        bytes(16) + bytes((1, 1, 2)) + bytes(275),
        bytes(16) + bytes((3, 0, 1)) + bytes(33),
        bytes(16) + bytes((5, 0, 1)) + bytes(1),
        bytes(16) + bytes((5, 0, 0)),
    ],
)
def test_parts_have_one_place_and_one_size(body):
    with pytest.raises(WireError):
        psk.decode_part(body)


def test_names_and_proofs_have_labels_of_their_own():
    key, exchange = b"k" * 32, b"e" * 16
    proofs = {psk.proof(key, step, exchange) for step in ("answer", "confirm", "installed")}
    assert len(proofs) == 3
    assert psk.base_name(key) not in {shown[:16] for shown in proofs}
