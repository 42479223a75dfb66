"""Links between the workers of a region's relays: who is registered where, and frames on their way.

Workers of one machine meet on Unix sockets in a directory that only this user may enter, those of
different machines over TLS with certificates of the region's own authority (see relay.mesh). Of two
workers the later one dials. A link is one stream, so a pair keeps its order; what a link cannot take
is dropped. A message is: length (4) | type (1) | length of the organisation's id (1) | id |
disco key (32) | rest. Whoever hears of a client says so, and only then the client is told that it is
ready: from its first frame on, everybody in the region finds it.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, cast

from relay.server import RelayServer
from wire.relay import KEY_BYTES, MAX_FRAME_BYTES

logger = logging.getLogger("relay.links")

# What may wait on one link; beyond that frames are dropped, as for any slow reader.
MAX_WAITING_BYTES: Final = 4 * 1024 * 1024
RETRY_SECONDS: Final = 0.2
# A worker that does not answer keeps nobody waiting for longer.
KNOWN_SECONDS: Final = 0.5
# How long a worker waits for the others before it takes clients: they dial again every RETRY_SECONDS.
JOIN_SECONDS: Final = 1.0
_MAX_MESSAGE_BYTES: Final = 2 + 255 + KEY_BYTES + MAX_FRAME_BYTES
_HERE: Final = 1
_GONE: Final = 2
_FRAME: Final = 3
_KNOWN: Final = 4
_STAMP_BYTES: Final = 8


class Place(Protocol):
    """Where a worker waits for links."""

    async def listen(self, make: Callable[[], asyncio.Protocol]) -> asyncio.AbstractServer:
        """Wait there."""

    async def dial(self, make: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
        """Connect to it; OSError when that fails."""


class LocalPlace:
    """A worker of this machine."""

    def __init__(self, directory: Path, number: int) -> None:
        self._path = str(directory / f"{number}.sock")

    def __str__(self) -> str:
        return Path(self._path).name

    async def listen(self, make: Callable[[], asyncio.Protocol]) -> asyncio.AbstractServer:
        return await asyncio.get_running_loop().create_unix_server(make, self._path)

    async def dial(self, make: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
        return (await asyncio.get_running_loop().create_unix_connection(make, self._path))[1]


@dataclass(slots=True)
class _Arrival:
    """A client that is not ready before these links know of it, at the latest when timer rings."""

    stamp: int
    unaware: set["_Link"]
    timer: asyncio.TimerHandle


class Links:
    """What one worker knows of the others. The core calls it; see relay.core.Mesh."""

    def __init__(self, server: RelayServer, own: Sequence[Place], before: Sequence[Place]) -> None:
        """own: where this worker is dialled; before: the workers that it dials."""
        self._server, self._core = server, server.core
        self._places, self._before = own, before
        self._links: set[_Link] = set()
        # Stamps order the registrations of one key among all workers.
        self._own: dict[tuple[str, bytes], int] = {}
        self._elsewhere: dict[tuple[str, bytes], tuple[_Link, int]] = {}
        self._arrivals: dict[tuple[str, bytes], _Arrival] = {}
        self._another = asyncio.Event()
        self.frames = self.dropped = 0

    @property
    def count(self) -> int:
        """Links that are up."""
        return len(self._links)

    async def run(self) -> None:
        """Listen, dial and keep dialling until cancelled."""
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self._close)
            for place in self._places:
                stack.callback((await place.listen(lambda: _Link(self))).close)
            await asyncio.gather(*(self._dial(place) for place in self._before))
            await asyncio.get_running_loop().create_future()

    async def joined(self, count: int) -> None:
        """Wait until so many links are up, for JOIN_SECONDS at most: some workers may be down."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(JOIN_SECONDS):
                while self.count < count:
                    self._another.clear()
                    await self._another.wait()

    def arrived(self, organisation: str, key: bytes) -> bool:
        """A client registered here: everybody sends its frames here from now on."""
        name = organisation, key
        self._forget_arrival(name)
        # Clocks of machines differ, so a stamp is also later than any that was heard for this key.
        _, heard = self._elsewhere.pop(name, (None, 0))
        self._own[name] = stamp = max(time.time_ns(), heard + 1)
        if not self._links:
            return True
        timer = asyncio.get_running_loop().call_later(KNOWN_SECONDS, self._overdue, name)
        self._arrivals[name] = _Arrival(stamp, set(self._links), timer)
        self._tell(_message(_HERE, organisation, key, stamp.to_bytes(_STAMP_BYTES, "big")))
        return False

    def left(self, organisation: str, key: bytes) -> None:
        """A client of ours is gone."""
        self._forget_arrival((organisation, key))
        if self._own.pop((organisation, key), None) is not None:
            self._tell(_message(_GONE, organisation, key))

    def forward(self, organisation: str, key: bytes, frame: bytes) -> bool:
        """Pass a RECV frame to the worker that has key; False when none has."""
        link, _ = self._elsewhere.get((organisation, key), (None, 0))
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
        self._another.set()
        for (organisation, key), stamp in self._own.items():
            link.send(_message(_HERE, organisation, key, stamp.to_bytes(_STAMP_BYTES, "big")))

    def closed(self, link: "_Link") -> None:
        """A link is down, and with it whoever was behind it."""
        self._links.discard(link)
        self._elsewhere = {name: where for name, where in self._elsewhere.items() if where[0] is not link}
        for name in list(self._arrivals):
            self._learnt(name, link)
        self.flush()

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
            stamp = int.from_bytes(rest, "big")
            link.send(_message(_KNOWN, organisation, key, bytes(rest)))
            if stamp > max(self._own.get(name, 0), self._elsewhere.get(name, (None, 0))[1]):
                self._own.pop(name, None)
                self._forget_arrival(name)
                self._elsewhere[name] = link, stamp
                self._core.replaced(organisation, key, self._server.clock())
        elif kind == _GONE and self._elsewhere.get(name, (None, 0))[0] is link:
            del self._elsewhere[name]
        elif kind == _KNOWN:
            arrival = self._arrivals.get(name)
            if arrival is not None and arrival.stamp == int.from_bytes(rest, "big"):
                self._learnt(name, link)

    def flush(self) -> None:
        """All messages of one read have been handled."""
        self._server.flush()

    def _learnt(self, name: tuple[str, bytes], link: "_Link") -> None:
        """One link knows of a client, or is no more."""
        arrival = self._arrivals[name]
        arrival.unaware.discard(link)
        if not arrival.unaware:
            self._ready(name)

    def _overdue(self, name: tuple[str, bytes]) -> None:
        """Enough waiting: one worker is stuck, and a client is of use to all others."""
        logger.debug("a worker did not take note of a client in %.1f s", KNOWN_SECONDS)
        self._ready(name)
        self.flush()

    def _ready(self, name: tuple[str, bytes]) -> None:
        self._forget_arrival(name)
        self._core.known(*name)

    def _forget_arrival(self, name: tuple[str, bytes]) -> None:
        if arrival := self._arrivals.pop(name, None):
            arrival.timer.cancel()

    def _close(self) -> None:
        for link in list(self._links):
            link.abort()

    def _tell(self, message: bytes) -> None:
        for link in self._links:
            link.send(message)

    async def _dial(self, place: Place) -> None:
        while True:
            with contextlib.suppress(OSError):
                link = cast(_Link, await place.dial(lambda: _Link(self)))
                logger.info("link up to=%s", place)
                await link.ended.wait()
                logger.warning("link lost to=%s", place)
            await asyncio.sleep(RETRY_SECONDS)


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
            if size > _MAX_MESSAGE_BYTES:
                logger.error("link broken: a message of %d bytes", size)
                self.abort()
                return
            if end - at < 4 + size:
                break
            self._links.received(self, view[at + 4 : at + 4 + size])
            at += 4 + size
        self._kept = bytes(view[at:])
        self._links.flush()

    def abort(self) -> None:
        """Drop the link."""
        if self._transport is not None:
            self._transport.abort()

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
