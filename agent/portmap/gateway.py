"""The default gateway, and the datagrams that are exchanged with it."""

import asyncio
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from agent.portmap import natpmp, pcp, upnp
from agent.portmap.mapping import PortMapError

_Answer = TypeVar("_Answer")

_ROUTES = Path("/proc/net/route")
_GATEWAY_FLAG = 0x2
_MAX_DATAGRAM = 2048
# RFC 6886, section 3.1: a quarter of a second, doubled each time.
RETRY_SECONDS = (0.25, 0.5, 1.0)


def default_gateway() -> tuple[str, str] | None:
    """(address, interface) of the IPv4 default route; None without one."""
    try:
        rows = [line.split() for line in _ROUTES.read_text().splitlines()[1:]]
    except OSError:
        return None
    for row in rows:
        if row[1] == "00000000" and int(row[3], 16) & _GATEWAY_FLAG:
            return socket.inet_ntoa(struct.pack("<I", int(row[2], 16))), row[0]
    return None


def udp_socket(gateway: str, mark: int | None) -> socket.socket:
    """A socket bound to our address towards the gateway, beside every tunnel. OSError without a route."""
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        own.setblocking(False)
        if mark is not None:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        own.connect((gateway, natpmp.PORT))
    except OSError:
        own.close()
        raise
    return own


async def ask(own: socket.socket, packet: bytes, read: Callable[[bytes], _Answer | None]) -> _Answer:
    """Send until `read` makes something of an answer.

    PortMapError: refused, nobody listens, or no answer after the last retry.
    """
    loop = asyncio.get_running_loop()
    try:
        for wait in RETRY_SECONDS:
            await loop.sock_sendall(own, packet)
            try:
                async with asyncio.timeout(wait):
                    while True:
                        answer = read(await loop.sock_recv(own, _MAX_DATAGRAM))
                        if answer is not None:
                            return answer
            except TimeoutError:
                continue
    except OSError as error:
        raise PortMapError(error.strerror or str(error)) from None
    raise PortMapError("no answer")


async def search(gateway: str, client: str, mark: int | None) -> str:
    """The gateway's own UPnP description URL. PortMapError: it does not answer."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.setblocking(False)
        try:
            if mark is not None:
                own.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
            own.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(client))
            own.bind((client, 0))
            for wait in RETRY_SECONDS:
                await loop.sock_sendto(own, upnp.SEARCH, upnp.SSDP)
                try:
                    async with asyncio.timeout(wait):
                        while True:
                            packet, source = await loop.sock_recvfrom(own, _MAX_DATAGRAM)
                            if source[0] == gateway and (url := upnp.location(packet, gateway)):
                                return url
                except TimeoutError:
                    continue
        except OSError as error:
            raise PortMapError(error.strerror or str(error)) from None
    raise PortMapError("no answer")


async def portmap_protocols(gateway: str, mark: int | None = None) -> list[str]:
    """Those of nat-pmp, pcp and upnp that the gateway speaks. Asks, maps nothing."""
    try:
        with udp_socket(gateway, mark) as first, udp_socket(gateway, mark) as second:
            client = str(first.getsockname()[0])
            found = await asyncio.gather(
                ask(first, natpmp.ADDRESS_REQUEST, natpmp.parse_address),
                ask(second, pcp.announce_request(client), pcp.parse_announced),
                search(gateway, client, mark),
                return_exceptions=True,
            )
    except OSError:
        return []
    names = ("nat-pmp", "pcp", "upnp")
    return [name for name, answer in zip(names, found, strict=True) if not isinstance(answer, BaseException)]
