"""A non-blocking socket with a TLS session on it, driven by the event loop's readiness callbacks.

One read per readiness keeps senders equal. What the kernel does not take at once is kept here and
makes the stream full; the owner holds its plaintext back until writable() is called.
"""

import asyncio
import contextlib
import socket
from typing import Final, Protocol

from relay.tls.session import TlsContext, TlsError

# Bytes handed to the kernel before it must say that it has sent most of them: what waits in the
# kernel is encrypted, so it can no longer be dropped.
UNSENT_BYTES: Final = 512 * 1024
LINGER_SECONDS: Final = 1.0
# A peer that takes nothing for so long is gone.
STALL_SECONDS: Final = 30.0
_TCP_NOTSENT_LOWAT: Final = getattr(socket, "TCP_NOTSENT_LOWAT", 25)


class Owner(Protocol):
    """Who uses a stream. The calls must not block."""

    def established(self) -> None:
        """The handshake is done: send() works from now on."""

    def received(self, data: memoryview) -> int:
        """Plaintext, together with what the owner left of the last call; returns the bytes used up."""

    def writable(self) -> None:
        """The stream is no longer full."""

    def closed(self, reason: str) -> None:
        """The stream is gone; called once, whoever ended it."""


class TlsStream:
    """TLS over a connected socket; host makes it a client's end that demands this name."""

    def __init__(
        self, sock: socket.socket, context: TlsContext, owner: Owner, *, host: str | None = None
    ) -> None:
        sock.setblocking(False)
        with contextlib.suppress(OSError):  # no TCP in some tests
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, UNSENT_BYTES // 2)
        self._socket, self._context, self._owner = sock, context, owner
        self._tls = context.session(host)
        self._loop = asyncio.get_running_loop()
        self._kept = b""
        self._unsent = bytearray()
        self._credit = UNSENT_BYTES
        self._established = self._leaving = self._gone = False
        self._stalled_at: float | None = None
        self._reason: str | None = None
        self._loop.add_reader(sock, self._readable)
        if host is not None:
            self._loop.call_soon(self._greet)

    @property
    def full(self) -> bool:
        """Whether send() had better wait for writable()."""
        return self._stalled_at is not None

    @property
    def unsent(self) -> int:
        """Encrypted bytes that the kernel has not taken."""
        return len(self._unsent)

    @property
    def group(self) -> str | None:
        """Key-exchange group of the handshake, where the backend can tell."""
        return self._tls.group

    @property
    def local_host(self) -> str | None:
        """Our address on this connection."""
        with contextlib.suppress(OSError):
            return str(self._socket.getsockname()[0])
        return None

    @property
    def peer_host(self) -> str | None:
        """The peer's address on this connection."""
        with contextlib.suppress(OSError):
            return str(self._socket.getpeername()[0])
        return None

    def stalled(self, now: float) -> bool:
        """Whether the peer has taken nothing for too long; now is the loop's time."""
        return self._stalled_at is not None and now - self._stalled_at > STALL_SECONDS

    def send(self, data: bytes) -> None:
        """Encrypt and send up to relay.tls.session.MAX_WRITE_BYTES."""
        if not self._leaving and self._established:
            try:
                self._transmit(self._tls.send(data))
            except TlsError as error:
                self._loop.call_soon(self.abort, str(error))

    def catch_up(self) -> None:
        """Take in what has come already; not to be called from received()."""
        while not self._leaving and self._readable():
            pass

    def rest(self, seconds: float) -> None:
        """Read nothing for a while."""
        if not self._gone:
            self._loop.remove_reader(self._socket)
            self._loop.call_later(seconds, self._read_on)

    def _read_on(self) -> None:
        if not self._gone:
            self._loop.add_reader(self._socket, self._readable)

    def close(self, reason: str = "closed") -> None:
        """Say goodbye, give the peer a moment to read what was sent, then abort()."""
        if self._leaving:
            return
        if self._established:
            self._tls.close()
            self._transmit(self._tls.outgoing())
        self._leaving, self._reason = True, reason
        self._shut_down_when_sent()
        self._loop.call_later(LINGER_SECONDS, self.abort)

    def abort(self, reason: str = "closed") -> None:
        """Drop the socket and whatever is unsent."""
        if self._gone:
            return
        self._gone = self._leaving = True
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        self._owner.closed(self._reason or reason)

    def _greet(self) -> None:
        """A client speaks first."""
        if not self._gone:
            with contextlib.suppress(TlsError):
                self._tls.receive(0)
            self._transmit(self._tls.outgoing())

    def _readable(self) -> bool:
        """Read once; False when nothing had come."""
        try:
            count = self._socket.recv_into(self._context.inbox)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            self.abort(type(error).__name__)
            return False
        if not count:
            self.abort("closed by the peer" if self._tls.ended else "cut off")
        elif not self._leaving:  # else reading keeps the kernel from resetting what we said last
            self._take(count)
        return True

    def _take(self, count: int) -> None:
        try:
            data = self._tls.receive(count, self._kept)
        except TlsError as error:
            self._transmit(self._tls.outgoing())
            self.close(f"TLS: {error}")
            return
        if not self._established:
            self._transmit(self._tls.outgoing())
            if not self._tls.established:
                return
            self._established = True
            self._owner.established()
        fresh = len(data) > len(self._kept)
        if fresh and not self._leaving:
            used = self._owner.received(data)
            self._kept = bytes(data[used:])
        if self._tls.ended and not self._leaving:
            self.close("closed by the peer")

    def _transmit(self, data: bytes | memoryview) -> None:
        if self._gone or not data:
            return
        sent = 0
        if not self._unsent:
            try:
                sent = self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError as error:
                # The caller may be in the middle of a flush of many streams.
                self._loop.call_soon(self.abort, type(error).__name__)
                return
            self._credit -= sent
        if sent < len(data):
            self._unsent += data[sent:]
        elif self._credit > 0:
            return
        if self._stalled_at is None:
            self._stalled_at = self._loop.time()
            self._loop.add_writer(self._socket, self._writable)

    def _writable(self) -> None:
        self._credit = UNSENT_BYTES
        if self._unsent:
            try:
                sent = self._socket.send(self._unsent)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self.abort(type(error).__name__)
                return
            del self._unsent[:sent]
            if self._unsent:
                self._stalled_at = self._loop.time()
                return
        self._stalled_at = None
        self._loop.remove_writer(self._socket)
        if self._leaving:
            self._shut_down_when_sent()
        else:
            self._owner.writable()

    def _shut_down_when_sent(self) -> None:
        if not self._unsent and not self._gone:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
