"""Relay path of all peers: one loopback UDP socket between WireGuard and the relay link.

Each relayed peer has an address of its own in 127.77.0.0/16; WireGuard sends to it as to any
endpoint, and IP_PKTINFO tells the peers apart. Packets travel in batches of equal size.
"""

import asyncio
import contextlib
import logging
import socket
import struct
import sys
from collections.abc import Callable, Iterator

from agent.io.owned import MAX_SEGMENTS, UDP_GRO, UDP_SEGMENT
from wire.binary import Endpoint
from wire.disco import is_disco
from wire.relay import IDLE_BATCH_BYTES, datagrams

logger = logging.getLogger("agent.relay")

_IP_PKTINFO = 8
_DRAIN = 64
_BUFFER_BYTES = 4 * 1024 * 1024
_PKTINFO = struct.Struct("=I4s4s")
MAX_PEERS = 65_000

SendBatch = Callable[[bytes, int, bytes], bool]


class RelayProxy:
    """send(disco key, segment, batch) puts a batch on the link of that peer.

    late(key) is the direct endpoint while relayed packets of the peer must be injected under it,
    else None. on_disco(key, packet) gets disco messages that came by relay. make_socket makes a
    socket where WireGuard is.
    """

    def __init__(
        self,
        *,
        wireguard_port: int,
        send: SendBatch,
        inject: Callable[[Endpoint, memoryview], bool],
        late: Callable[[bytes], Endpoint | None],
        on_disco: Callable[[bytes, bytes], None],
        make_socket: Callable[[int, int], socket.socket] = socket.socket,
    ) -> None:
        self._wireguard = ("127.0.0.1", wireguard_port)
        self._send, self._inject, self._late, self._on_disco = send, inject, late, on_disco
        self._socket = make_socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
        self._socket.bind(("0.0.0.0", 0))  # noqa: S104 sources other than WireGuard are dropped below
        self.port = int(self._socket.getsockname()[1])
        with contextlib.suppress(OSError):  # before Linux 5.0
            self._socket.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
        self._buffer = memoryview(bytearray(65_536))
        self._addresses: dict[bytes, bytes] = {}
        self._keys: dict[bytes, bytes] = {}
        self._free = iter(range(1, MAX_PEERS))
        self._returned: list[int] = []
        self._segmentation = True

    def start(self) -> None:
        """Serve on the running loop."""
        asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def close(self) -> None:
        """Close the socket."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def add(self, key: bytes) -> Endpoint:
        """The endpoint at which WireGuard reaches the peer with this disco key by relay."""
        if key not in self._addresses:
            number = self._returned.pop() if self._returned else next(self._free)
            address = bytes((127, 77)) + number.to_bytes(2, "big")
            self._addresses[key], self._keys[address] = address, key
        return Endpoint(socket.inet_ntoa(self._addresses[key]), self.port)

    def remove(self, key: bytes) -> None:
        """Forget a peer."""
        address = self._addresses.pop(key, None)
        if address is not None:
            del self._keys[address]
            self._returned.append(int.from_bytes(address[2:], "big"))

    def receive(self, key: bytes, segment: int, payload: memoryview) -> None:
        """A batch came from the relay."""
        address = self._addresses.get(key)
        if address is None:
            return
        batch = datagrams(segment, payload)
        if any(is_disco(datagram) for datagram in batch):
            for datagram in batch:
                if is_disco(datagram):
                    self._on_disco(key, bytes(datagram))
                else:
                    self._deliver(key, address, [datagram])
            return
        self._deliver(key, address, batch)

    def _deliver(self, key: bytes, address: bytes, batch: list[memoryview]) -> None:
        direct = self._late(key)
        if direct is not None:
            batch = [datagram for datagram in batch if not self._inject(direct, datagram)]
        source = (socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO.pack(0, address, bytes(4)))
        for start in range(0, len(batch), MAX_SEGMENTS):
            self._write(batch[start : start + MAX_SEGMENTS], source)

    def _write(self, batch: list[memoryview], source: tuple[int, int, bytes]) -> None:
        try:
            if self._segmentation and len(batch) > 1:
                segment = (socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", len(batch[0])))
                try:
                    self._socket.sendmsg(batch, [source, segment], 0, self._wireguard)
                    return
                except BlockingIOError:
                    raise
                except OSError as error:
                    logger.debug("no segmentation on loopback: %s", error)
                    self._segmentation = False
            for datagram in batch:
                self._socket.sendmsg([datagram], [source], 0, self._wireguard)
        except BlockingIOError:
            pass  # full buffer: lost like any packet
        except OSError as error:
            logger.debug("to WireGuard: %s", error)

    def _readable(self) -> None:
        """Drain what WireGuard sent and pass it on in batches."""
        key: bytes | None = None
        batch: list[bytes] = []
        size = 0
        for peer, datagram in self._drain():
            # Equal sizes but for the last: a shorter one ends its batch, a longer one begins another.
            ended = batch and (len(datagram) > len(batch[0]) or len(batch[-1]) < len(batch[0]))
            if ended or peer != key or size + len(datagram) > IDLE_BATCH_BYTES:
                self._flush(key, batch)
                batch, size = [], 0
            key = peer
            batch.append(datagram)
            size += len(datagram)
        self._flush(key, batch)

    def _drain(self) -> Iterator[tuple[bytes, bytes]]:
        for _ in range(_DRAIN):
            try:
                length, ancillary, _, source = self._socket.recvmsg_into([self._buffer], 128)
            except BlockingIOError:
                return
            except OSError as error:
                logger.debug("from WireGuard: %s", error)
                return
            if source[1] != self._wireguard[1] or not str(source[0]).startswith("127."):
                continue
            peer, segment = None, length
            for level, kind, data in ancillary:
                if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
                    peer = self._keys.get(data[8:12])
                elif level == socket.IPPROTO_UDP and kind == UDP_GRO:
                    segment = int.from_bytes(data[:4], sys.byteorder)
            if peer is not None:
                for start in range(0, length, segment):
                    yield peer, bytes(self._buffer[start : min(start + segment, length)])

    def _flush(self, key: bytes | None, batch: list[bytes]) -> None:
        if key is not None and batch:
            self._send(key, len(batch[0]), b"".join(batch))
