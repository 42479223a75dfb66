"""A machine's link to one relay: connects, proves its key, stays connected.

The callbacks run on the event loop and must not block.
"""

import asyncio
import contextlib
import logging
import random
import socket
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from relay.session import ClientSession
from relay.tls import TlsContext, TlsError, client_context
from relay.transport import TlsStream
from wire import relay as frames

logger = logging.getLogger("relay.client")

FIRST_RETRY_SECONDS: Final = 0.2
LAST_RETRY_SECONDS: Final = 15.0
HANDSHAKE_SECONDS: Final = 5.0
TOKEN_WAIT_SECONDS: Final = 0.2
MAX_BUFFERED_BYTES: Final = 512 * 1024
_SO_MARK: Final = 36


class RelayClient:
    """Link of the machine that holds disco_private (32 bytes) to the relay at host:port.

    addresses: IP addresses to dial instead of resolving host; host is what the certificate must
    name. token gives the current relay token, or None while there is none. on_datagrams gets
    (sender's disco key, segment size, batch); on_state gets (connected, reason); on_proven is called
    when a connection has carried something back. tls is client_context()'s, one for all links of a
    thread. mark is put on the socket, so that an exit node does not loop it.
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
        tls: TlsContext,
        mark: int | None = None,
        on_proven: Callable[[], None] = lambda: None,
    ) -> None:
        self._host, self._port, self._addresses = host, port, tuple(addresses)
        self._private = X25519PrivateKey.from_private_bytes(disco_private)
        self._public = self._private.public_key().public_bytes_raw()
        self._token = token
        self._on_datagrams, self._on_state, self._on_peer_gone = on_datagrams, on_state, on_peer_gone
        self._on_proven, self._mark = on_proven, mark
        self._tls = tls
        self._session: ClientSession | None = None
        self._next: ClientSession | None = None
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._hurry = asyncio.Event()

    @property
    def local_host(self) -> str | None:
        """The address of ours that the link uses, or None without a link."""
        return self._sender.stream.local_host if self._sender else None

    @property
    def connected(self) -> bool:
        """Whether frames can be sent now."""
        return self._sender is not None

    @property
    def carries(self) -> bool:
        """Whether the present connection has proven to carry frames both ways."""
        return self._session is not None and self._session.proven and not self._session.ended.is_set()

    @property
    def tls_group(self) -> str | None:
        """Key-exchange group of the link's handshake, where the TLS backend can tell."""
        return self._session.stream.group if self._session else None

    def send(self, key: bytes, segment: int, payload: bytes | memoryview) -> bool:
        """Queue a batch for the holder of key. False, and nothing queued, when it cannot go."""
        session = self._sender
        if session is None or session.backlog > MAX_BUFFERED_BYTES:
            return False
        session.send_batch(key, segment, payload)
        return True

    @property
    def _sender(self) -> ClientSession | None:
        """The connection, or the one that takes over where it has ended."""
        open_ones = (it for it in (self._session, self._next) if it is not None and not it.ended.is_set())
        return next(open_ones, None)

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
        session: ClientSession | None = None
        reason = None
        try:
            session = await self._open()
            if session.registered.is_set():
                self._session = session
                self._retry_seconds = FIRST_RETRY_SECONDS
                self._on_state(True, None)
                if session.proven:  # with the relay's very first words
                    self._on_proven()
                session = await self._stay(session)
        except (OSError, TimeoutError, TlsError) as error:
            reason = f"{type(error).__name__}: {error}".removesuffix(": ")
        finally:
            if self._session is not None:
                self._session.close()
            self._session = self._next = None
        if session is not None and session.reconnect_in is not None:
            await asyncio.sleep(session.reconnect_in)
        return (session and session.reason) or reason or "closed by the relay"

    async def _open(self) -> ClientSession:
        """A session that is registered, or has ended already."""
        sock = await _dial(self._host, self._port, self._addresses, self._mark)
        session = ClientSession(sock, self._tls, self._host, self)
        if self._session is not None:
            self._next = session
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await session.registration()
        finally:
            if not session.registered.is_set():
                session.close()
        return session

    async def _stay(self, session: ClientSession) -> ClientSession:
        """Until the link ends; returns the session that was the last.

        A relay of several processes restarts them one by one: the link moves before its old
        connection ends, and nobody notices.
        """
        while True:
            keep = asyncio.create_task(session.keep_alive())
            move = asyncio.create_task(self._successor(session))
            try:
                await asyncio.wait((keep, move), return_when=asyncio.FIRST_COMPLETED)
                if session.moving and not move.done():
                    # Registering the new connection is what ended the old one.
                    await asyncio.wait((move,), timeout=HANDSHAKE_SECONDS)
                successor = move.result() if move.done() else None
            finally:
                for task in (keep, move):
                    task.cancel()
                await asyncio.gather(keep, move, return_exceptions=True)
            if successor is None:
                return session
            self._session, self._next = successor, None
            session.close()
            session = successor

    async def _successor(self, session: ClientSession) -> ClientSession | None:
        """A new connection to the relay that is leaving, at the time it told; None if there is none."""
        await session.leaving.wait()
        await asyncio.sleep(session.reconnect_in or 0)
        session.moving = True
        try:
            successor = await self._open()
            if successor.registered.is_set():
                return successor
        except (OSError, TimeoutError, TlsError) as error:
            logger.debug("no other process of the relay: %s", error)
        session.moving = False
        await session.ended.wait()
        return None

    def hello(self, hello: frames.ServerHello) -> frames.ClientHello:
        """The answer to a relay's challenge (for the session)."""
        token = self._token() or ""
        shared = self._private.exchange(X25519PublicKey.from_public_bytes(hello.ephemeral))
        mac = frames.proof(shared, hello=hello, key=self._public, token=token)
        return frames.ClientHello(self._public, mac, token)

    def fresh_token(self) -> str | None:
        """The current relay token (for the session)."""
        return self._token()

    def deliver(self, key: bytes, segment: int, payload: memoryview) -> None:
        """A batch came (for the session)."""
        self._on_datagrams(key, segment, payload)

    def peer_gone(self, key: bytes) -> None:
        """Nobody holds key (for the session)."""
        self._on_peer_gone(key)

    def ready(self) -> None:
        """A new connection is up (for the session): what came by the old one comes first."""
        if self._session is not None:
            self._session.catch_up()

    def proven(self) -> None:
        """Frames go both ways (for the session)."""
        if self.carries:
            self._on_proven()


