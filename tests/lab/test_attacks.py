"""Who scans a machine, or sends anew what crossed the line, gets no answer and changes nothing."""

import hashlib
import os
import socket
import time

import pytest

from agent.engine.disco import Sealer
from agent.keys import MachineKeys
from agent.state import Store
from tests.lab.capture import DATA, HANDSHAKES, INITIATION, RESPONSE, captured, send
from tests.lab.filtered import inside
from tests.lab.nats import Nat
from tests.lab.net import loss_counter
from tests.lab.scan import CONTROL_PORTS, answering_udp, listening, open_tcp
from tests.lab.site import site, wait_until
from tests.lab.test_paths import pair, path
from wire.binary import decode_key
from wire.disco import HEADER_BYTES, KEY_BYTES, TAG_BYTES, TXID_BYTES, Ping, is_disco
from wire.numbers import AGENT_PORT
from wire.stun import binding_request

pytestmark = pytest.mark.lab

*MARKERS, LOST = (bytes([number]) * 700 for number in range(4))
# Header, the datagram in its own headers padded to 16 bytes, and the tag.
MARKER_PACKET_BYTES = 16 + 736 + 16
# A pong is shorter, and answers nothing any more in any case.
PING_BYTES = HEADER_BYTES + TAG_BYTES + 2 + TXID_BYTES + KEY_BYTES
LATER_SECONDS = 30
# WireGuard tries again after 5 s.
TRAFFIC_SECONDS = 12


class Ground:
    """Alpha and beta are direct; mallory is on the internet, the neighbour on alpha's side of its NAT.

    The NATs let everything in that is UDP: what keeps quiet is the machine.
    """

    def __init__(self, running):
        lab = running.lab
        left, right = (lab.nat(Nat.FULL_CONE) for _ in range(2))
        self.mallory = lab.public_host("mallory")
        hosts = [lab.private_host("alpha", left), lab.private_host("beta", right)]
        self.neighbour = lab.private_host("neighbour", left)
        self.alpha, self.beta = pair(running, *hosts)
        wait_until(self.direct, "a direct path", 20)

    def direct(self):
        return path(self.alpha, self.beta) == "direct" == path(self.beta, self.alpha)

    def place(self, machine):
        """Where the internet reaches a machine's own port."""
        return (machine.host.router.address, AGENT_PORT)


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    directory = tmp_path_factory.mktemp("site")
    with site(directory) as running:
        found = Ground(running)
        router = found.alpha.host.router
        what = f"host {found.place(found.beta)[0]} and {HANDSHAKES}"
        with captured(router, "wan", what, directory / "handshakes.pcap") as found.handshakes:
            yield found


def datagrams(host):
    with inside(host):
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


class Recorded:
    """Three datagrams that crossed the tunnel once, as packets of the line, and pings of disco.

    held is a fourth one that the line lost.
    """

    def __init__(self, ground, directory):
        alpha, beta, router = ground.alpha, ground.beta, ground.alpha.host.router
        self.own, self.target = ground.place(alpha), ground.place(beta)
        self.to = (alpha.ztna("ip", "beta").strip(), 9999)
        self.receiver = datagrams(beta.host)
        self.receiver.bind(("", self.to[1]))
        self.receiver.setblocking(False)
        what = f"src {self.own[0]} and dst {self.target[0]}"
        with datagrams(alpha.host) as sock, captured(router, "wan", what, directory / "pcap") as capture:
            for marker in MARKERS:
                sock.sendto(marker, self.to)
            wait_until(lambda: self._pings(capture), "a ping on the path", 15)
            wait_until(lambda: len(self._data(capture)) == len(MARKERS), "the packets", 5)
            self.pings, self.packets = self._pings(capture), self._data(capture)
            self.at = time.monotonic()
            assert self.delivered() == MARKERS
            beta.host.router.block_udp(router)
            sock.sendto(LOST, self.to)
            wait_until(lambda: len(self._data(capture)) > len(MARKERS), "the lost packet", 5, pause=0.02)
            beta.host.router.unblock()
        self.held = self._data(capture)[-1]
        assert self.delivered() == []

    def _pings(self, capture):
        disco = [each.payload for each in capture.datagrams() if is_disco(each.payload)]
        return [payload for payload in disco if len(payload) == PING_BYTES]

    def _data(self, capture):
        found = [each.payload for each in capture.datagrams() if each.kind == DATA]
        return [payload for payload in found if len(payload) == MARKER_PACKET_BYTES]

    def delivered(self):
        found = []
        while True:
            try:
                found.append(self.receiver.recv(2000))
            except BlockingIOError:
                return found


@pytest.fixture(scope="module")
def recorded(ground, tmp_path_factory):
    found = Recorded(ground, tmp_path_factory.mktemp("recorded"))
    yield found
    found.receiver.close()


def received(machine, other):
    """Bytes that WireGuard took from a peer, a keepalive's apart."""
    return machine.peers()[other.host.name]["rx_bytes"]


