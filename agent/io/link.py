"""The agent's socket to the control plane: map, deltas and nudges in, heartbeats out.

The link may be gone for as long as it likes: tunnels do not depend on it. It comes back with
jittered back-off, soon after a plain refused connection (a restart), more slowly after a refusal
that somebody meant.
"""

import asyncio
import contextlib
import json
import logging
import random
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from agent import __version__
from agent.clock import rfc3339, unix_time
from agent.io.port import SO_MARK
from wire import control
from wire.binary import WireError
from wire.connections import CAPABILITY, FilterTrial
from wire.control import FromAgent, FromServer
from wire.losses import MACHINE_HEADER
from wire.netmap import Netmap, NetmapDelta
from wire.numbers import HEARTBEAT_SECONDS

logger = logging.getLogger("agent.link")

FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 60.0
# A control plane that is down or restarting should find its machines again within 10 s.
RESTART_RETRY_SECONDS = 6.0
CONNECT_SECONDS = 10.0
JITTER = 0.1
# Closed on purpose: coming back soon would not change the answer.
_MEANT = (
    control.CLOSE_CREDENTIAL,
    control.CLOSE_FORBIDDEN,
    control.CLOSE_TOO_CHATTY,
    control.CLOSE_REPLACED,
)
MAX_PARTS = 4096
_IN_PARTS = (FromServer.NETMAP, FromServer.DELTA, FromServer.COUNT_CUT)


class LinkEvents(Protocol):
    """What the link reports, on the event loop."""

    def on_link(self, connected: bool, reason: str | None) -> None:
        """The link came up or went down."""

    def on_ready(self, status: str, signing_keys: Any) -> None:
        """The control plane accepted us; status is the machine's. signing_keys: None from an older one."""

    def on_netmap(self, netmap: Netmap) -> None:
        """A whole map."""

    def on_delta(self, delta: NetmapDelta) -> bool:
        """A change; False asks for the whole map."""

    def on_relay_token(self, token: str) -> None:
        """A fresh relay token."""

    def on_nudge(self, what: str, peer_machine_id: str | None) -> None:
        """Something waits at the control plane."""

    def on_heartbeat_taken(self, heartbeat: dict[str, Any]) -> None:
        """The control plane has taken what this heartbeat says; peers are told of it by now."""

    def on_count_cut(self, question: str, trial: FilterTrial) -> None:
        """How many open connections would this filter cut?"""

    def on_explained(self, nonce: str, statement: Any) -> bool:
        """Why a map takes so much away; True if that map is in force now."""

    def settled(self) -> bool:
        """Whether what was sent is acted on; until then it is not acknowledged."""

    def on_time(self, server_time: float) -> None:
        """The control plane's clock, in Unix seconds."""

    def failures(self) -> list[str]:
        """Parts of the map that this host could not be made to follow."""

    def on_refused(self, code: str, message: str, final: bool, proof: Mapping[str, Any]) -> None:
        """The control plane does not want this machine now, or ever (final); proof may hold a statement."""


