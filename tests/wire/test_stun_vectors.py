"""The test vectors of RFC 5769, section 2."""

import pytest

from wire import stun
from wire.binary import Endpoint, WireError

TXID = bytes.fromhex("b7e7a701bc34d686fa87dfae")
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff"
    "80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf"
)
RESPONSE_4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004c07d4c96"
)
RESPONSE_6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed41"
    "80280004c8fb0b4c"
)


def test_the_request():
    message = stun.parse(REQUEST)
    assert (message.kind, message.txid) == (stun.BINDING_REQUEST, TXID)
    attributes = dict(message.attributes)
    assert attributes[0x8022] == b"STUN test client"
    assert attributes[0x0006] == b"evtj:h6vY"
    # PRIORITY, USERNAME and MESSAGE-INTEGRITY are of ICE, which this server does not speak.
    assert message.unknown_required() == (0x0024, 0x0006, 0x0008)


@pytest.mark.parametrize(
    ("packet", "host"),
    [(RESPONSE_4, "192.0.2.1"), (RESPONSE_6, "2001:db8:1234:5678:11:2233:4455:6677")],
)
def test_the_responses(packet, host):
    message = stun.parse(packet)
    assert (message.kind, message.txid) == (stun.BINDING_SUCCESS, TXID)
    assert message.mapped_endpoint() == Endpoint(host, 32853)
    # The mapped address is packed as in the vector.
    assert (
        dict(stun.parse(stun.binding_success(TXID, Endpoint(host, 32853))).attributes)[0x0020]
        == dict(message.attributes)[0x0020]
    )


@pytest.mark.parametrize("packet", [REQUEST, RESPONSE_4, RESPONSE_6])
def test_one_bit_breaks_the_fingerprint(packet):
    for at in (*range(8, 20), *range(24, 34), *range(len(packet) - 4, len(packet))):
        broken = bytearray(packet)
        broken[at] ^= 0x10
        with pytest.raises(WireError, match="fingerprint"):
            stun.parse(bytes(broken))