def replay(ground, recorded, directory):
    """Send all of it anew, from its own source and from mallory; nothing may come of it."""
    alpha, beta = ground.alpha, ground.beta
    before, strange = beta.peers()["alpha"], (ground.mallory.address, AGENT_PORT)
    with captured(beta.host, "eth0", "udp", directory / "again.pcap") as capture:
        for payload in (*recorded.packets, *recorded.pings):
            for source in (recorded.own, strange):
                send(ground.mallory, source, recorded.target, payload)
        time.sleep(1)
    seen = capture.datagrams()
    arrived = [each.payload for each in seen if each.target[0] == beta.host.address]
    for payload in (*recorded.packets, *recorded.pings):
        assert arrived.count(payload) == 2
    assert recorded.delivered() == []
    assert not [each for each in seen if each.target[0] == ground.mallory.address]
    after = beta.peers()["alpha"]
    # A keepalive or two may have come by themselves; a marker is many times as long.
    assert after["rx_bytes"] - before["rx_bytes"] < MARKER_PACKET_BYTES - 100
    steady = ("path", "endpoint", "last_handshake")
    assert [after[name] for name in steady] == [before[name] for name in steady]
    assert "3 received" in alpha.host.run("ping", "-n", "-c3", "-i0.1", "-W2", recorded.to[0])


def test_a_packet_that_the_line_lost_is_taken_once(ground, recorded):
    """So the way by which packets are sent anew does lead into the tunnel."""
    for _ in range(2):
        send(ground.mallory, recorded.own, recorded.target, recorded.held)
    time.sleep(1)
    assert recorded.delivered() == [LOST]


def test_what_crossed_the_line_is_not_taken_twice(ground, recorded, tmp_path):
    time.sleep(max(0.0, recorded.at + 1 - time.monotonic()))
    replay(ground, recorded, tmp_path)


@pytest.mark.parametrize("where", ["internet", "line", "tailnet"])
def test_a_scan_finds_no_port_of_ours(ground, where):
    alpha, beta = ground.alpha, ground.beta
    host, own, target = {
        "internet": (ground.mallory, ground.mallory.address, alpha.host.router.address),
        "line": (ground.neighbour, ground.neighbour.address, alpha.host.address),
        "tailnet": (beta.host, beta.ztna("ip").strip(), alpha.ztna("ip").strip()),
    }[where]
    with listening(alpha.host):
        found = open_tcp(host, own, target), answering_udp(host, own, target)
    # The NAT forwards no TCP.
    assert found == (CONTROL_PORTS if where != "internet" else set(), CONTROL_PORTS)


def forgeries(machine):
    """What a stranger can make that knows a machine's public keys."""
    keys = MachineKeys.from_state(Store(machine.directory).machine())
    initiation = (1).to_bytes(4, "little") + os.urandom(112)
    lock = hashlib.blake2s(b"mac1----" + decode_key(machine.json("status")["public_key"], 32)).digest()
    mac = hashlib.blake2s(initiation, key=lock, digest_size=16).digest()
    sealer = Sealer(os.urandom(32), os.urandom)
    sealer.add(keys.disco_public)
    return [
        *(b"\0", os.urandom(64), os.urandom(1200)),
        initiation + mac + bytes(16),
        initiation + os.urandom(32),
        *(
            kind.to_bytes(4, "little") + os.urandom(size)
            for kind, size in ((2, 88), (3, 60), (4, 28), (4, 600))
        ),
        sealer.seal(keys.disco_public, Ping(os.urandom(12), os.urandom(32))),
        binding_request(os.urandom(12)),
    ]


def test_the_agent_s_port_is_silent_to_strangers(ground, tmp_path):
    alpha = ground.alpha
    sent = forgeries(alpha)
    strangers = {ground.mallory: ground.place(alpha), ground.neighbour: (alpha.host.address, AGENT_PORT)}
    with captured(alpha.host, "eth0", f"port {AGENT_PORT}", tmp_path / "strangers.pcap") as capture:
        for host, target in strangers.items():
            for payload in sent:
                send(host, (host.address, 5555), target, payload)
        time.sleep(2)
    for host in strangers:
        heard = [each for each in capture.datagrams() if host.address in (each.source[0], each.target[0])]
        assert [each.payload for each in heard if each.source[0] == host.address] == sent
        assert not [each for each in heard if each.target[0] == host.address]
    assert ground.direct()


def test_nor_half_a_minute_later(ground, recorded, tmp_path):
    time.sleep(max(0.0, recorded.at + LATER_SECONDS - time.monotonic()))
    replay(ground, recorded, tmp_path)


def test_a_session_under_traffic_makes_no_further_handshake_and_none_is_answered_twice(ground, tmp_path):
    """In its first seconds; `./dev lab psk --minutes 5` sees the further ones, spaced over 120 s."""
    alpha, address = ground.alpha, ground.alpha.ztna("ip", "beta").strip()
    begun = len(ground.handshakes.datagrams())

    def handshakes():
        return ground.handshakes.datagrams()[begun:]

    # The daemon makes its tunnel anew, and the peer is on the direct path as before.
    alpha.host.run("ip", "link", "del", alpha.environment["QUICKZTNA_INTERFACE"])
    wait_until(lambda: RESPONSE in {each.kind for each in handshakes()}, "a handshake on the direct path", 20)
    ping = ("ping", "-n", "-c1", "-W1", address)
    wait_until(lambda: "1 received" in alpha.host.run(*ping, check=False), "a session", 20)
    made = handshakes()
    with loss_counter(alpha.host, address) as figures:
        time.sleep(TRAFFIC_SECONDS)
    assert figures["lost"] <= 1, figures  # the one in flight when the counter stops
    assert handshakes() == made
    first = next(each for each in made if each.kind == INITIATION)
    with captured(alpha.host.router, "wan", HANDSHAKES, tmp_path / "anew.pcap") as anew:
        for source in (first.source, (ground.mallory.address, AGENT_PORT)):
            send(ground.mallory, source, first.target, first.payload)
        time.sleep(1)
    assert [each for each in anew.datagrams() if each.source == first.target] == []
