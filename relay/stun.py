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

    def __init__(self, per_second: int = REQUESTS_PER_SECOND, salt: bytes = b"") -> None:
        self._per_second = per_second
        self._salt = salt
        self._second = 0
        self._counts = [0] * _BUCKETS

    def allows(self, source: bytes, now: float) -> bool:
        """Count one request of a source, an address in binary; False when it had enough in this second."""
        if int(now) != self._second:
            self._second = int(now)
            self._counts = [0] * _BUCKETS
        # An IPv6 host owns a /64 at least, so that is what counts as one source.
        row = hash(self._salt + source[:8]) % _BUCKETS
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
    limit = SourceLimit(per_second, salt=os.urandom(8))
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
        self._socket, self._limit, self._io = sock, limit, BatchSocket(sock)
        self._four = sock.family == socket.AF_INET
        blank = stun.binding_success(bytes(12), Endpoint("0.0.0.0" if self._four else "::", 0))  # noqa: S104
        self._bytes = len(blank)
        for index in range(BATCH):
            self._io.outbox[index * SLOT_BYTES : index * SLOT_BYTES + len(blank)] = blank

    def drain(self) -> None:
        """Answer what waits, some batches of it, for there may be other sockets."""
        for _ in range(_BATCHES):
            sizes = self._io.receive()
            if sizes:
                self._io.send(self._answered(sizes))
            if len(sizes) < BATCH:
                return

    def _answered(self, sizes: list[int]) -> list[tuple[int, int]]:
        """(slot, size) of the answers that were written."""
        inbox, outbox, names = self._io.inbox, self._io.outbox, self._io.names
        allows, now, answers = self._limit.allows, time.monotonic(), []
        write = self._write4 if self._four else self._write6
        for index, size in enumerate(sizes):
            at, name = index * SLOT_BYTES, index * NAME_BYTES
            source = bytes(names[name + 4 : name + 8] if self._four else names[name + 8 : name + 24])
            if not (names[name + 2] or names[name + 3]) or not allows(source, now):
                continue
            head = inbox[at : at + 8]
            if (size == _COMMON_BYTES and head == _COMMON_HEAD and _intact(inbox, at)) or (
                size == stun.HEADER_BYTES and head == _BARE_HEAD
            ):
                outbox[at + 8 : at + 20] = inbox[at + 8 : at + 20]
                write(at, name)
                end = at + self._bytes
                checksum = zlib.crc32(outbox[at : end - 8]) ^ _FINGERPRINT_XOR
                outbox[end - 4 : end] = checksum.to_bytes(4, "big")
                answers.append((index, self._bytes))
            elif size <= SLOT_BYTES:
                self._answer_alone(bytes(inbox[at : at + size]), source, name)
        return answers

    def _write4(self, at: int, name: int) -> None:
        # Port and address lie side by side in both, and the cookie masks them.
        mapped = int.from_bytes(self._io.names[name + 2 : name + 8], "big") ^ _MASK4
        self._io.outbox[at + 26 : at + 32] = mapped.to_bytes(6, "big")

    def _write6(self, at: int, name: int) -> None:
        names, outbox = self._io.names, self._io.outbox
        port = int.from_bytes(names[name + 2 : name + 4], "big") ^ (stun.MAGIC_COOKIE >> 16)
        outbox[at + 26 : at + 28] = port.to_bytes(2, "big")
        mask = int.from_bytes(outbox[at + 4 : at + 20], "big")  # cookie and transaction
        mapped = int.from_bytes(names[name + 8 : name + 24], "big") ^ mask
        outbox[at + 28 : at + 44] = mapped.to_bytes(16, "big")

    def _answer_alone(self, packet: bytes, source: bytes, name: int) -> None:
        host = socket.inet_ntop(self._socket.family, source)
        port = int.from_bytes(self._io.names[name + 2 : name + 4], "big")
        response = answer(packet, Endpoint(host, port))
        if response is not None:
            _send(self._socket, response, (host, port))


_MASK4: Final = (stun.MAGIC_COOKIE >> 16) << 32 | stun.MAGIC_COOKIE


def _intact(inbox: memoryview, at: int) -> bool:
    """Whether the eight bytes after the header are its FINGERPRINT."""
    expected = zlib.crc32(inbox[at : at + 20]) ^ _FINGERPRINT_XOR
    return inbox[at + 20 : at + 28] == _FINGERPRINT_HEAD + expected.to_bytes(4, "big")


_FINGERPRINT_HEAD: Final = stun.binding_request(bytes(12))[20:24]


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
        if address[1] == 0 or not limit.allows(source, time.monotonic()):
            continue
        response = answer(packet, Endpoint(address[0], address[1]))
        if response is not None:
            _send(sock, response, address)


def _send(sock: socket.socket, response: bytes, address: tuple[str, int]) -> None:
    try:
        sock.sendto(response, address)
    except OSError as error:
        logger.debug("answer not sent: %s", error.strerror)
