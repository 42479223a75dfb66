"""The relay without I/O: who is connected, who may speak, what waits for whom.

Rules
1. A connection starts in HELLO and becomes REGISTERED by proving its disco key and showing a
   token for that key; nothing else is accepted before, and no second hello after.
2. A frame is delivered to the holder of its destination key in the sender's own organisation and
   to nobody else. An unknown or foreign key answers PEER_GONE alike.
3. A key has one connection: a newer one replaces it, and what is on its way by the older is still taken.
4. Nobody waits for anybody: a slow reader loses its own oldest frames.
5. Who takes a connection of its own over has read everything from the older one when it pings: frames
   wait for that, so that none overtakes another.
6. Time comes in as an argument; the shell calls handle_timeout() every second.
"""

import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from relay.claims import Claims, TokenRefused
from relay.queue import FrameQueue
from relay.rates import Rates
from wire import relay as frames
from wire.binary import WireError

# Close codes of the socket, shared with the other sockets of the product.
CLOSE_SILENT: Final = 4000
CLOSE_CREDENTIAL: Final = 4001
CLOSE_PROTOCOL: Final = 1002
CLOSE_REPLACED: Final = 4009


class Mesh(Protocol):
    """Other processes of this relay, which hold clients too."""

    def arrived(self, organisation: str, key: bytes) -> bool:
        """A client registered here. False when the others have yet to learn it: known() follows then."""

    def left(self, organisation: str, key: bytes) -> None:
        """It is gone."""

    def forward(self, organisation: str, key: bytes, frame: bytes) -> bool:
        """Pass a RECV frame to whoever holds key; False when nobody does."""


