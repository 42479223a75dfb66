"""The resolver of MagicDNS, on 100.100.100.100 over UDP and TCP (RFC 1035, RFC 7766).

Order: block list, tailnet, split domains, upstream servers.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode

from agent.engine.dnscache import DnsCache
from agent.engine.zone import Blocklist, Zone, nearest_domain
from agent.host.upstream import Nameserver, Upstreams, parse_all
from wire.netmap import Netmap

logger = logging.getLogger("agent.dns")

PORT = 53
MAX_QUESTIONS = 256
MAX_CONNECTIONS = 64
CONNECTION_SECONDS = 15.0
MAX_BYTES = 65_535
UDP_BYTES = 1232  # DNS flag day 2020: no fragments


@dataclass
class Counters:
    """Since the start."""

    queries: int = 0
    tailnet: int = 0
    blocked: int = 0
    cached: int = 0
    forwarded: int = 0
    failed: int = 0


class Resolver:
    """Answers this host alone: nothing from the tunnel reaches its address."""

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams
        self.counters = Counters()
        self.servers: tuple[Nameserver, ...] = ()
        self.blocklist = Blocklist(None)
        self._split: Mapping[str, tuple[Nameserver, ...]] = {}
        self._zone: Zone | None = None
        self._cache = DnsCache()
        self._asked = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._transport: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def configure(self, netmap: Netmap, servers: Sequence[Nameserver]) -> None:
        """Names from the map; servers: where all other names are asked."""
        assert netmap.dns
        split = {domain: parse_all(texts) for domain, texts in netmap.dns.split.items()}
        if (tuple(servers), split) != (self.servers, self._split):
            self._cache.clear()
        self.servers, self._split = tuple(servers), split
        self._zone, self.blocklist = Zone(netmap), Blocklist(netmap.dns_blocklist)

    async def start(self, address: str, port: int = PORT) -> None:
        """Listen; OSError when another program does."""
        loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._connection, address, port)
        try:
            self._transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self), local_addr=(address, port)
            )
        except OSError:
            self._server.close()
            raise

    async def close(self) -> None:
        """Stop listening and forget what was asked."""
        if self._transport is not None:
            self._transport.close()
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def answer(self, wire: bytes, *, udp: bool = False) -> bytes | None:
        """The answer, cut to what the asker takes over UDP; None for what deserves none."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return _form_error(wire)
        if query.flags & dns.flags.QR:
            return None
        response = await self._respond(query)
        if query.edns >= 0:
            code = response.rcode()
            response.use_edns(edns=0, ednsflags=query.ednsflags & dns.flags.DO, payload=UDP_BYTES)
            response.set_rcode(code)  # its upper bits live in the OPT record (RFC 6891, section 6.1.3)
        limit = min(UDP_BYTES, max(512, query.payload)) if udp else MAX_BYTES
        return response.to_wire(max_size=limit, prefer_truncation=True)

    async def _respond(self, query: dns.message.Message) -> dns.message.Message:
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            return _refusal(query, dns.rcode.NOTIMP)
        if query.edns > 0:
            return _refusal(query, dns.rcode.BADVERS)
        self.counters.queries += 1
        name = query.question[0].name
        if self.blocklist.blocks(name):
            self.counters.blocked += 1
            return _refusal(query, dns.rcode.NXDOMAIN)
        own = self._zone.answer(query) if self._zone else None
        if own is not None:
            self.counters.tailnet += 1
            return own
        cached = self._cache.get(query, time.monotonic())
        if cached is not None:
            self.counters.cached += 1
            return cached
        domain = nearest_domain(name, self._split)
        return await self._forward(query, self._split[domain] if domain else self.servers)

    async def _forward(
        self, query: dns.message.Message, servers: Sequence[Nameserver]
    ) -> dns.message.Message:
        found = None
        if servers and self._asked < MAX_QUESTIONS:
            self._asked += 1
            try:
                found = await self._upstreams.ask(query, servers)
            finally:
                self._asked -= 1
        if found is None:
            self.counters.failed += 1
            return _refusal(query, dns.rcode.SERVFAIL)
        self.counters.forwarded += 1
        self._cache.put(query, found, time.monotonic())
        response = dns.message.make_response(query, recursion_available=True)
        response.set_rcode(found.rcode())
        response.flags |= found.flags & dns.flags.AD
        response.answer, response.authority = found.answer, found.authority
        response.additional = found.additional
        return response

    def receive(self, wire: bytes, source: tuple[str, int], transport: asyncio.DatagramTransport) -> None:
        """A datagram came."""
        if len(self._tasks) < 2 * MAX_QUESTIONS:
            self._run(self._answer_datagram(wire, source, transport))

    async def _answer_datagram(
        self, wire: bytes, source: tuple[str, int], transport: asyncio.DatagramTransport
    ) -> None:
        response = await self.answer(wire, udp=True)
        if response is not None and not transport.is_closing():
            transport.sendto(response, source)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while len(self._writers) <= MAX_CONNECTIONS:
                async with asyncio.timeout(CONNECTION_SECONDS):
                    size = int.from_bytes(await reader.readexactly(2))
                    response = await self.answer(await reader.readexactly(size))
                    if response is None:
                        break
                    writer.write(len(response).to_bytes(2) + response)
                    await writer.drain()
        except (OSError, EOFError, TimeoutError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _run(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._resolver.receive(data, addr, self._transport)


def _refusal(query: dns.message.Message, code: dns.rcode.Rcode) -> dns.message.Message:
    response = dns.message.make_response(query, recursion_available=True)
    response.set_rcode(code)
    return response


def _form_error(wire: bytes) -> bytes | None:
    """A query that cannot be read, told by its id; what looks like an answer is not answered."""
    if len(wire) < 12 or wire[2] & 0x80:
        return None
    return wire[:2] + bytes((0x80 | wire[2] & 0x79, 0x80 | dns.rcode.FORMERR)) + bytes(8)
