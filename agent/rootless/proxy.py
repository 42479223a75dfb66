"""A proxy into the tunnel: SOCKS5 without authentication (RFC 1928, CONNECT) and HTTP CONNECT.

Names are machines of the network and nothing else: no question of theirs ever leaves this host.
"""

import asyncio
import contextlib
import ipaddress
import logging
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

logger = logging.getLogger("agent.proxy")

CONNECT_SECONDS = 10.0
HELLO_SECONDS = 20.0
MAX_CONNECTIONS = 512
_CHUNK = 64 * 1024
_MAX_HEAD = 8 * 1024
_SUCCEEDED, _UNREACHABLE, _REFUSED, _COMMAND, _ADDRESS = 0, 4, 5, 7, 8

_CLIENT_ERRORS = (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)

Resolve = Callable[[str], str | None]
MakeSocket = Callable[[int, int], socket.socket]


class Proxy:
    """resolve gives the tailnet address of a machine's name; make_socket a socket of the inside."""

    def __init__(self, *, resolve: Resolve, make_socket: MakeSocket) -> None:
        self._resolve, self._make_socket = resolve, make_socket
        self._servers: list[asyncio.Server] = []
        self._open = 0

    async def listen_unix(self, path: Path) -> None:
        """Serve our own user on a Unix socket."""
        listener = _unix_listener(path)
        self._servers.append(await asyncio.start_unix_server(self._serve, sock=listener, limit=_MAX_HEAD))

    async def listen(self, host: str, port: int) -> None:
        """Serve programs of this host on a loopback address."""
        self._servers.append(await asyncio.start_server(self._serve, host, port, limit=_MAX_HEAD))

    def close(self) -> None:
        """Stop listening."""
        for server in self._servers:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open > MAX_CONNECTIONS:
                return
            async with asyncio.timeout(HELLO_SECONDS):
                first = await reader.readexactly(1)
                if first == b"\x05":
                    inside = await _socks(self, reader, writer)
                else:
                    inside = await _http(self, first, reader, writer)
            if inside is not None:
                with inside:
                    await _carry(reader, writer, inside)
        except _CLIENT_ERRORS as error:
            logger.debug("proxy: %s", error)
        finally:
            self._open -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def connect(self, host: str, port: int) -> socket.socket:
        """A connected socket of the inside; OSError says why there is none."""
        address = self.address(host)
        inside = self._make_socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            inside.setblocking(False)
            async with asyncio.timeout(CONNECT_SECONDS):
                await asyncio.get_running_loop().sock_connect(inside, (address, port))
        except TimeoutError:
            inside.close()
            raise OSError("timed out") from None
        except OSError:
            inside.close()
            raise
        return inside

    def address(self, host: str) -> str:
        """Where a host of the network is; an address goes as it is, for it can only go into the tunnel."""
        try:
            return str(ipaddress.ip_address(host))
        except ValueError:
            found = self._resolve(host)
        if found is None:
            raise OSError(f"no machine {host!r} in your network")
        return found


async def open_proxy(
    *, resolve: Resolve, make_socket: MakeSocket, path: Path, place: tuple[str, int] | None
) -> Proxy:
    """A proxy on a Unix socket of our own user's, and on a loopback place if one is given."""
    proxy = Proxy(resolve=resolve, make_socket=make_socket)
    await proxy.listen_unix(path)
    if place is not None:
        await proxy.listen(*place)
    return proxy


def _unix_listener(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    return listener


async def _socks(
    proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> socket.socket | None:
    """The handshake of RFC 1928, sections 3 to 6; the first byte is read already."""
    methods = await reader.readexactly((await reader.readexactly(1))[0])
    if 0 not in methods:
        writer.write(b"\x05\xff")
        await writer.drain()
        return None
    writer.write(b"\x05\x00")
    _, command, _, kind = await reader.readexactly(4)
    if kind == 1:
        host = socket.inet_ntop(socket.AF_INET, await reader.readexactly(4))
    elif kind == 4:
        host = socket.inet_ntop(socket.AF_INET6, await reader.readexactly(16))
    elif kind == 3:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode("ascii")
    else:
        await _socks_reply(writer, _ADDRESS)
        return None
    (port,) = struct.unpack("!H", await reader.readexactly(2))
    if command != 1:
        await _socks_reply(writer, _COMMAND)
        return None
    try:
        inside = await proxy.connect(host, port)
    except ConnectionRefusedError:
        await _socks_reply(writer, _REFUSED)
        return None
    except OSError as error:
        logger.debug("proxy to %s: %s", host, error)
        await _socks_reply(writer, _UNREACHABLE)
        return None
    await _socks_reply(writer, _SUCCEEDED)
    return inside


async def _socks_reply(writer: asyncio.StreamWriter, status: int) -> None:
    writer.write(bytes((5, status, 0, 1)) + bytes(6))
    await writer.drain()


async def _http(
    proxy: Proxy, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> socket.socket | None:
    """CONNECT host:port (RFC 9110, section 9.3.6); no other method."""
    head = first + await reader.readuntil(b"\r\n\r\n")
    method, _, rest = head.partition(b" ")
    target = rest.partition(b" ")[0].decode("ascii")
    host, separator, port = target.rpartition(":")
    if method != b"CONNECT":
        writer.write(b"HTTP/1.1 405 Method Not Allowed\r\nAllow: CONNECT\r\nContent-Length: 0\r\n\r\n")
    elif not separator or not port.isdecimal() or not 1 <= int(port) <= 65535:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    else:
        try:
            inside = await proxy.connect(host.strip("[]"), int(port))
        except OSError as error:
            logger.debug("proxy to %s: %s", host, error)
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
            return inside
    await writer.drain()
    return None


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, inside: socket.socket) -> None:
    """Both ways, each end passed on by itself, until both are done."""
    loop = asyncio.get_running_loop()

    async def inward() -> None:
        while data := await reader.read(_CHUNK):
            await loop.sock_sendall(inside, data)
        inside.shutdown(socket.SHUT_WR)

    async def outward() -> None:
        while data := await loop.sock_recv(inside, _CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    tasks = [asyncio.create_task(inward()), asyncio.create_task(outward())]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
