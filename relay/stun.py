"""STUN server (RFC 8489 binding, UDP): plain blocking loops in processes of their own, one a core.

It answers with at most a few bytes more than it was asked, limits each source and keeps no state
that an attacker could grow. Most requests are all alike, so their answers are written in place; every
other one takes the way through wire.stun.
"""

import logging
import os
import select
import signal
import socket
import time
import zlib
from collections.abc import Callable
from typing import Final

from relay.batchio import BATCH, NAME_BYTES, SLOT_BYTES, BatchSocket, available
from wire import stun
from wire.binary import Endpoint, WireError

logger = logging.getLogger("relay.stun")

REQUESTS_PER_SECOND: Final = 200
_BUCKETS: Final = 1 << 14
# How soon a server ends whose relay was killed.
PARENT_SECONDS: Final = 1.0
RECEIVE_BYTES: Final = 4 * 1024 * 1024
_BATCHES: Final = 8
_COMMON_BYTES: Final = stun.HEADER_BYTES + 8
_BARE_HEAD: Final = stun.binding_request(bytes(12))[:2] + bytes(2) + stun.COOKIE_BYTES
_COMMON_HEAD: Final = stun.binding_request(bytes(12))[:8]
_FINGERPRINT_XOR: Final = 0x5354554E


class SourceLimit:
    """Requests per second and source, in a table of fixed size: sources may share a row."""

    def __init__(self, per_second: int = REQUESTS_PER_SECOND) -> None:
        self._per_second = per_second
        self._second = 0
        self._counts = [0] * _BUCKETS

    def turn(self, now: float) -> None:
        """Time has passed; call it before allows()."""
        if int(now) != self._second:
            self._second = int(now)
            self._counts = [0] * _BUCKETS

    def allows(self, source: bytes) -> bool:
        """Count one request of a source, its IPv4 address or its IPv6 /64; False when it had enough.

        Python keys the hash of bytes anew for each process, so nobody can aim at another's row.
        """
        row = hash(source) % _BUCKETS
        self._counts[row] += 1
        return self._counts[row] <= self._per_second


def answer(packet: bytes, source: Endpoint) -> bytes | None:
    """The response to one datagram, or None where silence is right."""
    classic = stun.classic_request(packet)
    if classic is not None:
        return stun.classic_success(classic, source)
    try:
        request = stun.parse(packet)
    except WireError:
        return None
    if request.kind != stun.BINDING_REQUEST:
        return None
    unknown = request.unknown_required()
    if unknown:
        return stun.unknown_attributes(request.txid, unknown)
    return stun.binding_success(request.txid, source)


def serve(listen: str, port: int, per_second: int = REQUESTS_PER_SECOND) -> None:
    """Answer on IPv4, and on IPv6 where the host has it, until SIGTERM or the end of the parent.

    per_second: requests of one source.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    sockets = [bind(socket.AF_INET6 if ":" in listen else socket.AF_INET, listen, port)]
    if listen == "0.0.0.0" and socket.has_ipv6:  # noqa: S104 compared, not bound
        try:
            sockets.append(bind(socket.AF_INET6, "::", port))
        except OSError as error:
            logger.info("no STUN on IPv6: %s", error)
    limit = SourceLimit(per_second)
    poll = select.poll()
    drains = {sock.fileno(): drainer(sock, limit) for sock in sockets}
    for descriptor in drains:
        poll.register(descriptor, select.POLLIN)
    while os.getppid() == parent:
        for descriptor, _ in poll.poll(PARENT_SECONDS * 1000):
            drains[descriptor]()


def bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    """A non-blocking UDP socket that shares its port; IPv6 ones carry no IPv4."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if hasattr(socket, "SO_REUSEPORT"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    # As much of it as the system grants: a burst waits here while another one is answered.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    sock.bind((host, port))
    sock.setblocking(False)
    return sock


def drainer(sock: socket.socket, limit: SourceLimit) -> Callable[[], None]:
    """What answers all that waits on a socket, in batches where the system can."""
    if available():
        return Batches(sock, limit).drain
    return lambda: _drain(sock, limit)


