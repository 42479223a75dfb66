"""`/api/agent`: the socket that keeps one machine's map true.

hello, then the agent's signature within ten seconds, then ready and, unless the agent holds the
current version, the map. From then on every change reaches the agent as a delta; changes that follow
each other closely travel together.
"""

import asyncio
import contextlib
import logging
import secrets
import time
import uuid
from collections.abc import Coroutine
from typing import Any

from channels.consumer import get_handler_name
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import path
from django.utils import timezone

from apps.auth.secrets import secret_hash
from apps.core import ratelimit
from apps.core.api.signing import introduced_keys
from apps.core.clock import rfc3339
from apps.core.errors import ApiError, Unauthorized
from apps.core.ratelimit import Limit
from apps.machines import errors, queries
from apps.machines.census import OpenQuestions
from apps.machines.changes import stored_version
from apps.machines.enforcement import FAILED, Awaited, acknowledgements
from apps.machines.fleet import fleet_of
from apps.machines.keys import verify
from apps.machines.losses import explained, parse_question, removal
from apps.machines.netmap import Changes, Snapshot, View, delta_for, full_map, resumed
from apps.machines.nodes import Node, find_node
from apps.machines.reports import parse_report
from apps.machines.services.heartbeat import Report, take_heartbeat
from apps.machines.services.identity import report_event
from apps.machines.snapshots import feed_of
from apps.machines.tokens import relay_token
from apps.machines.upgrade import read_upgrade
from wire import control
from wire.binary import WireError
from wire.connections import FilterTrial
from wire.control import FromAgent, FromServer
from wire.identity import agent_auth
from wire.netmap import NetmapDelta
from wire.numbers import HEARTBEAT_SECONDS, RELAY_TOKEN_SECONDS

logger = logging.getLogger("quickztna.agents")
CLOSE_FAILURE = 1011
WATCH_SECONDS = 5
# Changes within this time of the last delta travel together: hardly any when it is quiet, for two
# machines that start at once wait for each other, and more and more while one change follows the other.
FIRST_GATHER_SECONDS, LAST_GATHER_SECONDS = 0.04, 0.4
QUIET_SECONDS = 3.0
# An agent that was away gets what changed, unless that is most of the map.
RESUMED_SHARE = 0.5
TOKEN_EVERY_SECONDS = RELAY_TOKEN_SECONDS - 300
FRAMES = Limit(600, 60)


