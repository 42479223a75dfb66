"""What a TLS backend gives: TLS 1.3 (RFC 8446) between two byte strings, no socket in sight.

All sessions of a context share its buffers, so a context belongs to one thread, and what receive()
and send() return holds until the next call on any session of the context.
"""

from typing import Final, Protocol

HYBRID_GROUP: Final = "X25519MLKEM768"
RECORD_BYTES: Final = 16_384
# Enough for many records a read. Allocated once: above 128 KB, malloc would map memory at each use.
INBOX_BYTES: Final = 192 * 1024
MAX_KEPT_BYTES: Final = 80 * 1024
PLAIN_BYTES: Final = MAX_KEPT_BYTES + INBOX_BYTES + RECORD_BYTES
MAX_WRITE_BYTES: Final = 224 * 1024
# Header, content type and tag of a record come to 22 bytes; tickets and alerts fit in the rest.
OUTBOX_BYTES: Final = MAX_WRITE_BYTES + 8 * 1024


class TlsError(Exception):
    """The peer broke TLS, was not trusted, or asked for what we do not offer; says which."""


class TlsUnavailable(Exception):
    """This installation cannot give what the settings demand."""


class TlsSession(Protocol):
    """One end of a connection."""

    established: bool
    """Whether the handshake is done."""
    ended: bool
    """Whether the peer said that nothing follows (close_notify)."""

    @property
    def group(self) -> str | None:
        """Key-exchange group of the handshake, where the backend can tell."""

    def receive(self, count: int, kept: bytes = b"") -> memoryview:
        """The first count bytes of the context's inbox arrived: plaintext of all whole records.

        kept (at most MAX_KEPT_BYTES) is put before it. TlsError ends the session; outgoing() may
        then hold the alert.
        """

    def send(self, plaintext: bytes) -> memoryview:
        """The records of at most MAX_WRITE_BYTES of plaintext."""

    def outgoing(self) -> bytes:
        """What the handshake, an alert or close() wants sent."""

    def close(self) -> None:
        """Say close_notify."""


class TlsContext(Protocol):
    """Settings shared by sessions, and their buffers."""

    inbox: memoryview
    """Where the caller puts what arrived, before session.receive()."""

    def session(self, host: str | None = None) -> TlsSession:
        """A server's session; with a host name or address, a client's that demands this name."""
