"""The network as this machine has it: peers from the map, their paths, WireGuard kept in step."""

import ipaddress
import logging
import math
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping

from agent.engine.actions import Move, SendDirect, SendRelayed
from agent.engine.disco import Sealer
from agent.engine.identity import IdentityChange, PeerKeys, Pin, RefusedPeer, verify
from agent.engine.path import PeerPath
from agent.engine.psk import PskState
from agent.engine.start import Starter
from agent.engine.timers import Timers
from agent.io.owned import OwnedPort
from agent.io.port import SharedPort
from agent.io.relay import RelayProxy
from agent.io.wireguard import PeerChange, WireGuard
from agent.keys import MachineKeys
from agent.pairkeys import PairKeys
from agent.peering import PeerLink
from agent.state import Store
from wire.binary import Endpoint, WireError
from wire.disco import CallMeMaybe, Message, Ping, Pong
from wire.netmap import Netmap, Peer
from wire.numbers import PSK_RENEWAL_SECONDS
from wire.psk import Part

logger = logging.getLogger("agent.network")

PEERS_FILE = "peers.json"
# A session that should have been renewed by now (WireGuard does so after 120 s, gives up at 180 s).
HANDSHAKE_OVERDUE_SECONDS = 200.0
# A peer that says nothing by relay for so long may be one that never does.
UNHEARD_SECONDS = 2.0


