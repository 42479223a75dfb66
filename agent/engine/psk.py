"""When a pair's pre-shared key is made, installed and in force.

    PENDING --agreed--> INSTALLED --a handshake after the installation--> VERIFIED
    INSTALLED/VERIFIED --no handshake although the peer is there--> offered anew, key kept meanwhile
    CLASSICAL: the peer's signed keys hold no ML-KEM key; never left nor entered otherwise.

Until a key is agreed the peer is in WireGuard with a random placeholder and no allowed address,
so that no session can form that lacks the hybrid key. Only the lower WireGuard key offers.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from agent.engine.hybrid import Offer

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
    """Key state of one pair. hybrid: both ends have ML-KEM."""

    def __init__(self, *, hybrid: bool, initiator: bool, stored: bytes | None, now: float) -> None:
        self.initiator = initiator
        self.psk = stored if hybrid else None
        self.installed_at = now if self.psk else -math.inf
        self.offered: Offered | None = None
        self._proven_after = self.installed_at
        self._unproven = UNPROVEN_SECONDS
        if not hybrid:
            self.state = PskState.CLASSICAL
        else:
            self.state = PskState.INSTALLED if self.psk else PskState.PENDING
        self._next_offer = now if self.state is PskState.PENDING else now + UNPROVEN_SECONDS
        self._pause = RETRY_SECONDS

    @property
    def agreed(self) -> bool:
        """Whether WireGuard may form a session."""
        return self.state is not PskState.PENDING

    def wants_offer(self, now: float, *, peer_online: bool) -> bool:
        """Whether this side should offer a new key now."""
        if not self.initiator or self.state in (PskState.CLASSICAL, PskState.VERIFIED):
            return False
        # Without the peer an installed key cannot prove itself, and needs no replacement.
        return now >= self._next_offer and (peer_online or self.state is PskState.PENDING)

    def offer_sent(self, offered: Offered, now: float) -> None:
        """The control plane holds our offer."""
        self.offered = offered
        self._next_offer = now + OFFER_SECONDS

    def offer_failed(self, now: float) -> None:
        """It could not be sent; later again."""
        self._next_offer = now + self._pause
        self._pause = min(self._pause * 2, LAST_RETRY_SECONDS)

    def install(self, psk: bytes, now: float) -> None:
        """The pair agreed on psk."""
        self.psk, self.installed_at, self.offered = psk, now, None
        self.state = PskState.INSTALLED
        self._proven_after, self._pause = now, RETRY_SECONDS
        # Where no packet gets through at all, new keys do not help: ask ever more rarely.
        self._next_offer = now + self._unproven
        self._unproven = min(self._unproven * 2, LAST_UNPROVEN_SECONDS)

    def handshake(self, at: float) -> None:
        """WireGuard completed a handshake at `at`, on the same clock as `now` elsewhere."""
        if self.state is PskState.INSTALLED and at > self._proven_after:
            self.state = PskState.VERIFIED
            self._unproven = UNPROVEN_SECONDS

    def silent(self, now: float) -> None:
        """The peer is there, yet a handshake is long overdue: perhaps it lost the key."""
        if self.state is PskState.VERIFIED:
            self.state = PskState.INSTALLED
            self._proven_after, self._next_offer = now, now + self._pause
