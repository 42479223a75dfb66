"""When a pair's pre-shared key is made, installed and in force.

    PENDING --agreed--> INSTALLED --a handshake after the installation--> VERIFIED
    INSTALLED/VERIFIED --no handshake although the peer is there--> offered anew, key kept meanwhile
    VERIFIED --renewed (agent.engine.renewal)--> VERIFIED: the next handshake takes the new key
    CLASSICAL: the peer's signed keys hold no ML-KEM key; never left nor entered otherwise.

Until a key is agreed the peer is in WireGuard with a random placeholder and no allowed address,
so that no session can form that lacks the hybrid key. Only the lower WireGuard key offers.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from agent.engine.hybrid import Offer
from agent.engine.keyring import Keyring, PairKey
from agent.engine.renewal import Renewal

RETRY_SECONDS = 2.0
LAST_RETRY_SECONDS = 60.0
# An offer waits at the control plane for a peer that is away; until then nothing is sent again.
OFFER_SECONDS = 30.0
UNPROVEN_SECONDS = 15.0
LAST_UNPROVEN_SECONDS = 300.0


class PskState(StrEnum):
    """Where a pair stands."""

    PENDING = "pending"
    INSTALLED = "installed"
    VERIFIED = "verified"
    CLASSICAL = "classical"


@dataclass(frozen=True, slots=True)
class Offered:
    """An offer that the peer has not answered yet."""

    exchange_id: str
    offer: Offer
    psk: bytes


class PskSession:
    """Key state of one pair. renewal None: one of the two ends has no ML-KEM, the pair is classical."""

    def __init__(self, *, initiator: bool, keys: Keyring, renewal: Renewal | None, now: float) -> None:
        self.initiator, self.keys, self.renewal = initiator, keys, renewal
        self.installed_at = now if keys.current else -math.inf
        self.in_force_at = -math.inf
        self.offered: Offered | None = None
        self._before = -math.inf
        self._proven_after = self.installed_at
        self._unproven = UNPROVEN_SECONDS
        self._start_over = False
        if renewal is None:
            self.state = PskState.CLASSICAL
        else:
            self.state = PskState.INSTALLED if keys.current else PskState.PENDING
        self._next_offer = now if self.state is PskState.PENDING else now + UNPROVEN_SECONDS
        self._pause = RETRY_SECONDS

    @property
    def psk(self) -> bytes | None:
        """The agreed key."""
        return self.keys.current.psk if self.keys.current else None

    @property
    def agreed(self) -> bool:
        """Whether WireGuard may form a session."""
        return self.state is not PskState.PENDING

    def next_timeout(self) -> float:
        """When the renewal is due; infinity without one."""
        return self.renewal.next_timeout() if self.renewal else math.inf

    def wants_offer(self, now: float, *, peer_online: bool) -> bool:
        """Whether this side should offer a new key through the control plane now."""
        if not self.initiator or self.state is PskState.CLASSICAL:
            return False
        if self.state is PskState.VERIFIED and not self._start_over:
            return False
        # Without the peer an offer waits in vain, and an installed key cannot prove itself.
        return now >= self._next_offer and peer_online

    def offer_sent(self, offered: Offered, now: float) -> None:
        """The control plane holds our offer."""
        self.offered = offered
        self._next_offer = now + OFFER_SECONDS
        if self.renewal is not None:
            self.renewal.pause(self._next_offer)

    def offer_dropped(self, now: float) -> None:
        """The offer is void."""
        self.offered = None
        if self.renewal is not None:
            self.renewal.pause(now)

    def offer_failed(self, now: float) -> None:
        """It could not be sent; later again."""
        self._next_offer = now + self._pause
        self._pause = min(self._pause * 2, LAST_RETRY_SECONDS)

    def install(self, psk: bytes, now: float) -> None:
        """The pair agreed on psk through the control plane."""
        self.keys.advance(PairKey(0, psk))
        if self.initiator:
            self.keys.previous = None
        if self.renewal is not None:
            self.renewal.restarted(now)
        self.state = PskState.INSTALLED
        self._installed(now)
        self._proven_after, self._pause = now, RETRY_SECONDS
        # Where no packet gets through at all, new keys do not help: ask ever more rarely.
        self._next_offer = now + self._unproven
        self._unproven = min(self._unproven * 2, LAST_UNPROVEN_SECONDS)

    def renewed(self, now: float) -> None:
        """The keyring advanced by a renewal; the session that stands lives on."""
        self._installed(now)
        if self.state is PskState.INSTALLED:
            self._next_offer = now + UNPROVEN_SECONDS

    def start_over(self, now: float) -> None:
        """The two sides hold different keys."""
        if not self._start_over:
            self._start_over, self._next_offer = True, now

    def handshake(self, at: float) -> None:
        """WireGuard completed a handshake at `at`, on the same clock as `now` elsewhere."""
        self.in_force_at = max(
            (installed for installed in (self._before, self.installed_at) if installed < at),
            default=self.in_force_at,
        )
        if self.state is PskState.INSTALLED and at > self._proven_after:
            self.state = PskState.VERIFIED
            self._unproven = UNPROVEN_SECONDS
        if self.state is PskState.VERIFIED and self.renewal is not None:
            self.renewal.proven(at)

    def silent(self, now: float) -> None:
        """The peer is there, yet a handshake is long overdue: perhaps it lost the key."""
        if self.state is PskState.VERIFIED:
            self.state = PskState.INSTALLED
            self._proven_after, self._next_offer = now, now + self._pause

    def _installed(self, now: float) -> None:
        self._before, self.installed_at = self.installed_at, now
        self.offered, self._start_over = None, False