class Network:
    """Peers by machine id. Times are monotonic seconds.

    On a shared port WireGuard itself sends to the peer or to the relay proxy; on an owned one it
    listens on wireguard_port and sends everything to the proxy, which knows the path.
    """

    def __init__(
        self,
        *,
        store: Store,
        keys: MachineKeys,
        wireguard: WireGuard,
        port: SharedPort | OwnedPort,
        wireguard_port: int | None = None,
        send_relayed: Callable[[bytes, int, bytes], bool],
        random_bytes: Callable[[int], bytes] = os.urandom,
        psk_seconds: float = PSK_RENEWAL_SECONDS,
        make_socket: Callable[[int, int], socket.socket] = socket.socket,
    ) -> None:
        self._store, self._keys, self.wireguard, self._port = store, keys, wireguard, port
        self._send_relayed, self._random_bytes = send_relayed, random_bytes
        self._sealer = Sealer(keys.disco, random_bytes)
        self._owned = port if isinstance(port, OwnedPort) else None
        self.proxy = RelayProxy(
            wireguard_port=wireguard_port or port.port,
            send=send_relayed if self._owned is None else self._send_data,
            inject=port.inject if isinstance(port, SharedPort) else lambda source, payload: False,
            late=self._late_endpoint,
            on_disco=self.receive_relayed,
            make_socket=make_socket,
        )
        self.links: dict[str, PeerLink] = {}
        self.refused: dict[str, str] = {}
        self.swapped: dict[str, IdentityChange] = {}
        self._by_disco: dict[bytes, PeerLink] = {}
        self._timers = Timers()
        self._own_endpoints: tuple[Endpoint, ...] = ()
        self._relay_up_at = math.inf
        saved = store.load_json(PEERS_FILE) or {}
        self._pins = {
            key: Pin(str(pin["identity"]), bool(pin["hybrid"])) for key, pin in saved.get("pins", {}).items()
        }
        self.pair_keys = PairKeys(
            store=store,
            keys=keys,
            random_bytes=random_bytes,
            interval_seconds=psk_seconds,
            send=self._send_disco,
            install=lambda link: self.wireguard.apply([link.installed()]),
        )

    def apply(self, netmap: Netmap, now: float) -> None:
        """Make the peers those of the map."""
        own_addresses = {netmap.self_node.tailnet_ip, *(peer.tailnet_ip for peer in netmap.peers.values())}
        for machine_id in self.links.keys() - netmap.peers.keys():
            self._remove(self.links[machine_id])
        known, self.refused, self.swapped = self.refused, {}, {}
        before, pins = dict(self.links), dict(self._pins)
        for peer in netmap.peers.values():
            try:
                self._take(peer, _candidates(peer, own_addresses), now)
            except RefusedPeer as refusal:
                self.refused[peer.machine_id] = str(refusal)
                if refusal.change is not None:
                    self.swapped[peer.machine_id] = refusal.change
                if known.get(peer.machine_id) != str(refusal):
                    logger.warning("peer %s refused: %s", peer.name, refusal)
                if peer.machine_id in self.links:
                    self._remove(self.links[peer.machine_id])
        if self._pins != pins:
            self._save()
        # All at once: a call for each of 500 peers would hold up the start by seconds.
        fresh = [link for key, link in self.links.items() if before.get(key) is not link]
        self.wireguard.apply([link.introduce(self._random_bytes) for link in fresh])
        self.flush(now)

    def accept_identity(self, machine_id: str, offered: str) -> bool:
        """Pin the identity that a machine shows now; False unless it is the one that was offered.

        The next map brings the peer in. That it once had a post-quantum key stays remembered.
        """
        change = self.swapped.get(machine_id)
        if change is None or change.offered != offered:
            return False
        self._pins[machine_id] = Pin(offered, hybrid=self._pins[machine_id].hybrid)
        self._save()
        logger.warning("the changed identity of machine %s was accepted here", machine_id)
        return True

    def carry(self, prefixes: Mapping[str, tuple[str, ...]]) -> None:
        """Networks behind each peer, by machine id; WireGuard knows one peer for each network."""
        changed = []
        for machine_id, link in self.links.items():
            wanted = prefixes.get(machine_id, ())
            if wanted != link.carries:
                link.carries = wanted
                # Before it has a path the peer has no addresses; they come with its first endpoint.
                if link.written is not None:
                    changed.append(PeerChange(link.keys.wireguard, allowed_ips=link.allowed_ips()))
        if changed:
            # Who lost a network comes first: the others take it over.
            self.wireguard.apply(sorted(changed, key=lambda change: len(change.allowed_ips or ())))

    def rebuild(self, wireguard: WireGuard, now: float) -> None:
        """The interface was lost and is new: tell it everything again."""
        self.wireguard = wireguard
        for link in self.links.values():
            link.written, link.last_handshake = None, -math.inf
        wireguard.apply([link.introduce(self._random_bytes) for link in self.links.values()])
        self.flush(now)

    def set_own_endpoints(self, endpoints: Iterable[Endpoint], now: float) -> None:
        """Addresses at which peers may reach us."""
        self._own_endpoints = tuple(endpoints)
        for link in self.links.values():
            link.path.set_own_endpoints(self._own_endpoints, now)
        self.flush(now)

    def hold(self, link: PeerLink, held: bool) -> None:
        """Keep the path of a peer on the relay, or let it be chosen again."""
        now = time.monotonic()
        link.path.hold(held, now)
        self._flush(link, now)

    def link_changed(self, now: float) -> None:
        """Our own network changed: every path must be proven anew."""
        self._port.network_changed()
        for link in self.links.values():
            link.path.link_changed(now)
        self.flush(now)

    def relay_lost(self) -> None:
        """Nobody can be reached by relay until the link is back; endpoints stay as they are."""
        self._relay_up_at = math.inf

    def relay_connected(self, now: float) -> None:
        """Peers can be reached, and asked to probe, from now on."""
        self._relay_up_at = min(self._relay_up_at, now)
        for link in self.links.values():
            link.path.probe(now)
        self.flush(now)

    def receive_direct(self, packet: bytes, source: Endpoint, now: float) -> None:
        """A disco packet came to the shared port."""
        opened = self._open(packet)
        if opened is None:
            return
        link, message = opened
        if isinstance(message, Ping) and message.wireguard == link.keys.wireguard:
            link.path.receive_ping(message, source, now)
        elif isinstance(message, Pong):
            link.path.receive_pong(message, source, now)
        elif isinstance(message, Part):
            self.pair_keys.receive(link, message, now)
        self._flush(link, now)

    def receive_data(self, source: Endpoint, segment: int, batch: memoryview) -> None:
        """WireGuard's packets came to the owned port. Where nobody is known to be, nobody is heard."""
        links = self.links.values()
        # Two may be told to be there: whose own ping came from there last is the one.
        link = next((link for link in links if link.path.direct == source), None) or max(
            (link for link in links if source in link.path.candidates),
            key=lambda link: link.path.candidates[source].peer_ping_at,
            default=None,
        )
        if link is not None:
            self.proxy.receive(link.keys.disco, segment, batch)

    def _send_data(self, key: bytes, segment: int, batch: bytes) -> bool:
        """WireGuard's packets on their way out: on the direct path, else by relay."""
        link = self._by_disco.get(key)
        if link is None or link.path.direct is None or self._owned is None:
            return self._send_relayed(key, segment, batch)
        self._owned.send_data(link.path.direct, segment, batch)
        return True

    def receive_relayed(self, key: bytes, packet: bytes) -> None:
        """A disco packet came by relay."""
        opened = self._open(packet)
        now = time.monotonic()
        if opened is None or opened[0].keys.disco != key:
            return
        link, message = opened
        if isinstance(message, CallMeMaybe):
            link.path.receive_call(message, now)
        elif isinstance(message, Part):
            self.pair_keys.receive(link, message, now)
        self._flush(link, now)

    def agreed(self, link: PeerLink, psk: bytes, now: float) -> None:
        """A pair-wise key is agreed: kept, written, and the tunnel may start."""
        self.pair_keys.agreed(link, psk, now)
        link.starter.agreed(now)
        self._flush(link, now)

    def poll(self, now: float) -> None:
        """Take in WireGuard's own view."""
        wall = time.time()
        statuses, confirmations = self.wireguard.peers(), list[PeerChange]()
        for link in self.links.values():
            status = statuses.get(link.keys.wireguard)
            if status is None:
                continue
            link.observe(status, now, wall)
            if link.peer.online and link.starter.lost(now, link.last_handshake):
                self._start_anew(link)
            if link.starter.unconfirmed(now, link.last_handshake, status.rx_bytes):
                confirmations += link.say_something()
            if link.peer.online and HANDSHAKE_OVERDUE_SECONDS < now - link.last_handshake < math.inf:
                link.psk.silent(now)
        self.wireguard.apply(confirmations)
        self.flush(now)

    def handle_timeout(self, now: float) -> None:
        """Let the peers that are due do what is due."""
        for machine_id in self._timers.pop(now):
            link = self.links.get(machine_id)
            if link is not None:
                link.path.handle_timeout(now)
                self._flush(link, now)

    def next_timeout(self) -> float:
        """When handle_timeout is due."""
        return self._timers.next()

    def settling(self) -> bool:
        """Whether a handshake is awaited that decides something."""
        return any(
            link.psk.state is PskState.INSTALLED or (link.psk.agreed and math.isinf(link.last_handshake))
            for link in self.links.values()
            if link.peer.online
        )

    def flush(self, now: float) -> None:
        """Carry out what the paths ask for."""
        for link in self.links.values():
            self._flush(link, now)

    def _flush(self, link: PeerLink, now: float) -> None:
        for action in link.path.actions():
            match action:
                case SendDirect(endpoint, message, ttl):
                    self._port.send(endpoint, self._sealer.seal(link.keys.disco, message), ttl)
                case SendRelayed(message):
                    self._relay_disco(link, message)
                case Move(endpoint):
                    logger.info("path peer=%s to=%s", link.peer.name, endpoint or "relay")
                    link.starter.moved(now, link.last_handshake)
        self.pair_keys.flush(link, now)
        unheard_until = self._relay_up_at + UNHEARD_SECONDS
        session = link.starter.session(now, link.last_handshake)
        listens = session or link.path.relay_heard or now >= unheard_until
        change = link.steer(now, relay_up=listens and now >= self._relay_up_at)
        if change is not None:
            logger.debug("endpoint peer=%s %s", link.peer.name, change.endpoint)
            self.wireguard.apply([change])
        waits = math.inf if listens else unheard_until
        self._timers.set(link.peer.machine_id, min(link.next_timeout(now), waits))

    def _send_disco(self, link: PeerLink, message: Message) -> None:
        """Say something on the path that traffic takes."""
        if link.path.direct is None:
            self._relay_disco(link, message)
        else:
            self._port.send(link.path.direct, self._sealer.seal(link.keys.disco, message), None)

    def _start_anew(self, link: PeerLink) -> None:
        """Make WireGuard forget that it sent an initiation, which was lost: the next one goes at once."""
        logger.info("handshake lost peer=%s", link.peer.name)
        self.wireguard.apply(
            [PeerChange(link.keys.wireguard, remove=True), link.introduce(self._random_bytes)]
        )
        link.written = None

    def _relay_disco(self, link: PeerLink, message: Message) -> None:
        packet = self._sealer.seal(link.keys.disco, message)
        self._send_relayed(link.keys.disco, len(packet), packet)

    def _take(self, peer: Peer, candidates: list[Endpoint], now: float) -> None:
        link = self.links.get(peer.machine_id)
        if link is not None and link.peer == peer:
            return
        keys, self._pins[peer.machine_id] = verify(peer, self._pins)
        if link is not None and link.keys != keys:
            if link.keys.wireguard != keys.wireguard:
                self.pair_keys.forget(link.keys)
            self._remove(link)
            link = None
        if link is None:
            link = self._introduce(peer, keys, now)
        elif link.peer != peer:
            moved = link.peer.tailnet_ip != peer.tailnet_ip or link.peer.tailnet_ipv6 != peer.tailnet_ipv6
            link.peer = peer
            if moved and link.psk.agreed:
                self.wireguard.apply([PeerChange(keys.wireguard, allowed_ips=link.allowed_ips())])
        link.path.set_candidates(candidates, now)

    def _introduce(self, peer: Peer, keys: PeerKeys, now: float) -> PeerLink:
        session = self.pair_keys.session(keys, now)
        self._sealer.add(keys.disco)
        link = PeerLink(
            peer=peer,
            keys=keys,
            path=PeerPath(
                own_wireguard=self._keys.wireguard_public,
                random_bytes=self._random_bytes,
                own_endpoints=self._own_endpoints,
            ),
            psk=session,
            starter=Starter(initiator=session.initiator),
            relay=self.proxy.add(keys.disco),
            proxied=self._owned is not None,
        )
        self.links[peer.machine_id] = self._by_disco[keys.disco] = link
        if link.psk.agreed:
            link.starter.agreed(now)
        logger.info("peer %s added", peer.name)
        return link

    def _remove(self, link: PeerLink) -> None:
        del self.links[link.peer.machine_id]
        del self._by_disco[link.keys.disco]
        self._timers.set(link.peer.machine_id, math.inf)
        self._sealer.remove(link.keys.disco)
        self.proxy.remove(link.keys.disco)
        self.wireguard.apply([PeerChange(link.keys.wireguard, remove=True)])
        logger.info("peer %s removed", link.peer.name)

    def _open(self, packet: bytes) -> tuple[PeerLink, Message] | None:
        opened = self._sealer.open(packet)
        link = self._by_disco.get(opened[0]) if opened else None
        return (link, opened[1]) if link and opened else None

    def _late_endpoint(self, key: bytes) -> Endpoint | None:
        link = self._by_disco.get(key)
        late = self._owned is None and link is not None and link.path.late(time.monotonic())
        return link.path.direct if link and late else None

    def _save(self) -> None:
        pins = {key: {"identity": pin.identity, "hybrid": pin.hybrid} for key, pin in self._pins.items()}
        self._store.save_json(PEERS_FILE, {"pins": pins})


def _candidates(peer: Peer, tailnet: Iterable[str]) -> list[Endpoint]:
    """Addresses from the map that may be probed: no loopback, multicast or tailnet address."""
    excluded = set(tailnet)
    found = []
    for text in peer.endpoints:
        try:
            endpoint = Endpoint.parse(text)
        except WireError:
            continue
        address = ipaddress.ip_address(endpoint.host)
        if not (
            address.is_loopback or address.is_multicast or address.is_unspecified or endpoint.host in excluded
        ):
            found.append(endpoint)
    return found
