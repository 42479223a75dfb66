"""STUN client on the shared port: our address as the internet sees it, and latency to regions."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wire.binary import Endpoint, WireError
from wire.netmap import RelayRegion
from wire.stun import BINDING_SUCCESS, TXID_BYTES, binding_request, parse

RETRY_SECONDS = (0.0, 0.2, 0.6)
WAIT_SECONDS = 1.5
# After the first answer: servers as near as that one answer meanwhile.
EARLY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Reflection:
    """What one region's STUN server answered."""

    region: str
    mapped: Endpoint
    latency_ms: float


class StunClient:
    """send(endpoint, packet) puts a packet on the wire; received packets come by `receive`."""

    def __init__(self, send: Callable[[Endpoint, bytes], None]) -> None:
        self._send = send
        self._waiting: dict[bytes, tuple[Endpoint, float, asyncio.Future[tuple[Endpoint, float]]]] = {}

    def receive(self, packet: bytes, source: Endpoint) -> None:
        """An answer arrived; one that was not asked of this very server is dropped."""
        try:
            message = parse(packet)
            mapped = message.mapped_endpoint() if message.kind == BINDING_SUCCESS else None
        except WireError:
            return
        waiting = self._waiting.get(message.txid)
        if mapped is None or waiting is None or waiting[0] != source or waiting[2].done():
            return
        waiting[2].set_result((mapped, (time.monotonic() - waiting[1]) * 1000))

    async def survey(
        self, regions: Sequence[RelayRegion], early: Callable[[list[Reflection]], None] = lambda found: None
    ) -> list[Reflection]:
        """Ask every region on every address family at once; those that answered.

        early is told once what the first ones answered, when others are still awaited.
        """
        found: list[Reflection] = []
        asked = [
            asyncio.create_task(self._ask(region, server))
            for region in regions
            for server in await _servers(region)
        ]
        waiting, told = set(asked), False
        try:
            while waiting:
                pause = EARLY_SECONDS if found and not told else None
                done, waiting = await asyncio.wait(
                    waiting, timeout=pause, return_when=asyncio.FIRST_COMPLETED
                )
                found += [answer for task in done if (answer := task.result()) is not None]
                if not done:
                    told = True
                    early(list(found))
        finally:
            for task in waiting:
                task.cancel()
        return found

    async def _ask(self, region: RelayRegion, server: Endpoint) -> Reflection | None:
        future: asyncio.Future[tuple[Endpoint, float]] = asyncio.get_running_loop().create_future()
        sent: list[bytes] = []
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                for pause in RETRY_SECONDS:
                    await asyncio.wait((future,), timeout=pause or None if sent else 0)
                    if future.done():
                        break
                    txid = os.urandom(TXID_BYTES)
                    sent.append(txid)
                    self._waiting[txid] = (server, time.monotonic(), future)
                    self._send(server, binding_request(txid))
                mapped, latency = await future
                return Reflection(region.region_code, mapped, latency)
        except TimeoutError:
            return None
        finally:
            for txid in sent:
                del self._waiting[txid]


async def _servers(region: RelayRegion) -> list[Endpoint]:
    hosts = [host for host in (region.ipv4, region.ipv6) if host]
    if not hosts:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(region.hostname, region.stun_port, type=socket.SOCK_DGRAM)
        except OSError:
            return []
        hosts = sorted({str(entry[4][0]) for entry in found})
    return [Endpoint(host, region.stun_port) for host in hosts]
