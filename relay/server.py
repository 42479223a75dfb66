"""The relay's socket shell: moves bytes between TLS streams and RelayCore, and decides nothing."""

import asyncio
import contextlib
import logging
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from relay import websocket
from relay.claims import Claims
from relay.core import CLOSE_REPLACED, RelayCore
from relay.http import MAX_HEAD_BYTES, HttpError, find_head, parse_request, response
from relay.tls import TlsContext
from relay.transport import TlsStream
from relay.waiting import WaitingRoom
from wire import relay as frames

logger = logging.getLogger("relay.server")

MAX_CONNECTIONS: Final = 20_000
# Plaintext of one destination that goes out in one call: enough records to make the call cheap.
GATHER_BYTES: Final = 128 * 1024
TICK_SECONDS: Final = 1.0
# When clients of a restarted relay come back: a core shakes hands with a thousand a second.
RESTART_MS: Final = (500, 5_000)
RESTART_MS_PER_CLIENT: Final = 2
DRAIN_SECONDS: Final = 0.5
MOVED_CHECK_SECONDS: Final = 0.1
BACKLOG: Final = 4096
# Sooner than a reader that rests would count as silent.
MAX_REST_SECONDS: Final = 5.0
_ACCEPTS_AT_ONCE: Final = 16
_GOING_AWAY: Final = 1001
_NORMAL: Final = 1000