async def handshake(host: str, port: int, addresses: Sequence[str], *, ca_file: str | None) -> str | None:
    """Only shake hands with the relay; the key-exchange group, or None where it cannot be told.

    OSError, TimeoutError or TlsError when that fails.
    """
    visit = _Visit()
    sock = await _dial(host, port, addresses, None)
    stream = TlsStream(sock, client_context(ca_file), visit, host=host)
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            await visit.done
        return stream.group
    finally:
        stream.abort()


class _Visit:
    """Owner of a stream that is only opened."""

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def established(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def received(self, data: memoryview) -> int:
        return len(data)

    def writable(self) -> None:
        """Nothing waits to be sent."""

    def closed(self, reason: str) -> None:
        if not self.done.done():
            self.done.set_exception(TlsError(reason))


async def _dial(host: str, port: int, addresses: Sequence[str], mark: int | None) -> socket.socket:
    """Connect to the first address that answers; without addresses, to what the name resolves to."""
    loop = asyncio.get_running_loop()
    if not addresses:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
    error = OSError(f"{host} has no address")
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            if mark is not None:
                sock.setsockopt(socket.SOL_SOCKET, _SO_MARK, mark)
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await loop.sock_connect(sock, (address, port))
            return sock
        except (OSError, TimeoutError) as failure:
            sock.close()
            error = OSError(f"{address}:{port}: {failure or type(failure).__name__}")
        except BaseException:  # cancelled: nobody else knows of the socket yet
            sock.close()
            raise
    raise error
