"""Shared port and relay proxy on real sockets of this host's loopback."""

import asyncio
import os
import socket
import struct

import pytest

from agent.io.owned import UDP_SEGMENT
from agent.io.port import SharedPort
from agent.io.relay import RelayProxy
from wire.binary import Endpoint
from wire.disco import MAGIC
from wire.relay import datagrams
from wire.stun import binding_request

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets need root"),
]
MARK = 0x515A
DISCO = MAGIC + b"x" * 90
WIREGUARD = b"\4\0\0\0" + b"x" * 90


def udp():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(2)
    return sock


async def eventually(condition):
    async with asyncio.timeout(3):
        while not condition():
            await asyncio.sleep(0.01)


async def test_only_disco_and_stun_for_our_port_wake_the_agent():
    with udp() as wireguard, udp() as other, udp() as peer:
        received = []
        port = SharedPort(wireguard.getsockname()[1], mark=MARK, receive=lambda *args: received.append(args))
        port.start()
        try:
            stun = binding_request(b"t" * 12)
            peer.sendto(DISCO, other.getsockname())
            for payload in (WIREGUARD, b"", b"x", MAGIC[:3], DISCO, stun):
                peer.sendto(payload, wireguard.getsockname())
            await eventually(lambda: len(received) == 2)
            source = Endpoint(*peer.getsockname())
            assert received == [(DISCO, source), (stun, source)]
        finally:
            port.close()


async def test_what_is_sent_comes_from_wireguards_port():
    with udp() as wireguard, udp() as peer:
        port = SharedPort(wireguard.getsockname()[1], mark=MARK, receive=lambda *args: None)
        port.send(Endpoint(*peer.getsockname()), DISCO)
        port.send(Endpoint(*peer.getsockname()), DISCO, ttl=1)
        port.send(Endpoint("203.0.113.255", 9), DISCO)
        for _ in range(2):
            assert peer.recvfrom(2048) == (DISCO, ("127.0.0.1", port.port))
        port.close()


async def test_a_late_packet_arrives_under_the_direct_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wireguard:
        wireguard.bind(("0.0.0.0", 0))
        wireguard.settimeout(2)
        port = SharedPort(wireguard.getsockname()[1], mark=MARK, receive=lambda *args: None)
        # Loopback is the one network that is surely here; the route to it has the same address.
        direct = Endpoint("127.9.9.9", 41641)
        assert port.inject(direct, memoryview(WIREGUARD))
        assert wireguard.recvfrom(2048) == (WIREGUARD, ("127.9.9.9", 41641))
        port.close()


class Relay:
    """A proxy for WireGuard at a socket of the test."""

    def __init__(self, wireguard, *, late=None):
        self.sent, self.injected, self.disco = [], [], []
        self.late = late
        self.proxy = RelayProxy(
            wireguard_port=wireguard.getsockname()[1],
            send=lambda *args: self.sent.append(args) or True,
            inject=lambda endpoint, packet: self.injected.append((endpoint, bytes(packet))) or True,
            late=lambda key: self.late,
            on_disco=lambda *args: self.disco.append(args),
        )
        self.proxy.start()


A, B = b"a" * 32, b"b" * 32


async def test_peers_are_told_apart_by_address_and_batches_keep_every_packet():
    with udp() as wireguard, udp() as stranger:
        relay = Relay(wireguard)
        to_a, to_b = relay.proxy.add(A), relay.proxy.add(B)
        assert to_a.host.startswith("127.77.")
        packets = [
            (to_a, b"1" * 100),
            (to_a, b"2" * 100),
            (to_a, b"3" * 50),
            (to_a, b"4" * 100),
            (to_b, b"5" * 9),
        ]
        for endpoint, packet in packets:
            wireguard.sendto(packet, endpoint)
        stranger.sendto(b"forged", to_a)
        await eventually(lambda: sum(len(payload) for _, _, payload in relay.sent) == 359)
        seen = [
            (key, bytes(each)) for key, segment, batch in relay.sent for each in datagrams(segment, batch)
        ]
        assert seen == [(A if endpoint == to_a else B, packet) for endpoint, packet in packets]
        relay.proxy.close()


async def test_what_wireguard_sends_in_one_call_arrives_in_one_and_whole():
    with udp() as wireguard:
        relay = Relay(wireguard)
        to_a = relay.proxy.add(A)
        packets = [os.urandom(1280) for _ in range(10)] + [os.urandom(60)]
        cut = (socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", 1280))
        wireguard.sendmsg([b"".join(packets)], [cut], 0, to_a)
        await eventually(lambda: relay.sent)
        seen = [bytes(each) for _, segment, batch in relay.sent for each in datagrams(segment, batch)]
        assert seen == packets
        assert len(relay.sent) == 1
        relay.proxy.close()


async def test_relayed_packets_reach_wireguard_from_the_peers_own_address():
    with udp() as wireguard:
        relay = Relay(wireguard)
        endpoint = relay.proxy.add(A)
        relay.proxy.receive(A, 100, memoryview(b"1" * 100 + b"2" * 100 + b"3" * 7))
        relay.proxy.receive(B, 10, memoryview(b"unknown..."))
        got = [wireguard.recvfrom(2048) for _ in range(3)]
        assert [packet for packet, _ in got] == [b"1" * 100, b"2" * 100, b"3" * 7]
        assert {source for _, source in got} == {(endpoint.host, relay.proxy.port)}
        relay.proxy.close()


async def test_late_packets_are_injected_and_disco_is_kept_from_wireguard():
    with udp() as wireguard:
        direct = Endpoint("192.0.2.7", 41641)
        relay = Relay(wireguard, late=direct)
        relay.proxy.add(A)
        relay.proxy.receive(A, len(DISCO), memoryview(WIREGUARD + DISCO))
        assert relay.disco == [(A, DISCO)]
        assert relay.injected == [(direct, WIREGUARD)]
        wireguard.setblocking(False)
        with pytest.raises(BlockingIOError):
            wireguard.recv(2048)
        relay.proxy.close()
