"""What the STUN server answers, what it is silent about, and what other people's clients say of it."""

import os
import random
import select
import socket
import struct
import subprocess
import sys
import threading

import pytest

from relay import stun as server
from wire import stun
from wire.binary import Endpoint

SOURCE = Endpoint("203.0.113.7", 40000)
LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
FAMILIES = [socket.AF_INET, socket.AF_INET6]


class Running:
    """A server on a loopback socket, in batches or one by one."""

    def __init__(self, family, *, batches=True, per_second=10**6):
        self.family = family
        self.socket = server.bind(family, LOOPBACK[family], 0)
        limit = server.SourceLimit(per_second)
        if batches:
            self._drain = server.drainer(self.socket, limit)
        else:
            self._drain = lambda: server._drain(self.socket, limit)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop)

    def _loop(self):
        while not self._stop.is_set():
            self._drain()
            self._stop.wait(0.002)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._stop.set()
        self._thread.join()
        self.socket.close()

    @property
    def address(self):
        return self.socket.getsockname()[:2]

    def client(self):
        sock = socket.socket(self.family, socket.SOCK_DGRAM)
        sock.settimeout(2)
        sock.bind((LOOPBACK[self.family], 0))
        return sock


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def bare(txid=None):
    """A request without any attribute."""
    return struct.pack("!HHI", stun.BINDING_REQUEST, 0, stun.MAGIC_COOKIE) + (txid or os.urandom(12))


def with_attribute(kind, value):
    attribute = struct.pack("!HH", kind, len(value)) + value
    head = struct.pack("!HHI", stun.BINDING_REQUEST, len(attribute), stun.MAGIC_COOKIE)
    return head + os.urandom(12) + attribute


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("batches", [True, False])
def test_everybody_is_told_his_own_address(family, batches):
    requests = {}
    with Running(family, batches=batches) as running:
        clients = [running.client() for _ in range(20)]
        for sock in clients:
            for make in (stun.binding_request, bare, lambda txid: with_attribute(0x8022, b"a client")):
                txid = os.urandom(12)
                request = make(txid)
                requests[request[8:20]] = sock
                sock.sendto(request, running.address)
        for sock in clients:
            for _ in range(3):
                response = stun.parse(sock.recv(1500))
                assert response.kind == stun.BINDING_SUCCESS
                assert requests.pop(response.txid) is sock
                assert response.mapped_endpoint() == Endpoint(*sock.getsockname()[:2])
            sock.close()
    assert requests == {}


def test_batches_and_single_answers_are_the_same_bytes():
    for family in FAMILIES:
        request = stun.binding_request(os.urandom(12))
        said = []
        for batches in (True, False):
            with Running(family, batches=batches) as running, running.client() as sock:
                sock.sendto(request, running.address)
                answer, source = sock.recv(1500), Endpoint(*sock.getsockname()[:2])
                assert answer == stun.binding_success(request[8:20], source)
                said.append(len(answer))
        assert said[0] == said[1]


def test_a_broken_fingerprint_is_met_with_silence():
    broken = bytearray(stun.binding_request(os.urandom(12)))
    broken[-1] ^= 1
    with Running(socket.AF_INET) as running, running.client() as sock:
        sock.sendto(bytes(broken), running.address)
        sock.sendto(bare(bytes(12)), running.address)
        assert stun.parse(sock.recv(1500)).txid == bytes(12)


def test_an_unknown_required_attribute_gets_error_420_which_names_it():
    response = stun.parse(server.answer(with_attribute(0x0003, b"\0\0\0\6"), SOURCE))
    assert response.kind == stun.BINDING_ERROR
    attributes = dict(response.attributes)
    assert attributes[0x0009][:4] == b"\0\0\4\x14"
    assert attributes[0x000A] == b"\0\3"


def test_optional_attributes_change_nothing():
    response = stun.parse(server.answer(with_attribute(0x8022, b"software"), SOURCE))
    assert response.mapped_endpoint() == SOURCE


