"""Runs hybrid key exchanges through the control plane: offers, answers, confirmations."""

import asyncio
import contextlib
import logging
import math
import os
import time
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.engine import hybrid
from agent.engine.psk import Offered
from agent.errors import AgentError
from agent.io.control import ApiError, ControlClient
from agent.keys import MachineKeys
from agent.network import Network
from agent.peering import PeerLink
from wire.binary import WireError, decode_key, encode_key
from wire.numbers import ED25519_SIGNATURE_BYTES, MLKEM768_CIPHERTEXT_BYTES, X25519_KEY_BYTES

logger = logging.getLogger("agent.exchange")

PATH = "/api/key-exchange"
TICK_SECONDS = 0.5
AT_ONCE = 4
WAITING_CHECK_SECONDS = 60.0
STATUS_SECONDS = 1.0
LAST_STATUS_SECONDS = 10.0


class Exchanges:
    """Both roles of this machine's exchanges. run() until cancelled."""

    def __init__(
        self, *, network: Network, client: ControlClient, keys: MachineKeys, machine_id: str, node_key: str
    ) -> None:
        self._network, self._client, self._keys = network, client, keys
        self._machine_id, self._node_key = machine_id, node_key
        self._wake = asyncio.Event()
        self._check_waiting = True
        self._status_due: dict[str, tuple[float, float]] = {}
        self._pause_until = 0.0
        self._nudged_at = -math.inf

    def nudge(self) -> None:
        """An exchange waits or was completed at the control plane."""
        self._check_waiting = True
        self._nudged_at = time.monotonic()
        self._status_due = dict.fromkeys(self._status_due, (0.0, STATUS_SECONDS))
        self._wake.set()

    async def run(self) -> None:
        """Work off what is due, a step at a time."""
        last_check = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            now = time.monotonic()
            if now < self._pause_until:
                continue
            try:
                if self._check_waiting or now - last_check > WAITING_CHECK_SECONDS:
                    self._check_waiting, last_check = False, now
                    await self._answer_waiting()
                await self._advance_all(now)
            except AgentError as error:
                self._check_waiting = True
                wait = error.retry_after if isinstance(error, ApiError) else None
                self._pause_until = time.monotonic() + (wait or 2.0)
                logger.debug("key exchange waits: %s", error)

    async def _advance_all(self, now: float) -> None:
        """Advance what is due, a few peers at once, those that are there first; then say what failed."""
        due = [link for link in self._network.links.values() if self._due(link, now)]
        failed: list[AgentError] = []
        waiting = iter(sorted(due, key=lambda link: not link.peer.online))

        async def work() -> None:
            for link in waiting:
                try:
                    await self._advance(link)
                except AgentError as error:
                    if not _of_one_pair(error):
                        failed.append(error)
                        return
                    logger.debug("key exchange with %s: %s", link.peer.name, error)

        await asyncio.gather(*(work() for _ in range(min(AT_ONCE, len(due)))))
        if failed:
            raise failed[0]

    def _due(self, link: PeerLink, now: float) -> bool:
        status_due, _ = self._status_due.get(link.peer.machine_id, (0.0, STATUS_SECONDS))
        asks = link.psk.offered is not None and now >= status_due and link.peer.online
        return asks or link.psk.wants_offer(now, peer_online=link.peer.online)

    async def _advance(self, link: PeerLink) -> None:
        """Offer, or see whether the offer was answered."""
        now = time.monotonic()
        machine_id = link.peer.machine_id
        if link.psk.offered is not None:
            due, pause = self._status_due.get(machine_id, (0.0, STATUS_SECONDS))
            if now >= due:
                self._status_due[machine_id] = (now + pause, min(pause * 2, LAST_STATUS_SECONDS))
                await self._check_answer(link, link.psk.offered)
        if link.psk.wants_offer(now, peer_online=link.peer.online):
            try:
                await self._offer(link)
            except AgentError:
                link.psk.offer_failed(time.monotonic())
                raise

    async def _offer(self, link: PeerLink) -> None:
        assert link.keys.mlkem is not None
        began = time.monotonic()
        ephemeral = X25519PrivateKey.generate().private_bytes_raw()
        nonce = os.urandom(hybrid.NONCE_BYTES)
        offer, psk = hybrid.offer(self._pair_as_initiator(link), self._keys, ephemeral=ephemeral, nonce=nonce)
        answer = await self._call(
            "initiate",
            peer_machine_id=link.peer.machine_id,
            x25519_public=encode_key(offer.x25519_public),
            mlkem_ciphertext=encode_key(offer.mlkem_ciphertext),
            nonce=encode_key(offer.nonce),
            signature=encode_key(offer.signature),
        )
        now = time.monotonic()
        link.psk.offer_sent(Offered(str(answer["exchange_id"]), offer, psk), now)
        # The answer may have been announced before we heard that our offer is there.
        at = now if self._nudged_at >= began else now + STATUS_SECONDS
        self._status_due[link.peer.machine_id] = (at, STATUS_SECONDS)
        if self._nudged_at >= began:
            self._wake.set()
        logger.info("psk offered peer=%s", link.peer.name)

    async def _check_answer(self, link: PeerLink, offered: Offered) -> None:
        try:
            answer = await self._call("status", exchange_id=offered.exchange_id)
        except ApiError as error:
            if error.code == "NOT_FOUND":
                link.psk.offer_dropped(time.monotonic())
                return
            raise
        # A renewal may have overtaken the offer while we asked.
        if answer.get("status") != "completed" or link.psk.offered is not offered:
            return
        try:
            received = hybrid.Answer(
                _field(answer, "confirm", hybrid.NONCE_BYTES),
                _field(answer, "confirm_signature", ED25519_SIGNATURE_BYTES),
            )
            hybrid.accept(self._pair_as_initiator(link), link.keys, offered.offer, offered.psk, received)
        except (WireError, hybrid.ExchangeRefused) as refusal:
            logger.warning("psk refused peer=%s: %s", link.peer.name, refusal)
            link.psk.offer_dropped(time.monotonic())
            return
        self._status_due.pop(link.peer.machine_id, None)
        self._network.agreed(link, offered.psk, time.monotonic())
        logger.info("psk installed peer=%s role=initiator", link.peer.name)

    async def _answer_waiting(self) -> None:
        """Answer every offer that waits for this machine; one bad offer does not hold up the others."""
        for entry in (await self._call("pending"))["exchanges"]:
            link = self._network.links.get(str(entry.get("requester_machine_id")))
            if link is None or link.psk.initiator or link.keys.mlkem is None:
                continue
            try:
                offer = hybrid.Offer(
                    _field(entry, "x25519_public", X25519_KEY_BYTES),
                    _field(entry, "mlkem_ciphertext", MLKEM768_CIPHERTEXT_BYTES),
                    _field(entry, "nonce", hybrid.NONCE_BYTES),
                    _field(entry, "signature", ED25519_SIGNATURE_BYTES),
                )
                answer, psk = hybrid.answer(self._pair_as_responder(link), self._keys, link.keys, offer)
            except (WireError, hybrid.ExchangeRefused) as refusal:
                logger.warning("psk refused peer=%s: %s", link.peer.name, refusal)
                continue
            # Installed before it is acknowledged: the initiator starts on the acknowledgement.
            if psk != link.psk.psk:
                self._network.agreed(link, psk, time.monotonic())
            try:
                await self._call(
                    "complete",
                    exchange_id=entry["exchange_id"],
                    confirm=encode_key(answer.confirm),
                    signature=encode_key(answer.signature),
                )
            except ApiError as error:
                if not _of_one_pair(error):
                    raise
                # The peer started anew meanwhile; its next offer is announced.
                logger.debug("psk offer of %s is void: %s", link.peer.name, error)
                continue
            logger.info("psk installed peer=%s role=responder", link.peer.name)

    def _pair_as_initiator(self, link: PeerLink) -> hybrid.Pair:
        assert link.keys.mlkem is not None
        return hybrid.Pair(
            self._machine_id,
            link.peer.machine_id,
            self._keys.wireguard_public,
            link.keys.wireguard,
            link.keys.mlkem,
        )

    def _pair_as_responder(self, link: PeerLink) -> hybrid.Pair:
        return hybrid.Pair(
            link.peer.machine_id,
            self._machine_id,
            link.keys.wireguard,
            self._keys.wireguard_public,
            self._keys.mlkem_public,
        )

    async def _call(self, action: str, **values: Any) -> Any:
        return await self._client.call("POST", PATH, {"action": action, **values}, token=self._node_key)


def _of_one_pair(error: AgentError) -> bool:
    """Whether the control plane refused this very exchange, so that others may go on."""
    return isinstance(error, ApiError) and error.status < 500 and error.status not in (401, 429)


def _field(entry: Mapping[str, Any], name: str, size: int) -> bytes:
    return decode_key(str(entry.get(name)), size)
