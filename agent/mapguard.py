"""Keeps the map that a machine works by when the control plane would take most of it away without a reason.

held -a map that takes most peers-> asking -a signed reason-> held (the new one);
asking -no reason, or no answer-> refused: the old map goes on working, the control plane is told, and
the whole map is asked for again, ever more seldom. Any later map that takes less is simply taken.
"""

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from agent.engine.statements import Loss, NotProven, PinnedKeys
from agent.errors import AgentError
from agent.state import MachineState, Store
from wire.binary import WireError
from wire.control import MAP_REFUSED, FromAgent
from wire.losses import MAX_NAMED, digest, massive
from wire.netmap import Netmap

logger = logging.getLogger("agent.mapguard")

FILE = "control-keys.json"
ANSWER_SECONDS = 5.0
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 5.0, 300.0
LOOK_SECONDS = 0.5

Send = Callable[..., Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class _Offer:
    """A map that waits for its reason."""

    netmap: Netmap
    asked: Loss
    named: tuple[str, ...]
    at: float


class MapGuard:
    """One machine's. now() is the control plane's time; use(netmap) acts on a map that was found good."""

    def __init__(
        self,
        *,
        store: Store,
        machine: MachineState,
        now: Callable[[], float],
        use: Callable[[Netmap], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._machine = store, machine
        self._now, self._use, self._clock = now, use, clock
        self._keys = PinnedKeys(dict(store.load_json(FILE) or {}))
        self._explains = self._linked = False
        self._offer: _Offer | None = None
        self._unasked = False
        self._again = math.inf
        self._pause = FIRST_PAUSE_SECONDS
        self._news = asyncio.Event()
        self._unreported = False
        self.refused: dict[str, Any] | None = None

    @property
    def offered(self) -> Netmap | None:
        """What the control plane believes that this machine has, where that is not what it works by."""
        return self._offer.netmap if self._offer else None

    def linked(self, published: Any) -> None:
        """The control plane accepted us and showed its keys, None if it is too old to have any."""
        self._linked, self._explains = True, published is not None
        self._learn(published)

    def _learn(self, published: Any) -> None:
        try:
            if published is not None and self._keys.learn(published):
                self._store.save_json(FILE, self._keys.pins)
        except (WireError, AgentError) as error:
            logger.warning("the control plane's keys were not kept: %s", error)

    def removed(self, statement: Any, published: Any) -> bool:
        """Whether this machine is told that it is no longer one by somebody who may say so.

        A database that lost its machines knows none of our keys either.
        """
        if not self._keys.pins:
            return True
        self._learn(published)
        own = self._machine
        try:
            self._keys.check_removal(
                statement,
                machine_id=own.machine_id,
                org_id=own.org_id,
                node_key=own.node_key,
                now=self._now(),
            )
        except NotProven as failure:
            logger.error("the control plane does not know this machine, and does not prove it: %s", failure)
            return False
        return True

    def unlinked(self) -> None:
        """It takes the map that we hold for granted again, when it is back."""
        self._linked, self._offer = False, None

    def weigh(self, held: Netmap | None, offered: Netmap) -> bool:
        """Whether to act on a map now; if not, its reason is asked for."""
        lost = massive(held.peers.keys(), offered.peers.keys()) if held else frozenset[str]()
        if held is None or not lost or not self._keys.pins or offered.self_node.status == "quarantined":
            self._settle()
            return True
        asked = Loss(
            machine_id=self._machine.machine_id,
            org_id=self._machine.org_id,
            from_version=held.version,
            to_version=offered.version,
            count=len(lost),
            lost=digest(lost),
            nonce=secrets.token_urlsafe(16),
        )
        offer = _Offer(offered, asked, tuple(sorted(lost)[:MAX_NAMED]), self._clock())
        if self._linked and self._explains:
            self._offer, self._unasked = offer, True
            self._news.set()
        else:
            # By HTTP nothing can be asked; an older control plane can't answer.
            self._refuse(offer, "it gives no reasons")
        return False

    def answered(self, nonce: str, statement: Any) -> bool:
        """The word on a question; True if a map is in force by it. Only the last question counts."""
        offer = self._offer
        if offer is None or offer.asked.nonce != nonce:
            return False
        try:
            reason = self._keys.reason(statement, offer.asked, self._now())
        except NotProven as failure:
            self._refuse(offer, str(failure))
            return False
        logger.info("the map takes %d peers away: %s", offer.asked.count, reason)
        self._settle()
        self._use(offer.netmap)
        return True

    async def run(self, send: Send) -> None:
        """Ask, report and ask again until cancelled; send is AgentLink.send."""
        while True:
            self._news.clear()
            await self._speak(send)
            try:
                async with asyncio.timeout(LOOK_SECONDS if self._offer or self.refused else None):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _speak(self, send: Send) -> None:
        offer, now = self._offer, self._clock()
        if offer is not None and self._unasked:
            self._unasked = False
            body = {
                "from": offer.asked.from_version,
                "to": offer.asked.to_version,
                "nonce": offer.asked.nonce,
            }
            more = {"count": offer.asked.count, "lost": offer.asked.lost, "peers": list(offer.named)}
            await send(FromAgent.EXPLAIN, **body, **more)
        elif offer is not None and now - offer.at > ANSWER_SECONDS and math.isinf(self._again):
            self._refuse(offer, "no reason came")
        if self._unreported and self.refused is not None:
            self._unreported = not await send(FromAgent.EVENT, kind=MAP_REFUSED, **self.refused)
        if self._linked and self.refused is not None and now >= self._again:
            self._pause = min(2 * self._pause, LAST_PAUSE_SECONDS)
            self._again = now + self._pause
            await send(FromAgent.RESYNC, have=self.refused["have"])

    def _refuse(self, offer: _Offer, why: str) -> None:
        """The old map goes on working."""
        told = {"have": offer.asked.from_version, "offered": offer.asked.to_version}
        refused = {**told, "lost": offer.asked.count, "why": why}
        if self.refused is None or self.refused["lost"] != refused["lost"]:
            logger.error("a map that takes %d peers away is not acted on: %s", offer.asked.count, why)
            self._unreported = True
        self.refused = refused
        if math.isinf(self._again):
            self._again = self._clock() + self._pause
        self._news.set()

    def _settle(self) -> None:
        if self.refused is not None:
            logger.info("the control plane's map is acted on again")
        self._offer = self.refused = None
        self._again, self._pause, self._unreported = math.inf, FIRST_PAUSE_SECONDS, False
