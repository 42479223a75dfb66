"""The path to one peer: by relay at first, direct as soon as a direct address is proven.

    RELAY --burst starts--> PROBING --proven both ways--> DIRECT
    PROBING --burst ends--> RELAY
    DIRECT --silent for three heartbeats, or the peer is back on the relay--> RELAY

An address is proven when a pong to a ping that was sent to that very address came back from it,
and the peer's own ping arrived from it: then either side has reason to move, and both do.

Bursts ping every candidate at once, soon again, then ever more rarely. A pair that was direct
before probes every few seconds; a direct path is pinged often while it carries traffic, and now and
then while it does not. One that never was keeps quiet for longer than a NAT remembers
unanswered packets (30 s) and then opens its own NAT with packets too short-lived to reach the
peer's: a NAT that lets packets to itself in would otherwise hand our mapping to the peer's probe.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from agent.engine.actions import Action, Move, SendDirect, SendRelayed
from wire.binary import Endpoint
from wire.disco import MAX_ENDPOINTS, TXID_BYTES, CallMeMaybe, Ping, Pong

FIRST_RETRY_SECONDS = 0.03
BURST_SECONDS = 2.5
AGAIN_SECONDS = 4.0
QUIET_SECONDS = 32.0
LOW_TTL_SECONDS = 0.5
LOW_TTLS = (2, 4)
HEARTBEAT_SECONDS = 0.7
# Hundreds of quiet peers must cost next to nothing, and a NAT forgets after 30 s at the earliest.
QUIET_HEARTBEAT_SECONDS = 10.0
MISSED_PONGS = 3
UNANSWERED_RATIO = 8
GRACE_SECONDS = 0.2
UPGRADE_SECONDS = 30.0
# Packets that were under way on the relay when the path moved; later ones mean that the peer left.
LATE_SECONDS = 5.0
PING_MEMORY_SECONDS = 5.0
PEER_PING_SECONDS = 5.0
MIRROR_SECONDS = 1.0
CALL_PAUSE_SECONDS = 1.0
MAX_PENDING = 256
SEEN_TXIDS = 256
# A better path must be this much better, or two equal ones would take turns.
BETTER_RATIO = 0.7
BETTER_SECONDS = 0.003


class PathState(StrEnum):
    """Where a path stands."""

    RELAY = "relay"
    PROBING = "probing"
    DIRECT = "direct"


@dataclass(slots=True)
class Candidate:
    """An address the peer may be reached at, with the newest evidence for it."""

    learned: bool
    pong_at: float = -math.inf
    peer_ping_at: float = -math.inf
    pinged_at: float = -math.inf
    rtt: float = math.inf


class PeerPath:
    """Path state of one peer. own_wireguard is our public key, which pings carry."""

    def __init__(
        self,
        *,
        own_wireguard: bytes,
        random_bytes: Callable[[int], bytes],
        own_endpoints: Iterable[Endpoint] = (),
    ) -> None:
        self.state = PathState.RELAY
        self.direct: Endpoint | None = None
        self.moved_at = -math.inf
        self.busy = False
        # Whether people want it on the relay, to see what the direct path does.
        self.held = False
        # Whether the peer was heard by relay: only then it is known to listen there.
        self.relay_heard = False
        self.candidates: dict[Endpoint, Candidate] = {}
        self._own_wireguard, self._random_bytes = own_wireguard, random_bytes
        self._own_endpoints = tuple(own_endpoints)
        self._pending: dict[bytes, tuple[Endpoint, float]] = {}
        self._seen: dict[bytes, None] = {}
        self._actions: list[Action] = []
        self._attempts = 0
        self._was_direct = False
        self._burst_started = -math.inf
        self._burst_ttl: int | None = None
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._next_ping = math.inf
        self._next_burst = math.inf
        self._next_upgrade = math.inf
        self._pinging_since = -math.inf
        self._called_at = -math.inf
        self._call_sent_at = -math.inf
        self._doubted_at = -math.inf

    @property
    def rtt(self) -> float | None:
        """Seconds to the peer and back on the direct path, or None while there is none."""
        return self.candidates[self.direct].rtt if self.direct else None

    @property
    def _heartbeat(self) -> float:
        return HEARTBEAT_SECONDS if self.busy else QUIET_HEARTBEAT_SECONDS

    def late(self, now: float) -> bool:
        """Whether relayed packets may still be ones that were under way when the path moved."""
        return self.direct is not None and now - self.moved_at <= LATE_SECONDS

    def actions(self) -> list[Action]:
        """What is to be done since the last call."""
        done, self._actions = self._actions, []
        return done

    def set_own_endpoints(self, endpoints: Iterable[Endpoint], now: float) -> None:
        """Our own addresses, which the peer is told by relay."""
        endpoints = tuple(endpoints)[:MAX_ENDPOINTS]
        if endpoints != self._own_endpoints:
            self._own_endpoints = endpoints
            if self.state is not PathState.DIRECT:
                self._begin(now)

    def set_candidates(self, endpoints: Iterable[Endpoint], now: float) -> None:
        """What the control plane knows of the peer's addresses; learned ones are kept."""
        given = set(endpoints)
        fresh = given - self.candidates.keys()
        for endpoint in [
            known
            for known, candidate in self.candidates.items()
            if not candidate.learned and known not in given and known != self.direct
        ]:
            del self.candidates[endpoint]
        for endpoint in fresh:
            self._learn(endpoint, learned=False)
        if fresh and self.state is not PathState.DIRECT:
            self._begin(now)

    def probe(self, now: float) -> None:
        """Look for a direct path now, and ask the peer to."""
        if self.state is not PathState.DIRECT:
            self._begin(now)

    def hold(self, held: bool, now: float) -> None:
        """Stay on the relay from now on, or look for a direct path again."""
        if held == self.held:
            return
        self.held = held
        if not held:
            self._begin(now)
        elif self.state is PathState.DIRECT:
            self._fall_back(now)
        if held:
            self.state = PathState.RELAY
            self._next_ping = self._next_burst = math.inf

    def link_changed(self, now: float) -> None:
        """Our own network is another one: nothing that was proven holds any more."""
        self._pending.clear()
        for candidate in self.candidates.values():
            candidate.pong_at = candidate.peer_ping_at = -math.inf
        self._attempts = 0
        if self.state is PathState.DIRECT:
            self._fall_back(now)
        self._begin(now)

    def receive_ping(self, ping: Ping, source: Endpoint, now: float) -> None:
        """The peer's ping came from source. Replays change nothing."""
        if ping.txid in self._seen:
            return
        self._seen[ping.txid] = None
        while len(self._seen) > SEEN_TXIDS:
            del self._seen[next(iter(self._seen))]
        candidate = self._learn(source, learned=True)
        candidate.peer_ping_at = now
        self._actions.append(SendDirect(source, Pong(ping.txid, source)))
        if now - candidate.pinged_at > MIRROR_SECONDS:
            # It can reach us from there, so a ping to there is the likeliest of all to be answered; and
            # a peer that asks anew has the proof it needs at once.
            self._ping(source, now)
            if source == self.direct:
                self._next_ping = max(self._next_ping, now + self._heartbeat)
        self._prove(source, now)

    def receive_pong(self, pong: Pong, source: Endpoint, now: float) -> None:
        """A pong came from source; it counts only if its ping was sent to exactly that address."""
        pending = self._pending.get(pong.txid)
        if pending is None or pending[0] != source:
            return
        del self._pending[pong.txid]
        candidate = self.candidates.get(source)
        if candidate is None:
            return
        candidate.pong_at, candidate.rtt = now, now - pending[1]
        if source == self.direct:
            self._next_ping = now + self._heartbeat
        self._prove(source, now)

    def receive_call(self, call: CallMeMaybe, now: float) -> None:
        """The peer told its addresses by relay and is probing ours.

        It is answered in kind unless it must have heard from us: a call to a peer that was not on the
        relay yet is lost.
        """
        answer = not self.relay_heard or now - self._call_sent_at >= AGAIN_SECONDS
        self.relay_heard = True
        for endpoint in call.endpoints:
            self._learn(endpoint, learned=True)
        if answer:
            self._call(now)
        if self.state is PathState.DIRECT and now - self._doubted_at >= BURST_SECONDS:
            # A peer that calls has lost the path, or never had it: it may be at another address now.
            self._doubted_at, self._retry_seconds = now, FIRST_RETRY_SECONDS
            self._ask_all(now)
        if self.state is not PathState.DIRECT and now - self._called_at >= CALL_PAUSE_SECONDS:
            self._called_at = now
            self._begin(now, call=False)

    def roamed(self, endpoint: Endpoint | None, now: float) -> None:
        """WireGuard followed an authentic packet of the peer to endpoint (None: the relay).

        A peer that is back on the relay has left the direct path, once the late packets are
        through. Another direct address is agreed to if it is proven as well; from any other one
        WireGuard is led back.
        """
        if self.direct is None or endpoint == self.direct:
            return
        if endpoint is None and not self.late(now):
            self._fall_back(now)
        elif endpoint in self.candidates and now - self.candidates[endpoint].pong_at < UPGRADE_SECONDS:
            self.direct = endpoint

    def carries(self, traffic: bool, now: float) -> None:
        """Whether there is traffic on the path: then its death must be noticed within seconds."""
        if traffic and not self.busy:
            self._pinging_since = now
            if self.state is PathState.DIRECT:
                self._next_ping = now
        self.busy = traffic

    def next_timeout(self) -> float:
        """When handle_timeout has something to do; infinity when never."""
        return min(self._next_ping, self._next_burst, self._next_upgrade)

    def handle_timeout(self, now: float) -> None:
        """Do what is due."""
        for txid in [txid for txid, (_, sent) in self._pending.items() if now - sent > PING_MEMORY_SECONDS]:
            del self._pending[txid]
        if self.state is PathState.DIRECT:
            self._keep_direct(now)
        elif now >= self._next_burst:
            self._begin(now)
        elif now >= self._next_ping:
            self._burst(now)

    def _keep_direct(self, now: float) -> None:
        assert self.direct is not None
        answered = max(self.candidates[self.direct].pong_at, self._pinging_since if self.busy else -math.inf)
        if now - answered >= MISSED_PONGS * self._heartbeat + GRACE_SECONDS:
            self._fall_back(now)
            return
        if now >= self._next_upgrade:
            self._next_upgrade = now + UPGRADE_SECONDS
            for endpoint in self.candidates:
                if endpoint != self.direct:
                    self._ping(endpoint, now)
        if now >= self._next_ping:
            if self._doubtful and now - self._doubted_at < BURST_SECONDS:
                self._ask_all(now)
                return
            self._ping(self.direct, now)
            # Until it is answered, far more often: a lossy path must not look like a dead one.
            pause = self._heartbeat / UNANSWERED_RATIO
            self._next_ping = now + pause + min(pause, self.candidates[self.direct].rtt)

    @property
    def _doubtful(self) -> bool:
        """Whether the direct path has not answered since the peer called."""
        return self.direct is not None and self.candidates[self.direct].pong_at < self._doubted_at

    def _ask_all(self, now: float) -> None:
        for endpoint in self.candidates:
            self._ping(endpoint, now)
        self._next_ping = now + self._retry_seconds
        self._retry_seconds *= 2

    def _begin(self, now: float, *, call: bool = True) -> None:
        """Start a burst, and ask the peer by relay to start one too."""
        if self.held:
            return
        quiet = now - self._burst_started
        if quiet < BURST_SECONDS and self.state is PathState.PROBING:
            self._retry_seconds = FIRST_RETRY_SECONDS
        else:
            low = not self._was_direct and self._attempts >= 2 and quiet >= QUIET_SECONDS - 1
            self._burst_ttl = LOW_TTLS[self._attempts % len(LOW_TTLS)] if low else None
            self._attempts += 1
            self._burst_started, self._retry_seconds = now, FIRST_RETRY_SECONDS
        self.state = PathState.PROBING
        self._next_burst = math.inf
        if call:
            self._call(now)
        self._burst(now)

    def _call(self, now: float) -> None:
        self._call_sent_at = now
        self._actions.append(SendRelayed(CallMeMaybe(self._own_endpoints)))

    def _burst(self, now: float) -> None:
        age = now - self._burst_started
        if age > BURST_SECONDS:
            self.state = PathState.RELAY
            self._next_ping = math.inf
            pause = AGAIN_SECONDS if self._was_direct or self._attempts < 2 else QUIET_SECONDS
            self._next_burst = self._burst_started + pause
            return
        ttl = self._burst_ttl if age < LOW_TTL_SECONDS else None
        for endpoint in self.candidates:
            self._ping(endpoint, now, ttl)
        self._next_ping = now + self._retry_seconds
        self._retry_seconds *= 2

    def _ping(self, endpoint: Endpoint, now: float, ttl: int | None = None) -> None:
        txid = self._random_bytes(TXID_BYTES)
        if endpoint in self.candidates:
            self.candidates[endpoint].pinged_at = now
        while len(self._pending) >= MAX_PENDING:
            del self._pending[next(iter(self._pending))]
        self._pending[txid] = (endpoint, now)
        self._actions.append(SendDirect(endpoint, Ping(txid, self._own_wireguard), ttl))

    def _prove(self, endpoint: Endpoint, now: float) -> None:
        """Move to endpoint if both directions are fresh and it is the better one."""
        candidate = self.candidates[endpoint]
        both = min(candidate.pong_at, candidate.peer_ping_at)
        if self.held or endpoint == self.direct or now - both > PEER_PING_SECONDS:
            return
        if self.direct is not None and not self._doubtful:
            present = self.candidates[self.direct].rtt
            if candidate.rtt > present * BETTER_RATIO or present - candidate.rtt < BETTER_SECONDS:
                return
        self.direct, self.moved_at = endpoint, now
        self._was_direct = True
        self.state = PathState.DIRECT
        self._next_burst = math.inf
        self._next_ping = now + HEARTBEAT_SECONDS
        self._next_upgrade = now + UPGRADE_SECONDS
        self._actions.append(Move(endpoint))

    def _fall_back(self, now: float) -> None:
        if self.direct is not None:
            self.candidates[self.direct].pong_at = -math.inf
        self.direct, self.moved_at = None, now
        self.state = PathState.RELAY
        self._next_ping = self._next_upgrade = math.inf
        self._next_burst = now + FIRST_RETRY_SECONDS
        self._actions.append(Move(None))

    def _learn(self, endpoint: Endpoint, *, learned: bool) -> Candidate:
        candidate = self.candidates.get(endpoint)
        if candidate is None:
            oldest = [known for known in self.candidates if known != self.direct]
            if len(self.candidates) >= MAX_ENDPOINTS and oldest:
                del self.candidates[oldest[0]]
            candidate = self.candidates[endpoint] = Candidate(learned)
        return candidate
