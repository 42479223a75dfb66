"""Asking other resolvers: DNS over TLS (RFC 7858) on connections that are kept, or plain (RFC 1035)."""

import asyncio
import contextlib
import ipaddress
import logging
import secrets
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import dns.exception
import dns.flags
import dns.message
import dns.rdatatype

logger = logging.getLogger("agent.dns")

TLS_PORT, PLAIN_PORT = 853, 53
SERVER_SECONDS = 3.0
IDLE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Nameserver:
    """address: an IP, or with TLS a name. tls_name: what its certificate says, None for plain DNS."""

    address: str
    tls_name: str | None = None
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> "Nameserver":
        """9.9.9.9, tls://9.9.9.9, tls://dns.quad9.net or with both, name@address; else ValueError."""
        secure = text.startswith("tls://")
        name, _, address = text.removeprefix("tls://").rpartition("@")
        address, port = _split_port(address)
        if not secure or name:
            ipaddress.ip_address(address)
        if not address or (name and not secure):
            raise ValueError(f"{text!r} is no nameserver")
        return cls(
            address, (name or address) if secure else None, port or (TLS_PORT if secure else PLAIN_PORT)
        )

    def __str__(self) -> str:
        if self.tls_name is None:
            return self.address
        return (
            f"tls://{self.address}"
            if self.tls_name == self.address
            else f"tls://{self.tls_name}@{self.address}"
        )


DEFAULT = (
    Nameserver("9.9.9.9", "dns.quad9.net", TLS_PORT),
    Nameserver("149.112.112.112", "dns.quad9.net", TLS_PORT),
)


