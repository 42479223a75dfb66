"""Which port mapping protocols the default gateway speaks. Asks, maps nothing."""

import asyncio
import socket
import struct
from pathlib import Path

_ROUTES = Path("/proc/net/route")
_GATEWAY_FLAG = 0x2
NAT_PMP_PORT = 5351
SSDP = ("239.255.255.250", 1900)
WAIT_SECONDS = 1.0
# RFC 6886, section 3.2: version 0, opcode 0, external address.
_NAT_PMP_REQUEST = bytes(2)
# RFC 6887, section 7.1: version 2, opcode ANNOUNCE, lifetime 0, then the client's address.
_PCP_ANNOUNCE = struct.Struct("!BBHI16s")
_SEARCH = (
    b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 1\r\n'
    b"ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n"
)


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


async def portmap_protocols(gateway: str) -> list[str]:
    """Those of nat-pmp, pcp and upnp that answered within a second."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.setblocking(False)
        own.bind(("", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
            route.connect((gateway, NAT_PMP_PORT))
            client = socket.inet_aton(route.getsockname()[0])
        announce = _PCP_ANNOUNCE.pack(2, 0, 0, 0, bytes(10) + b"\xff\xff" + client)
        for packet, target in (
            (_NAT_PMP_REQUEST, (gateway, NAT_PMP_PORT)),
            (announce, (gateway, NAT_PMP_PORT)),
            (_SEARCH, SSDP),
        ):
            try:
                await loop.sock_sendto(own, packet, target)
            except OSError:
                continue
        found: set[str] = set()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while len(found) < 3:
                    packet, source = await loop.sock_recvfrom(own, 2048)
                    if source[0] == gateway and (name := _protocol(packet)):
                        found.add(name)
        except (TimeoutError, OSError):
            pass
    return sorted(found)


def _protocol(packet: bytes) -> str | None:
    """What an answer speaks; one that says "unsupported" speaks nothing."""
    if packet.startswith(b"HTTP/1.1 200"):
        return "upnp"
    if len(packet) < 4 or not packet[1] & 0x80:
        return None
    if packet[0] == 0 and len(packet) >= 12:
        return "nat-pmp" if struct.unpack_from("!H", packet, 2)[0] == 0 else None
    return "pcp" if packet[0] == 2 and packet[3] == 0 else None
