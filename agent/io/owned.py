"""The agent's own UDP port: everything comes and goes here, WireGuard sits behind on loopback.

For systems where raw sockets cannot share WireGuard's port. Packets travel in batches of equal size:
the kernel joins them on the way in (UDP_GRO) and cuts them on the way out (UDP_SEGMENT), see udp(7).
"""

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass

from agent.io.port import NO_PATH, SO_MARK, Receive
from wire.binary import Endpoint
from wire.disco import is_disco
from wire.stun import COOKIE_BYTES

logger = logging.getLogger("agent.port")

UDP_SEGMENT, UDP_GRO = 103, 104
# Older kernels cut 64 at most, and 65,507 bytes is the longest UDP payload.
MAX_SEGMENTS = 60
_BUFFER_BYTES = 65_536
_SOCKET_BYTES = 4 * 1024 * 1024
_DRAIN = 64
_NOT_CUT = {errno.EINVAL, errno.EIO, errno.EMSGSIZE}
_HANDSHAKE_OR_DATA = frozenset((1, 2, 3, 4))

Data = Callable[[Endpoint, int, memoryview], None]


@dataclass(slots=True)
class Traffic:
    """Datagrams of WireGuard's, and the system calls that carried them."""

    datagrams_in: int = 0
    calls_in: int = 0
    datagrams_out: int = 0
    calls_out: int = 0


class OwnedPort:
    """receive gets (payload, source) of a disco or STUN packet, data (source, segment, batch) of the rest."""

    def __init__(self, port: int, *, mark: int | None, receive: Receive, data: Data) -> None:
        self.port = port
        self._receive, self._data = receive, data
        self.traffic = Traffic()
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._v4 = self._open(socket.AF_INET, mark)
        self._v6: socket.socket | None = None
        with contextlib.suppress(OSError):  # a host without IPv6
            self._v6 = self._open(socket.AF_INET6, mark)

    @property
    def packets_per_call(self) -> tuple[float | None, float | None]:
        """WireGuard's datagrams per system call, in and out; None where there was none."""
        seen = self.traffic
        pairs = (seen.datagrams_in, seen.calls_in), (seen.datagrams_out, seen.calls_out)
        inward, outward = (round(count / calls, 2) if calls else None for count, calls in pairs)
        return inward, outward

    def start(self) -> None:
        """Deliver packets on the running loop."""
        loop = asyncio.get_running_loop()
        for sock in filter(None, (self._v4, self._v6)):
            loop.add_reader(sock, self._readable, sock)

    def close(self) -> None:
        """Close the sockets."""
        for sock in filter(None, (self._v4, self._v6)):
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop().remove_reader(sock)
            sock.close()

    def send(self, endpoint: Endpoint, payload: bytes, ttl: int | None = None) -> None:
        """One disco or STUN packet; an unreachable address is no error."""
        if ":" in endpoint.host:
            level, kind = socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT
        else:
            level, kind = socket.IPPROTO_IP, socket.IP_TTL
        self._write(endpoint, payload, [] if ttl is None else [(level, kind, struct.pack("i", ttl))])

    def send_data(self, endpoint: Endpoint, segment: int, batch: bytes | memoryview) -> None:
        """A batch of WireGuard's packets, all of `segment` bytes but the last, which may be shorter."""
        view = memoryview(batch)
        step = segment * MAX_SEGMENTS
        for start in range(0, len(view), step):
            self._send_some(endpoint, segment, view[start : start + step])

    def network_changed(self) -> None:
        """Nothing is remembered of a network."""

    def _send_some(self, endpoint: Endpoint, segment: int, view: memoryview) -> None:
        count = -(-len(view) // segment)
        self.traffic.datagrams_out += count
        if count > 1:
            cut = (socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", segment))
            self.traffic.calls_out += 1
            if self._write(endpoint, view, [cut]):
                return
        for start in range(0, len(view), segment):
            self.traffic.calls_out += 1
            self._write(endpoint, view[start : start + segment], [])

    def _write(
        self, endpoint: Endpoint, payload: bytes | memoryview, ancillary: list[tuple[int, int, bytes]]
    ) -> bool:
        """False when the kernel would not take the packet in this form."""
        sock = self._v6 if ":" in endpoint.host else self._v4
        if sock is None:
            return True
        try:
            sock.sendmsg([payload], ancillary, 0, (endpoint.host, endpoint.port))
        except BlockingIOError:
            pass  # a lost packet like any other
        except OSError as error:
            # A link whose MTU is too small for the cut, or a device that can't cut: then one by one.
            if ancillary and error.errno in _NOT_CUT:
                return False
            if error.errno not in NO_PATH:
                logger.debug("send to %s: %s", endpoint, error)
        return True

    def _open(self, family: socket.AddressFamily, mark: int | None) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if mark is not None:
                sock.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                sock.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BYTES)
            with contextlib.suppress(OSError):  # before Linux 5.0
                sock.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
            sock.bind(("", self.port))
        except OSError:
            sock.close()
            raise
        return sock

    def _readable(self, sock: socket.socket) -> None:
        for _ in range(_DRAIN):
            try:
                size, ancillary, _, address = sock.recvmsg_into([self._buffer], 64)
            except BlockingIOError:
                return
            except OSError as error:
                logger.debug("receive: %s", error)
                return
            if not size or not address[1]:
                continue
            segment = size
            for level, kind, value in ancillary:
                if (level, kind) == (socket.IPPROTO_UDP, UDP_GRO):
                    segment = int.from_bytes(value[:4], sys.byteorder)
            self._sort(Endpoint(_plain(address[0]), address[1]), segment, self._buffer[:size])

    def _sort(self, source: Endpoint, segment: int, batch: memoryview) -> None:
        """WireGuard's packets go on as they came; ours are picked out."""
        own = [
            start
            for start in range(0, len(batch), segment)
            if batch[start] not in _HANDSHAKE_OR_DATA or _is_stun(batch[start : start + segment])
        ]
        if not own:
            self.traffic.calls_in += 1
            self.traffic.datagrams_in += -(-len(batch) // segment)
            self._data(source, segment, batch)
            return
        for start in range(0, len(batch), segment):
            packet = batch[start : start + segment]
            if start not in own:
                self._data(source, len(packet), packet)
            elif is_disco(packet) or _is_stun(packet):
                self._receive(bytes(packet), source)


def _is_stun(packet: memoryview) -> bool:
    """The magic cookie (RFC 8489, section 5) stands where WireGuard has a random index."""
    return (
        len(packet) >= 20 and packet[4:8] == COOKIE_BYTES and packet[0] < 4 and bytes(packet[1:4]) != bytes(3)
    )


def _plain(host: str) -> str:
    return host if ":" not in host else str(ipaddress.ip_address(host.partition("%")[0]))
