"""A machine's link to one relay: connects, proves its key, stays connected.

The callbacks run on the event loop and must not block.
"""

import asyncio
import contextlib
import logging
import os
import random
import socket
import ssl
from collections.abc import Callable, Sequence

import picows
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from wire import relay as frames
from wire.binary import WireError

logger = logging.getLogger("relay.client")

FIRST_RETRY_SECONDS = 0.2
LAST_RETRY_SECONDS = 15.0
HANDSHAKE_SECONDS = 5.0
TOKEN_WAIT_SECONDS = 0.2
MAX_BUFFERED_BYTES = 512 * 1024
_SO_MARK = 36


class RelayClient:
    """Link of the machine that holds disco_private (32 bytes) to the relay at host:port.

    addresses: IP addresses to dial instead of resolving host; host is what the certificate must
    name. token gives the current relay token, or None while there is none. on_datagrams gets
    (sender's disco key, segment size, batch); on_state gets (connected, reason). mark is put on
    the socket, so that an exit node does not loop it.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        addresses: Sequence[str],
        disco_private: bytes,
        token: Callable[[], str | None],
        on_datagrams: Callable[[bytes, int, memoryview], None],
        on_state: Callable[[bool, str | None], None],
        on_peer_gone: Callable[[bytes], None],
        ca_file: str | None = None,
        mark: int | None = None,
    ) -> None:
        self._host, self._port, self._addresses = host, port, tuple(addresses)
        self._private = X25519PrivateKey.from_private_bytes(disco_private)
        self._public = self._private.public_key().public_bytes_raw()
        self._token = token
        self._on_datagrams, self._on_state, self._on_peer_gone = on_datagrams, on_state, on_peer_gone
        self._mark = mark
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_3
        self._session: _Session | None = None
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._hurry = asyncio.Event()

    @property
    def local_host(self) -> str | None:
        """The address of ours that the link uses, or None without a link."""
        session = self._session
        if session is None or session.transport is None:
            return None
        name = session.transport.underlying_transport.get_extra_info("sockname")
        return str(name[0]) if name else None

    @property
    def connected(self) -> bool:
        """Whether frames can be sent now."""
        return self._session is not None and self._session.registered.is_set()

    @property
    def tls_group(self) -> str | None:
        """Negotiated key-exchange group, where this Python can tell (3.15 and newer)."""
        session = self._session
        if session is None or session.transport is None:
            return None
        tls = session.transport.underlying_transport.get_extra_info("ssl_object")
        group = getattr(tls, "group", None)
        return group() if group else None

    def send(self, key: bytes, segment: int, payload: bytes | memoryview) -> bool:
        """Queue a batch for the holder of key. False, and nothing queued, when it cannot go."""
        session = self._session
        if session is None or not self.connected or session.backlog() > MAX_BUFFERED_BYTES:
            return False
        session.write(frames.encode_data(frames.SEND, key, segment, payload))
        return True

    async def run(self) -> None:
        """Keep the link up until cancelled."""
        try:
            while True:
                self._hurry.clear()
                reason = await self._attempt()
                self._on_state(False, reason)
                pause = self._retry_seconds * random.uniform(0.5, 1.5)  # noqa: S311 jitter
                self._retry_seconds = min(self._retry_seconds * 2, LAST_RETRY_SECONDS)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._hurry.wait()
        finally:
            if self._session is not None:
                self._session.close()
                self._session = None

    def redial(self) -> None:
        """The network under the link is another one: connect anew at once."""
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._hurry.set()

    async def _attempt(self) -> str:
        """One connection, given up when it must be dialled anew."""
        connection = asyncio.create_task(self._connect_once())
        hurry = asyncio.create_task(self._hurry.wait())
        try:
            await asyncio.wait((connection, hurry), return_when=asyncio.FIRST_COMPLETED)
            return await connection if connection.done() else "the network changed"
        finally:
            for task in (connection, hurry):
                task.cancel()
            await asyncio.gather(connection, hurry, return_exceptions=True)

    async def _connect_once(self) -> str:
        """One connection from dial to end; returns why it ended."""
        while self._token() is None:  # noqa: ASYNC110 the token is the caller's, and rarely absent
            await asyncio.sleep(TOKEN_WAIT_SECONDS)
        session = _Session(self)
        self._session = session
        try:
            await picows.ws_connect(
                lambda: session,
                f"wss://{self._host}:{self._port}{frames.PATH}",
                ssl_context=self._tls,
                socket_factory=self._dial,
                extra_headers={"Sec-WebSocket-Protocol": frames.SUBPROTOCOL},
                websocket_handshake_timeout=HANDSHAKE_SECONDS,
                max_frame_size=frames.MAX_FRAME_BYTES,
                max_redirects=0,
            )
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await session.first(session.registered, session.ended)
            if session.registered.is_set():
                self._retry_seconds = FIRST_RETRY_SECONDS
                self._on_state(True, None)
                await session.keep_alive()
        except (OSError, TimeoutError, picows.WSError, ssl.SSLError) as error:
            session.reason = session.reason or f"{type(error).__name__}: {error}"
        finally:
            session.close()
            self._session = None
        if session.reconnect_in is not None:
            await asyncio.sleep(session.reconnect_in)
        return session.reason or "closed by the relay"

    async def _dial(self, url: picows.WSParsedURL) -> socket.socket:
        loop = asyncio.get_running_loop()
        targets = [(address, self._port) for address in self._addresses]
        if not targets:
            found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            targets = [(str(entry[4][0]), self._port) for entry in found]
        error: OSError = OSError(f"{self._host} has no address")
        for address, port in targets:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setblocking(False)
            try:
                if self._mark is not None:
                    sock.setsockopt(socket.SOL_SOCKET, _SO_MARK, self._mark)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                async with asyncio.timeout(HANDSHAKE_SECONDS):
                    await loop.sock_connect(sock, (address, port))
                return sock
            except (OSError, TimeoutError) as failure:
                sock.close()
                error = OSError(f"{address}:{port}: {failure or type(failure).__name__}")
        raise error

    def _hello(self, hello: frames.ServerHello) -> frames.ClientHello:
        token = self._token() or ""
        shared = self._private.exchange(X25519PublicKey.from_public_bytes(hello.ephemeral))
        mac = frames.proof(shared, hello=hello, key=self._public, token=token)
        return frames.ClientHello(self._public, mac, token)


class _Session(picows.WSListener):
    """One WebSocket to the relay."""

    def __init__(self, client: RelayClient) -> None:
        self._client = client
        self.transport: picows.WSTransport | None = None
        self.registered = asyncio.Event()
        self.ended = asyncio.Event()
        self.reason: str | None = None
        self.reconnect_in: float | None = None
        self._keepalive_seconds = 30
        self._heard = 0.0
        self._sent_token: str | None = None

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self.transport = transport

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self.ended.set()

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type != picows.WSMsgType.BINARY:
            if frame.msg_type == picows.WSMsgType.CLOSE:
                transport.disconnect()
            return
        self._heard = asyncio.get_running_loop().time()
        try:
            message = frames.parse_from_server(frame.get_payload_as_memoryview())
        except WireError as error:
            self.reason = f"relay broke the protocol: {error}"
            transport.disconnect()
            return
        self._take(message)

    def _take(self, message: frames.FromServer) -> None:
        match message:
            case frames.Recv(key, segment, payload):
                self._client._on_datagrams(key, segment, memoryview(payload))
            case frames.ServerHello():
                answer = self._client._hello(message)
                self._sent_token = answer.token
                self.write(frames.encode(answer))
            case frames.Ready(seconds):
                self._keepalive_seconds = seconds
                self.registered.set()
            case frames.PeerGone(key):
                self._client._on_peer_gone(key)
            case frames.Refused(code):
                self.reason = f"refused: {code}"
            case frames.Restarting(milliseconds):
                self.reconnect_in = milliseconds / 1000
            case frames.Ping(data):
                self.write(frames.encode(frames.Pong(data)))
            case frames.Pong():
                pass

    def write(self, frame: bytes) -> None:
        """One binary message."""
        if self.transport is not None:
            self.transport.send(picows.WSMsgType.BINARY, frame)

    def backlog(self) -> int:
        """Bytes that the socket has not taken yet."""
        if self.transport is None:
            return 0
        return int(self.transport.underlying_transport.get_write_buffer_size())

    def close(self) -> None:
        """Drop the socket."""
        if self.transport is not None:
            self.transport.disconnect(graceful=False)

    async def first(self, *events: asyncio.Event) -> None:
        """Wait until one of the events is set."""
        tasks = [asyncio.create_task(event.wait()) for event in events]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def keep_alive(self) -> None:
        """Ping, renew the token, and leave when the relay is gone or silent."""
        loop = asyncio.get_running_loop()
        self._heard = loop.time()
        while not self.ended.is_set():
            try:
                async with asyncio.timeout(self._keepalive_seconds / 3):
                    await self.ended.wait()
            except TimeoutError:
                self._renew()
                self.write(frames.encode(frames.Ping(os.urandom(8))))
            if loop.time() - self._heard > self._keepalive_seconds:
                self.reason = "relay fell silent"
                return

    def _renew(self) -> None:
        token = self._client._token()
        if token and token != self._sent_token:
            self._sent_token = token
            self.write(frames.encode(frames.Renew(token)))
