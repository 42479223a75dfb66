"""Datagrams from one client to another: all of them, in their order, or at most a few lost on the way."""

import asyncio
import secrets

# 40 ms of numbered traffic: what may be on its way while a link moves.
IN_FLIGHT = 20


async def arrive(receiver, count):
    """The payloads of so many datagrams of 1,000 bytes."""
    found = b""
    while len(found) < count * 1000:
        _, _, payload = await asyncio.wait_for(receiver.received.get(), 5)
        found += payload
    return found


async def everything_arrives(sender, receiver, count=200):
    """So many datagrams of 1,000 bytes."""
    sent = b""
    for _ in range(count):
        payload = secrets.token_bytes(1000)
        assert sender.link.send(receiver.key, 1000, payload)
        sent += payload
        await asyncio.sleep(0)
    assert await arrive(receiver, count) == sent


class Numbered:
    """A numbered datagram every 2 ms."""

    def __init__(self, sender, receiver):
        self._sender, self._receiver = sender, receiver
        self.sent = 0

    async def until(self, done, seconds=30):
        """Send for as long as not done()."""
        async with asyncio.timeout(seconds):
            while not done():
                payload = self.sent.to_bytes(4, "big") + bytes(996)
                assert self._sender.link.send(self._receiver.key, 1000, payload)
                self.sent += 1
                await asyncio.sleep(0.002)

    async def arrived(self, lost=IN_FLIGHT):
        """What came, each once and in its order; at most so many are missing."""
        await asyncio.sleep(0.5)
        numbers = []
        while not self._receiver.received.empty():
            _, segment, payload = self._receiver.received.get_nowait()
            numbers += [int.from_bytes(payload[at : at + 4], "big") for at in range(0, len(payload), segment)]
        assert numbers == sorted(set(numbers))
        missing = sorted(set(range(self.sent)) - set(numbers))
        assert len(missing) <= lost, missing
