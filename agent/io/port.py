"""WireGuard's UDP port, shared: STUN and disco go in and out beside it.

Raw sockets send from the port, and receive only what a BPF filter passes: packets to the port that
carry our magic or the STUN cookie. WireGuard's data never wakes Python. Raw sockets see what the
host's firewall lets in, as WireGuard does, so a path found here is one that WireGuard can use.
"""

import asyncio
import contextlib
import ctypes
import errno
import ipaddress
import logging
import socket
import struct
from collections.abc import Callable

from wire.binary import Endpoint
from wire.disco import MAGIC
from wire.stun import COOKIE_BYTES

logger = logging.getLogger("agent.port")

SO_MARK = 36
_SO_ATTACH_FILTER = 26
_UDP = socket.IPPROTO_UDP
_LD_WORD, _LD_HALF, _LDX_IP_LENGTH = 0x20, 0x28, 0xB1
_LD_WORD_X, _LD_HALF_X = 0x40, 0x48
_JUMP_EQUAL, _JUMP_SET, _RETURN = 0x15, 0x45, 0x06
_FRAGMENT = 0x1FFF
_DRAIN = 64
_TTL_DEFAULT = 64
# The peer's address may have no route just now, or a firewall may forbid it: then there is no path.
NO_PATH = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EPERM, errno.EACCES, errno.ENETDOWN, errno.EINVAL}

Receive = Callable[[bytes, Endpoint], None]


class SharedPort:
    """Raw sockets on the port that WireGuard listens on. mark goes on every packet.

    receive gets (payload, source) of every disco or STUN packet, on the event loop.
    """

    def __init__(self, port: int, *, mark: int | None, receive: Receive) -> None:
        self.port = port
        self._receive = receive
        self._v4 = self._open(socket.AF_INET, mark, _filter_v4(port))
        self._v6: socket.socket | None = None
        self._inject_v4 = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        set_mark(self._inject_v4, mark)
        with contextlib.suppress(OSError):  # a host without IPv6
            self._v6 = self._open(socket.AF_INET6, mark, _filter_v6(port))
            self._v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_CHECKSUM, 6)
        self._mark = mark
        self._local: dict[str, str] = {}

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
        self._inject_v4.close()

    def send(self, endpoint: Endpoint, payload: bytes, ttl: int | None = None) -> None:
        """Send from the shared port; an unreachable address is no error."""
        header = struct.pack("!HHHH", self.port, endpoint.port, 8 + len(payload), 0)
        if ":" in endpoint.host:
            sock, level, kind = self._v6, socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT
        else:
            sock, level, kind = self._v4, socket.IPPROTO_IP, socket.IP_TTL
        if sock is None:
            return
        ancillary = [] if ttl is None else [(level, kind, struct.pack("i", ttl))]
        try:
            sock.sendmsg([header, payload], ancillary, 0, (endpoint.host, 0))
        except BlockingIOError:
            pass  # a lost packet like any other
        except OSError as error:
            if error.errno not in NO_PATH:
                logger.debug("send to %s: %s", endpoint, error)

    def inject(self, source: Endpoint, payload: bytes | memoryview) -> bool:
        """Give WireGuard a packet as if it came from source on the direct path. IPv4 only.

        The destination is our own address of that path: to 127.0.0.1 WireGuard would answer from
        there.
        """
        if ":" in source.host:
            return False
        local = self._local_address(source.host)
        if local is None:
            return False
        length = 28 + len(payload)
        packet = b"".join(
            (
                struct.pack("!BBHHHBBH", 0x45, 0, length, 0, 0, _TTL_DEFAULT, _UDP, 0),
                socket.inet_aton(source.host),
                socket.inet_aton(local),
                struct.pack("!HHHH", source.port, self.port, 8 + len(payload), 0),
                payload,
            )
        )
        try:
            self._inject_v4.sendto(packet, (local, 0))
        except OSError:
            return False
        return True

    def network_changed(self) -> None:
        """Forget which address of ours leads where."""
        self._local.clear()

    def _local_address(self, host: str) -> str | None:
        known = self._local.get(host)
        if known is None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                set_mark(probe, self._mark)
                try:
                    probe.connect((host, 9))
                except OSError:
                    return None
                known = self._local[host] = str(probe.getsockname()[0])
        return known

    def _open(self, family: int, mark: int | None, program: bytes) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_RAW, _UDP)
        try:
            sock.setblocking(False)
            _attach(sock, program)
            # What arrived before the filter was there.
            with contextlib.suppress(BlockingIOError):
                while True:
                    sock.recv(65536)
            set_mark(sock, mark)
        except OSError:
            sock.close()
            raise
        return sock

    def _readable(self, sock: socket.socket) -> None:
        for _ in range(_DRAIN):
            try:
                packet, address = sock.recvfrom(65536)
            except BlockingIOError:
                return
            except OSError as error:
                logger.debug("receive: %s", error)
                return
            offset = (packet[0] & 0x0F) * 4 if sock is self._v4 else 0
            if len(packet) < offset + 8:
                continue
            port, _, length, _ = struct.unpack_from("!HHHH", packet, offset)
            # The length of the UDP header decides; checksums may be unfinished on virtual links.
            payload = packet[offset + 8 : offset + length]
            host = str(ipaddress.ip_address(address[0].partition("%")[0]))
            if payload and port:
                self._receive(payload, Endpoint(host, port))