class AgentConsumer(AsyncWebsocketConsumer):
    """One connected agent. What the rest of the control plane says comes through its fleet."""

    channel_layer_alias = "none"
    node: Node | None = None
    _key_hash = ""
    _joined = False

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Without the original's visit to a thread for each frame, which what reads the database makes."""
        await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        self._upgrade = read_upgrade(self.scope)
        await self.accept(control.SUBPROTOCOL if self._upgrade.speaks else None)
        self.session, self._challenge = uuid.uuid4().hex, secrets.token_urlsafe(32)
        self._began = self._last_frame = time.monotonic()
        self._view: View | None = None
        self._version = -1  # of the map that the agent holds
        self._current = -1  # up to which that map is still right
        self._sent_at = self._token_at = 0.0
        self._gather = FIRST_GATHER_SECONDS
        self._awaited, self._questions = Awaited(), OpenQuestions()
        self._map_lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._start(self._watch())
        if not self._upgrade.speaks or self._upgrade.node_key is None:
            await self._end(control.CLOSE_CREDENTIAL, Unauthorized("A node key is required"), final=False)
            return
        self._key_hash = secret_hash(self._upgrade.node_key)
        if await self._reload():
            await self._say(
                FromServer.HELLO,
                challenge=self._challenge,
                protocol=control.SUBPROTOCOL,
                server_time=rfc3339(timezone.now()),
                session_id=self.session,
            )

    async def disconnect(self, code: int) -> None:
        for task in self._tasks:
            task.cancel()
        if self._joined:
            await fleet_of(self.node.org_id).leave(self)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self._last_frame = time.monotonic()
        if ratelimit.local.wait(f"agent:{self.session}", FRAMES):
            await self.close(control.CLOSE_TOO_CHATTY)
            return
        if text_data is None or len(text_data) > control.MAX_UP_BYTES:
            await self.close(control.CLOSE_TOO_BIG)
            return
        try:
            kind, body = control.parse_from_agent(text_data)
            if (kind is FromAgent.AUTH) != (self.node is None):
                raise WireError("auth comes once, and first")
            await getattr(self, f"_on_{kind.value}")(body)
        except WireError as error:
            await self._end(control.CLOSE_FORBIDDEN, Unauthorized(str(error)), final=False)
        except ApiError as error:
            await self._refuse(error)

    # What agents say

    async def _on_auth(self, body: dict[str, Any]) -> None:
        node = await self._reload()
        if node is None:
            return
        if body.get("machine_id") != str(node.pk):
            raise errors.InvalidSignature("The node key is another machine's")
        if node.identity_public_key is not None:
            message = agent_auth(
                challenge=self._challenge,
                host=self._upgrade.host,
                session_id=self.session,
                machine_id=str(node.pk),
            )
            verify(node.identity_public_key, str(body.get("signature")), message)
        report = Report(version=str(body.get("version") or "")[:40] or None, address=self._upgrade.address)
        await self._hear(node, report)
        self.node = await self._reload()
        if self.node is None:
            return
        self._joined = True
        self._questions.understands(body.get("capabilities"))
        await fleet_of(self.node.org_id).join(self)
        keys = await database_sync_to_async(introduced_keys)()
        ready = {"status": self.node.status, "heartbeat_s": HEARTBEAT_SECONDS, "signing_keys": keys}
        await self._say(FromServer.READY, **ready)
        await self._send_map(held=body.get("netmap_version"))

    async def _on_heartbeat(self, body: dict[str, Any]) -> None:
        report = parse_report(body, address=self._upgrade.address)
        node = await self._reload()
        if node is None:
            return
        await self._hear(node, report)
        await self._on_ping({})

    async def _on_endpoints(self, body: dict[str, Any]) -> None:
        report = parse_report({**body, "status": "online"}, address=self._upgrade.address)
        if node := await self._reload():
            await self._hear(node, report)

    async def _on_goodbye(self, body: dict[str, Any]) -> None:
        if node := await self._reload():
            await self._hear(node, Report(leaving=True))
        await self.close(control.CLOSE_HEARD)

    async def _on_ack(self, body: dict[str, Any]) -> None:
        """A version of the map is in force, or a part of it failed and is tried again there."""
        version, failed = body.get("version"), body.get("errors")
        if not isinstance(version, int) or version > self._version:
            return
        if failed:
            FAILED.inc()
            return
        for committed_at in self._awaited.acknowledged(version):
            acknowledgements.note(self.node.org_id, self.node.pk, version, committed_at)

    async def _on_ping(self, body: dict[str, Any]) -> None:
        """Any frame counts as life; the answer keeps what stands between awake."""
        await self._catch_up()
        await self._say(FromServer.ALIVE, netmap_version=self._version, server_time=rfc3339(timezone.now()))

    async def _on_event(self, body: dict[str, Any]) -> None:
        if node := await self._reload():
            await database_sync_to_async(report_event)(node, body)

    async def _on_cut_counted(self, body: dict[str, Any]) -> None:
        self._questions.answered(self.node, body)

    async def _on_explain(self, body: dict[str, Any]) -> None:
        if node := await self._reload():
            statement = await database_sync_to_async(explained)(node, parse_question(body))
            await self._say(FromServer.EXPLAINED, nonce=body.get("nonce"), statement=statement)

    async def _on_resync(self, body: dict[str, Any]) -> None:
        await self._send_map(held=None)

    async def _on_query(self, body: dict[str, Any]) -> None:
        if node := await self._reload():
            answer = await database_sync_to_async(queries.reply)(node, body)
            await self._say(FromServer.REPLY, id=body.get("id"), **answer)

    # What the rest of the control plane says

    def map_moved(self, version: int, at: float) -> None:
        """See apps.machines.fleet.Member."""
        if version > self._current:
            self._awaited.changed(version, at)
            wait = self._sent_at + self._gather - time.monotonic()
            self._start(self._follow(version, max(0.0, wait)))

    def map_stands(self, since: int, version: int) -> None:
        """See apps.machines.fleet.Member."""
        if self._current == since:
            self._current = version

    async def nudge(self, body: dict[str, Any]) -> None:
        """See apps.machines.fleet.Member."""
        await self._say(FromServer.NUDGE, **body)

    async def asked(self, question: str, trial: FilterTrial) -> None:
        """See apps.machines.fleet.Member."""
        if self._questions.put(question, trial):
            await self._say(FromServer.COUNT_CUT, id=question, trial=trial.to_json())

    async def replaced(self) -> None:
        """See apps.machines.fleet.Member."""
        await self.close(control.CLOSE_REPLACED)

    async def check(self, node: Node | ApiError) -> None:
        """See apps.machines.fleet.Member."""
        if await self._standing(node):
            await self._renew_token(await self._snapshot(0), force=False)

    # The map

    async def _send_map(self, *, held: Any) -> None:
        """The whole map unless the agent holds its version; from here on deltas follow."""
        async with self._map_lock:
            snapshot = await self._snapshot(await database_sync_to_async(stored_version)(self.node.org_id))
            if str(self.node.pk) not in snapshot.nodes:
                await self._refuse(errors.InvalidNodeKey())
                return
            machine_id, now = str(self.node.pk), time.time()
            feed = feed_of(self.node.org_id)
            ids = await database_sync_to_async(feed.recorded_since)(held, snapshot)
            resumes = ids is not None and len(ids) <= len(snapshot.nodes) * RESUMED_SHARE
            if ids is not None and resumes:
                delta, self._view = resumed(snapshot, machine_id, since=held, ids=ids, now=now)
            else:
                netmap, self._view = full_map(snapshot, machine_id, now)
            self._version = self._current = snapshot.version
            self._sent_at = self._token_at = time.monotonic()
            self._awaited.settled(snapshot.version, told=held != snapshot.version)
            token = await database_sync_to_async(relay_token)(self.node, snapshot.relays)
            lease = {"relay_token": token, "expires_in": RELAY_TOKEN_SECONDS}
            if not resumes:
                await self._say(FromServer.NETMAP, netmap=netmap.to_json(), **lease)
                return
            await self._say(FromServer.TOKEN, **lease)
            if held != snapshot.version:
                await self._say(FromServer.DELTA, delta=delta.to_json())

    async def _follow(self, version: int, wait: float) -> None:
        """Bring the agent to this version or a later one."""
        await asyncio.sleep(wait)
        async with self._map_lock:
            if version <= self._current:
                return
            snapshot = await self._snapshot(version)
            changes = feed_of(self.node.org_id).changed_since(self._current, snapshot)
            if changes is None or str(self.node.pk) in changes.ids:
                before = self.node
                if await self._reload() is None:
                    return
                await self._renew_token(snapshot, force=self.node.status != before.status)
            if changes is not None and self._view is not None:
                await self._send_delta(snapshot, changes, self._view)
                return
        await self._send_map(held=None)

    async def _send_delta(self, snapshot: Snapshot, changes: Changes, held: View) -> None:
        machine_id = str(self.node.pk)
        if machine_id not in snapshot.nodes:
            await self._refuse(errors.InvalidNodeKey())
            return
        delta, view = delta_for(
            snapshot, machine_id, since=self._version, changes=changes, held=held, now=time.time()
        )
        self._view, self._current = view, snapshot.version
        if delta.is_empty:
            # The agent stays at its version: what it can't see did not change its map.
            self._awaited.settled(snapshot.version, told=False)
            return
        self._awaited.settled(snapshot.version, told=True)
        before, self._sent_at = self._sent_at, time.monotonic()
        quiet = self._sent_at - before > QUIET_SECONDS
        self._gather = FIRST_GATHER_SECONDS if quiet else min(2 * self._gather, LAST_GATHER_SECONDS)
        self._version = snapshot.version
        await self._say(FromServer.DELTA, delta=delta.to_json())

    async def _catch_up(self) -> None:
        """Tell an agent now and then that its map is right for a later version: then it can resume there."""
        async with self._map_lock:
            if self._current > self._version:
                delta = NetmapDelta(self._version, self._current)
                self._version = self._current
                await self._say(FromServer.DELTA, delta=delta.to_json())

    async def _renew_token(self, snapshot: Snapshot, *, force: bool) -> None:
        if force or time.monotonic() - self._token_at > TOKEN_EVERY_SECONDS:
            self._token_at = time.monotonic()
            token = await database_sync_to_async(relay_token)(self.node, snapshot.relays)
            await self._say(FromServer.TOKEN, relay_token=token, expires_in=RELAY_TOKEN_SECONDS)

    async def _snapshot(self, version: int) -> Snapshot:
        feed = feed_of(self.node.org_id)
        return feed.ready(version) or await database_sync_to_async(feed.at_least)(version)

    # The machine's state

    async def _reload(self) -> Node | None:
        """The machine as it stands now; None after the socket was closed for it."""
        try:
            return await self._standing(await database_sync_to_async(find_node)(self._key_hash))
        except errors.InvalidNodeKey as error:
            return await self._standing(error)

    async def _standing(self, node: Node | ApiError) -> Node | None:
        if isinstance(node, Node) and node.key_expires_at is not None and node.key_expires_at <= time.time():
            node = errors.KeyExpired()
        if isinstance(node, ApiError):
            await self._refuse(node)
            return None
        if self.node is not None:
            self.node = node
        return node

    async def _hear(self, node: Node, report: Report) -> None:
        """Note a sign of life; a pending machine may stay and wait for its approval."""
        with contextlib.suppress(errors.PendingApproval):
            await database_sync_to_async(take_heartbeat)(node, report)

    async def _watch(self) -> None:
        """Deadlines: the signature, silence."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            now = time.monotonic()
            if self.node is None and now - self._began > control.AUTH_SECONDS:
                await self._end(control.CLOSE_CREDENTIAL, Unauthorized("No signature came"), final=False)
                return
            if now - self._last_frame > control.SILENCE_SECONDS:
                await self.close(control.CLOSE_SILENT)
                return

    # Frames

    async def _say(self, kind: FromServer, **body: Any) -> None:
        for frame in control.frames(kind, **body):
            await self.send(frame)

    async def _refuse(self, error: ApiError) -> None:
        """Close for a failure of the machine's standing; a dead node key is final."""
        code = control.CLOSE_CREDENTIAL if error.status == 401 else control.CLOSE_FORBIDDEN
        final, proof = isinstance(error, errors.InvalidNodeKey), {}
        if final:
            proof = await database_sync_to_async(removal)(self._upgrade.claimed, self._key_hash)
        await self._end(code, error, final=final, **proof)

    async def _end(self, code: int, error: ApiError, *, final: bool, **proof: Any) -> None:
        await self._say(FromServer.CLOSE_REASON, code=error.code, message=error.message, final=final, **proof)
        await self.close(code)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """After a failure of ours the agent connects again and gets the whole map."""
        try:
            await work
        except OSError:  # it hung up while we spoke
            with contextlib.suppress(OSError):
                await self.close()
        except Exception:
            logger.exception("agent socket failed")
            await self.close(CLOSE_FAILURE)


websocket_urlpatterns = [path("api/agent", AgentConsumer.as_asgi())]
