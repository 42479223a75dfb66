"""One peer at run time: its keys, its path, its key state, and what WireGuard was told."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.engine.identity import PeerKeys
from agent.engine.path import PeerPath
from agent.engine.psk import PskSession, PskState
from agent.engine.start import Starter
from agent.io.wireguard import PeerChange, PeerStatus
from wire.binary import Endpoint
from wire.netmap import Peer
from wire.numbers import KEEPALIVE_SECONDS
from wire.psk import Joiner

PLACEHOLDER_BYTES = 32
# Less than this between two looks is WireGuard's own keepalive.
TRAFFIC_BYTES = 64
QUIET_AFTER_SECONDS = 10.0


@dataclass
class PeerLink:
    """relay is the loopback endpoint that leads to the peer by relay. Times are monotonic.

    proxied: WireGuard knows no other endpoint than that one; the proxy takes the path.
    """

    peer: Peer
    keys: PeerKeys
    path: PeerPath
    psk: PskSession
    starter: Starter
    relay: Endpoint
    proxied: bool = False
    parts: Joiner = field(default_factory=Joiner)
    status: PeerStatus = field(default_factory=lambda: PeerStatus(None, 0.0, 0, 0))
    last_handshake: float = -math.inf
    carries: tuple[str, ...] = ()
    written: Endpoint | None = None
    last_traffic: float = -math.inf

    @property
    def label(self) -> str:
        """The path as people read it: direct, derp, or none before any session."""
        if math.isinf(self.last_handshake):
            return "none"
        return "direct" if self.path.direct else "derp"

    @property
    def pqc(self) -> str:
        """verified, pending or classical."""
        return PskState.PENDING.value if self.psk.state is PskState.INSTALLED else self.psk.state.value

    def next_timeout(self, now: float) -> float:
        """When something of this peer is due."""
        return min(self.path.next_timeout(), self.starter.next_timeout(now), self.psk.next_timeout())

    def allowed_ips(self) -> list[str]:
        """What the peer may send from."""
        addresses = [f"{self.peer.tailnet_ip}/32"]
        if self.peer.tailnet_ipv6:
            addresses.append(f"{self.peer.tailnet_ipv6}/128")
        return [*addresses, *self.carries]

    def introduce(self, random_bytes: Callable[[int], bytes]) -> PeerChange:
        """Put the peer into WireGuard, with a placeholder for a key that is not agreed yet.

        It has no addresses before there is a way to it: traffic would start a handshake that goes
        nowhere, and the next one comes 5 s later.
        """
        agreed = self.psk.agreed
        placeholder = None if agreed else random_bytes(PLACEHOLDER_BYTES)
        return PeerChange(
            self.keys.wireguard,
            preshared_key=self.psk.psk if agreed else placeholder,
            allowed_ips=[],
            update_only=False,
        )

    def installed(self) -> PeerChange:
        """Write the agreed key; it takes force at the next handshake.

        Who answers the first handshake needs the addresses from now on; who starts it sets them with
        the endpoint.
        """
        starts = self.psk.initiator and self.written is None
        allowed = None if starts else self.allowed_ips()
        return PeerChange(self.keys.wireguard, preshared_key=self.psk.psk, allowed_ips=allowed)

    def steer(self, now: float, *, relay_up: bool) -> PeerChange | None:
        """Write the endpoint where the path leads now, once there is a way and this side may.

        relay_up: whether the peer can be reached by relay. While it is not, the old endpoint is the best
        there is: WireGuard follows the peer by itself.
        """
        target = self.relay if self.proxied else self.path.direct or self.relay
        if not self.psk.agreed or target == self.written or not (relay_up or self.path.direct):
            return None
        if not self.starter.may_set(now, self.last_handshake):
            return None
        first, self.written = self.written is None, target
        self.starter.started(now)
        return PeerChange(
            self.keys.wireguard,
            endpoint=target,
            keepalive_seconds=KEEPALIVE_SECONDS,
            allowed_ips=self.allowed_ips() if first else None,
        )

    def say_something(self) -> list[PeerChange]:
        """Make WireGuard send an empty packet now: it does so when its keepalive is turned on."""
        return [PeerChange(self.keys.wireguard, keepalive_seconds=each) for each in (0, KEEPALIVE_SECONDS)]

    def observe(self, status: PeerStatus, now: float, wall: float) -> None:
        """Take in what WireGuard says; wall is Unix time, the clock of its handshakes."""
        self._watch_traffic(status, now)
        fresh = status.last_handshake != self.status.last_handshake
        self.status = status
        if fresh and status.last_handshake:
            # Told from the wall clock once, when it is a moment old: that clock may jump later.
            self.last_handshake = now - max(0.0, wall - status.last_handshake)
        if status.last_handshake:
            self.psk.handshake(self.last_handshake)
        if status.endpoint is not None:
            if not self.proxied:
                self.path.roamed(None if status.endpoint == self.relay else status.endpoint, now)
            # Before the first steering WireGuard knows the address only by the peer's own handshake.
            self.written = status.endpoint if self.written else None

    def _watch_traffic(self, status: PeerStatus, now: float) -> None:
        """Tell the path whether it is used."""
        moved = status.rx_bytes + status.tx_bytes - self.status.rx_bytes - self.status.tx_bytes
        if moved > TRAFFIC_BYTES:
            self.last_traffic = now
        self.path.carries(now - self.last_traffic < QUIET_AFTER_SECONDS, now)