class AgentLink:
    """sign(challenge, host, session_id) is the identity's signature in base64."""

    def __init__(
        self,
        *,
        url: str,
        org_id: str,
        machine_id: str,
        node_key: str,
        sign: Callable[[str, str, str], str],
        tls: ssl.SSLContext,
        mark: int | None,
        events: LinkEvents,
        heartbeat: Callable[[], dict[str, Any]],
        netmap_version: Callable[[], int | None],
    ) -> None:
        parts = urlsplit(url)
        self._host, self._netloc = parts.hostname or "", parts.netloc
        self._secure = parts.scheme == "https"
        self._port = parts.port or (443 if self._secure else 80)
        self._uri = f"{'wss' if self._secure else 'ws'}://{parts.netloc}{control.PATH}"
        self._org_id = org_id
        self._machine_id, self._node_key, self._sign = machine_id, node_key, sign
        self._tls, self._mark = tls, mark
        self._events, self._heartbeat, self._netmap_version = events, heartbeat, netmap_version
        self._socket: ClientConnection | None = None
        self._accepted = asyncio.Event()
        self._beat = asyncio.Event()
        self._parts: list[str] = []
        # Signs of life that no answer has come to: heartbeats, and {} for pings.
        self._unanswered: deque[dict[str, Any]] = deque()
        self._pause = FIRST_RETRY_SECONDS
        self._hurry = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether the control plane hears us by the link."""
        return self._accepted.is_set()

    def heartbeat_now(self) -> None:
        """Something that heartbeats carry has changed."""
        self._beat.set()

    def network_changed(self, addresses: Iterable[str]) -> None:
        """Our addresses are these now: a link from another one is given up, and dialled anew at once."""
        self._pause = FIRST_RETRY_SECONDS
        self._hurry.set()
        if self._socket is not None and self._socket.local_address[0] not in set(addresses):
            self._socket.transport.abort()

    async def send(self, kind: FromAgent, /, **body: Any) -> bool:
        """One message; False when the link is down."""
        if self._socket is None or not self.connected:
            return False
        try:
            await self._socket.send(control.encode(kind, **body))
        except ConnectionClosed:
            return False
        return True

    async def goodbye(self) -> bool:
        """Say that we leave; True once the control plane has heard it, which it shows by hanging up."""
        connection = self._socket
        if connection is None or not await self.send(FromAgent.GOODBYE):
            return False
        await connection.wait_closed()
        return connection.close_code == control.CLOSE_HEARD

    async def run(self) -> None:
        """Keep the link up until cancelled."""
        while True:
            self._hurry.clear()
            limit, reason = await self._connect_once()
            was_up, self._socket = self.connected, None
            self._accepted.clear()
            if was_up:
                self._pause = FIRST_RETRY_SECONDS
            self._events.on_link(False, reason)
            logger.info("control plane link is down: %s", reason)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause * random.uniform(0.5, 1.0)):  # noqa: S311 jitter
                    await self._hurry.wait()
            self._pause = min(self._pause * 2, limit)

    async def _connect_once(self) -> tuple[float, str]:
        """One connection; returns the limit of the back-off that suits its end, and the reason."""
        try:
            sock = await self._dial()
            async with connect(
                self._uri,
                sock=sock,
                ssl=self._tls if self._secure else None,
                server_hostname=self._host if self._secure else None,
                subprotocols=[Subprotocol(control.SUBPROTOCOL)],
                additional_headers={
                    "Authorization": f"Bearer {self._node_key}",
                    MACHINE_HEADER: f"{self._org_id}/{self._machine_id}",
                },
                user_agent_header=f"ztna/{__version__}",
                max_size=control.MAX_DOWN_BYTES,
                open_timeout=CONNECT_SECONDS,
                ping_interval=control.PING_SECONDS,
                ping_timeout=control.PING_SECONDS,
                close_timeout=1,
                compression=None,
                proxy=None,
            ) as self._socket:
                return await self._converse(self._socket)
        except InvalidStatus as error:
            return self._refusal(error)
        except (OSError, TimeoutError, InvalidHandshake, WireError, ssl.SSLError) as error:
            return RESTART_RETRY_SECONDS, str(error) or type(error).__name__
        except ConnectionClosed as error:
            code = error.rcvd.code if error.rcvd else None
            return LAST_RETRY_SECONDS if code in _MEANT else RESTART_RETRY_SECONDS, f"closed with {code}"

    async def _converse(self, connection: ClientConnection) -> tuple[float, str]:
        """Speak until the socket ends."""
        self._parts.clear()
        self._unanswered.clear()
        async with asyncio.timeout(control.AUTH_SECONDS):
            kind, hello = control.parse_from_server(_text(await connection.recv()))
            if kind is FromServer.CLOSE_REASON:
                await self._handle(connection, kind, hello)
                return LAST_RETRY_SECONDS, str(hello.get("code"))
            if kind is not FromServer.HELLO:
                raise WireError(f"expected hello, got {kind}")
            self._note_time(hello)
            challenge, session = str(hello.get("challenge")), str(hello.get("session_id"))
            await connection.send(
                control.encode(
                    FromAgent.AUTH,
                    machine_id=self._machine_id,
                    signature=self._sign(challenge, self._netloc, session),
                    netmap_version=self._netmap_version(),
                    version=__version__,
                    capabilities=["hybrid-psk-v1", CAPABILITY],
                )
            )
        beats = asyncio.create_task(self._heartbeats(connection))
        try:
            async for frame in connection:
                await self._take(connection, _text(frame))
        finally:
            beats.cancel()
            # To await them would swallow our own cancellation along with theirs.
            await asyncio.gather(beats, return_exceptions=True)
        return RESTART_RETRY_SECONDS, f"closed with {connection.close_code}"

    async def _take(self, connection: ClientConnection, text: str) -> None:
        await self._handle(connection, *control.parse_from_server(text))

    async def _handle(self, connection: ClientConnection, kind: FromServer, body: dict[str, Any]) -> None:
        match kind:
            case FromServer.READY:
                self._accepted.set()
                self._pause = FIRST_RETRY_SECONDS
                self._events.on_link(True, None)
                self._events.on_ready(str(body.get("status")), body.get("signing_keys"))
                self._beat.set()
            case FromServer.NETMAP:
                self._token(body)
                self._events.on_netmap(Netmap.from_json(body.get("netmap") or {}))
                await self._acknowledge()
            case FromServer.DELTA:
                if self._events.on_delta(NetmapDelta.from_json(body.get("delta") or {})):
                    await self._acknowledge()
                else:
                    await connection.send(control.encode(FromAgent.RESYNC, have=self._netmap_version()))
            case FromServer.PART:
                await self._part(connection, body)
            case FromServer.TOKEN:
                self._token(body)
            case FromServer.NUDGE:
                peer = body.get("peer_machine_id")
                self._events.on_nudge(str(body.get("what")), str(peer) if peer else None)
            case FromServer.COUNT_CUT:
                trial = FilterTrial.from_json(body.get("trial") or {})
                self._events.on_count_cut(str(body.get("id")), trial)
            case FromServer.EXPLAINED:
                if self._events.on_explained(str(body.get("nonce")), body.get("statement")):
                    await self._acknowledge()
            case FromServer.ALIVE:
                self._note_time(body)
                if self._unanswered and (heartbeat := self._unanswered.popleft()):
                    self._events.on_heartbeat_taken(heartbeat)
                version = body.get("netmap_version")
                if version is not None and version != self._netmap_version():
                    await connection.send(control.encode(FromAgent.RESYNC, have=self._netmap_version()))
            case FromServer.CLOSE_REASON:
                code, message = str(body.get("code")), str(body.get("message"))
                self._events.on_refused(code, message, bool(body.get("final")), body)
            case FromServer.HELLO | FromServer.REPLY:
                pass

    def _note_time(self, body: dict[str, Any]) -> None:
        with contextlib.suppress(ValueError):
            self._events.on_time(unix_time(str(body.get("server_time"))))

    def _token(self, body: dict[str, Any]) -> None:
        if isinstance(body.get("relay_token"), str):
            self._events.on_relay_token(body["relay_token"])

    async def _part(self, connection: ClientConnection, body: dict[str, Any]) -> None:
        index, count, data = body.get("index"), body.get("count"), body.get("data")
        if index != len(self._parts) or not isinstance(count, int) or not isinstance(data, str):
            raise WireError("parts out of order")
        if not 1 <= count <= MAX_PARTS:
            raise WireError("too many parts")
        self._parts.append(data)
        if len(self._parts) < count:
            return
        whole = json.loads("".join(self._parts))
        self._parts.clear()
        if not isinstance(whole, dict) or whole.get("type") not in _IN_PARTS:
            raise WireError("parts do not make a message")
        await self._handle(connection, FromServer(whole.pop("type")), whole)

    async def _acknowledge(self) -> None:
        if not self._events.settled():
            return
        now, failed = rfc3339(time.time()), self._events.failures()
        await self.send(
            FromAgent.ACK, version=self._netmap_version(), received_at=now, enforced_at=now, errors=failed
        )

    async def _heartbeats(self, connection: ClientConnection) -> None:
        """A heartbeat when something changed and every 60 s; a ping in between."""
        last = -float("inf")
        await self._accepted.wait()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(control.PING_SECONDS):
                    await self._beat.wait()
            now = asyncio.get_running_loop().time()
            due = now - last >= HEARTBEAT_SECONDS * random.uniform(1 - JITTER, 1) - control.PING_SECONDS  # noqa: S311
            if self._beat.is_set() or due:
                self._beat.clear()
                last = now
                heartbeat = self._heartbeat()
                self._unanswered.append(heartbeat)
                await connection.send(control.encode(FromAgent.HEARTBEAT, **heartbeat))
                await asyncio.sleep(1)  # many changes at once make one heartbeat
            else:
                self._unanswered.append({})
                await connection.send(control.encode(FromAgent.PING))

    async def _dial(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_SECONDS):
            found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            error: OSError = OSError(f"{self._host} has no address")
            for family, kind, protocol, _, address in found:
                sock = socket.socket(family, kind, protocol)
                sock.setblocking(False)
                try:
                    if self._mark is not None:
                        sock.setsockopt(socket.SOL_SOCKET, SO_MARK, self._mark)
                    await loop.sock_connect(sock, address)
                    return sock
                except OSError as failure:
                    sock.close()
                    error = failure
                except asyncio.CancelledError:
                    sock.close()
                    raise
        raise error

    def _refusal(self, error: InvalidStatus) -> tuple[float, str]:
        status = error.response.status_code
        code, message = f"HTTP_{status}", f"the control plane answered with status {status}"
        with contextlib.suppress(ValueError, KeyError, TypeError):
            detail = json.loads(error.response.body or b"{}")["error"]
            code, message = str(detail["code"]), str(detail["message"])
        if status in (401, 403):
            self._events.on_refused(code, message, code == "INVALID_NODE_KEY", {})
        return (RESTART_RETRY_SECONDS if status >= 500 else LAST_RETRY_SECONDS), f"{code}: {message}"


def _text(frame: str | bytes) -> str:
    if isinstance(frame, bytes):
        raise WireError("binary frame")
    return frame
