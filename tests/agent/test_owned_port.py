"""The owned port on real sockets: batches in and out, and what is picked out of them."""

import asyncio
import os

import pytest

from agent.io.owned import MAX_SEGMENTS, OwnedPort
from agent.tunnel import loopback_port
from wire.binary import Endpoint
from wire.disco import HEADER_BYTES, MAGIC
from wire.stun import binding_request

DATA = b"\x04\0\0\0"


class End:
    """An owned port that keeps what comes."""

    def __init__(self, port=0):
        self.own, self.data = [], []
        self.came = asyncio.Event()
        self.port = OwnedPort(port or loopback_port(), mark=None, receive=self._own, data=self._data)
        self.port.start()

    def _own(self, packet, source):
        self.own.append((packet, source))
        self.came.set()

    def _data(self, source, segment, batch):
        self.data += [(source, bytes(batch[at : at + segment])) for at in range(0, len(batch), segment)]
        self.came.set()

    async def until(self, condition):
        async with asyncio.timeout(5):
            while not condition():
                self.came.clear()
                await self.came.wait()


@pytest.fixture
async def ends():
    pair = End(), End()
    yield pair
    for end in pair:
        end.port.close()


def packets(count, size, last=None):
    sizes = [size] * (count - 1) + [last or size]
    return [DATA + os.urandom(each - 4) for each in sizes]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize(
    ("count", "size", "last"), [(1, 148, None), (12, 1280, None), (12, 1280, 60), (200, 92, 40)]
)
async def test_a_batch_arrives_whole_and_in_order(ends, host, count, size, last):
    left, right = ends
    sent = packets(count, size, last)
    left.port.send_data(Endpoint(host, right.port.port), size, b"".join(sent))
    await right.until(lambda: len(right.data) >= count)
    assert [packet for _, packet in right.data] == sent
    assert {source for source, _ in right.data} == {Endpoint(host, left.port.port)}
    traffic = left.port.traffic
    assert (traffic.datagrams_out, traffic.calls_out) == (count, -(-count // MAX_SEGMENTS))


async def test_our_own_packets_are_picked_out_of_wireguard_s(ends):
    left, right = ends
    where = Endpoint("127.0.0.1", right.port.port)
    disco, stun = MAGIC + os.urandom(HEADER_BYTES + 40), binding_request(os.urandom(12))
    left.port.send(where, disco)
    left.port.send(where, stun, ttl=3)
    left.port.send_data(where, 148, b"".join(packets(3, 148)))
    await right.until(lambda: len(right.own) == 2 and len(right.data) == 3)
    assert [packet for packet, _ in right.own] == [disco, stun]


async def test_a_batch_with_a_foreign_packet_inside_is_taken_apart(ends):
    left, right = ends
    first, last = packets(2, 148)
    disco = MAGIC + os.urandom(144)
    noise = b"\xff" + os.urandom(147)
    batch = b"".join((first, disco, noise, last))
    left.port.send_data(Endpoint("127.0.0.1", right.port.port), 148, batch)
    await right.until(lambda: len(right.data) == 2 and right.own)
    assert [packet for _, packet in right.data] == [first, last]
    assert [packet for packet, _ in right.own] == [disco]


async def test_wireguard_s_initiation_is_not_taken_for_stun(ends):
    left, right = ends
    initiation = b"\x01\0\0\0" + binding_request(bytes(12))[4:8] + os.urandom(140)
    left.port.send_data(Endpoint("127.0.0.1", right.port.port), 148, initiation)
    await right.until(lambda: right.data)
    assert not right.own


async def test_nowhere_is_no_error(ends):
    left, _ = ends
    left.port.send(Endpoint("203.0.113.254", 9), b"x")
    left.port.send_data(Endpoint("2001:db8::1", 9), 100, bytes(300))