# How long a connection that was replaced is still read from.
RETIRED_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one connection, in bytes and seconds; rates in bytes per second, 0 for none."""

    queue_bytes: int = 512 * 1024
    queue_seconds: float = 3.0
    hello_seconds: float = 10.0
    keepalive_seconds: int = 30
    client_rate: int = 0
    organisation_rate: int = 0


@dataclass(slots=True)
class Counters:
    """What a relay tells of itself."""

    frames: int = 0
    bytes: int = 0
    refused: int = 0
    undeliverable: int = 0
    malformed: int = 0
    cut: int = 0
    dropped: int = 0


@dataclass(slots=True)
class _Connection:
    id: int
    deadline: float
    ephemeral: X25519PrivateKey
    hello: frames.ServerHello
    queue: FrameQueue
    held: bool = False
    # Whether frames for its key come here; claims without that: it was replaced, and may still send.
    listed: bool = False
    claims: Claims | None = None
    last_heard: float = 0.0
    outbox: list[bytes] = field(default_factory=list)
    header: bytes = b""
    # Where the last frame went: traffic comes in runs, and a memory compare is cheaper than a hash.
    last_key: bytes = b""
    last_receiver: "_Connection | None" = None


class RelayCore:
    """One relay process. Connections are known by the integers that the shell chooses.

    verify turns a token into Claims or raises TokenRefused; random gives n random bytes.
    """

    def __init__(
        self, *, verify: Callable[[str, float], Claims], random: Callable[[int], bytes], limits: Limits
    ) -> None:
        self._verify = verify
        self._random = random
        self._limits = limits
        self._connections: dict[int, _Connection] = {}
        self._by_key: dict[tuple[str, bytes], _Connection] = {}
        self._ready: set[int] = set()
        self._closing: dict[int, int] = {}
        self._retiring: set[int] = set()
        self._rates = Rates(limits.client_rate, limits.organisation_rate)
        self.counters = Counters()
        # Rises whenever a client comes or goes.
        self.moves = 0
        self.mesh: Mesh | None = None

    @property
    def clients(self) -> int:
        """Registered clients."""
        return len(self._by_key)

    @property
    def connections(self) -> int:
        """Open connections, registered or not."""
        return len(self._connections)

    def sessions(self) -> Iterator[tuple[int, Claims]]:
        """Registered clients, by the number of their connection."""
        return ((item.id, item.claims) for item in self._by_key.values() if item.claims is not None)

    @property
    def dropped(self) -> int:
        """Frames that readers lost to their own slowness."""
        return self.counters.dropped + sum(item.queue.dropped for item in self._connections.values())

    def queue_age(self, now: float) -> float:
        """Seconds that the oldest waiting frame has waited."""
        return max((item.queue.age(now) for item in self._connections.values()), default=0.0)

    def connect(self, connection_id: int, now: float) -> None:
        """A socket was opened: greet it."""
        ephemeral = X25519PrivateKey.from_private_bytes(self._random(32))
        hello = frames.ServerHello(
            ephemeral.public_key().public_bytes_raw(), self._random(frames.NONCE_BYTES)
        )
        connection = _Connection(
            id=connection_id,
            deadline=now + self._limits.hello_seconds,
            ephemeral=ephemeral,
            hello=hello,
            queue=FrameQueue(self._limits.queue_bytes, self._limits.queue_seconds),
            last_heard=now,
        )
        self._connections[connection_id] = connection
        self._say(connection, hello)

    def disconnect(self, connection_id: int) -> None:
        """A socket is gone; calling it twice is harmless."""
        connection = self._connections.pop(connection_id, None)
        self._ready.discard(connection_id)
        self._closing.pop(connection_id, None)
        self._retiring.discard(connection_id)
        if connection:
            self.counters.dropped += connection.queue.dropped
            self._forget(connection)

    def receive(self, connection_id: int, frame: bytes | memoryview, now: float) -> None:
        """A frame arrived. Afterwards ask ready(), take() and closing()."""
        connection = self._connections.get(connection_id)
        if connection is None or connection_id in self._closing:
            return
        connection.last_heard = now
        view = memoryview(frame)
        try:
            if connection.claims is not None and len(view) and view[0] == frames.SEND:
                self._forward(connection, connection.claims, view, now)
                return
            message = frames.parse_from_client(view)
        except WireError:
            self._break(connection)
            return
        if connection.claims is None:
            if isinstance(message, frames.ClientHello):
                self._register(connection, message, now)
            else:
                self._break(connection)
        elif isinstance(message, frames.Ping):
            connection.held = not connection.listed
            self._say(connection, frames.Pong(message.data))
        elif isinstance(message, frames.Renew):
            self._renew(connection, connection.claims, message.token, now)
        elif isinstance(message, frames.ClientHello):
            self._break(connection)

    def deliver(self, organisation: str, key: bytes, frame: bytes, now: float) -> None:
        """A RECV frame from another process of this relay, for a client of ours."""
        receiver = self._by_key.get((organisation, key))
        if receiver is None:
            self.counters.undeliverable += 1
            return
        receiver.queue.push(frame, now)
        self._ready.add(receiver.id)

    def known(self, organisation: str, key: bytes) -> None:
        """Every other process knows of a client of ours: it is ready."""
        connection = self._by_key.get((organisation, key))
        if connection is not None:
            self._say(connection, frames.Ready(self._limits.keepalive_seconds))

    def replaced(self, organisation: str, key: bytes, now: float) -> None:
        """The holder of key has registered at another process of this relay."""
        older = self._by_key.get((organisation, key))
        if older is not None:
            self._retire(older, now)

    def ready(self) -> Iterator[int]:
        """Connections that have something to be sent, each once until more arrives."""
        while self._ready:
            yield self._ready.pop()

    def take(self, connection_id: int, now: float) -> bytes | None:
        """The next frame for a connection; None when there is none."""
        connection = self._connections.get(connection_id)
        if connection is None:
            return None
        if connection.outbox:
            return connection.outbox.pop(0)
        return None if connection.held else connection.queue.pop(now)

    def closing(self) -> dict[int, int]:
        """Connections to be closed and why, once what take() gives has been sent."""
        return dict(self._closing)

    def retiring(self) -> Iterator[int]:
        """Connections that were replaced, each once: send CLOSE_REPLACED last, and go on reading."""
        while self._retiring:
            connection = self._connections[self._retiring.pop()]
            connection.held = True
            yield connection.id

    def restart(self, reconnect_in_ms: Callable[[], int]) -> None:
        """Tell every registered client to come back later, each at its own moment."""
        for connection in self._by_key.values():
            self._say(connection, frames.Restarting(reconnect_in_ms()))

    def cut(self, refuses: Callable[[Claims], bool]) -> int:
        """Close every registered connection whose claims are refused; returns how many."""
        refused = [
            connection
            for connection in self._connections.values()
            if connection.claims is not None and refuses(connection.claims)
        ]
        for connection in refused:
            self._closing[connection.id] = CLOSE_CREDENTIAL
            self._forget(connection)
        self.counters.cut += len(refused)
        return len(refused)

    @property
    def rated(self) -> bool:
        """Whether charge() has to be asked at all."""
        return bool(self._rates)

    def charge(self, connection_id: int, size: int, now: float) -> float:
        """Count bytes that a client sent; for so many seconds its reader is to rest.

        Nothing is dropped for it: TCP makes the sender slow down.
        """
        connection = self._connections.get(connection_id)
        if connection is None or connection.claims is None:
            return 0.0
        return self._rates.charge(connection_id, connection.claims.organisation, size, now)

    def handle_timeout(self, now: float) -> None:
        """Close who never spoke, who fell silent, and whose token has ended."""
        self._rates.forget(now)
        for connection in list(self._connections.values()):
            deadline, code = self._deadline(connection)
            if now >= deadline:
                self._closing[connection.id] = code
                self._forget(connection)

    def _deadline(self, connection: _Connection) -> tuple[float, int]:
        """When it is closed, and the code for that."""
        if connection.claims is None:
            return connection.deadline, CLOSE_SILENT
        if not connection.listed:
            return connection.deadline, CLOSE_REPLACED
        silence = connection.last_heard + 3 * self._limits.keepalive_seconds
        return min((silence, CLOSE_SILENT), (connection.claims.expires_at, CLOSE_CREDENTIAL))

    def _register(self, connection: _Connection, hello: frames.ClientHello, now: float) -> None:
        try:
            shared = connection.ephemeral.exchange(X25519PublicKey.from_public_bytes(hello.key))
        except ValueError:
            self._refuse(connection, "INVALID_KEY")
            return
        expected = frames.proof(shared, hello=connection.hello, key=hello.key, token=hello.token)
        if not hmac.compare_digest(expected, hello.proof):
            self._refuse(connection, "KEY_NOT_PROVEN")
            return
        try:
            claims = self._verify(hello.token, now)
        except TokenRefused:
            self._refuse(connection, "INVALID_TOKEN")
            return
        if claims.key != hello.key:
            self._refuse(connection, "KEY_MISMATCH")
            return
        self._admit(connection, claims, now)

    def _admit(self, connection: _Connection, claims: Claims, now: float) -> None:
        """It has proven its key."""
        key = (claims.organisation, claims.key)
        older = self._by_key.get(key)
        if older is not None:
            self._retire(older, now)
        connection.claims, connection.header = claims, frames.recv_header(claims.key)
        connection.listed = True
        self._by_key[key] = connection
        self.moves += 1
        known = self.mesh is None or self.mesh.arrived(*key)
        connection.held = older is not None or not known
        if known:
            self.known(*key)

    def _renew(self, connection: _Connection, claims: Claims, token: str, now: float) -> None:
        try:
            fresh = self._verify(token, now)
        except TokenRefused:
            self._refuse(connection, "INVALID_TOKEN")
            return
        if (fresh.key, fresh.organisation) != (claims.key, claims.organisation):
            self._refuse(connection, "KEY_MISMATCH")
            return
        connection.claims = fresh

    def _forward(self, sender: _Connection, claims: Claims, frame: memoryview, now: float) -> None:
        """The hot path: one copy, no parsing beyond the bounds. WireError for a malformed frame."""
        onward = frames.readdress(frame, sender.header)
        destination = frame[1 : 1 + frames.KEY_BYTES]
        receiver = sender.last_receiver
        if receiver is None or destination != sender.last_key or not receiver.listed:
            key = bytes(destination)
            oneself = key == claims.key
            receiver = self._by_key.get((claims.organisation, key)) if not oneself else None
            elsewhere = self.mesh if receiver is None and not oneself else None
            if elsewhere is not None and elsewhere.forward(claims.organisation, key, onward):
                self.counters.frames += 1
                self.counters.bytes += len(frame)
                return
            if receiver is None:
                self.counters.undeliverable += 1
                self._say(sender, frames.PeerGone(key))
                return
            sender.last_key, sender.last_receiver = key, receiver
        self.counters.frames += 1
        self.counters.bytes += len(frame)
        receiver.queue.push(onward, now)
        self._ready.add(receiver.id)

    def _say(self, connection: _Connection, message: frames.FromServer) -> None:
        # A client that floods pings or dead destinations must not fill memory with the answers.
        if len(connection.outbox) < 64 and (connection.listed or connection.claims is None):
            connection.outbox.append(frames.encode(message))
            self._ready.add(connection.id)

    def _refuse(self, connection: _Connection, code: str) -> None:
        self.counters.refused += 1
        self._say(connection, frames.Refused(code))
        self._closing[connection.id] = CLOSE_CREDENTIAL
        self._forget(connection)

    def _break(self, connection: _Connection) -> None:
        self.counters.malformed += 1
        self._closing[connection.id] = CLOSE_PROTOCOL
        self._forget(connection)

    def _retire(self, connection: _Connection, now: float) -> None:
        """Its holder has a newer one; what it has sent by this one already is still taken."""
        self._unlist(connection)
        self._retiring.add(connection.id)
        connection.deadline = now + RETIRED_SECONDS

    def _forget(self, connection: _Connection) -> None:
        """It may send no more, and nobody finds it."""
        self._unlist(connection)
        connection.claims = None

    def _unlist(self, connection: _Connection) -> None:
        """Nobody finds this connection any more, not even who sent to it a moment ago."""
        if connection.claims is not None and connection.listed:
            connection.listed = False
            key = (connection.claims.organisation, connection.claims.key)
            del self._by_key[key]
            self.moves += 1
            if self.mesh is not None:
                self.mesh.left(*key)