def set_mark(sock: socket.socket, mark: int | None) -> None:
    """Put the firewall mark on everything that a socket sends, if there is one."""
    if mark is not None:
        sock.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)


def shareable() -> bool:
    """Whether this process may open raw sockets, which takes CAP_NET_RAW."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, _UDP).close()
    except PermissionError:
        return False
    return True


def _instruction(code: int, jump_true: int, jump_false: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, jump_true, jump_false, value)


def _filter_v4(port: int) -> bytes:
    """The filter's data starts at the IP header; X is its length. Fragments are refused."""
    return b"".join(
        (
            _instruction(_LD_HALF, 0, 0, 6),
            _instruction(_JUMP_SET, 7, 0, _FRAGMENT),
            _instruction(_LDX_IP_LENGTH, 0, 0, 0),
            _instruction(_LD_HALF_X, 0, 0, 2),
            _instruction(_JUMP_EQUAL, 0, 4, port),
            _instruction(_LD_WORD_X, 0, 0, 8),
            _instruction(_JUMP_EQUAL, 3, 0, int.from_bytes(MAGIC, "big")),
            _instruction(_LD_WORD_X, 0, 0, 12),
            _instruction(_JUMP_EQUAL, 1, 0, int.from_bytes(COOKIE_BYTES, "big")),
            _instruction(_RETURN, 0, 0, 0),
            _instruction(_RETURN, 0, 0, 0xFFFF),
        )
    )


def _filter_v6(port: int) -> bytes:
    """The filter's data starts at the UDP header."""
    return b"".join(
        (
            _instruction(_LD_HALF, 0, 0, 2),
            _instruction(_JUMP_EQUAL, 0, 4, port),
            _instruction(_LD_WORD, 0, 0, 8),
            _instruction(_JUMP_EQUAL, 3, 0, int.from_bytes(MAGIC, "big")),
            _instruction(_LD_WORD, 0, 0, 12),
            _instruction(_JUMP_EQUAL, 1, 0, int.from_bytes(COOKIE_BYTES, "big")),
            _instruction(_RETURN, 0, 0, 0),
            _instruction(_RETURN, 0, 0, 0xFFFF),
        )
    )


def _attach(sock: socket.socket, program: bytes) -> None:
    # The buffer must outlive the system call, hence the name.
    buffer = ctypes.create_string_buffer(program)
    fprog = struct.pack("HL", len(program) // 8, ctypes.addressof(buffer))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)
    del buffer
