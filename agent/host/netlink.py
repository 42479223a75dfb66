"""Messages of nfnetlink, as linux/netlink.h and linux/netfilter/nfnetlink.h lay them out."""

import os
import socket
import struct
from collections.abc import Iterator

_NETLINK_NETFILTER = 12
_SO_RCVBUFFORCE = 33
_HEADER_BYTES, _FAMILY_BYTES = 16, 4
_NLMSG_ERROR = 2
_REQUEST_AND_ACK = 0x5
_REQUEST_AND_DUMP = 0x301
_TYPE_MASK = 0x3FFF


def open_netfilter(groups: int, buffer_bytes: int) -> socket.socket:
    """A non-blocking socket that hears these multicast groups (a bit mask); OSError without the right to."""
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
    try:
        opened.bind((0, groups))
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer_bytes)
    except OSError:
        opened.close()
        raise
    return opened


def messages(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, what follows the two headers) of each message of a datagram."""
    offset = 0
    while offset + _HEADER_BYTES + _FAMILY_BYTES <= len(datagram):
        length, kind = struct.unpack_from("=IH", datagram, offset)
        if length < _HEADER_BYTES + _FAMILY_BYTES:
            return
        yield kind, datagram[offset + _HEADER_BYTES + _FAMILY_BYTES : offset + length]
        offset += -(-length // 4) * 4


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, value) of each attribute."""
    offset = 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < 4:
            return
        yield kind & _TYPE_MASK, data[offset + 4 : offset + length]
        offset += -(-length // 4) * 4


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + bytes(-length % 4)


def dump(kind: int) -> bytes:
    """A request for all that there is of a kind, of every address family."""
    header = struct.pack("=IHHII", _HEADER_BYTES + _FAMILY_BYTES, kind, _REQUEST_AND_DUMP, 1, 0)
    return header + struct.pack(">BBH", socket.AF_UNSPEC, 0, 0)


def ask(channel: socket.socket, kind: int, resource: int, data: bytes) -> None:
    """Send a request and await the kernel's word on it; OSError when it refuses."""
    length = _HEADER_BYTES + _FAMILY_BYTES + len(data)
    header = struct.pack("=IHHII", length, kind, _REQUEST_AND_ACK, 1, 0)
    channel.send(header + struct.pack(">BBH", socket.AF_UNSPEC, 0, resource) + data)
    # The kernel answers before send() returns, so a socket that does not block has it by now.
    raise_refusal(channel.recv(4096))


def raise_refusal(datagram: bytes) -> None:
    """OSError if the kernel refused what it was asked."""
    _, kind = struct.unpack_from("=IH", datagram)
    number = struct.unpack_from("=i", datagram, _HEADER_BYTES)[0] if kind == _NLMSG_ERROR else 0
    if number:
        raise OSError(-number, os.strerror(-number))
