"""The relay's socket shell: picows on uvloop around RelayCore, and the STUN server beside it."""

import asyncio
import logging
import random
import secrets
import signal
import ssl
import time
from collections.abc import Callable
from multiprocessing import get_context

import picows

from relay import stun
from relay.config import ANY_INTERFACE, RelayConfig
from relay.core import Limits, RelayCore
from relay.tokens import TokenVerifier, keep_loaded
from wire import relay as frames

logger = logging.getLogger("relay.server")

MAX_CONNECTIONS = 20_000
HIGH_WATER_BYTES = 256 * 1024
TICK_SECONDS = 1.0
RESTART_SPREAD_MS = (500, 5_000)
DRAIN_SECONDS = 0.5


class RelayServer:
    """Moves bytes between sockets and the core; decides nothing."""

    def __init__(self, core: RelayCore, clock: Callable[[], float] = time.monotonic) -> None:
        self.core = core
        self._clock = clock
        self._sockets: dict[int, _ClientSocket] = {}
        self._next_id = 0

    def accept(
        self, request: picows.WSUpgradeRequest
    ) -> "picows.WSListener | picows.WSUpgradeResponseWithListener":
        """Route one HTTP request: the relay itself, or a probe."""
        path = request.path.partition(b"?")[0].decode("ascii", "replace")
        if path == frames.PATH and len(self._sockets) < MAX_CONNECTIONS:
            self._next_id += 1
            return _ClientSocket(self, self._next_id)
        if path in (frames.PROBE_PATH, "/healthz"):
            response = picows.WSUpgradeResponse.create_ok_response(body=b"ok\n")
        else:
            status = 503 if path == frames.PATH else 404
            response = picows.WSUpgradeResponse.create_error_response(status, b"")
        return picows.WSUpgradeResponseWithListener(response, None)

    def opened(self, socket: "_ClientSocket") -> None:
        """A WebSocket is up."""
        self._sockets[socket.id] = socket
        self.core.connect(socket.id, self._clock())
        self.flush()

    def closed(self, socket: "_ClientSocket") -> None:
        """A WebSocket is gone."""
        self._sockets.pop(socket.id, None)
        self.core.disconnect(socket.id)

    def received(self, socket: "_ClientSocket", payload: memoryview, *, last: bool) -> None:
        """A frame arrived; answers go out once per read, not once per frame."""
        self.core.receive(socket.id, payload, self._clock())
        if last:
            self.flush()

    def flush(self) -> None:
        """Send what the core has ready, then close what it wants closed."""
        now = self._clock()
        for connection_id in self.core.ready():
            socket = self._sockets.get(connection_id)
            if socket is not None:
                self.drain(socket, now)
        for connection_id, code in self.core.closing().items():
            socket = self._sockets.get(connection_id)
            if socket is not None:
                socket.close(code)
            self.core.disconnect(connection_id)

    def drain(self, socket: "_ClientSocket", now: float | None = None) -> None:
        """Send one client's frames until its transport is full."""
        now = self._clock() if now is None else now
        while not socket.paused:
            frame = self.core.take(socket.id, now)
            if frame is None:
                return
            socket.send(frame)

    async def tick(self) -> None:
        """Let the core see time pass."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.core.handle_timeout(self._clock())
            self.flush()

    async def leave(self) -> None:
        """Send every client away politely."""
        self.core.restart(lambda: random.randint(*RESTART_SPREAD_MS))  # noqa: S311 spreads reconnects
        self.flush()
        await asyncio.sleep(DRAIN_SECONDS)
        for socket in list(self._sockets.values()):
            socket.close(1001)


class _ClientSocket(picows.WSListener):
    """One client's WebSocket."""

    def __init__(self, server: RelayServer, connection_id: int) -> None:
        self._server = server
        self._transport: picows.WSTransport | None = None
        self.id = connection_id
        self.paused = False

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._transport = transport
        transport.underlying_transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        self._server.opened(self)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.BINARY and frame.fin:
            payload = frame.get_payload_as_memoryview()
            self._server.received(self, payload, last=frame.last_in_buffer)
        else:
            self.close(1002 if frame.msg_type != picows.WSMsgType.CLOSE else 1000)

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self._server.closed(self)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self._server.drain(self)

    def send(self, frame: bytes) -> None:
        """One binary message."""
        if self._transport is not None:
            self._transport.send(picows.WSMsgType.BINARY, frame)

    def close(self, code: int) -> None:
        """Close handshake without waiting for the answer."""
        if self._transport is not None:
            self._transport.send_close(code)  # type: ignore[arg-type]  # private codes are not in the enum
            self._transport.disconnect()


def tls_context(config: RelayConfig) -> ssl.SSLContext:
    """TLS 1.3 only (RFC 8446); the hybrid group comes with OpenSSL 3.5."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(config.certificate, config.private_key)
    return context


async def serve(config: RelayConfig) -> None:
    """Run a relay until SIGTERM or SIGINT."""
    verifier = TokenVerifier(region=config.region)
    core = RelayCore(verify=verifier.verify, random=secrets.token_bytes, limits=Limits())
    relay = RelayServer(core)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    stunner = None
    if config.stun_port:
        stunner = get_context("spawn").Process(
            target=stun.serve, args=(config.listen, config.stun_port), daemon=True
        )
        stunner.start()
    server = await picows.ws_create_server(
        relay.accept,
        # None is every address of IPv4 and of IPv6.
        None if config.listen == ANY_INTERFACE else config.listen,
        config.port,
        ssl=tls_context(config),
        max_frame_size=frames.MAX_FRAME_BYTES,
        websocket_handshake_timeout=10,
    )
    tasks = [
        asyncio.create_task(relay.tick()),
        asyncio.create_task(keep_loaded(verifier, config.jwks, config.ca_file)),
    ]
    logger.info("relay %s listens on %s:%d", config.region, config.listen, config.port)
    await stop.wait()
    server.close()
    await relay.leave()
    for task in tasks:
        task.cancel()
    if stunner is not None:
        stunner.terminate()
        stunner.join(2)
