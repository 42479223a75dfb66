"""STUN against the published vectors and against damage."""

import contextlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import stun
from wire.binary import Endpoint, WireError

# RFC 5769 section 2.2 and 2.3: responses with MESSAGE-INTEGRITY and FINGERPRINT.
TXID = bytes.fromhex("b7e7a701bc34d686fa87dfae")
RESPONSE_IPV4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
RESPONSE_IPV6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed41"
    "80280004c8fb0b4c"
)


@pytest.mark.parametrize(
    ("packet", "endpoint"),
    [
        (RESPONSE_IPV4, Endpoint("192.0.2.1", 32853)),
        (RESPONSE_IPV6, Endpoint("2001:db8:1234:5678:11:2233:4455:6677", 32853)),
    ],
)
def test_rfc_5769_responses(packet, endpoint):
    message = stun.parse(packet)
    assert (message.kind, message.txid) == (stun.BINDING_SUCCESS, TXID)
    assert message.mapped_endpoint() == endpoint


# The two bytes that name the fingerprint itself turn it into an unknown attribute: RFC 8489 lets that pass.
@pytest.mark.parametrize("position", sorted(set(range(len(RESPONSE_IPV4))) - {72, 73}))
def test_a_flipped_bit_is_noticed(position):
    damaged = bytearray(RESPONSE_IPV4)
    damaged[position] ^= 1
    with pytest.raises(WireError):
        stun.parse(bytes(damaged))


@given(st.ip_addresses(), st.integers(1, 65535))
def test_every_address_survives_the_round_trip(address, port):
    txid = os.urandom(12)
    source = Endpoint(str(address), port)
    assert stun.parse(stun.binding_success(txid, source)).mapped_endpoint() == source


@given(st.binary(max_size=600))
def test_noise_never_raises_anything_but_wire_error(packet):
    with contextlib.suppress(WireError):
        stun.parse(packet).mapped_endpoint()
