"""Messages of PCP, NAT-PMP and UPnP against bytes written out from the RFCs, and against liars."""

from ipaddress import IPv4Address

import pytest

from agent.portmap import natpmp, pcp, upnp
from agent.portmap.mapping import Mapping, PortMapError
from wire.binary import Endpoint

NONCE = bytes(range(12))
MAPPED = bytes(10) + b"\xff\xff"


def pcp_answer(
    *, version=2, opcode=0x81, result=0, lifetime=3600, nonce=NONCE, internal=41641, external=5000
):
    head = bytes((version, opcode, 0, result)) + lifetime.to_bytes(4, "big") + bytes(16)
    ports = internal.to_bytes(2, "big") + external.to_bytes(2, "big")
    return head + nonce + b"\x11\0\0\0" + ports + MAPPED + bytes((203, 0, 113, 9))


def test_a_pcp_request_is_60_bytes_as_drawn():
    packet = pcp.map_request(
        client="192.168.1.10",
        nonce=NONCE,
        internal=41641,
        wanted=Endpoint("203.0.113.9", 5000),
        lifetime=7200,
    )
    assert packet == (
        b"\x02\x01\0\0" + b"\0\0\x1c\x20" + MAPPED + bytes((192, 168, 1, 10))
        + NONCE + b"\x11\0\0\0" + b"\xa2\xa9" + b"\x13\x88" + MAPPED + bytes((203, 0, 113, 9))
    )  # fmt: skip
    assert pcp.map_request(client="fd00::1", nonce=NONCE, internal=1, wanted=None, lifetime=0)[8:24] == (
        b"\xfd" + bytes(14) + b"\x01"
    )


def test_a_pcp_grant_is_read():
    granted = pcp.parse_mapped(pcp_answer(), nonce=NONCE, internal=41641)
    assert granted == Mapping("pcp", Endpoint("203.0.113.9", 5000), 3600)


@pytest.mark.parametrize(
    "packet",
    [
        pcp_answer(nonce=bytes(12)),  # somebody who did not see our request
        pcp_answer(internal=22),
        pcp_answer(opcode=0x01),  # our own request, reflected
        pcp_answer(opcode=0x82),
        pcp_answer()[:-1],
        b"",
        b"\x02",
    ],
)
def test_a_pcp_answer_to_another_question_is_dropped(packet):
    assert pcp.parse_mapped(packet, nonce=NONCE, internal=41641) is None


@pytest.mark.parametrize(
    "packet", [pcp_answer(result=2), pcp_answer(version=1), b"\0\x80\0\x01\0\0\0\0", pcp_answer(result=99)]
)
def test_a_pcp_refusal_ends_the_question(packet):
    with pytest.raises(PortMapError):
        pcp.parse_mapped(packet, nonce=NONCE, internal=41641)


def test_a_refusal_without_our_nonce_is_not_believed():
    assert pcp.parse_mapped(pcp_answer(result=2, nonce=bytes(12)), nonce=NONCE, internal=41641) is None


def test_nat_pmp_as_drawn():
    assert natpmp.ADDRESS_REQUEST == b"\0\0"
    assert natpmp.map_request(41641, 5000, 7200) == b"\0\x01\0\0\xa2\xa9\x13\x88\0\0\x1c\x20"
    address = natpmp.parse_address(b"\0\x80\0\0\0\0\0\x07" + bytes((203, 0, 113, 9)))
    assert address == IPv4Address("203.0.113.9")
    grant = b"\0\x81\0\0\0\0\0\x07\xa2\xa9\x13\x88\0\0\x0e\x10"
    assert natpmp.parse_mapped(grant, 41641) == (5000, 3600)
    assert natpmp.parse_mapped(grant, 22) is None
    assert natpmp.parse_mapped(grant[:-1], 41641) is None
    assert natpmp.parse_address(grant) is None
    with pytest.raises(PortMapError, match="not authorised"):
        natpmp.parse_mapped(b"\0\x81\0\x02\0\0\0\x07", 41641)


@pytest.mark.parametrize("size", range(80))
def test_truncated_answers_never_raise_anything_else(size):
    for packet in (pcp_answer()[:size], bytes((0, 0x81)) + bytes(size), bytes((0, 0x80)) + bytes(size)):
        for read in (
            lambda data: pcp.parse_mapped(data, nonce=NONCE, internal=41641),
            pcp.parse_announced,
            natpmp.parse_address,
            lambda data: natpmp.parse_mapped(data, 41641),
        ):
            try:
                read(packet)
            except PortMapError:
                continue


def ssdp(location):
    return f"HTTP/1.1 200 OK\r\nST: x\r\nLocation: {location}\r\n\r\n".encode()


def test_only_the_gateway_s_own_description_is_read():
    assert (
        upnp.location(ssdp("http://192.168.1.1:5000/d.xml"), "192.168.1.1") == "http://192.168.1.1:5000/d.xml"
    )
    for liar in (
        "http://192.168.1.2:5000/d.xml",
        "http://192.168.1.1@10.0.0.5/d.xml",
        "https://192.168.1.1/d.xml",
        "file:///etc/passwd",
        "http://[::1",
        "http://192.168.1.1:99999999/",
    ):
        assert upnp.location(ssdp(liar), "192.168.1.1") is None, liar
    assert upnp.location(b"NOTIFY * HTTP/1.1\r\nLocation: http://192.168.1.1/\r\n\r\n", "192.168.1.1") is None