class Upstreams:
    """A way to every nameserver. marked(address): whether its packets must avoid the tunnel."""

    def __init__(self, *, mark: int, marked: Callable[[str], bool]) -> None:
        self._mark, self._marked = mark, marked
        self._tls = ssl.create_default_context()
        self._addresses: dict[str, str] = {}
        self._connections: dict[Nameserver, _Connection] = {}
        self._failed: set[Nameserver] = set()

    async def ask(
        self, query: dns.message.Message, servers: Sequence[Nameserver]
    ) -> dns.message.Message | None:
        """The first answer, three seconds for each server; None when all are dead."""
        # One that was dead a moment ago is asked last.
        for server in sorted(servers, key=lambda server: server in self._failed):
            try:
                async with asyncio.timeout(SERVER_SECONDS):
                    answer = await self._ask(query, await self._located(server))
            except (OSError, TimeoutError, EOFError, dns.exception.DNSException) as error:
                logger.debug("nameserver %s: %s", server, error or type(error).__name__)
                self._failed.add(server)
            else:
                self._failed.discard(server)
                return answer
        return None

    def close(self) -> None:
        """Drop every connection."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    async def _located(self, server: Nameserver) -> Nameserver:
        """The server at its IP; its name, if that is all we know, is asked of the default servers."""
        try:
            ipaddress.ip_address(server.address)
            return server
        except ValueError:
            name = server.address
        if name not in self._addresses:
            answer = await self._ask(dns.message.make_query(name, dns.rdatatype.A), DEFAULT[0])
            found = [
                str(item) for rrset in answer.answer for item in rrset if rrset.rdtype == dns.rdatatype.A
            ]
            if not found:
                raise OSError(f"{name} has no address")
            self._addresses[name] = found[0]
        return replace(server, address=self._addresses[name])

    async def _ask(self, query: dns.message.Message, server: Nameserver) -> dns.message.Message:
        """One question under a random id of our own; the answer must be to this question."""
        question = dns.message.from_wire(query.to_wire())
        question.id = secrets.randbelow(1 << 16)
        question.use_edns(edns=0, ednsflags=query.ednsflags, payload=1232)
        if server.tls_name is None:
            answer = await self._ask_udp(question, server)
            if not answer.flags & dns.flags.TC:
                return answer
        return await self._ask_stream(question, server)

    async def _ask_udp(self, question: dns.message.Message, server: Nameserver) -> dns.message.Message:
        loop = asyncio.get_running_loop()
        with self._socket(server, socket.SOCK_DGRAM) as sock:
            await loop.sock_connect(sock, (server.address, server.port))
            await loop.sock_sendall(sock, question.to_wire())
            while True:
                with contextlib.suppress(dns.exception.DNSException):
                    answer = dns.message.from_wire(await loop.sock_recv(sock, 65535))
                    if _answers(question, answer):
                        return answer

    async def _ask_stream(self, question: dns.message.Message, server: Nameserver) -> dns.message.Message:
        connection = self._connections.get(server)
        if connection is not None and not connection.closed:
            # A server may close an idle connection at any moment: then once more on a new one.
            with contextlib.suppress(OSError, EOFError):
                return await connection.ask(question)
        with contextlib.ExitStack() as stack:
            sock = stack.enter_context(self._socket(server, socket.SOCK_STREAM))
            await asyncio.get_running_loop().sock_connect(sock, (server.address, server.port))
            reader, writer = await asyncio.open_connection(
                sock=sock,
                ssl=self._tls if server.tls_name else None,
                server_hostname=server.tls_name,
            )
            stack.pop_all()
        connection = self._connections[server] = _Connection(reader, writer)
        return await connection.ask(question)

    def _socket(self, server: Nameserver, kind: socket.SocketKind) -> socket.socket:
        family = socket.AF_INET6 if ":" in server.address else socket.AF_INET
        sock = socket.socket(family, kind)
        sock.setblocking(False)
        if self._marked(server.address):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, self._mark)
        return sock


class _Connection:
    """Questions in flight on one stream, told apart by their ids; it closes itself when idle."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._waiting: dict[int, asyncio.Future[dns.message.Message]] = {}
        self._task = asyncio.create_task(self._read())

    @property
    def closed(self) -> bool:
        """Whether nothing can be asked here any more."""
        return self._task.done()

    async def ask(self, question: dns.message.Message) -> dns.message.Message:
        """The answer; EOFError or OSError when the connection ends before it."""
        if self.closed or question.id in self._waiting:
            raise EOFError
        future = self._waiting[question.id] = asyncio.get_running_loop().create_future()
        try:
            wire = question.to_wire()
            self._writer.write(len(wire).to_bytes(2) + wire)
            answer: dns.message.Message = await future
        finally:
            self._waiting.pop(question.id, None)
        if not _answers(question, answer):
            raise EOFError
        return answer

    def close(self) -> None:
        """End it."""
        self._task.cancel()
        self._writer.transport.abort()

    async def _read(self) -> None:
        try:
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    size = int.from_bytes(await self._reader.readexactly(2))
                    answer = dns.message.from_wire(await self._reader.readexactly(size))
                if (future := self._waiting.get(answer.id)) and not future.done():
                    future.set_result(answer)
        except (OSError, EOFError, TimeoutError, dns.exception.DNSException):
            pass
        finally:
            self._writer.transport.abort()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(EOFError())


def _answers(question: dns.message.Message, answer: dns.message.Message) -> bool:
    """Whether it has the id and the question of ours: nothing else is let in (RFC 5452)."""
    return bool(question.is_response(answer))


def parse_all(texts: Iterable[str]) -> tuple[Nameserver, ...]:
    """Nameservers; one that cannot be understood is left out and named in the log."""
    found = []
    for text in texts:
        try:
            found.append(Nameserver.parse(text))
        except ValueError as error:
            logger.warning("nameserver left out: %s", error)
    return tuple(found)


def _split_port(text: str) -> tuple[str, int]:
    """ "9.9.9.9:5353" or "[::1]:5353"; port 0 when there is none."""
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        return address, int(port[1:]) if port.startswith(":") else 0
    if text.count(":") == 1:
        address, _, port = text.partition(":")
        return address, int(port)
    return text, 0
