"""Renewal of a pair's key, v2 (wire.psk): who sends what, and who installs when.

    initiator                                        responder
    IDLE --due--> OFFERED --answer holds--> CONFIRMED    --offer holds--> has a candidate
      ^              |            ^            |          --confirm holds--> candidate installed
      |   refused or unanswered   |            |
      +--------------+      (after a restart)  |
      +----------- acknowledged: installed ----+

Rules
1. The responder installs a key only when the initiator has shown that it stored it; the initiator
   installs it only when the responder has shown that it installed it. So whatever is lost, the
   responder's key is the initiator's current or pending one.
2. A confirmed exchange is never given up: it is repeated until it is acknowledged or refused.
3. A responder that does not know the key an offer builds on refuses it; then the pair agrees anew
   through the control plane, and so does a responder that has no key.
4. A responder that starts, or that got a key through the control plane, asks for an exchange until
   one builds on its key: only so does it learn that the initiator has that key too.
5. Storing comes before saying so: `Store` and `Install` precede the message that they allow.

Time and randomness come in as arguments.
"""

import hmac
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from agent.engine.hybrid import ExchangeRefused
from agent.engine.keyring import Keyring, PairKey, Pending
from agent.engine.ratchet import Ratchet
from wire.numbers import PSK_RENEWAL_SECONDS
from wire.psk import (
    EXCHANGE_BYTES,
    Answer,
    Confirm,
    Installed,
    Message,
    Offer,
    Refused,
    Wanted,
    base_name,
    proof,
)

# The first renewal makes a young pair forward secret, and finds out whether stored keys still agree.
FIRST_SECONDS: Final = 5.0
SETTLED_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 0.7
LAST_RETRY_SECONDS: Final = 10.0
OFFER_TRIES: Final = 6
AGAIN_SECONDS: Final = 30.0
WANTED_SECONDS: Final = 2.0
LAST_WANTED_SECONDS: Final = 30.0
WANTED_PAUSE_SECONDS: Final = 10.0
# What a peer can make us compute: bursts are for lost packets, not for work.
OFFER_PAUSE_SECONDS: Final = 0.2
MAX_CANDIDATES: Final = 4


@dataclass(frozen=True, slots=True)
class Send:
    """Say this to the peer, on whatever path there is."""

    message: Message


@dataclass(frozen=True, slots=True)
class Store:
    """Write the keyring to disk."""


@dataclass(frozen=True, slots=True)
class Install:
    """Write the keyring to disk and its current key to WireGuard."""


@dataclass(frozen=True, slots=True)
class StartOver:
    """The keys of the two sides do not agree: exchange through the control plane."""


Action = Send | Store | Install | StartOver


@dataclass(slots=True)
class _Candidate:
    offer: Offer
    answer: Answer
    key: PairKey


