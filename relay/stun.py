"""STUN server: a plain blocking loop in a process of its own (RFC 8489 binding, UDP).

It answers with at most a few bytes more than it was asked, limits each source and keeps no state
that an attacker could grow.
"""

import logging
import selectors
import signal
import socket
import time

from wire.binary import Endpoint, WireError
from wire.stun import BINDING_REQUEST, binding_success, parse, unknown_attributes

logger = logging.getLogger("relay.stun")

REQUESTS_PER_SECOND = 200
_BUCKETS = 1 << 14


class SourceLimit:
    """Requests per second and source, in a table of fixed size: sources may share a row."""

    def __init__(self, per_second: int = REQUESTS_PER_SECOND, salt: int = 0) -> None:
        self._per_second = per_second
        self._salt = salt
        self._second = 0
        self._counts = [0] * _BUCKETS

    def allows(self, host: str, now: float) -> bool:
        """Count one request; False when its source had enough in this second."""
        if int(now) != self._second:
            self._second = int(now)
            self._counts = [0] * _BUCKETS
        # An IPv6 host owns a /64 at least, so that is what counts as one source.
        source = host.rsplit(":", 4)[0] if host.count(":") > 4 else host
        row = hash((self._salt, source)) % _BUCKETS
        self._counts[row] += 1
        return self._counts[row] <= self._per_second


def answer(packet: bytes, source: Endpoint) -> bytes | None:
    """The response to one datagram, or None where silence is right."""
    try:
        request = parse(packet)
    except WireError:
        return None
    if request.kind != BINDING_REQUEST:
        return None
    unknown = request.unknown_required()
    if unknown:
        return unknown_attributes(request.txid, unknown)
    return binding_success(request.txid, source)


def serve(listen: str, port: int) -> None:
    """Answer on IPv4, and on IPv6 where the host has it, until SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sockets = [bind(socket.AF_INET, listen, port)]
    if listen == "0.0.0.0" and socket.has_ipv6:  # noqa: S104 compared, not bound
        try:
            sockets.append(bind(socket.AF_INET6, "::", port))
        except OSError as error:
            logger.info("no STUN on IPv6: %s", error)
    limit = SourceLimit(salt=time.time_ns())
    with selectors.DefaultSelector() as selector:
        for sock in sockets:
            selector.register(sock, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if isinstance(key.fileobj, socket.socket):
                    _drain(key.fileobj, limit)


def bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    """A non-blocking UDP socket; IPv6 ones carry no IPv4."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((host, port))
    sock.setblocking(False)
    return sock


def _drain(sock: socket.socket, limit: SourceLimit) -> None:
    for _ in range(256):
        try:
            packet, address = sock.recvfrom(1500)
        except BlockingIOError:
            return
        except OSError:
            continue
        if address[1] == 0 or not limit.allows(address[0], time.monotonic()):
            continue
        response = answer(packet, Endpoint(address[0], address[1]))
        if response is not None:
            try:
                sock.sendto(response, address)
            except OSError:
                continue
