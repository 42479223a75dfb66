"""The agents of one organisation that are connected to this process, and who wakes which of them.

One subscription an organisation instead of one a socket: a new version of the map is read once, and
only the sockets that it concerns look at it.
"""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Iterator
from typing import Any, Protocol

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer

from apps.core.errors import ApiError
from apps.machines.census import trials_of
from apps.machines.changes import fleet_group, map_version
from apps.machines.nodes import Node, find_node
from apps.machines.snapshots import feed_of
from wire.connections import FilterTrial

logger = logging.getLogger("quickztna.agents")
WATCH_SECONDS = 5
CHANNEL_PREFIX = "fleet"


class Member(Protocol):
    """A socket whose agent has proved who it is."""

    node: Node
    session: str

    def map_moved(self, version: int, at: float) -> None:
        """The map has this version since that Unix time, and it may concern the agent."""

    def map_stands(self, since: int, version: int) -> None:
        """What happened between these versions does not concern the agent."""

    async def check(self, node: Node | ApiError) -> None:
        """The machine as it stands now, or why it has no standing any more."""

    async def nudge(self, body: dict[str, Any]) -> None:
        """The agent should look at something now."""

    async def asked(self, question: str, trial: FilterTrial) -> None:
        """Which open connections would this filter cut?"""

    async def replaced(self) -> None:
        """The machine opened another socket."""


class Fleet:
    """See above. Its tasks run while it has members."""

    def __init__(self, org_id: uuid.UUID) -> None:
        self._org_id, self._group = org_id, fleet_group(org_id)
        self._layer = get_channel_layer()
        self._members: dict[str, set[Member]] = {}
        # Of the map, up to which all members were told.
        self._version = -1
        self._wanted: tuple[int, float] | None = None
        self._news = asyncio.Event()
        self._channel: asyncio.Task[str] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._asking: set[asyncio.Task[None]] = set()

    async def join(self, member: Member) -> None:
        """From here on the member hears of everything; another socket of its machine is closed."""
        if self._channel is None:
            self._channel = asyncio.create_task(self._subscribe())
        await asyncio.shield(self._channel)
        key = str(member.node.pk)
        self._members.setdefault(key, set()).add(member)
        body = {"type": "agent.replaced", "machine_id": key, "session": member.session}
        await self._layer.group_send(self._group, body)

    async def leave(self, member: Member) -> None:
        """The member's socket is closed."""
        key = str(member.node.pk)
        others = self._members.get(key, set())
        others.discard(member)
        if not others:
            self._members.pop(key, None)
        if not self._members and self._channel is not None and self._channel.done():
            for task in self._tasks:
                task.cancel()
            channel, self._channel, self._tasks = self._channel.result(), None, []
            self._version, self._wanted = -1, None
            await self._layer.group_discard(self._group, channel)

    async def _subscribe(self) -> str:
        channel = await self._layer.new_channel(CHANNEL_PREFIX)
        await self._layer.group_add(self._group, channel)
        work = (self._listen(channel), self._follow(), self._watch(channel))
        self._tasks = [asyncio.create_task(part) for part in work]
        return channel

    def _all(self) -> Iterator[Member]:
        for members in list(self._members.values()):
            yield from list(members)

    async def _listen(self, channel: str) -> None:
        """Sort messages; nothing here may take long, for what does not fit a channel is lost."""
        while True:
            message = await self._layer.receive(channel)
            if message["type"] == "netmap.changed":
                self._want(message["version"], message["at"])
                continue
            if message["type"] == "agent.asked":
                task = asyncio.create_task(self._ask(message["question"], message["machines"]))
                self._asking.add(task)
                task.add_done_callback(self._asking.discard)
                continue
            for member in list(self._members.get(message["machine_id"], ())):
                with contextlib.suppress(Exception):  # a socket that just went
                    if message["type"] == "agent.nudge":
                        await member.nudge(message["body"])
                    elif message["session"] != member.session:
                        await member.replaced()

    async def _ask(self, question: str, machines: list[str]) -> None:
        """Put a question to those of some machines that are connected here."""
        here = [key for key in machines if key in self._members]
        try:
            trials = await database_sync_to_async(trials_of)(self._org_id, question, here) if here else {}
        except Exception:
            logger.exception("machines not asked", extra={"org": str(self._org_id)})
            return
        for key, trial in trials.items():
            for member in list(self._members.get(key, ())):
                with contextlib.suppress(Exception):  # a socket that just went
                    await member.asked(question, trial)

    def _want(self, version: int, at: float) -> None:
        if version > self._version:
            # Versions that are told together count from the first of them.
            wanted, since = self._wanted or (version, at)
            self._wanted = max(wanted, version), min(since, at)
            self._news.set()

    async def _follow(self) -> None:
        """Take the members to what is wanted, one version or many at a time."""
        feed = feed_of(self._org_id)
        while True:
            await self._news.wait()
            self._news.clear()
            if self._wanted is None:
                continue
            (version, at), self._wanted = self._wanted, None
            try:
                snapshot = feed.ready(version) or await database_sync_to_async(feed.at_least)(version)
            except Exception:
                logger.exception("map not read; tried again", extra={"org": str(self._org_id)})
                continue
            since, self._version = self._version, snapshot.version
            changes = feed.changed_since(since, snapshot)
            for number, member in enumerate(self._all()):
                if changes is None or changes.concern(str(member.node.pk)):
                    member.map_moved(snapshot.version, at)
                else:
                    member.map_stands(since, snapshot.version)
                if number % 100 == 99:
                    await asyncio.sleep(0)

    async def _watch(self, channel: str) -> None:
        """What no message told: machines that lost their standing, keys that ran out, lost messages."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            members = list(self._all())
            try:
                # A layer forgets memberships after a day.
                await self._layer.group_add(self._group, channel)
                version, standing = await database_sync_to_async(self._look)(members)
            except Exception:
                logger.exception("agents not checked; tried again", extra={"org": str(self._org_id)})
                continue
            self._want(version, time.time())
            for member, node in zip(members, standing, strict=True):
                with contextlib.suppress(Exception):
                    await member.check(node)

    def _look(self, members: list[Member]) -> tuple[int, list[Node | ApiError]]:
        return map_version(self._org_id), [_standing(member) for member in members]


def _standing(member: Member) -> Node | ApiError:
    try:
        return find_node(member.node.node_key_hash)
    except ApiError as error:
        return error


_fleets: dict[tuple[asyncio.AbstractEventLoop, uuid.UUID], Fleet] = {}


def fleet_of(org_id: uuid.UUID) -> Fleet:
    """The fleet of an organisation on the running loop."""
    key = asyncio.get_running_loop(), org_id
    return _fleets.get(key) or _fleets.setdefault(key, Fleet(org_id))
