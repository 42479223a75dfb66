"""Who starts a WireGuard handshake, and when.

Two initiations that cross cancel each other, and the retry comes after 5 s. So the lower key
starts: it sets endpoint and keepalive at once, the keepalive starts the handshake. The other side
sets them only if none has come meanwhile, and normally learns the address by the handshake itself.
"""

import math

# For the first session the initiator must first hear that the key is installed here.
FIRST_WAIT_SECONDS = 1.5
MOVE_WAIT_SECONDS = 0.4
# WireGuard itself sends a lost first initiation anew after 5 s (REKEY_TIMEOUT).
RETRY_SECONDS = (1.0, 2.0, 4.0)
SESSION_SECONDS = 180.0
# Who answered a handshake has no session before the first packet of who began it; WireGuard sends one,
# and if that is lost, none before the next keepalive.
CONFIRM_SECONDS = (0.5, 1.0, 2.0, 4.0)


class Starter:
    """Decides whether this side may touch the endpoint of one peer."""

    def __init__(self, *, initiator: bool) -> None:
        self._initiator = initiator
        self._since = math.inf
        self._started_at, self._tries = math.inf, 0
        self._confirms, self._confirmed_at, self._heard_bytes = 0, -math.inf, -1

    def agreed(self, now: float) -> None:
        """Keys are installed; the tunnel may start."""
        self._since = min(self._since, now + (0.0 if self._initiator else FIRST_WAIT_SECONDS))

    def moved(self, now: float, last_handshake: float) -> None:
        """The path moved."""
        if self._initiator or self.session(now, last_handshake) or math.isinf(self._since):
            return
        self._since = max(self._since, now + MOVE_WAIT_SECONDS)

    def may_set(self, now: float, last_handshake: float) -> bool:
        """Whether endpoint and keepalive may be written now."""
        return self.session(now, last_handshake) or now >= self._since

    def started(self, now: float) -> None:
        """Endpoint and keepalive were written: WireGuard sends an initiation unless it has a session."""
        self._started_at = now

    def lost(self, now: float, last_handshake: float) -> bool:
        """Whether our initiation must have been lost, so that a fresh one is due. True once for each."""
        if self.session(now, last_handshake):
            self._tries = 0
            return False
        if not self._initiator or self._tries >= len(RETRY_SECONDS):
            return False
        if now - self._started_at < RETRY_SECONDS[self._tries]:
            return False
        self._tries += 1
        self._started_at = math.inf
        return True

    def unconfirmed(self, now: float, last_handshake: float, heard_bytes: int) -> bool:
        """Whether the peer may not know of our session yet, so that a keepalive is due.

        heard_bytes: all that ever came from the peer. True a few times at most for each session.
        """
        if not self.session(now, last_handshake):
            self._confirms, self._heard_bytes = 0, -1
            return False
        if self._heard_bytes < 0:
            self._confirmed_at, self._heard_bytes = now, heard_bytes
        if self._confirms >= len(CONFIRM_SECONDS):
            return False
        if heard_bytes != self._heard_bytes:
            self._confirms = len(CONFIRM_SECONDS)
            return False
        if now - self._confirmed_at < CONFIRM_SECONDS[self._confirms]:
            return False
        self._confirms, self._confirmed_at = self._confirms + 1, now
        return True

    def next_timeout(self, now: float) -> float:
        """When may_set turns true by itself."""
        return self._since if self._since > now else math.inf

    @staticmethod
    def session(now: float, last_handshake: float) -> bool:
        """Whether a session is alive."""
        return now - last_handshake < SESSION_SECONDS
