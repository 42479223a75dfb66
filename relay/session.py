"""A client's one connection to a relay: opening handshake, registration, frames both ways."""

import asyncio
import os
import socket
from collections.abc import Iterator
from typing import Final, Protocol

from relay import websocket
from relay.batches import BatchQueue
from relay.http import MAX_HEAD_BYTES, HttpError, find_head, parse_response
from relay.tls import TlsContext
from relay.transport import TlsStream
from wire import relay as frames
from wire.binary import WireError

# What goes out in one call, so that a full link learns it in time.
GATHER_BYTES: Final = 64 * 1024


class SessionUser(Protocol):
    """Whose connection it is."""

    def hello(self, hello: frames.ServerHello) -> frames.ClientHello:
        """The answer to the relay's challenge."""

    def fresh_token(self) -> str | None:
        """The current relay token."""

    def deliver(self, key: bytes, segment: int, payload: memoryview) -> None:
        """A batch came; payload is valid during the call."""

    def peer_gone(self, key: bytes) -> None:
        """Nobody holds key."""

    def ready(self) -> None:
        """The relay has taken us in. It keeps frames of others back until this has returned."""

    def proven(self) -> None:
        """Frames go both ways."""


class ClientSession:
    """Speaks on a connected socket. Ends when `ended` is set; then reason may say why.

    `leaving` is set when the relay restarts; reconnect_in tells in how many seconds to come back.
    proven turns true once an echo or a peer's frame came back by it.
    """

    def __init__(self, sock: socket.socket, tls: TlsContext, host: str, user: SessionUser) -> None:
        self._host, self._user = host, user
        self.registered = asyncio.Event()
        self.ended = asyncio.Event()
        self.leaving = asyncio.Event()
        self.reason: str | None = None
        self.reconnect_in: float | None = None
        self.moving = self.proven = False
        self._loop = asyncio.get_running_loop()
        self._queue = BatchQueue()
        self._flushing = self._begun = False
        self._upgrade_key: str | None = None
        self._upgraded = False
        self._keepalive_seconds = 30
        self._heard = self._loop.time()
        self._sent_token: str | None = None
        self.stream = TlsStream(sock, tls, self, host=host)

    @property
    def backlog(self) -> int:
        """Bytes that the socket has not taken yet."""
        return self._queue.queued_bytes + self.stream.unsent

    def send_batch(self, key: bytes, segment: int, payload: bytes | memoryview) -> None:
        """The first batch of a burst goes out at once, the rest of it together, in larger frames.

        Nothing goes out before the relay is ready for it.
        """
        if self._begun and not self._flushing and not self.stream.full:
            self._write((frames.encode_data(frames.SEND, key, segment, payload),))
            self._flushing = True
            self._loop.call_soon(self._flush)
        else:
            self._queue.push(key, segment, payload)

    async def registration(self) -> None:
        """Wait until the relay has taken us in, or the connection has ended."""
        waits = [asyncio.create_task(event.wait()) for event in (self.registered, self.ended)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def keep_alive(self) -> None:
        """Ping, renew the token, and leave when the relay is gone or silent."""
        self._heard = self._loop.time()
        while not self.ended.is_set():
            try:
                async with asyncio.timeout(self._keepalive_seconds / 3):
                    await self.ended.wait()
            except TimeoutError:
                self._renew()
                self._say(frames.Ping(os.urandom(8)))
            if self._loop.time() - self._heard > self._keepalive_seconds:
                self.reason = "relay fell silent"
                return

    def catch_up(self) -> None:
        """Deliver what has come already."""
        self.stream.catch_up()

    def close(self) -> None:
        """Drop the connection."""
        self.stream.abort()

    def established(self) -> None:
        request, self._upgrade_key = websocket.upgrade_request(self._host, frames.PATH, frames.SUBPROTOCOL)
        self.stream.send(request)

    def received(self, data: memoryview) -> int:
        self._heard = self._loop.time()
        used = 0
        try:
            if not self._upgraded:
                used = self._take_answer(bytes(data[: MAX_HEAD_BYTES + 4]))
                if not self._upgraded:
                    return used
            found, taken = websocket.split(data[used:], masked=False, limit=frames.MAX_FRAME_BYTES)
            for first, payload in found:
                self._take_frame(first, payload)
        except HttpError as error:
            return self._give_up(f"relay refused the upgrade: {error}", data)
        except (WireError, websocket.FrameError) as error:
            return self._give_up(f"relay broke the protocol: {error}", data)
        return used + taken

    def writable(self) -> None:
        self._send_queued()

    def closed(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.ended.set()

    def _give_up(self, reason: str, data: memoryview) -> int:
        self.reason = reason
        self.stream.close(reason)
        self.ended.set()
        return len(data)

    def _take_answer(self, data: bytes) -> int:
        found = find_head(data)
        if found is None or self._upgrade_key is None:
            return 0
        raw, length = found
        websocket.check_answer(parse_response(raw), self._upgrade_key)
        self._upgraded = True
        return length

    def _take_frame(self, first: int, payload: memoryview) -> None:
        if first == websocket.BINARY:
            self._take(frames.parse_from_server(payload))
        elif first == websocket.PING:
            pong = websocket.header(len(payload), masked=True, first=websocket.PONG)
            self.stream.send(pong + bytes(payload))
        elif first == websocket.CLOSE:
            self.reason = self.reason or f"closed by the relay: {int.from_bytes(payload[:2], 'big')}"
            self.ended.set()

    def _take(self, message: frames.FromServer) -> None:
        match message:
            case frames.Recv(key, segment, payload):
                self._prove()
                self._user.deliver(key, segment, memoryview(payload))
            case frames.ServerHello():
                answer = self._user.hello(message)
                self._sent_token = answer.token
                self._say(answer)
            case frames.Ready(seconds):
                self._keepalive_seconds = seconds
                self.registered.set()
                self._loop.call_soon(self._begin)
            case frames.PeerGone(key):
                self._user.peer_gone(key)
            case frames.Refused(code):
                self.reason = f"refused: {code}"
            case frames.Restarting(milliseconds):
                self.reconnect_in = milliseconds / 1000
                self.leaving.set()
            case frames.Ping(data):
                self._say(frames.Pong(data))
            case frames.Pong():
                self._prove()

    def _begin(self) -> None:
        self._user.ready()
        self._begun = True
        self._say(frames.Ping(os.urandom(8)))
        self._send_queued()

    def _prove(self) -> None:
        if not self.proven and self.registered.is_set():
            self.proven = True
            self._user.proven()

    def _renew(self) -> None:
        token = self._user.fresh_token()
        if token and token != self._sent_token:
            self._sent_token = token
            self._say(frames.Renew(token))

    def _say(self, message: frames.FromClient) -> None:
        self._write((frames.encode(message),))

    def _flush(self) -> None:
        self._flushing = False
        self._send_queued()

    def _send_queued(self) -> None:
        while self._begun and self._queue and not self.stream.full:
            self._write(self._queue.pop(GATHER_BYTES))

    def _write(self, messages: Iterator[bytes] | tuple[bytes, ...]) -> None:
        parts: list[bytes] = []
        for message in messages:
            parts += (websocket.header(len(message), masked=True), message)
        self.stream.send(b"".join(parts))
