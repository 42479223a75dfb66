"""ICMP echo through the tunnel: what a user's packets take, WireGuard included. IPv4."""

import asyncio
import os
import socket
import struct
from collections.abc import Callable

_ECHO_REQUEST, _ECHO_REPLY = 8, 0
_PAYLOAD = b"quickztna-ping-probe-of-56-bytes".ljust(48, b".")


MakeSocket = Callable[[int, int, int], socket.socket]


async def echo(
    address: str, *, timeout_seconds: float, make_socket: MakeSocket = socket.socket
) -> float | None:
    """Milliseconds until the answer, or None without one. OSError when nothing can be sent."""
    loop = asyncio.get_running_loop()
    identifier = int.from_bytes(os.urandom(2), "big")
    cookie = os.urandom(8)
    packet = _request(identifier, cookie)
    with make_socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.setblocking(False)
        sock.connect((address, 0))
        began = loop.time()
        sock.send(packet)
        try:
            async with asyncio.timeout(timeout_seconds):
                while True:
                    answer = await loop.sock_recv(sock, 2048)
                    icmp = answer[(answer[0] & 0x0F) * 4 :]
                    if (
                        icmp[:1] == bytes((_ECHO_REPLY,))
                        and icmp[4:6] == packet[4:6]
                        and icmp[8:16] == cookie
                    ):
                        return (loop.time() - began) * 1000
        except TimeoutError:
            return None


def _request(identifier: int, cookie: bytes) -> bytes:
    body = struct.pack("!HH", identifier, 1) + cookie + _PAYLOAD
    head = bytes((_ECHO_REQUEST, 0))
    return head + _checksum(head + bytes(2) + body).to_bytes(2, "big") + body


def _checksum(data: bytes) -> int:
    """RFC 1071; data has an even length."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return int(~(total + (total >> 16)) & 0xFFFF)
