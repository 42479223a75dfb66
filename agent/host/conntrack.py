"""The connections that the kernel tracks, read by netlink (linux/netfilter/nfnetlink_conntrack.h)."""

import contextlib
import ipaddress
import select
import struct
from collections.abc import Iterator

from agent.engine.connections import Connection
from agent.host import netlink

_GET = 1 << 8 | 1
_DONE = 3
_ORIGINAL, _STATUS, _PROTOCOL_INFO = 1, 3, 4
_IP, _PROTOCOL = 1, 2
_SOURCES, _DESTINATIONS = (1, 3), (2, 4)
_NUMBER, _DESTINATION_PORT = 1, 3
_TCP_INFO, _TCP_STATE = 1, 1
# linux/netfilter/nf_conntrack_tcp.h: established, and closed by one side only.
_OPEN_STATES = (3, 4, 5)
_SEEN_REPLY, _TCP = 2, 6
_BUFFER_BYTES = 1 << 20
_ANSWER_SECONDS = 1.0
MAX_TRACKED = 200_000


def open_connections() -> Iterator[Connection]:
    """Those in which both sides have spoken and neither, or one, has ended; OSError without the right.

    Blocks for as long as the kernel lists, and lists at most MAX_TRACKED entries.
    """
    with contextlib.closing(netlink.open_netfilter(0, _BUFFER_BYTES)) as channel:
        channel.send(netlink.dump(_GET))
        tracked = 0
        while True:
            if not select.select([channel], [], [], _ANSWER_SECONDS)[0]:
                raise TimeoutError("the kernel does not list its connections")
            datagram = channel.recv(1 << 17)
            netlink.raise_refusal(datagram)
            for kind, body in netlink.messages(datagram):
                if kind == _DONE or tracked >= MAX_TRACKED:
                    return
                tracked += 1
                if (found := parse(body)) is not None:
                    yield found


def parse(body: bytes) -> Connection | None:
    """An entry's attributes; None for a connection that is not open, or no IP."""
    try:
        entry = dict(netlink.attributes(body))
        original = dict(netlink.attributes(entry[_ORIGINAL]))
        addresses = dict(netlink.attributes(original[_IP]))
        protocol = dict(netlink.attributes(original[_PROTOCOL]))
        number = protocol[_NUMBER][0]
        if not _is_open(entry, number):
            return None
        source, destination = (
            ipaddress.ip_address(next((addresses[kind] for kind in kinds if kind in addresses), b""))
            for kinds in (_SOURCES, _DESTINATIONS)
        )
    except (KeyError, IndexError, ValueError, struct.error):
        return None
    port = protocol.get(_DESTINATION_PORT)
    return Connection(source, destination, number, struct.unpack(">H", port)[0] if port else 0)


def _is_open(entry: dict[int, bytes], number: int) -> bool:
    if number != _TCP:
        return bool(struct.unpack(">I", entry[_STATUS])[0] & _SEEN_REPLY)
    info = dict(netlink.attributes(entry[_PROTOCOL_INFO]))
    return dict(netlink.attributes(info[_TCP_INFO]))[_TCP_STATE][0] in _OPEN_STATES