class RelayServer:
    """Listens, and carries frames between its connections and the core."""

    def __init__(self, core: RelayCore, tls: TlsContext, clock: Callable[[], float] = time.monotonic) -> None:
        self.core = core
        self.clock = clock
        self.waiting: WaitingRoom[_Client] = WaitingRoom()
        self.groups: Counter[str] = Counter()
        self.handshake_failures = self.turned_away = self.stopped_reading = 0
        self.leaving = False
        self._tls = tls
        self._clients: dict[int, _Client] = {}
        self._listeners: list[socket.socket] = []
        self._next_id = 0

    @property
    def listening(self) -> bool:
        """Whether clients are taken."""
        return bool(self._listeners)

    @property
    def port(self) -> int:
        """Where the first listener listens."""
        return int(self._listeners[0].getsockname()[1])

    @property
    def clients(self) -> Iterable["_Client"]:
        """Everybody with a WebSocket."""
        return self._clients.values()

    def sessions(self) -> Iterator[tuple[int, tuple[Claims, str | None]]]:
        """Registered clients by number: what their tokens say, and the address they come from."""
        for number, claims in self.core.sessions():
            client = self._clients.get(number)
            yield number, (claims, client.stream.peer_host if client else None)

    def listen(self, sockets: Iterable[socket.socket]) -> None:
        """Accept on bound sockets, on the running loop."""
        for sock in sockets:
            sock.setblocking(False)
            sock.listen(BACKLOG)
            self._listeners.append(sock)
            asyncio.get_running_loop().add_reader(sock, self._acceptable, sock)

    def stop_listening(self) -> None:
        """Nobody new comes in."""
        for sock in self._listeners:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._listeners.clear()

    def joined(self, client: "_Client") -> int:
        """A WebSocket is up: the number by which the core knows it."""
        self._next_id += 1
        self._clients[self._next_id] = client
        self.core.connect(self._next_id, self.clock())
        self.flush()
        return self._next_id

    @property
    def crowded(self) -> bool:
        """Whether no more WebSockets are taken."""
        return len(self._clients) >= MAX_CONNECTIONS

    def left(self, connection_id: int) -> None:
        """A WebSocket is gone."""
        self._clients.pop(connection_id, None)
        self.core.disconnect(connection_id)

    def flush(self) -> None:
        """Send what the core has ready, then close what it wants closed."""
        now = self.clock()
        for connection_id in self.core.ready():
            client = self._clients.get(connection_id)
            if client is not None:
                self.drain(connection_id, client.stream, now)
        for connection_id in self.core.retiring():
            client = self._clients.get(connection_id)
            if client is not None:
                client.stream.send(websocket.close_frame(CLOSE_REPLACED, masked=False))
        for connection_id, code in self.core.closing().items():
            client = self._clients.get(connection_id)
            if client is not None:
                client.close(code)
            self.core.disconnect(connection_id)

    def cut(self, refuses: Callable[[Claims], bool]) -> None:
        """Close every client whose claims are refused."""
        count = self.core.cut(refuses)
        if count:
            logger.info("clients cut off count=%d", count)
        self.flush()

    def drain(self, connection_id: int, stream: TlsStream, now: float) -> None:
        """Send one client's frames until its stream is full: many frames, one write."""
        take = self.core.take
        while not stream.full:
            parts: list[bytes] = []
            size = 0
            while size < GATHER_BYTES and (frame := take(connection_id, now)) is not None:
                parts += (websocket.header(len(frame), masked=False), frame)
                size += len(frame)
            if not parts:
                return
            stream.send(b"".join(parts))

    async def tick(self) -> None:
        """Let time pass: for the core, for those who have not registered, for those who do not read."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.core.handle_timeout(self.clock())
            self.flush()
            for client in self.waiting.overdue(loop.time()):
                client.stream.abort("never spoke")
            for client in [client for client in self.clients if client.stream.stalled(loop.time())]:
                self.stopped_reading += 1
                client.stream.abort("stopped reading")

    async def leave(self, hurry: asyncio.Event | None = None) -> None:
        """Send every client away politely, each to return at its own moment.

        Where others serve meanwhile (hurry tells when not to wait), clients are kept until they
        have moved.
        """
        self.leaving = True
        loop = asyncio.get_running_loop()
        first, last = RESTART_MS
        last += RESTART_MS_PER_CLIENT * self.core.clients
        deadline = loop.time() + last / 1000 + DRAIN_SECONDS
        self.core.restart(lambda: random.randint(first, last))  # noqa: S311 spreads reconnects
        self.flush()
        await asyncio.sleep(DRAIN_SECONDS)
        if hurry is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._emptied(hurry)
        for client in list(self._clients.values()):
            client.close(_GOING_AWAY)

    async def _emptied(self, hurry: asyncio.Event) -> None:
        """Until the last client has left, or there is no time for that."""
        while self._clients:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(MOVED_CHECK_SECONDS):
                    await hurry.wait()
                    return

    def _acceptable(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                sock, address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError as error:  # no descriptor left: the backlog holds the others meanwhile
                logger.warning("cannot accept error=%s", error.strerror)
                return
            self._admit(sock, str(address[0]))

    def _admit(self, sock: socket.socket, host: str) -> None:
        now = asyncio.get_running_loop().time()
        if not self.waiting.admits(host):
            self.turned_away += 1
            sock.close()
            return
        client = _Client(self, sock, self._tls)
        displaced = self.waiting.enter(client, host, now)
        if displaced is not None:
            displaced.stream.abort("displaced")


class _Client:
    """One connection: TLS, then HTTP, then WebSocket frames for the core."""

    def __init__(self, server: RelayServer, sock: socket.socket, tls: TlsContext) -> None:
        self._server = server
        self._id = 0
        self.stream = TlsStream(sock, tls, self)

    def established(self) -> None:
        self._server.groups[self.stream.group or "unknown"] += 1

    def received(self, data: memoryview) -> int:
        used = 0
        if not self._id:
            used = self._upgrade(bytes(data[: MAX_HEAD_BYTES + 4]))
            if not self._id:
                return used
        try:
            rest = data[used:] if used else data
            found, taken = websocket.split(rest, masked=True, limit=frames.MAX_FRAME_BYTES)
        except websocket.FrameError as error:
            self.close(error.code)
            return len(data)
        server = self._server
        now = server.clock()
        receive = server.core.receive
        for first, payload in found:
            if first == websocket.BINARY:
                receive(self._id, payload, now)
            elif first == websocket.PING:
                pong = websocket.header(len(payload), masked=False, first=websocket.PONG)
                self.stream.send(pong + bytes(payload))
            elif first == websocket.CLOSE:
                self.close(_NORMAL)
                return len(data)
        server.flush()
        if server.core.rated:
            pause = server.core.charge(self._id, taken, now)
            if pause > 0:
                self.stream.rest(min(pause, MAX_REST_SECONDS))
        return used + taken

    def writable(self) -> None:
        if self._id:
            self._server.drain(self._id, self.stream, self._server.clock())

    def closed(self, reason: str) -> None:
        self._server.waiting.leave(self)
        if self._id:
            self._server.left(self._id)
        elif reason.startswith("TLS"):
            self._server.handshake_failures += 1
            logger.debug("handshake refused reason=%s", reason)

    def close(self, code: int) -> None:
        """Send a close frame and hang up without waiting for the answer."""
        self.stream.send(websocket.close_frame(code, masked=False))
        self.stream.close()
        self._server.left(self._id)

    def _upgrade(self, data: bytes) -> int:
        """Answer the request once it is whole; returns the bytes it took."""
        try:
            found = find_head(data)
            if found is None:
                return 0
            raw, length = found
            head = parse_request(raw)
            if head.path == frames.PATH:
                if self._server.crowded:
                    raise HttpError(503, "crowded")
                answer = websocket.accept_upgrade(head, frames.SUBPROTOCOL)
            elif head.path in (frames.PROBE_PATH, "/healthz") and head.method in ("GET", "HEAD"):
                self._finish(response(200, body=b"ok\n" if head.method == "GET" else b""))
                return length
            else:
                raise HttpError(404, "no such path")
        except HttpError as error:
            self._finish(response(error.status))
            return len(data)
        self.stream.send(answer)
        self._server.waiting.leave(self)
        self._id = self._server.joined(self)
        return length

    def _finish(self, answer: bytes) -> None:
        self.stream.send(answer)
        self.stream.close()
