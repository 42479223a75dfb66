"""`/api/realtime`: one socket a browser, channels of one organisation."""

import asyncio
import json
import time
import uuid
from collections import deque
from typing import Any

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import path
from django.utils import timezone

from apps.core import realtime, slots
from apps.core.api.access import ROLES, OrgAccess
from apps.core.api.principals import Principal
from apps.core.clock import rfc3339
from apps.core.errors import ApiError, InvalidInput, RateLimited
from apps.core.handshake import Handshake, refuse

SUBPROTOCOL = "quickztna.v1"
FRAME_BYTES = 8 * 1024
FRAMES_PER_SECOND = 20
BROADCAST_BYTES = 4 * 1024
BROADCASTS_PER_MINUTE = 10
SILENCE_SECONDS, LOOK_SECONDS = 90, 30


class RealtimeConsumer(AsyncWebsocketConsumer):
    """Judges the upgrade, then passes on events of the channels that the client asked for."""

    async def connect(self) -> None:
        self.client_id = uuid.uuid4().hex
        self.slot: str | None = None
        self.watch: asyncio.Task[None] | None = None
        self.groups_held: set[str] = set()
        self.subscribed: set[str] = set()
        self.frames: deque[float] = deque(maxlen=FRAMES_PER_SECOND)
        self.broadcasts: deque[float] = deque(maxlen=BROADCASTS_PER_MINUTE)
        self.heard = time.monotonic()
        handshake = Handshake(self.scope)
        try:
            self.principal, access = await sync_to_async(self._admit)(handshake)
            self.slot = await sync_to_async(slots.take_slot)(access.org.pk, self.client_id)
        except ApiError as error:
            await refuse(self, error)
            return
        self.org_id, self.role = access.org.pk, access.role
        self.channels = {
            name
            for name, who in realtime.CHANNELS.items()
            if self.role == "api_key" or self.role in ROLES[who]
        }
        await self.accept(handshake.chosen_subprotocol(SUBPROTOCOL))
        await self._join(realtime.session_group(self.principal.session_id or self.principal.id))
        await self._join(realtime.member_group(self.org_id, self.principal.id))
        self.watch = asyncio.create_task(self._watch())
        await self._send(
            type="connected",
            clientId=self.client_id,
            availableChannels=sorted(self.channels),
            seq=await sync_to_async(realtime.last_seq)(self.org_id),
            server_time=rfc3339(timezone.now()),
        )

    def _admit(self, handshake: Handshake) -> tuple[Principal, OrgAccess]:
        principal = handshake.principal(purpose="realtime")
        return principal, handshake.org_access(principal)

    async def disconnect(self, code: int) -> None:
        if self.watch:
            self.watch.cancel()
        for group in list(self.groups_held):
            await self.channel_layer.group_discard(group, self.channel_name)
        if self.slot:
            await sync_to_async(slots.free_slot)(self.slot, self.client_id)

    async def _watch(self) -> None:
        """Close for silence and at the end of the credential; keep the socket's slot."""
        while True:
            remaining = self.principal.expires_at.timestamp() - time.time()
            await asyncio.sleep(min(LOOK_SECONDS, max(remaining, 0) + 0.05))
            if time.time() >= self.principal.expires_at.timestamp():
                await self.close(4001, "Invalid or expired token")
                return
            if time.monotonic() - self.heard > SILENCE_SECONDS:
                await self.close(4000, "Heartbeat timeout")
                return
            await sync_to_async(slots.keep_slot)(self.slot, self.client_id)

    # From the client

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        now = self.heard = time.monotonic()
        if text_data is None or len(text_data.encode()) > FRAME_BYTES:
            await self.close(1009, "Frame too big")
            return
        if len(self.frames) == FRAMES_PER_SECOND and now - self.frames[0] < 1:
            await self.close(4008, "Too many frames")
            return
        self.frames.append(now)
        try:
            message = json.loads(text_data)
            handler = self.HANDLERS[message["type"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            await self._send(type="error", code="INVALID_JSON", message="Unknown or malformed message")
            return
        try:
            await handler(self, message)
        except ApiError as error:
            await self._send(type="error", code=error.code, message=error.message)

    async def _subscribe(self, message: dict[str, Any]) -> None:
        refused = []
        for name in self._named(message):
            if name not in self.channels:
                refused.append(name)
            elif name not in self.subscribed:
                self.subscribed.add(name)
                await self._join(realtime.org_group(self.org_id, name))
        held = {"channels": sorted(self.subscribed)}
        await self._send(type="subscribed", **held, **({"refused": refused} if refused else {}))

    async def _unsubscribe(self, message: dict[str, Any]) -> None:
        for name in self.subscribed.intersection(self._named(message)):
            self.subscribed.discard(name)
            group = realtime.org_group(self.org_id, name)
            self.groups_held.discard(group)
            await self.channel_layer.group_discard(group, self.channel_name)
        await self._send(type="subscribed", channels=sorted(self.subscribed))

    def _named(self, message: dict[str, Any]) -> list[str]:
        if table := message.get("table"):
            return [realtime.TABLE_CHANNELS.get(str(table), str(table)[:64])]
        names = message.get("channels")
        if not isinstance(names, list) or len(names) > 50:
            raise InvalidInput("channels: must be a list of at most 50 names")
        return [str(name)[:64] for name in names]

    async def _ping(self, message: dict[str, Any]) -> None:
        await self._send(type="pong", timestamp=rfc3339(timezone.now()))

    async def _auth(self, message: dict[str, Any]) -> None:
        try:
            principal = await sync_to_async(Handshake(self.scope).judge)(str(message.get("token")))
            if (principal.id, principal.session_id) != (self.principal.id, self.principal.session_id):
                raise InvalidInput("token: belongs to another session")
        except ApiError:
            await self.close(4001, "Invalid or expired token")
            return
        self.principal = principal
        await self._send(type="authenticated", expires_at=rfc3339(principal.expires_at))

    async def _broadcast(self, message: dict[str, Any]) -> None:
        now = time.monotonic()
        if len(json.dumps(message.get("payload")).encode()) > BROADCAST_BYTES:
            raise InvalidInput("payload: at most 4 KB")
        if len(self.broadcasts) == BROADCASTS_PER_MINUTE and now - self.broadcasts[0] < 60:
            raise RateLimited("At most 10 broadcasts a minute")
        if message.get("channel", "general") != "general":
            raise InvalidInput("channel: clients may broadcast on general only")
        self.broadcasts.append(now)
        event = {
            "type": "event",
            "channel": "general",
            "event": str(message.get("event", ""))[:64],
            "table": None,
            "payload": message.get("payload"),
            "timestamp": rfc3339(timezone.now()),
            "seq": None,
        }
        group = realtime.org_group(self.org_id, "general")
        await self.channel_layer.group_send(
            group, {"type": "org.event", "message": event, "sender": self.channel_name}
        )

    async def _resume(self, message: dict[str, Any]) -> None:
        seq = message.get("seq")
        if not isinstance(seq, int) or isinstance(seq, bool) or seq < 0:
            raise InvalidInput("seq: must be a whole number")
        missed = await sync_to_async(realtime.missed_events)(self.org_id, seq, self.subscribed)
        if missed is None:
            await self._send(type="event", event="REFRESH")
            return
        for event in missed:
            await self._send(**event)

    HANDLERS = {
        "subscribe": _subscribe,
        "unsubscribe": _unsubscribe,
        "ping": _ping,
        "auth": _auth,
        "broadcast": _broadcast,
        "resume": _resume,
    }

    # From the group

    async def org_event(self, event: dict[str, Any]) -> None:
        if event.get("sender") == self.channel_name:
            return
        await self._send(**event["message"])

    async def session_ended(self, event: dict[str, Any]) -> None:
        await self.close(event["code"], "Session ended" if event["code"] == 4001 else "No longer a member")

    async def _join(self, group: str) -> None:
        self.groups_held.add(group)
        await self.channel_layer.group_add(group, self.channel_name)

    async def _send(self, **message: Any) -> None:
        try:
            # A reader that takes no frame for this long is too slow; its queue must not grow for ever.
            await asyncio.wait_for(self.send(json.dumps(message)), timeout=10)
        except TimeoutError:
            await self.close(4008, "Reads too slowly")


websocket_urlpatterns = [
    path("api/realtime", RealtimeConsumer.as_asgi()),
    path("api/realtime/", RealtimeConsumer.as_asgi()),
]