class Renewal:
    """One pair. online: whether the control plane says that the peer is there."""

    def __init__(
        self,
        *,
        initiator: bool,
        keys: Keyring,
        ratchet: Ratchet,
        random_bytes: Callable[[int], bytes],
        now: float,
        interval_seconds: float = PSK_RENEWAL_SECONDS,
    ) -> None:
        self.keys, self.initiator, self.online = keys, initiator, True
        self._ratchet, self._random_bytes, self._interval = ratchet, random_bytes, interval_seconds
        self._actions: list[Action] = []
        self._offered: tuple[Offer, Any, PairKey] | None = None
        self._candidates: dict[bytes, _Candidate] = {}
        self._tries = 0
        self._retry = RETRY_SECONDS
        self._started_at = self._answered_at = -math.inf
        self._paused_until = -math.inf
        self._doubtful = not initiator
        self._due = now + (SETTLED_SECONDS if keys.pending else min(FIRST_SECONDS, interval_seconds))

    def actions(self) -> list[Action]:
        """What is to be done since the last call, in this order."""
        done, self._actions = self._actions, []
        return done

    def next_timeout(self) -> float:
        """When handle_timeout has something to do; infinity when never."""
        if self.initiator:
            wanted = self.keys.pending is not None or (self.keys.current is not None and self.online)
        else:
            wanted = self._doubtful and self.online
        return max(self._due, self._paused_until) if wanted else math.inf

    def handle_timeout(self, now: float) -> None:
        """Repeat what was not answered, or begin when it is time."""
        if now < self.next_timeout():
            return
        if not self.initiator:
            self._retry = min(max(self._retry * 2, WANTED_SECONDS), LAST_WANTED_SECONDS)
            self._due = now + self._retry
            self._actions.append(Send(Wanted(self._random_bytes(EXCHANGE_BYTES))))
        elif self.keys.pending is not None:
            self._confirm(self.keys.pending, now)
        elif self._offered is not None and self._tries >= OFFER_TRIES:
            self._rest(now, min(AGAIN_SECONDS, self._interval))
        elif self._offered is not None:
            self._send_offer(self._offered[0], now)
        else:
            self._begin(now)

    def proven(self, now: float) -> None:
        """A session with the agreed key stands: a young pair need not wait for its first renewal."""
        if self.initiator and math.isinf(self._started_at):
            self._due = min(self._due, now + SETTLED_SECONDS)

    def pause(self, until: float) -> None:
        """An exchange through the control plane is under way; begin none meanwhile."""
        self._paused_until = until

    def restarted(self, now: float) -> None:
        """The keyring has a new first key from the control plane."""
        self._candidates.clear()
        self._started_at = self._paused_until = -math.inf
        self._doubtful = not self.initiator
        self._rest(now, min(FIRST_SECONDS, self._interval))

    def receive(self, message: Message, now: float) -> None:
        """A message of the peer; what does not fit the moment or the role changes nothing."""
        if not self.initiator:
            if isinstance(message, Offer):
                self._receive_offer(message, now)
            elif isinstance(message, Confirm):
                self._receive_confirm(message)
        elif isinstance(message, Answer):
            self._receive_answer(message, now)
        elif isinstance(message, Installed):
            self._receive_installed(message, now)
        elif isinstance(message, Refused):
            self._receive_refused(message, now)
        elif isinstance(message, Wanted):
            self._receive_wanted(now)

    # The initiator

    def _begin(self, now: float) -> None:
        assert self.keys.current is not None
        base = self.keys.current
        offer, secret = self._ratchet.offer(self._random_bytes(EXCHANGE_BYTES), base.epoch + 1, base.psk)
        self._offered = (offer, secret, base)
        self._tries, self._retry, self._started_at = 0, RETRY_SECONDS, now
        self._send_offer(offer, now)

    def _send_offer(self, offer: Offer, now: float) -> None:
        self._tries += 1
        self._wait(now)
        self._actions.append(Send(offer))

    def _receive_answer(self, answer: Answer, now: float) -> None:
        if self._offered is None or answer.exchange != self._offered[0].exchange:
            return
        offer, secret, base = self._offered
        try:
            psk = self._ratchet.accept(offer, secret, base.psk, answer)
        except ExchangeRefused:
            # A responder that restarted in between has another answer to the repeated offer.
            return
        self._offered = None
        self.keys.pending = Pending(answer.exchange, PairKey(offer.epoch, psk))
        self._retry = RETRY_SECONDS
        self._actions.append(Store())
        self._confirm(self.keys.pending, now)

    def _confirm(self, pending: Pending, now: float) -> None:
        self._wait(now)
        shown = proof(pending.key.psk, "confirm", pending.exchange)
        self._actions.append(Send(Confirm(pending.exchange, shown)))

    def _receive_installed(self, message: Installed, now: float) -> None:
        pending = self.keys.pending
        if pending is None or message.exchange != pending.exchange:
            return
        expected = proof(pending.key.psk, "installed", pending.exchange)
        if hmac.compare_digest(message.proof, expected):
            self.keys.advance(pending.key)
            # Only a responder may have to go back by one.
            self.keys.previous = None
            self._actions.append(Install())
            self._rest(now, self._interval)

    def _receive_refused(self, message: Refused, now: float) -> None:
        if self.keys.pending is not None and message.exchange == self.keys.pending.exchange:
            # The responder lost its candidate and can never get it again.
            self.keys.pending = None
            self._actions.append(Store())
            self._rest(now, SETTLED_SECONDS)
        elif self._offered is not None and message.exchange == self._offered[0].exchange:
            self._rest(now, min(AGAIN_SECONDS, self._interval))
            self._actions.append(StartOver())

    def _receive_wanted(self, now: float) -> None:
        idle = self._offered is None and self.keys.pending is None and now >= self._paused_until
        if idle and self.keys.current is not None and now - self._started_at >= WANTED_PAUSE_SECONDS:
            self._begin(now)

    def _wait(self, now: float) -> None:
        self._due = now + self._retry
        self._retry = min(self._retry * 2, LAST_RETRY_SECONDS)

    def _rest(self, now: float, seconds: float) -> None:
        """Nothing is under way; begin again later. Pairs of one machine drift apart (up to 10 %)."""
        self._offered, self._retry = None, RETRY_SECONDS
        self._due = now + seconds * (1 - self._random_bytes(1)[0] / 2560)

    # The responder

    def _receive_offer(self, offer: Offer, now: float) -> None:
        known = self._candidates.get(offer.exchange)
        if known is not None:
            if known.offer == offer:
                self._actions.append(Send(known.answer))
            return
        if now - self._answered_at < OFFER_PAUSE_SECONDS:
            return
        self._answered_at = now
        base = self._base(offer)
        if base is None:
            self._actions.append(Send(Refused(offer.exchange)))
            return
        try:
            answer, psk = self._ratchet.answer(offer, base.psk)
        except ExchangeRefused:
            return
        while len(self._candidates) >= MAX_CANDIDATES:
            del self._candidates[next(iter(self._candidates))]
        self._candidates[offer.exchange] = _Candidate(offer, answer, PairKey(offer.epoch, psk))
        self._actions.append(Send(answer))

    def _base(self, offer: Offer) -> PairKey | None:
        """The key that an offer builds on: ours, or the one before, if the peer never got ours."""
        for key in (self.keys.current, self.keys.previous):
            if key is not None and base_name(key.psk) == offer.base and offer.epoch == key.epoch + 1:
                self._doubtful = False
                return key
        return None

    def _receive_confirm(self, message: Confirm) -> None:
        candidate = self._candidates.get(message.exchange)
        if candidate is not None and _proves(message, candidate.key.psk):
            self._candidates.clear()
            self._doubtful = False
            self.keys.advance(candidate.key)
            self._actions.append(Install())
        elif self.keys.current is None or not _proves(message, self.keys.current.psk):
            self._actions.append(Send(Refused(message.exchange)))
            return
        assert self.keys.current is not None
        shown = proof(self.keys.current.psk, "installed", message.exchange)
        self._actions.append(Send(Installed(message.exchange, shown)))


def _proves(message: Confirm, psk: bytes) -> bool:
    return hmac.compare_digest(message.proof, proof(psk, "confirm", message.exchange))
