"""Pair keys at work: renewals by disco, keys to disk and to WireGuard in the order that is safe."""

import logging
from collections.abc import Callable

from agent.engine.identity import PeerKeys
from agent.engine.keyring import Keyring
from agent.engine.psk import PskSession
from agent.engine.ratchet import HybridRatchet
from agent.engine.renewal import Install, Renewal, Send, StartOver
from agent.errors import AgentError
from agent.keys import MachineKeys
from agent.peering import PeerLink
from agent.state import Store
from wire import psk
from wire.binary import WireError
from wire.disco import Message

logger = logging.getLogger("agent.pairkeys")


class PairKeys:
    """Keyrings of all peers. send takes a disco message to a peer; install tells WireGuard."""

    def __init__(
        self,
        *,
        store: Store,
        keys: MachineKeys,
        random_bytes: Callable[[int], bytes],
        interval_seconds: float,
        send: Callable[[PeerLink, Message], None],
        install: Callable[[PeerLink], None],
    ) -> None:
        self._store, self._keys, self._random_bytes = store, keys, random_bytes
        self._interval_seconds, self._send, self._install = interval_seconds, send, install

    def session(self, peer: PeerKeys, now: float) -> PskSession:
        """The key state of a peer, with what its file remembers."""
        initiator = self._keys.wireguard_public < peer.wireguard
        if peer.mlkem is None:
            return PskSession(initiator=initiator, keys=Keyring(), renewal=None, now=now)
        keyring = self._load(peer.wireguard)
        own = (self._keys.identity_public, self._keys.wireguard_public)
        other = (peer.identity, peer.wireguard)
        (first, first_wireguard), (second, second_wireguard) = (own, other) if initiator else (other, own)
        renewal = Renewal(
            initiator=initiator,
            keys=keyring,
            ratchet=HybridRatchet(
                ends=psk.Ends(first, second, first_wireguard, second_wireguard),
                peer_identity=peer.identity,
                sign=self._keys.sign,
            ),
            random_bytes=self._random_bytes,
            now=now,
            interval_seconds=self._interval_seconds,
        )
        return PskSession(initiator=initiator, keys=keyring, renewal=renewal, now=now)

    def agreed(self, link: PeerLink, key: bytes, now: float) -> None:
        """The control plane brought a pair its key."""
        link.psk.install(key, now)
        self._save(link)
        self._install(link)

    def receive(self, link: PeerLink, part: psk.Part, now: float) -> None:
        """A part of a renewal came from a peer."""
        renewal = link.psk.renewal
        if renewal is None:
            return
        try:
            message = link.parts.add(part)
        except WireError:
            return
        if message is not None:
            renewal.receive(message, now)
            self.flush(link, now)

    def flush(self, link: PeerLink, now: float) -> None:
        """Do what is due and what the renewal asks for."""
        renewal = link.psk.renewal
        if renewal is None:
            return
        renewal.online = link.peer.online
        renewal.handle_timeout(now)
        for action in renewal.actions():
            match action:
                case Send(message):
                    for part in psk.split(message):
                        self._send(link, part)
                case StartOver():
                    logger.warning("psk differs peer=%s: agreeing anew", link.peer.name)
                    link.psk.start_over(now)
                case Install():
                    link.psk.renewed(now)
                    self._save(link)
                    self._install(link)
                    epoch = link.psk.keys.current.epoch if link.psk.keys.current else 0
                    logger.info("psk renewed peer=%s epoch=%d", link.peer.name, epoch)
                case _:
                    self._save(link)

    def forget(self, peer: PeerKeys) -> None:
        """The keys of this peer are of no use any more."""
        self._store.remove(keyring_file(peer.wireguard))

    def _load(self, wireguard: bytes) -> Keyring:
        try:
            return Keyring.from_json(self._store.load_json(keyring_file(wireguard)) or {}, wireguard)
        except AgentError as error:
            # A lost key costs an exchange; it must not cost the machine its network.
            logger.warning("%s", error)
            return Keyring()

    def _save(self, link: PeerLink) -> None:
        wireguard = link.keys.wireguard
        try:
            self._store.save_json(keyring_file(wireguard), link.psk.keys.to_json(wireguard))
        except AgentError as error:
            # After a restart the older key is refused, and the pair agrees anew.
            logger.error("%s", error)


def keyring_file(wireguard: bytes) -> str:
    """A file a peer: renewals come often, and one file of all would be rewritten for each."""
    return f"psk/{wireguard.hex()}.json"
