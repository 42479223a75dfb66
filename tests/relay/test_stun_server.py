"""What the STUN server answers, and what it is silent about."""

import os
import socket
import struct
import threading

from relay import stun as server
from wire import stun
from wire.binary import Endpoint

SOURCE = Endpoint("203.0.113.7", 40000)


def test_a_binding_request_is_answered_with_its_source():
    txid = os.urandom(12)
    response = stun.parse(server.answer(stun.binding_request(txid), SOURCE))
    assert (response.kind, response.txid) == (stun.BINDING_SUCCESS, txid)
    assert response.mapped_endpoint() == SOURCE


def test_an_unknown_required_attribute_gets_error_420():
    txid = os.urandom(12)
    attribute = struct.pack("!HH", 0x0003, 4) + b"\0\0\0\6"
    request = struct.pack("!HHI", stun.BINDING_REQUEST, len(attribute), stun.MAGIC_COOKIE) + txid + attribute
    assert stun.parse(server.answer(request, SOURCE)).kind == stun.BINDING_ERROR


def test_responses_and_noise_are_met_with_silence():
    assert server.answer(stun.binding_success(os.urandom(12), SOURCE), SOURCE) is None
    for size in (0, 1, 19, 20, 100, 1500):
        assert server.answer(os.urandom(size), SOURCE) is None


def test_an_answer_amplifies_little():
    request = stun.binding_request(os.urandom(12))
    assert len(server.answer(request, Endpoint("2001:db8::1", 1))) <= 2 * len(request)


def test_one_source_cannot_take_all():
    limit = server.SourceLimit(per_second=10)
    assert sum(limit.allows("203.0.113.7", 1.0) for _ in range(100)) == 10
    assert limit.allows("203.0.113.8", 1.0)
    assert limit.allows("203.0.113.7", 2.0)


def test_ipv6_neighbours_of_one_network_share_a_limit():
    limit = server.SourceLimit(per_second=1)
    assert limit.allows("2001:db8:1:2:aaaa:1:1:1", 1.0)
    assert not limit.allows("2001:db8:1:2:bbbb:2:2:2", 1.0)


def test_it_answers_on_a_socket():
    sock = server.bind(socket.AF_INET, "127.0.0.1", 0)
    limit = server.SourceLimit()
    stop = threading.Event()

    def loop():
        while not stop.is_set():
            server._drain(sock, limit)
            stop.wait(0.005)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(3)
            client.bind(("127.0.0.1", 0))
            txid = os.urandom(12)
            client.sendto(stun.binding_request(txid), sock.getsockname())
            response = stun.parse(client.recv(1500))
            assert response.mapped_endpoint() == Endpoint(*client.getsockname())
    finally:
        stop.set()
        thread.join()
        sock.close()
