"""Links between the workers of one relay: who is registered where, and frames on their way across.

Each worker listens on a Unix socket of a directory that only this user may enter, and dials the
workers before it. A link is one stream, so a pair keeps its order; what a link cannot take is dropped.
A message is: length (4) | type (1) | length of the organisation's id (1) | id | disco key (32) | rest.
"""

import asyncio
import contextlib
import logging
import time
from pathlib import Path
from typing import Final, cast

from relay.server import RelayServer
from wire.relay import KEY_BYTES

logger = logging.getLogger("relay.links")

# What may wait on one link; beyond that frames are dropped, as for any slow reader.
MAX_WAITING_BYTES: Final = 4 * 1024 * 1024
RETRY_SECONDS: Final = 0.2
_HERE: Final = 1
_GONE: Final = 2
_FRAME: Final = 3
_STAMP_BYTES: Final = 8


class Links:
    """What worker `number` knows of the others. The core calls it; see relay.core.Mesh."""

    def __init__(self, server: RelayServer, directory: Path, number: int) -> None:
        self._server, self._core = server, server.core
        self._directory, self._number = directory, number
        self._links: set[_Link] = set()
        self._own: dict[tuple[str, bytes], int] = {}
        self._elsewhere: dict[tuple[str, bytes], _Link] = {}
        self.frames = self.dropped = 0

    async def run(self) -> None:
        """Listen, dial and keep dialling until cancelled."""
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(lambda: _Link(self), str(self._path(self._number)))
        try:
            await asyncio.gather(*(self._dial(number) for number in range(self._number)))
            await asyncio.get_running_loop().create_future()
        finally:
            server.close()

    def arrived(self, organisation: str, key: bytes) -> None:
        """A client registered here: everybody sends its frames here from now on."""
        # Workers share the machine's monotonic clock: the later registration wins everywhere.
        self._own[organisation, key] = stamp = time.monotonic_ns()
        self._elsewhere.pop((organisation, key), None)
        self._tell(_message(_HERE, organisation, key, stamp.to_bytes(_STAMP_BYTES, "big")))

    def left(self, organisation: str, key: bytes) -> None:
        """A client of ours is gone."""
        if self._own.pop((organisation, key), None) is not None:
            self._tell(_message(_GONE, organisation, key))

    def forward(self, organisation: str, key: bytes, frame: bytes) -> bool:
        """Pass a RECV frame to the worker that has key; False when none has."""
        link = self._elsewhere.get((organisation, key))
        if link is None:
            return False
        if link.full:
            self.dropped += 1
        else:
            link.send(_message(_FRAME, organisation, key, frame))
            self.frames += 1
        return True

    def opened(self, link: "_Link") -> None:
        """A link is up: say who is here."""
        self._links.add(link)
        for (organisation, key), stamp in self._own.items():
            link.send(_message(_HERE, organisation, key, stamp.to_bytes(_STAMP_BYTES, "big")))

    def closed(self, link: "_Link") -> None:
        """A link is down, and with it whoever was behind it."""
        self._links.discard(link)
        self._elsewhere = {name: where for name, where in self._elsewhere.items() if where is not link}

    def received(self, link: "_Link", message: memoryview) -> None:
        """One message of another worker."""
        kind, length = message[0], message[1]
        organisation = bytes(message[2 : 2 + length]).decode()
        key = bytes(message[2 + length : 2 + length + KEY_BYTES])
        rest = message[2 + length + KEY_BYTES :]
        name = (organisation, key)
        if kind == _FRAME:
            self._core.deliver(organisation, key, bytes(rest), self._server.clock())
        elif kind == _HERE:
            if int.from_bytes(rest, "big") > self._own.get(name, 0):
                self._own.pop(name, None)
                self._elsewhere[name] = link
                self._core.replaced(organisation, key)
        elif kind == _GONE and self._elsewhere.get(name) is link:
            del self._elsewhere[name]

    def flush(self) -> None:
        """All messages of one read have been handled."""
        self._server.flush()

    def _tell(self, message: bytes) -> None:
        for link in self._links:
            link.send(message)

    async def _dial(self, number: int) -> None:
        while True:
            with contextlib.suppress(OSError):
                _, link = await asyncio.get_running_loop().create_unix_connection(
                    lambda: _Link(self), str(self._path(number))
                )
                await link.ended.wait()
                logger.warning("link lost worker=%d", number)
            await asyncio.sleep(RETRY_SECONDS)

    def _path(self, number: int) -> Path:
        return self._directory / f"{number}.sock"


class _Link(asyncio.Protocol):
    """One stream to another worker. Messages of one turn of the loop go out in one write."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._kept = b""
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._links.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._links.closed(self)
        self.ended.set()

    def data_received(self, data: bytes) -> None:
        view = memoryview(self._kept + data if self._kept else data)
        at, end = 0, len(view)
        while end - at >= 4:
            size = int.from_bytes(view[at : at + 4], "big")
            if end - at < 4 + size:
                break
            self._links.received(self, view[at + 4 : at + 4 + size])
            at += 4 + size
        self._kept = bytes(view[at:])
        self._links.flush()

    @property
    def full(self) -> bool:
        """Whether the other worker is too far behind to be sent frames."""
        waiting = self._transport.get_write_buffer_size() if self._transport else 0
        return waiting + self._unsent_bytes > MAX_WAITING_BYTES

    def send(self, message: bytes) -> None:
        """Queue a message: one about a client always, a frame only while the link is not full."""
        if self._transport is None:
            return
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._write)
        self._unsent.append(message)
        self._unsent_bytes += len(message)

    def _write(self) -> None:
        if self._transport is not None:
            self._transport.write(b"".join(self._unsent))
        self._unsent, self._unsent_bytes = [], 0


def _message(kind: int, organisation: str, key: bytes, rest: bytes = b"") -> bytes:
    name = organisation.encode()
    size = 2 + len(name) + len(key) + len(rest)
    return b"".join((size.to_bytes(4, "big"), bytes((kind, len(name))), name, key, rest))