class Batches:
    """Answers in place what asks as nearly everybody asks: a request with FINGERPRINT or with nothing."""

    def __init__(self, sock: socket.socket, limit: SourceLimit) -> None:
        self._socket, self._limit = sock, limit
        self._four = sock.family == socket.AF_INET
        blank = stun.binding_success(bytes(12), Endpoint("0.0.0.0" if self._four else "::", 0))  # noqa: S104
        # All of an answer but transaction, port, address and checksum.
        self._head, self._attribute = blank[:8], blank[20:26]
        self._io = BatchSocket(sock, len(blank))

    def drain(self) -> None:
        """Answer what waits, some batches of it, for there may be other sockets."""
        answered = self._answered4 if self._four else self._answered6
        for _ in range(_BATCHES):
            sizes = self._io.receive()
            if not sizes:
                return
            self._limit.turn(time.monotonic())
            slots = answered(sizes)
            if slots:
                self._io.send(slots)
            if len(sizes) < BATCH:
                return

    def _answered4(self, sizes: list[int]) -> list[int]:
        """Slots of the answers that were written."""
        inbox, outbox, names, allows = self._io.inbox, self._io.outbox, self._io.names, self._limit.allows
        head, attribute, slots = self._head, self._attribute, []
        for slot, size in enumerate(sizes):
            at, name = slot * SLOT_BYTES, slot * NAME_BYTES
            # Port and address lie side by side here as in the answer.
            place = bytes(names[name + 2 : name + 8])
            if place[:2] == _NO_PORT or not allows(place[2:]):
                continue
            packet = bytes(inbox[at : at + _COMMON_BYTES])
            if not _common(packet, size):
                self._answer_alone(bytes(inbox[at : at + size]), place[2:], place[:2])
                continue
            mapped = int.from_bytes(place, "big") ^ _MASK4
            body = head + packet[8:20] + attribute + mapped.to_bytes(6, "big")
            checksum = zlib.crc32(body) ^ _FINGERPRINT_XOR
            outbox[at : at + 40] = body + _FINGERPRINT_HEAD + checksum.to_bytes(4, "big")
            slots.append(slot)
        return slots

    def _answered6(self, sizes: list[int]) -> list[int]:
        """The same for IPv6, whose addresses are masked by the transaction too (section 14.2)."""
        inbox, outbox, names, allows = self._io.inbox, self._io.outbox, self._io.names, self._limit.allows
        head, attribute, slots = self._head, self._attribute, []
        for slot, size in enumerate(sizes):
            at, name = slot * SLOT_BYTES, slot * NAME_BYTES
            port, host = bytes(names[name + 2 : name + 4]), bytes(names[name + 8 : name + 24])
            # An IPv6 host owns a /64 at least, so that is what counts as one source.
            if port == _NO_PORT or not allows(host[:8]):
                continue
            packet = bytes(inbox[at : at + _COMMON_BYTES])
            if not _common(packet, size):
                self._answer_alone(bytes(inbox[at : at + size]), host, port)
                continue
            mapped = int.from_bytes(port + host, "big") ^ int.from_bytes(_PORT_MASK + packet[4:20], "big")
            body = head + packet[8:20] + attribute + mapped.to_bytes(18, "big")
            checksum = zlib.crc32(body) ^ _FINGERPRINT_XOR
            outbox[at : at + 52] = body + _FINGERPRINT_HEAD + checksum.to_bytes(4, "big")
            slots.append(slot)
        return slots

    def _answer_alone(self, packet: bytes, raw_host: bytes, raw_port: bytes) -> None:
        host, port = socket.inet_ntop(self._socket.family, raw_host), int.from_bytes(raw_port, "big")
        response = answer(packet, Endpoint(host, port))
        if response is not None:
            _send(self._socket, response, (host, port))


_NO_PORT: Final = bytes(2)
_PORT_MASK: Final = stun.COOKIE_BYTES[:2]
_MASK4: Final = int.from_bytes(_PORT_MASK + stun.COOKIE_BYTES, "big")
_FINGERPRINT_HEAD: Final = stun.binding_request(bytes(12))[20:24]


def _common(packet: bytes, size: int) -> bool:
    """Whether a datagram, of which packet is the beginning, is a request with FINGERPRINT or nothing."""
    if size == _COMMON_BYTES:
        checksum = zlib.crc32(packet[:20]) ^ _FINGERPRINT_XOR
        return packet[:8] == _COMMON_HEAD and packet[20:] == _FINGERPRINT_HEAD + checksum.to_bytes(4, "big")
    return size == stun.HEADER_BYTES and packet[:8] == _BARE_HEAD


def _drain(sock: socket.socket, limit: SourceLimit) -> None:
    """The same without batches."""
    for _ in range(BATCH * _BATCHES):
        try:
            packet, address = sock.recvfrom(SLOT_BYTES)
        except BlockingIOError:
            return
        except OSError:
            continue
        source = socket.inet_pton(sock.family, address[0].partition("%")[0])
        limit.turn(time.monotonic())
        if address[1] == 0 or not limit.allows(source[:8]):
            continue
        response = answer(packet, Endpoint(address[0], address[1]))
        if response is not None:
            _send(sock, response, address)


def _send(sock: socket.socket, response: bytes, address: tuple[str, int]) -> None:
    try:
        sock.sendto(response, address)
    except OSError as error:
        logger.debug("answer not sent: %s", error.strerror)
