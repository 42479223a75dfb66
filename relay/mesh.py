"""Relays of one region on several machines: their places, and the TLS between them.

Every relay is given the same list of places and its own number in it. The worker w of a relay waits at
the port of its place plus w, so all relays of a region run the same number of workers. Both ends show
certificates of the region's own authority, for names or addresses of the list.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# A machine that vanished is noticed after so long, and its clients are told that nobody is there.
_DEAD_SECONDS: Final = 5
_TCP_USER_TIMEOUT: Final = getattr(socket, "TCP_USER_TIMEOUT", 18)


@dataclass(frozen=True, slots=True)
class MeshConfig:
    """places: (host, port) of every relay of the region; number: which of them this one is, from 1."""

    places: tuple[tuple[str, int], ...]
    number: int
    authority: Path
    certificate: Path
    private_key: Path


class RemotePlace:
    """A worker of a relay, reached over TLS."""

    def __init__(self, host: str, port: int, mesh: MeshConfig) -> None:
        self._host, self._port, self._mesh = host, port, mesh

    def __str__(self) -> str:
        return f"{self._host}:{self._port}"

    async def listen(self, make: Callable[[], asyncio.Protocol]) -> asyncio.AbstractServer:
        """Wait there for those that hold a certificate of the region's authority."""
        tls = self._context(ssl.Purpose.CLIENT_AUTH)
        tls.verify_mode = ssl.CERT_REQUIRED
        return await asyncio.get_running_loop().create_server(make, self._host, self._port, ssl=tls)

    async def dial(self, make: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
        """Connect; OSError when that fails, ssl.SSLError among them."""
        tls = self._context(ssl.Purpose.SERVER_AUTH)
        transport, protocol = await asyncio.get_running_loop().create_connection(
            make, self._host, self._port, ssl=tls, ssl_handshake_timeout=_DEAD_SECONDS
        )
        sock = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, _DEAD_SECONDS * 1000)
        return protocol

    def _context(self, purpose: ssl.Purpose) -> ssl.SSLContext:
        context = ssl.create_default_context(purpose, cafile=str(self._mesh.authority))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self._mesh.certificate, self._mesh.private_key)
        return context


def own_place(mesh: MeshConfig, worker: int) -> RemotePlace:
    """Where a worker of this relay waits."""
    host, port = mesh.places[mesh.number - 1]
    return RemotePlace(host, port + worker, mesh)


def places_before(mesh: MeshConfig, workers: int) -> Iterator[RemotePlace]:
    """All workers of the relays that stand before this one in the list."""
    for host, port in mesh.places[: mesh.number - 1]:
        for worker in range(workers):
            yield RemotePlace(host, port + worker, mesh)