def test_responses_and_noise_are_met_with_silence():
    assert server.answer(stun.binding_success(os.urandom(12), SOURCE), SOURCE) is None
    for size in (0, 1, 19, 21, 100, 1500):
        assert server.answer(b"\xff" + os.urandom(size)[1:] if size else b"", SOURCE) is None


def test_nothing_amplifies_much():
    """Whoever forges the address of a victim gains little: an error names 16 attributes at most."""
    four, six = Endpoint("203.0.113.7", 1), Endpoint("2001:db8::1", 1)
    chance = random.Random(5769)
    for source in (four, six):
        assert len(server.answer(stun.binding_request(os.urandom(12)), source)) <= 2 * 28
        for _ in range(500):
            count = chance.randrange(0, 100)
            body = b"".join(struct.pack("!HH", chance.randrange(0x10000), 0) for _ in range(count))
            head = struct.pack("!HHI", stun.BINDING_REQUEST, len(body), stun.MAGIC_COOKIE)
            request = head + os.urandom(12) + body
            answer = server.answer(request, source) or b""
            assert len(answer) <= 20 + 28 + 4 + 32 + 8
            assert len(answer) <= 3 * len(request)


def test_a_request_of_the_old_kind_gets_a_clear_address():
    ident = bytes(range(16))
    change = struct.pack("!HHI", 0x0003, 4, 0)
    for attributes in (b"", change):
        request = struct.pack("!HH", 1, len(attributes)) + ident + attributes
        answer = server.answer(request, SOURCE)
        assert answer[:4] == struct.pack("!HH", stun.BINDING_SUCCESS, 12)
        assert answer[4:20] == ident
        assert answer[20:] == struct.pack("!HHBBH", 1, 8, 0, 1, SOURCE.port) + bytes((203, 0, 113, 7))
    # One that wants the answer from elsewhere would make a cannon of us.
    assert server.answer(struct.pack("!HH", 1, 8) + ident + struct.pack("!HHI", 3, 4, 6), SOURCE) is None


def test_one_source_cannot_take_all():
    limit = server.SourceLimit(per_second=10)
    limit.turn(1.0)
    assert sum(limit.allows(b"\xcb\0\x71\7") for _ in range(100)) == 10
    assert limit.allows(b"\xcb\0\x71\x08")
    limit.turn(1.9)
    assert not limit.allows(b"\xcb\0\x71\7")
    limit.turn(2.0)
    assert limit.allows(b"\xcb\0\x71\7")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("batches", [True, False])
def test_a_flood_is_answered_up_to_the_limit(family, batches):
    with Running(family, batches=batches, per_second=50) as running, running.client() as sock:
        for _ in range(500):
            sock.sendto(bare(), running.address)
        answered = 0
        while select.select([sock], [], [], 0.5)[0]:
            sock.recv(1500)
            answered += 1
        # The burst may lie in two seconds.
        assert 50 <= answered <= 100


@pytest.fixture
def process(tmp_path):
    """The server as the relay starts it, two processes on one port."""
    port = free_udp_port()
    code = f"from relay import stun; stun.serve('127.0.0.1', {port})"
    servers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        for _ in range(50):
            try:
                sock.sendto(bare(), ("127.0.0.1", port))
                sock.recv(1500)
                break
            except OSError:
                continue
    yield port
    for server_process in servers:
        server_process.terminate()
        server_process.wait(5)


def test_coturns_client_understands_us(process):
    command = ["turnutils_stunclient", "-p", str(process), "-L", "127.0.0.1", "127.0.0.1"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert "UDP reflexive addr: 127.0.0.1:" in said.stdout, said


def test_the_client_of_the_old_kind_understands_us(process):
    local = free_udp_port()
    command = ["stun", f"127.0.0.1:{process}", "1", "-v", "-p", str(local), "-i", "127.0.0.1"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert f"127.0.0.1:{local}" in said.stdout + said.stderr, said
