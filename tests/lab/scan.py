"""A port scan from a host of the lab: every port, and which of them answers."""

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator

from tests.lab.filtered import inside
from tests.lab.net import Host
from tests.lab.pinger import checksum

# Near both ends of the range: a scan that finds them has seen what is between.
CONTROL_PORTS = frozenset({2, 65534})
_PORTS = range(1, 65536)
# The root's name servers: what a resolver answers, and an echo as well.
_QUESTION = bytes.fromhex("1234010000010000000000000000020001")
_SOURCE_PORT, _SYN, _SYN_ACK = 61234, 0x02, 0x12
# A tunnel's queue must not run over.
_BATCH, _PAUSE_SECONDS, _QUIET_SECONDS = 100, 0.002, 0.7
_SO_RCVBUFFORCE = 33
_BUFFER_BYTES = 32 * 1024 * 1024


def open_tcp(host: Host, own: str, target: str) -> set[int]:
    """Ports of target that answer a SYN with SYN-ACK."""
    addresses = socket.inet_aton(own) + socket.inet_aton(target)

    def accepted(packet: bytes, place: tuple[str, int]) -> int | None:
        at = (packet[0] & 15) * 4
        port, to = struct.unpack_from("!HH", packet, at)
        fits = place[0] == target and to == _SOURCE_PORT and packet[at + 13] & _SYN_ACK == _SYN_ACK
        return port if fits else None

    with inside(host), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as sock:
        sock.bind((own, 0))
        return _scan(sock, lambda port: sock.sendto(_syn(addresses, port), (target, 0)), accepted)


def answering_udp(host: Host, own: str, target: str) -> set[int]:
    """Ports of target that a datagram comes back from."""
    with inside(host), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((own, 0))
        return _scan(sock, lambda port: sock.sendto(_QUESTION, (target, port)), lambda _, place: place[1])


@contextlib.contextmanager
def listening(host: Host) -> Iterator[None]:
    """TCP and UDP servers on the control ports while the block runs."""
    with contextlib.ExitStack() as stack:
        echoes = []
        with inside(host):
            for port in CONTROL_PORTS:
                stack.enter_context(socket.create_server(("", port)))
                echo = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                echo.bind(("", port))
                echoes.append(echo)
        ended = threading.Event()
        thread = threading.Thread(target=_echo, args=(echoes, ended))
        thread.start()
        stack.callback(thread.join)
        stack.callback(ended.set)
        yield


def _echo(echoes: list[socket.socket], ended: threading.Event) -> None:
    while not ended.is_set():
        for sock in select.select(echoes, [], [], 0.1)[0]:
            sock.sendto(*sock.recvfrom(100))


def _scan(
    sock: socket.socket,
    ask: Callable[[int], object],
    read: Callable[[bytes, tuple[str, int]], int | None],
) -> set[int]:
    """Ask each port; what read() makes of the packets that come."""
    sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
    found: set[int | None] = set()
    for start in range(0, len(_PORTS), _BATCH):
        for port in _PORTS[start : start + _BATCH]:
            ask(port)
        pause = _QUIET_SECONDS if start + _BATCH >= len(_PORTS) else _PAUSE_SECONDS
        while select.select([sock], [], [], pause)[0]:
            found.add(read(*sock.recvfrom(2048)))
    return {port for port in found if port is not None}


def _syn(addresses: bytes, port: int) -> bytes:
    head = struct.pack("!HHIIBBHHH", _SOURCE_PORT, port, 1, 0, 5 << 4, _SYN, 1024, 0, 0)
    total = checksum(addresses + struct.pack("!HH", socket.IPPROTO_TCP, len(head)) + head)
    return head[:16] + struct.pack("!H", total) + head[18:]
